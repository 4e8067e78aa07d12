"""Answers that are JSON already, and the headers that say how old they may be and what they know."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Header
from fastapi.responses import Response

from simops_api.caches import MIN_VERSION_HEADER, VERSION_HEADER
from simops_api.deps import Gateway
from simops_api.holds import Hold


async def _caught_up(
    gateway: Gateway,
    min_version: Annotated[
        str | None,
        Header(
            alias=MIN_VERSION_HEADER,
            description=f"The `{VERSION_HEADER}` of the answer to a write: this read then waits until this replica of the gateway knows that write "
            "(503 if that takes too long). Without it an answer has all writes that the same replica has answered before.",
            examples=["simulationjobs/default/1"],
        ),
    ] = None,
) -> None:
    if min_version is not None:
        await gateway.caches.wait_for(min_version, gateway.settings.write_wait_seconds)


CaughtUp = Depends(_caught_up)
"""Lets a read wait for the write that it names."""


def known(body: bytes, gateway: Gateway) -> Response:
    """Return what the caches know. ``Age`` is of RFC 9111: the answer says what was so at most that many seconds ago."""
    headers = {"Age": str(int(gateway.caches.age)), "Cache-Control": "no-store"}
    return Response(body, 200, headers, "application/json")


def written(body: bytes, version: str, status: int = 202) -> Response:
    """Return what a write has made of an object."""
    return Response(body, status, {VERSION_HEADER: version}, "application/json")


def page_of(documents: Sequence[bytes], page: int, size: int, total: int, hold: Hold) -> bytes:
    """Return a page of documents as JSON.

    Raises:
        ProblemError: 429, 503 it is more than there is room for.
    """
    hold.at_least(sum(map(len, documents)))
    return b'{"page":%d,"size":%d,"total":%d,"items":[%b]}' % (page, size, total, b",".join(documents))
