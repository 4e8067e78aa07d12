"""What a request says twice, or in a way that cannot be read, is refused: which of two was meant would be a guess, and proxies guess otherwise.

A body has its time, too: a sender of one byte a minute would hold a connection for years.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from simops_api.errors import mistake
from simops_api.jobs.keys import KEY_HEADER

_BODY_SECONDS = 60.0
"""How long a body may take to arrive."""
MAX_PARTS = 1_000_000
"""Values in a body: each takes a hundred bytes of memory, however short it is."""
MAX_NAMES = 1_000
"""Names in one object of a body: of each that is wrong there is an error, which takes a thousand bytes."""
_REPEATABLE = frozenset({"label", "status"})
"""Filters of lists that may be given several times; all others have one value."""
_MAX_SHOWN = 64


class StrictRequest(Request):
    """A request whose body is read in time, and as JSON that says everything once."""

    # HTTPException is what FastAPI lets pass while it reads a body; all else becomes "there was an error".
    async def body(self) -> bytes:
        """Return the body, which must come in time."""
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                return await super().body()
        except TimeoutError:
            # What may still come of it must not be taken for another request.
            words = f"the body of this request did not arrive within {_BODY_SECONDS:g} s"
            raise HTTPException(408, words, {"Connection": "close"}) from None

    async def json(self) -> Any:
        """Return what the body says."""
        data = await self.body()
        if sum(map(data.count, (b",", b"[", b"{"))) > MAX_PARTS:
            raise HTTPException(
                413,
                f"the body has more than {MAX_PARTS:,} values: send points by POST /api/v1/points, and many jobs in parts",
            )
        try:
            return json.loads(data, object_pairs_hook=_once)
        except json.JSONDecodeError:
            raise  # FastAPI says where
        except UnicodeDecodeError as error:
            raise HTTPException(400, f"the body is not UTF-8: byte {error.start}") from error
        except RecursionError as error:
            raise HTTPException(400, "the body is nested too deeply") from error
        except ValueError as error:  # of Python's own limit, which is there for the time that a conversion takes
            raise HTTPException(
                400, f"the body has an integer of more than {sys.get_int_max_str_digits()} digits"
            ) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_NAMES:
        raise HTTPException(
            422, f"an object in the body has more than {MAX_NAMES:,} names; a run has 256 parameters at most"
        )
    found = dict(pairs)
    if len(found) < len(pairs):
        name = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise HTTPException(400, f"the body has {json.dumps(name[:_MAX_SHOWN])} twice in one object")
    return found


class StrictRoute(APIRoute):
    """A call with a body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what handles a request."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


async def said_once(request: Request) -> None:
    """Let pass a request that gives each parameter and its idempotency key once. A dependency of every call.

    Raises:
        ProblemError: 422, one is given twice; it is named.
    """
    names = Counter(name for name, _ in request.query_params.multi_items() if name not in _REPEATABLE)
    for name, count in names.items():
        if count > 1:
            raise mistake(name[:_MAX_SHOWN], "is given more than once", "query")
    if len(request.headers.getlist(KEY_HEADER)) > 1:
        raise mistake(KEY_HEADER, "is given more than once", "header")
