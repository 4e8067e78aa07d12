"""Headers that every answer has, errors too, and the hosts that the gateway answers for."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simops_api.auth.gate import METRICS, OPEN
from simops_api.errors import ProblemError, response_of

DEFAULTS = {
    # Nothing that the gateway answers is a page of it. Results are files that anybody's simulation wrote: an HTML or SVG file among them
    # must not run as the gateway's.
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Each is added where a call says nothing else."""
# Kubernetes asks by the Pod's address.
_PROBES = frozenset(path for path in (*OPEN, METRICS) if not path.startswith(("/docs", "/openapi")))


class SecurityHeaders:
    """Adds what an answer lacks, and lets no value end its line."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name, _one_line(value)) for name, value in message.get("headers") or ()]
                headers = MutableHeaders(scope=message)
                for name, value in DEFAULTS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sending)


def _one_line(value: bytes) -> bytes:
    # h11 would refuse to send it, and the client would get no answer at all.
    if any(byte < 0x20 or byte == 0x7F for byte in value):
        return bytes(byte if 0x20 <= byte != 0x7F else 0x20 for byte in value).strip()
    return value


class AllowedHosts:
    """Refuses requests that were meant for another host. Probes are let through, whatever they say."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["path"] in _PROBES or self._is_allowed(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        problem = ProblemError(421, "the gateway does not answer for this host (SIMOPS_ALLOWED_HOSTS)")
        await response_of(problem)(scope, receive, send)

    def _is_allowed(self, headers: Headers) -> bool:
        host = headers.get("host", "").lower()
        # An IPv6 address has colons of its own, inside brackets.
        bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if host in self._hosts or bare in self._hosts:
            return True
        return any(one.startswith("*.") and bare.endswith(one[1:]) for one in self._hosts)
