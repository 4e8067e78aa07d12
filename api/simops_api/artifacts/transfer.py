"""Bytes become an answer: whole or a range of them, or that they have not changed (RFC 9110)."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from simops_api.artifacts.media import content_type, disposition
from simops_api.artifacts.ranges import UnsatisfiableError, Verdict, check, wanted_range
from simops_api.errors import ProblemError, response_of

Reader = Callable[[int, int], AsyncGenerator[bytes, None]]
"""From where on and how many → these bytes."""


@dataclass(frozen=True)
class Content:
    """What can be sent."""

    path: str
    """Its name, which says what it is."""
    size: int
    tag: str
    """Names these very bytes among all that the path may ever have."""
    read: Reader

    @property
    def etag(self) -> str:
        """The entity tag."""
        return f'"{self.tag}"'

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every answer about it."""
        # Asked for again each time, since the same name may be another run's one day; the tag makes that cheap.
        return {
            "ETag": self.etag,
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, no-cache",
            "Content-Disposition": disposition(self.path),
        }


async def answer(request: Request, content: Content) -> Response:
    """Return the answer to a GET or HEAD. What can go wrong at the start has gone wrong before it."""
    verdict = check(request.headers, content.etag)
    if verdict is Verdict.FAILED:
        raise ProblemError(412, "this is not the version that If-Match asks for")
    if verdict is Verdict.NOT_MODIFIED:
        return Response(status_code=304, headers=content.headers)
    media = content_type(content.path)
    if request.method == "HEAD":
        return Response(headers=content.headers | {"Content-Length": str(content.size)}, media_type=media)
    try:
        part = wanted_range(request.headers, content.etag, content.size)
    except UnsatisfiableError:
        problem = ProblemError(
            416, f"it has {content.size} bytes", headers={"Content-Range": f"bytes */{content.size}"}
        )
        return response_of(problem)
    start, length = (part.start, part.length) if part is not None else (0, content.size)
    headers = content.headers | {"Content-Length": str(length)}
    if part is not None:
        headers["Content-Range"] = part.content_range(content.size)
    if not length:
        return Response(headers=headers, media_type=media)
    body = await begun(content.read(start, length))
    return StreamingResponse(body, 206 if part is not None else 200, headers, media)


async def begun(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Return the same bytes once the first of them are there: until then an error can still be told by a status."""
    first = await anext(chunks, b"")

    async def all_of_them() -> AsyncGenerator[bytes, None]:
        async with aclosing(chunks):
            yield first
            async for chunk in chunks:
                yield chunk

    return all_of_them()
