"""Bodies that are on their way: how many bytes of them are kept at once, by whom."""

from collections.abc import Iterable
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from simops_api import limits
from simops_api.auth.caller import Caller
from simops_api.limits import BodyLimit

MIB = 1 << 20


class Reading:
    """An app that reads a body and keeps it until it is closed."""

    def __init__(self) -> None:
        self.limit = BodyLimit(self.app, 8 * MIB, streamed=("/points",))

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "read"})

    async def post(self, name: str, sizes: Iterable[int], path: str = "/jobs") -> None:
        """Send a body of pieces; what the limit refuses is raised."""
        pieces = iter(sizes)

        async def receive() -> Message:
            size = next(pieces, None)
            return {"type": "http.request", "body": b"x" * (size or 0), "more_body": size is not None}

        async def send(message: Message) -> None: ...

        scope: dict[str, Any] = {"type": "http", "path": path, "headers": [], "state": {"caller": Caller(name)}}
        await self.limit(scope, receive, send)


async def test_what_a_caller_may_have_on_its_way_is_a_part_of_all_and_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "_HELD_BYTES", 16 * MIB)
    reading = Reading()
    for _ in range(3):
        await reading.post("ann", [MIB] * 4)
    with pytest.raises(HTTPException) as error:
        await reading.post("ann", [MIB] * 5)
    assert (error.value.status_code, error.value.headers) == (503, {"Retry-After": "5"})
    assert len(reading.limit.held) == 0
    reading.limit.held.take(Caller("ann"), 4 * MIB)  # held by another request of theirs
    with pytest.raises(HTTPException):
        await reading.post("ann", [MIB])
    await reading.post("ann", [1000] * 60)
    await reading.post("bob", [MIB] * 4)
    await reading.post("ann", [MIB] * 8, "/points")
    reading.limit.held.take(Caller("crowd"), 12 * MIB)
    with pytest.raises(HTTPException):
        await reading.post("bob", [MIB] * 4)
    await reading.post("bob", [60_000])
