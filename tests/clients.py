"""Both clients against a gateway that answers as it is told, without a network and without waiting."""

import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from simops_client import AsyncClient, Client

URL = "http://gateway"
both = pytest.mark.parametrize("kind", ["sync", "async"])
"""Each test is one of the blocking client, and one of the other."""

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Gateway:
    """Gives one answer after another, the last one again and again, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return fresh(answer if isinstance(answer, httpx.Response) else answer(request))

    @property
    def asked(self) -> list[str]:
        """Method and address of each request."""
        return [f"{r.method} {r.url.raw_path.decode().removeprefix('/api/v1/')}" for r in self.requests]

    def sent(self, name: str) -> list[str | None]:
        """A header of each request."""
        return [request.headers.get(name) for request in self.requests]

    def body(self, index: int = -1) -> Any:
        return json.loads(self.requests[index].content)


class Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in pieces. An exception among them is raised when it is its turn."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = chunks
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def fresh(answer: httpx.Response) -> httpx.Response:
    """The same answer again; a response is of one client, once it was given to one."""
    if (body := answer.extensions.get("body")) is not None:
        return httpx.Response(answer.status_code, headers=answer.headers, stream=body)
    return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def told(value: Any, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=value, headers=headers)


def problem(status: int, detail: str = "no", *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    document = {"type": "about:blank", "title": "Title", "status": status, "detail": detail, **more}
    own = {"Content-Type": "application/problem+json", "X-Request-ID": "r-1", **(headers or {})}
    return httpx.Response(status, content=json.dumps(document), headers=own)


def streamed(
    *chunks: bytes | str | Exception, media: str = "text/event-stream", status: int = 200, **headers: str
) -> httpx.Response:
    body = Chunks(*(chunk.encode() if isinstance(chunk, str) else chunk for chunk in chunks))
    return httpx.Response(status, headers={"Content-Type": media, **headers}, stream=body, extensions={"body": body})


def event(name: str, data: Any = "", id: str = "") -> str:  # noqa: A002 - the field's name
    text = data if isinstance(data, str) else json.dumps(data)
    return f"event: {name}\n" + (f"id: {id}\n" if id else "") + f"data: {text}\n\n"


def job(status: str = "Running", **more: Any) -> dict[str, Any]:
    return {"id": "sim-1", "status": status, "image": "sim:local", "params": {"length": 1.0}, **more}


def sweep(status: str = "Running", **more: Any) -> dict[str, Any]:
    points = {"total": 2, "by_status": {"Succeeded": 1, "Running": 1}}
    return {"id": "s-1", "status": status, "image": "sim:local", "params": {}, "points": points, **more}


@contextmanager
def asking(
    kind: str, gateway: Callable[[httpx.Request], httpx.Response], **options: Any
) -> Iterator[tuple[Any, list[float]]]:
    """A client of a gateway, and the pauses that it has made; its clock goes on by nothing else."""
    slept: list[float] = []

    async def rest(seconds: float) -> None:
        slept.append(seconds)

    transport = httpx.MockTransport(gateway)
    with (
        patch("simops_client.shells.sync.sleep", slept.append),
        patch("simops_client.shells.asynchronous.sleep", rest),
    ):
        given = {"url": URL, "token": "t"} | options
        client = Client(transport=transport, **given) if kind == "sync" else AsyncClient(transport=transport, **given)
        client.clock = lambda: sum(slept)
        yield client, slept


async def done(value: Any) -> Any:
    """What a call returns, whichever client it is of."""
    return await value if inspect.isawaitable(value) else value


async def all_of(values: Any) -> Sequence[Any]:
    """What an iteration gives, whichever client it is of."""
    return [one async for one in values] if hasattr(values, "__aiter__") else list(values)
