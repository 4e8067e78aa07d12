"""What can go wrong, as exceptions made from the gateway's problem documents (RFC 9457)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from simops_client.models import JobInfo, SweepInfo

_MOST_TEXT = 300


@dataclass(frozen=True)
class FieldProblem:
    """One mistake of a request."""

    field: str
    """The field, its parts separated by dots; empty when the whole is meant."""
    message: str
    location: str = ""
    """body, query, path, header, or object."""


class SimOpsError(Exception):
    """A call did not do what it should. ``status`` is None where no answer came."""

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        title: str = "",
        errors: Sequence[FieldProblem] = (),
        request_id: str | None = None,
        created: Sequence[str] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.title = title
        self.errors = list(errors)
        """The mistakes one by one, when they are about fields."""
        self.request_id = request_id
        """By which the gateway's logs know the request."""
        self.created = list(created)
        """Of many jobs that were asked for at once: those that were made nevertheless."""
        self.retry_after = retry_after
        """After how many seconds the gateway wants to be asked again."""

    def __str__(self) -> str:
        head = f"{self.status} {self.title}: " if self.status else ""
        tail = f" (request {self.request_id})" if self.request_id else ""
        return f"{head}{self.detail}{tail}"


class NotFound(SimOpsError):
    """There is no such thing (404), or no more (410)."""


class Unauthorized(SimOpsError):
    """No valid token (401)."""


class Forbidden(SimOpsError):
    """Not permitted (403)."""


class Invalid(SimOpsError):
    """The request is wrong (400, 413, 414, 415, 422); ``errors`` names the fields."""


class Conflict(SimOpsError):
    """Not in this state (409): it has finished already, or there is no result yet."""


class TooManyRequests(SimOpsError):
    """Too many requests, also after having waited (429)."""


class Unavailable(SimOpsError):
    """The gateway cannot now, or is not reached (5xx, or no answer)."""


class DamagedDownload(SimOpsError):
    """What arrived is not what was announced, also at a second try; or an archive leads out of its folder."""


class SimulationFailed(SimOpsError):
    """A run or sweep that was waited for did not succeed."""

    def __init__(self, info: "JobInfo | SweepInfo") -> None:
        why = ": ".join(text for text in (info.reason, info.message) if text)
        super().__init__(f"{info.id} is {info.status}" + (f" ({why})" if why else ""))
        self.info = info


_KINDS: dict[int, type[SimOpsError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    413: Invalid,
    414: Invalid,
    415: Invalid,
    422: Invalid,
    429: TooManyRequests,
}


def error_of(answer: "httpx.Response") -> SimOpsError:
    """Return the exception that an answer is, whose body has been read."""
    status = answer.status_code
    problem = _problem(answer)
    kind = Unavailable if status >= 500 else _KINDS.get(status, SimOpsError)
    found = problem.get("errors")
    return kind(
        str(problem.get("detail") or _words(answer)),
        status=status,
        title=str(problem.get("title") or _phrase(status)),
        errors=[_field(one) for one in found if isinstance(one, dict)] if isinstance(found, list) else (),
        request_id=answer.headers.get("X-Request-ID"),
        created=[str(one) for one in problem.get("created") or ()],
        retry_after=_seconds(answer.headers.get("Retry-After")),
    )


def _problem(answer: "httpx.Response") -> dict[str, Any]:
    try:
        value = json.loads(answer.content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _field(one: dict[str, Any]) -> FieldProblem:
    return FieldProblem(str(one.get("field", "")), str(one.get("detail", "")), str(one.get("location", "")))


def _words(answer: "httpx.Response") -> str:
    # Something between here and the gateway has answered.
    if answer.is_redirect:
        return f"it has moved to {answer.headers.get('Location')}: give that address as url"
    text = " ".join(answer.text.split()) if "html" not in answer.headers.get("Content-Type", "") else ""
    return text[:_MOST_TEXT] or "the answer does not say why"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _seconds(text: str | None) -> float | None:
    # A date would need this machine's clock to be right; the gateway gives seconds.
    return float(text) if text is not None and text.isascii() and text.isdecimal() else None
