"""Each request is counted, and told in one log line when it is over."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simops_api import metrics
from simops_api.requests import request_id
from simops_io import logs

log = logging.getLogger("simops_api.access")

PROBES = frozenset({"/live", "/ready", "/health", "/metrics"})
"""Asked so often, by machines, that a log line or a span of each tells nobody anything."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"
_MAX_PATH = 500


def is_probe(scope: Mapping[str, Any]) -> bool:
    """Whether a request is one of a machine that looks whether the gateway is well."""
    path = str(scope.get("path") or "")
    return path in PROBES or path.removeprefix("/api/v1") in PROBES


def log_fields() -> dict[str, Any]:
    """Return what a log line says beside its message: the request, its caller and its job as far as they are known."""
    return {"request_id": request_id.get(), **logs.about.get()}


def quiet_libraries() -> None:
    """Let uvicorn's loggers write lines like ours; its access log is replaced by the one here."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # what fails for good is told by the store


class Observe:
    """Watches every request from its first byte to its last."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Not taken back at the end: what the server says of an error comes later. The task ends with the request.
        logs.about.set({})
        seen = _Seen(scope)

        async def sending(message: Message) -> None:
            seen.take(message)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            seen.end()


class _Seen:
    """One request."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._began = time.perf_counter()
        self._first: float | None = None
        self._status = 500  # what an exception becomes
        self._bytes = 0
        self._is_stream = False
        metrics.IN_FLIGHT.inc()

    def take(self, message: Message) -> None:
        """See a part of the answer."""
        if message["type"] == "http.response.start":
            self._status = int(message["status"])
            self._first = time.perf_counter()
            _mark_span()
            content_type = Headers(raw=list(message.get("headers") or ())).get("content-type", "")
            self._is_stream = content_type.startswith("text/event-stream")
            if self._is_stream:
                metrics.STREAMS.inc()
        else:
            self._bytes += len(message.get("body") or b"")

    def end(self) -> None:
        """Count the request, and tell of it."""
        now = time.perf_counter()
        route, method = _route(self._scope), str(self._scope["method"])
        method = method if method in _METHODS else _OTHER
        told = (self._first or now) if self._is_stream else now
        metrics.IN_FLIGHT.dec()
        if self._is_stream:
            metrics.STREAMS.dec()
        metrics.REQUESTS.labels(method=method, route=route, status=self._status).inc()
        metrics.REQUEST_SECONDS.labels(method=method, route=route).observe(told - self._began)
        metrics.RESPONSE_BYTES.labels(route=route).inc(self._bytes)
        level = logging.DEBUG if is_probe(self._scope) else logging.INFO
        if not log.isEnabledFor(level):
            return
        fields = {
            "method": method,
            "route": route,
            "path": str(self._scope["path"])[:_MAX_PATH],
            "status": self._status,
            "duration_seconds": round(now - self._began, 6),
            "bytes": self._bytes,
        }
        caller = (self._scope.get("state") or {}).get("caller")
        if caller is not None:
            fields["caller"] = caller.name
        log.log(level, "%s %s %d", method, fields["path"], self._status, extra=fields)


def _mark_span() -> None:
    # While the answer begins: the span is over with the answer's last byte.
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes({f"simops.{name}": value for name, value in log_fields().items() if value})


def _route(scope: Scope) -> str:
    """Return the template of the path, such as /api/v1/jobs/{job_id}: of those there are few, of paths any number."""
    matched = (scope.get("fastapi") or {}).get("effective_route_context") or scope.get("route")
    return str(getattr(matched, "path_format", None) or _OTHER)
