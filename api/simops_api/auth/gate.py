"""Every request passes here before anything of it is read: who is it, and are they not asking too often?

Whatever is not named as open needs a caller, so a call that is added later cannot be forgotten.
"""

from functools import partial

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simops_api.auth.access import Access
from simops_api.auth.caller import ANONYMOUS, Caller
from simops_api.auth.newcomers import Newcomers
from simops_api.errors import ProblemError, response_of
from simops_api.limits import drain
from simops_api.ratelimit import RateLimit, Standing, address_key, too_often
from simops_api.settings import Settings
from simops_io import logs

_PROBES = ("/live", "/ready", "/health")
OPEN = frozenset({*_PROBES, *(f"/api/v1{path}" for path in _PROBES), "/docs", "/openapi.json"})
"""What everybody may read: whether the gateway is well, and what it can do."""
METRICS = "/metrics"
_UI = "/ui"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_open(path: str) -> bool:
    """Whether everybody may read a path: also the page's own files, which show nothing by themselves."""
    return path in OPEN or path in ("/", _UI) or path.startswith(f"{_UI}/")


class Limits:
    """The limits of callers, and of those who are nobody yet."""

    def __init__(self, settings: Settings) -> None:
        self.reads = RateLimit("reads", settings.rate_reads, settings.rate_reads_burst)
        self.writes = RateLimit("writes", settings.rate_writes, settings.rate_writes_burst)
        self.newcomers = Newcomers(settings.rate_sign_ins, settings.rate_sign_ins_burst)


class Gate:
    """Signs callers in, and counts their requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        state = scope["app"].state.gateway
        try:
            caller, standing = await admit(scope, state.access, state.limits)
        except ProblemError as problem:
            headers = Headers(scope=scope)
            if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
                await drain(receive)
            await response_of(problem)(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if standing is not None and message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(standing.headers)
            await send(message)

        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, sending)


async def admit(scope: Scope, access: Access, limits: Limits) -> tuple[Caller, Standing | None]:
    """Return who makes a request, and how they stand.

    Raises:
        ProblemError: 401 nobody that is known; 403 not for them; 429 too often; 503 it cannot be found out now.
    """
    # Two of them are none: what stands before the gateway may have gone by the other one.
    authorization = ", ".join(Headers(scope=scope).getlist("authorization")) or None
    scope.setdefault("state", {})["again"] = partial(access.sign_in, authorization)
    reads = scope["method"] in _READS
    is_new = partial(access.asks, authorization)
    if not is_new():
        caller = await access.sign_in(authorization, reads=reads)
    else:
        subject = access.subject(authorization)
        await limits.newcomers.admit(address_key((scope.get("client") or ("", 0))[0]), subject, is_new)
        caller = await access.sign_in(authorization, reads=reads)
        limits.newcomers.welcome(subject)
    scope["state"]["caller"] = caller
    logs.tell(caller=caller.name)
    if scope["path"] == METRICS:
        await access.require_path(caller, METRICS)
        return caller, None
    if caller is ANONYMOUS:
        return caller, None
    return caller, _check((limits.reads if reads else limits.writes).take(caller.account))


def _check(standing: Standing | None) -> Standing | None:
    if standing is None or not standing.wait:
        return standing
    raise too_often(standing)
