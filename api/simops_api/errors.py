"""Every error leaves the gateway as an RFC 9457 problem document, made here and nowhere else.

A mistake in a request names its field; what the API server refuses is passed on with the API server's own words and field; a fault of the
gateway is a 500 that says nothing of its inside.
"""

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simops_api.cluster import ApiError, UnreachableError
from simops_io.s3 import StoreError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = 5
_CORRECTED_SECONDS = 60
# A status of the API server that says something about the request; others say something about the API server or about the gateway.
_PASSED_ON = frozenset({400, 403, 404, 409, 413, 422, 429})
_UNION_TAGS = frozenset({"bool", "int", "float", "str", "constrained-str"})
_UNION_MESSAGE = "must be a number, a boolean or a string of at most 4096 characters"
_DENIED = re.compile(r"denied request: (?P<field>(?:spec|metadata)[\w.\[\]]*): (?P<detail>.*)", re.DOTALL)
# Two kinds of refusal are 403: what somebody may not do, and what nobody may (a quota, a namespace that is going away). The first is about
# the gateway's own account here: callers have been asked for their rights before.
_NOT_PERMITTED = re.compile(r'forbidden: User "[^"]*" cannot ')
_UNKNOWN_FIELD = re.compile(r'(?:unknown|duplicate) field "(?P<field>[^"]*)"')
_MAX_ERRORS = 50
# Names of fields are the sender's words, and what the API server says may have some too: none of a megabyte is told again.
_MAX_FIELD = 256
_MAX_DETAIL = 2048
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class FieldError(BaseModel):
    """One mistake of a request."""

    location: Annotated[str, Field(examples=["body"])]
    """body, query, path, header, or object for a field of the Kubernetes object that was to be made."""
    field: Annotated[str, Field(examples=["params.length"])]
    """The field, its parts separated by dots; empty when the whole is meant."""
    detail: str
    """What is wrong with it."""


class ProblemDocument(BaseModel):
    """An RFC 9457 problem document."""

    type: str = "about:blank"
    title: str
    """The HTTP status in words."""
    status: int
    detail: str
    """What is wrong in this case."""
    errors: list[FieldError] | None = None
    """The mistakes one by one, when they are about fields."""
    created: list[str] | None = None
    """Of many jobs that were asked for at once: the ids of those that were made nevertheless."""


