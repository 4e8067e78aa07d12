"""What to type next when a command ends before its time: said once, by whoever knows it."""

from simops_client.errors import Unavailable

PORT_FORWARD = "kubectl -n simops-system port-forward service/simops-gateway 8000:80"
"""What reaches a gateway that has no Ingress."""

_next: list[str] = []


def clear() -> None:
    """Begin a command: there is nothing to say yet."""
    _next.clear()


def resume_by(text: str) -> None:
    """Say how to go on if this ends before its time."""
    _next[:] = [text]


def after(error: BaseException | None = None) -> str:
    """Return how to go on, as it follows a message; empty when there is nothing to go on with."""
    if not _next or not (error is None or isinstance(error, Unavailable | TimeoutError)):
        return ""
    return f"; {_next[0]}"
