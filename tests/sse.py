"""A reader of server-sent events, by the letter of the standard."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True)
class Event:
    name: str
    data: str
    id: str
    """The last one of this answer; empty when it has had none yet."""


async def events_of(response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    """Yield the events of an answer until it ends."""
    assert response.status == 200, await response.text()
    assert response.content_type == "text/event-stream"
    last, name, data = "", "", list[str]()
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for raw in lines:
            line = raw.decode()
            assert "\r" not in line
            if not line:
                if data:
                    yield Event(name or "message", "\n".join(data), last)
                name, data = "", []
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                last = value
            else:
                assert field in ("", "retry"), line