class ProblemError(Exception):
    """Ends a request with a problem document."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        created: Sequence[str] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.created = tuple(created)


RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}}
    for code, text in {"4XX": "The request cannot be done; the document says why.", "5XX": "Try again later."}.items()
}
"""What every call may answer, for its OpenAPI."""
TOO_MANY: dict[int | str, dict[str, Any]] = {
    429: {
        "description": "The caller has as many of these under way as one caller may, or has asked too often.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        "headers": {
            "Retry-After": {"description": "After how many seconds to come again.", "schema": {"type": "integer"}}
        },
    }
}
"""What calls answer whose number at once is bounded for each caller."""


def mistake(field: str, detail: str, location: str = "body") -> ProblemError:
    """Return the problem of one field."""
    return ProblemError(422, f"{field}: {detail}", errors=[FieldError(location=location, field=field, detail=detail)])


def mistakes(found: Iterable[Mapping[str, Any]], location: str | None = None) -> ProblemError:
    """Return the problem of what pydantic found. Without ``location``, the first part of each path says it."""
    # Values are left out: one may be enormous, secret, or nothing that JSON can say.
    said: dict[tuple[str, str], str] = {}
    for one in found:
        path = [str(part) for part in one["loc"]]
        where = location or (path.pop(0) if path else "body")
        detail = str(one["msg"]).removeprefix("Value error, ")
        if one["type"] == "json_invalid":
            said[where, ""] = f"is not JSON: {one['ctx']['error']} at character {path[-1]}"
            continue
        if path and path[-1] in _UNION_TAGS and one["type"] != "extra_forbidden":
            path.pop()
            if one["type"] != "finite_number":
                said.setdefault((where, ".".join(path)), _UNION_MESSAGE)
                continue
        if one["type"] == "extra_forbidden":
            detail = "is not known here"
        elif one["type"] == "model_attributes_type" and not path:
            detail = "must be a JSON object, sent with Content-Type: application/json"
        said[where, ".".join(path)] = detail
    errors = [FieldError(location=w, field=f, detail=d) for (w, f), d in said.items()]
    shown = "; ".join(f"{_cut(e.field, _MAX_FIELD) or e.location}: {e.detail}" for e in errors[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    return ProblemError(422, shown + more, errors=errors[:_MAX_ERRORS])


def refusal(error: ApiError) -> ProblemError:
    """Return the problem that an error of the API server is for who called the gateway."""
    if error.status not in _PASSED_ON:
        log.warning("the API server answered %s: %s", error.status, error.message)
        return unavailable("the API server cannot do this now")
    if error.status == 403 and _NOT_PERMITTED.search(error.message):
        log.error("the gateway's own rights do not suffice: %s", error.message)
        return unavailable("the gateway itself may not do this: its installation lacks a right", _CORRECTED_SECONDS)
    errors = [_cause(field, detail) for field, detail in error.causes]
    errors += [
        FieldError(location="object", field=found["field"], detail=found[0])
        for found in _UNKNOWN_FIELD.finditer(error.message if error.status == 400 else "")
    ]
    headers = {"Retry-After": str(error.retry_after or _RETRY_SECONDS)} if error.status == 429 else None
    return ProblemError(error.status, error.message, errors=errors[:_MAX_ERRORS], headers=headers)


def _cause(field: str, detail: str) -> FieldError:
    # An admission policy cannot say which field it is about; those of SimOps begin their message with it.
    if denied := _DENIED.search(detail):
        field, detail = denied["field"], denied["detail"]
    return FieldError(location="object", field=field, detail=detail)


def unavailable(detail: str, retry_seconds: int = _RETRY_SECONDS) -> ProblemError:
    """Return the problem of something that works again by itself."""
    return ProblemError(503, detail, headers={"Retry-After": str(retry_seconds)})


def response_of(problem: ProblemError) -> Response:
    """Return the problem as it is sent."""
    errors = [
        FieldError(location=e.location, field=_cut(e.field, _MAX_FIELD), detail=_cut(e.detail, _MAX_DETAIL))
        for e in problem.errors
    ]
    document = ProblemDocument(
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=_cut(problem.detail, _MAX_DETAIL),
        errors=errors or None,
        created=list(problem.created) or None,
    )
    # ASCII only: a request may have had text that UTF-8 cannot say (half of a surrogate pair), and it may be part of a field's name.
    body = json.dumps(document.model_dump(exclude_none=True)).encode()
    return Response(body, problem.status, problem.headers, MEDIA_TYPE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def problem_of(error: Exception) -> ProblemError:
    """Return the problem that an exception is."""
    match error:
        case ProblemError():
            return error
        case RequestValidationError():
            return mistakes(error.errors())
        case ApiError():
            return refusal(error)
        case UnreachableError():
            return unavailable("the API server does not answer; whether the request was carried out is not known")
        case StoreError():
            log.warning("the store: %s", error)
            return unavailable("the store does not answer, or refuses")
        case HTTPException():
            return ProblemError(error.status_code, _words(error), headers=error.headers)
        case _:
            return ProblemError(500, "an error of the gateway; its log says more")


def _words(error: HTTPException) -> str:
    if error.status_code == 404:
        return "there is no such call; /docs lists them all"
    return str(error.detail)


async def handle(request: Request, error: Exception) -> Response:
    """Answer a request that ended with an exception."""
    problem = problem_of(error)
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        # The framework names the methods of the first route of that path alone (RFC 9110, 10.2.1: all of them).
        problem.headers["Allow"] = ", ".join(_methods(request))
    return response_of(problem)


def _methods(request: Request) -> list[str]:
    path = request.scope["path"]
    # /jobs/stats is a path of its own, though it reads like the id of a job.
    own = request.app.openapi()["paths"].get(path, {})
    plain = {"type": "http", "path": path, "root_path": "", "headers": []}
    tried = ({**plain, "method": method} for method in _METHODS)
    return sorted(method.upper() for method in own) or [
        scope["method"] for scope in tried if any(r.matches(scope)[0] is Match.FULL for r in request.app.routes)
    ]


class Faults:
    """Answers what no handler has caught. The framework would do so outside of everything else, where an answer gets no headers any more."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if scope["type"] != "http" or has_begun:
                raise
            log.exception("an error of the gateway")
            await response_of(problem_of(error))(scope, receive, send)


def install(app: FastAPI) -> None:
    """Make every exception of the application a problem document, and say so in its OpenAPI."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        own = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(own.pop("$defs", {}) | {ProblemDocument.__name__: own})
        return document

    app.openapi = openapi  # type: ignore[method-assign]
    for kind in (
        ProblemError,
        RequestValidationError,
        ApiError,
        UnreachableError,
        StoreError,
        HTTPException,
        Exception,
    ):
        app.add_exception_handler(kind, handle)
