"""One line of JSON for every request that writes, or tried to: who, what, which objects, result. Never a token, never a parameter.

The lines go to standard output by a logger of their own (``simops.audit``); the gateway's other lines go to standard error.
"""

import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simops_api.auth.caller import Caller
from simops_api.requests import request_id

log = logging.getLogger("simops.audit")

DONE = "done"
TRIED = "tried"
"""The API server would have done it: a dry run."""
REFUSED = "refused"
"""The API server said no."""
FORBIDDEN = "forbidden"
"""RBAC says no; the API server was not asked to do it."""
UNKNOWN = "unknown"
"""There was no answer: it may have been done."""

_READS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_MAX_TEXT = 500
_MAX_GROUPS = 100

_objects: ContextVar[list[dict[str, str]] | None] = ContextVar("audited_objects", default=None)


def configure() -> None:
    """Let the lines go to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def note(kind: str, namespace: str, name: str, result: str) -> None:
    """Add what became of an object to the line of the present request, if it is one that writes."""
    found = _objects.get()
    if found is not None:
        found.append({"kind": kind, "namespace": namespace, "name": name, "result": result})


@contextlib.contextmanager
def writing(kind: str, namespace: str, name: str, refusal: type[Exception], success: str = DONE) -> Iterator[None]:
    """Add an object to the line of the present request, with what became of it: ``refusal`` is what a no is raised as."""
    result = UNKNOWN
    try:
        yield
        result = success
    except refusal:
        result = REFUSED
        raise
    finally:
        note(kind, namespace, name, result)


class Audit:
    """Writes the lines."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["method"] in _READS:
            await self._app(scope, receive, send)
            return
        objects: list[dict[str, str]] = []
        _objects.set(objects)
        began = time.time()
        status: int | None = None

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            # Also when the handler raised or was cancelled: what it wrote by then is written.
            log.info("%s", json.dumps(_line(scope, objects, status, began)))


def _line(scope: Scope, objects: list[dict[str, str]], status: int | None, began: float) -> dict[str, Any]:
    caller: Caller | None = (scope.get("state") or {}).get("caller")
    endpoint = scope.get("endpoint")
    return {
        "time": datetime.fromtimestamp(began, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "logger": log.name,
        "request_id": request_id.get(),
        "user": caller.name[:_MAX_TEXT] if caller else None,
        "uid": caller.uid[:_MAX_TEXT] if caller else None,
        "groups": list(caller.groups[:_MAX_GROUPS]) if caller else [],
        "remote": (scope.get("client") or ("", 0))[0],
        "method": str(scope["method"])[:_MAX_TEXT],
        "path": str(scope["path"])[:_MAX_TEXT],
        "action": getattr(endpoint, "__name__", None),
        "objects": objects,
        "status": status,
        "result": _result(status),
        "seconds": round(time.time() - began, 6),
    }


def _result(status: int | None) -> str:
    if status is None:
        return "aborted"
    return "ok" if status < 400 else "refused" if status < 500 else "failed"
