"""What answers hold of memory is counted: a page that is too much is refused, a table waits, and one caller has a part of what all have."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from simops_api.answers import page_of
from simops_api.auth.caller import ANONYMOUS, Caller
from simops_api.errors import ProblemError
from simops_api.holds import PIECE, SMALL_BYTES, Hold, NoRoomError, Room
from simops_api.limits import AnswerLimit
from simops_api.sse import EventStream, Streams
from simops_api.sweeps.models import PlotQuery

ANN, BOB, EVE, DAN, FAY = (Caller(name) for name in ("ann", "bob", "eve", "dan", "fay"))
MIB = 1 << 20


def roomy() -> Hold:
    """Return a hold of its own room: for tests that are about something else."""
    return Hold(Room(), ANONYMOUS)


def test_one_caller_holds_a_quarter_and_all_together_the_whole() -> None:
    room = Room(4 * MIB)
    with ExitStack() as stack:
        holds = {who: stack.enter_context(room.hold(who)) for who in (ANN, BOB, EVE, DAN, FAY)}
        holds[ANN].add(MIB)
        with pytest.raises(NoRoomError, match=r"1 MiB together.*size") as share:
            holds[ANN].add(1)
        assert share.value.status == 429
        for who in (BOB, EVE, DAN):
            holds[who].add(MIB - 1)
        with pytest.raises(NoRoomError) as full:
            holds[FAY].add(SMALL_BYTES + 1)
        assert (full.value.status, full.value.headers) == (503, {"Retry-After": "5"})
    assert len(room.shares) == 0


def test_a_small_answer_is_let_through_whoever_holds_how_much() -> None:
    room = Room(4 * MIB)
    with room.hold(ANN) as large, room.hold(ANN) as small:
        large.add(MIB)
        small.add(SMALL_BYTES)
        with pytest.raises(NoRoomError):
            small.add(1)


@given(st.lists(st.tuples(st.sampled_from(["add", "set", "at_least", "grow", "early"]), st.integers(0, 3 * MIB))))
def test_what_is_counted_is_what_is_held_and_in_the_end_nothing(steps: list[tuple[str, int]]) -> None:
    room = Room(8 * MIB)
    with room.hold(ANN) as hold, hold.another() as other:
        for number, (step, size) in enumerate(steps):
            try:
                getattr((hold, other)[number % 2], step)(size)
            except NoRoomError:
                assert step in ("add", "at_least")
            assert len(room.shares) == hold.size + other.size
    assert len(room.shares) == 0


async def test_who_waits_holds_nothing_and_goes_on_when_there_is_room() -> None:
    room = Room(8 * MIB)
    with room.hold(ANN) as first, room.hold(ANN) as second:
        first.add(2 * MIB)
        second.set(SMALL_BYTES)
        waiting = asyncio.create_task(second.turn(MIB))
        await asyncio.sleep(0)
        assert (waiting.done(), second.size) == (False, 0)
        with room.hold(BOB) as other:
            await other.turn(MIB)
        await asyncio.sleep(0)
        assert not waiting.done()
        first.set(MIB)
        await asyncio.wait_for(waiting, 5)
        assert second.size == MIB


async def test_who_waits_in_vain_is_told_to_ask_again() -> None:
    room = Room(8 * MIB, wait_seconds=0.01)
    with room.hold(ANN) as first, room.hold(ANN) as second:
        first.add(2 * MIB)
        with pytest.raises(NoRoomError) as refused:
            await second.turn(MIB)
        assert refused.value.status == 503
    assert len(room.shares) == 0


async def test_what_is_larger_than_all_room_is_let_through_when_there_is_nothing_else() -> None:
    room = Room(8 * MIB)
    with room.hold(ANN) as hold:
        await hold.turn(100 * MIB)
        assert hold.size == 100 * MIB


def test_what_is_not_needed_yet_takes_no_more_than_half_of_the_room() -> None:
    room = Room(8 * MIB)
    with room.hold(ANN) as hold:
        assert hold.early(MIB)
        assert not hold.early(1)
        assert hold.size == MIB


def test_a_page_that_is_too_much_is_refused_before_it_is_made() -> None:
    room = Room(8 * MIB)
    with room.hold(ANN) as hold:
        shared = bytes(MIB)
        with pytest.raises(NoRoomError):
            page_of([shared] * 10_000, 1, 10_000, 10_000, hold)


class Sent:
    """An answer as it was sent, through the count of what answers hold."""

    def __init__(self, room: Room, caller: Caller | None = ANN) -> None:
        self.messages: list[Message] = []
        self.most = 0
        self._room = room
        self._scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        if caller is not None:
            self._scope["state"] = {"caller": caller}

    async def of(self, answer: Response) -> "Sent":
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await answer(scope, receive, send)

        async def receive() -> Message:
            return await asyncio.Future()

        await AnswerLimit(app, self._room)(self._scope, receive, self._send)
        return self

    async def _send(self, message: Message) -> None:
        self.most = max(self.most, len(self._room.shares))
        self.messages.append(message)

    @property
    def status(self) -> int:
        (start,) = (m for m in self.messages if m["type"] == "http.response.start")
        return int(start["status"])

    @property
    def bodies(self) -> list[bytes]:
        return [m.get("body", b"") for m in self.messages if m["type"] == "http.response.body"]


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 5])
async def test_an_answer_is_sent_in_pieces_and_counted_until_the_last_one_is_sent(size: int) -> None:
    room = Room()
    content = bytes(i % 251 for i in range(size))
    sent = await Sent(room).of(Response(content))
    assert b"".join(sent.bodies) == content
    assert max(map(len, sent.bodies)) <= PIECE
    assert [m.get("more_body", False) for m in sent.messages[1:]] == [True] * (len(sent.bodies) - 1) + [False]
    assert (sent.status, sent.most, len(room.shares)) == (200, size, 0)


async def test_an_answer_for_which_there_is_no_room_is_refused_as_a_problem() -> None:
    room = Room(8 * MIB)
    sent = await Sent(room).of(Response(bytes(3 * MIB)))
    assert sent.status == 429
    assert b"MiB together" in b"".join(sent.bodies)
    assert dict(sent.messages[0]["headers"])[b"retry-after"] == b"5"
    assert len(room.shares) == 0


async def test_an_answer_that_is_made_while_it_is_sent_is_counted_by_who_makes_it() -> None:
    room = Room(8 * MIB)

    async def parts() -> Any:
        for _ in range(5):
            yield bytes(MIB)

    sent = await Sent(room).of(StreamingResponse(parts(), headers={"Content-Length": str(5 * MIB)}))
    assert (sent.status, sum(map(len, sent.bodies)), sent.most) == (200, 5 * MIB, 0)


async def test_a_stream_for_whose_events_there_is_no_room_ends_and_is_counted_as_long_as_they_wait() -> None:
    room = Room(32 * MIB)

    async def events() -> AsyncGenerator[bytes, None]:
        for size in (10, MIB, MIB, 3 * MIB, 10):
            yield b"x" * size

    sent = await Sent(room).of(EventStream(events(), Streams(4, 60), ANN))
    assert (sent.status, sent.most, len(room.shares)) == (200, 4 * MIB, 0)
    assert b"".join(sent.bodies).count(b"x") == 10 + 2 * MIB
    assert sent.messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_what_everybody_may_read_is_not_counted() -> None:
    room = Room(8 * MIB)
    sent = await Sent(room, None).of(Response(bytes(3 * MIB)))
    assert (sent.status, len(sent.bodies)) == (200, 1)


async def test_readers_of_a_table_that_read_nothing_hold_no_more_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from unit.test_api_sweep_results import swept  # noqa: PLC0415 - it takes ``roomy`` from here

    from simops_api.sweeps import shelf as shelf_module  # noqa: PLC0415

    record, kept = swept(3000, 3000, phase="Succeeded")
    block = max(len(text) for key, text in kept.objects.items() if "/table/" in key)
    monkeypatch.setattr(shelf_module, "_GUESSED_BYTES", 1000)
    shelf = shelf_module.Shelf(kept.store)
    room = Room(20 * block)
    with room.hold(ANN) as hold:
        readers = [shelf.blocks(record, hold) for _ in range(10)]
        firsts = [asyncio.create_task(anext(reader)) for reader in readers]
        done, waiting = await asyncio.wait(firsts, timeout=0.5)
        assert 2 <= len(done) < 10
        assert len(room.shares) <= room.shares.share
        assert len(kept.asked) < 100, "who waits reads nothing"
        with room.hold(BOB) as other:
            async with aclosing(shelf.blocks(record, other)) as blocks:
                assert sum([len(rows) async for rows in blocks]) == 3000
        for task, reader in zip(firsts, readers, strict=True):
            if task in done:
                await reader.aclose()
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        assert any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for reader in readers:
            await reader.aclose()
    assert len(room.shares) == 0


async def test_of_a_table_a_block_is_held_and_the_one_that_is_next() -> None:
    from unit.test_api_sweep_results import swept  # noqa: PLC0415 - it takes ``roomy`` from here

    from simops_api.sweeps.shelf import Shelf  # noqa: PLC0415

    record, kept = swept(5000, 5000, phase="Succeeded")
    blocks = [
        sum(len(text) for key, text in kept.objects.items() if key.endswith(f"/{first:07}.jsonl"))
        for first in range(0, 5000, 1000)
    ]
    assert all(blocks)
    room, held = Room(), list[int]()
    with room.hold(ANN) as hold:
        async for _ in Shelf(kept.store).blocks(record, hold):
            await asyncio.sleep(0.01)
            held.append(len(room.shares))
    assert max(held) <= 2 * max(blocks)
    assert held[-1] == blocks[-1]


async def test_points_with_long_parameters_that_all_share_are_refused_as_a_page_of_many() -> None:
    from unit.test_api_sweep_results import swept  # noqa: PLC0415 - it takes ``roomy`` from here

    from simops_api.sweeps.points import point_document  # noqa: PLC0415
    from simops_api.sweeps.shelf import Shelf  # noqa: PLC0415

    record, kept = swept(3000, 3000)
    made = []
    with Room(4 * MIB).hold(ANN) as hold:

        def make(row: Any) -> None:
            made.append(row.index)
            hold.add(len(point_document(record, row.index, row)) * 100)

        with pytest.raises(ProblemError) as refused:
            await Shelf(kept.store).each(record, range(0, 3000, 3), make)
    assert refused.value.status == 429
    assert len(made) < 100


async def test_pictures_of_many_points_are_drawn_one_at_a_time_for_one_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    from unit.test_api_sweep_results import swept  # noqa: PLC0415 - it takes ``roomy`` from here

    from simops_api.sweeps import service  # noqa: PLC0415
    from simops_api.sweeps.shelf import Shelf  # noqa: PLC0415

    record, kept = swept(300, 300)
    now = most = 0
    sweeps = service.Sweeps.__new__(service.Sweeps)
    sweeps._shelf = Shelf(kept.store)

    async def drawn(*_: Any) -> bytes:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(0.01)
        now -= 1
        return b"picture"

    monkeypatch.setattr(sweeps, "_plot", drawn)
    monkeypatch.setattr(service, "_DRAWN_BYTES", 10_000)
    room = Room(16 * MIB)

    async def asked(who: Caller) -> bytes:
        with room.hold(who) as hold:
            return await sweeps.plot(record, PlotQuery(metric="error", x="a"), hold)

    assert await asyncio.gather(*(asked(ANN) for _ in range(5))) == [b"picture"] * 5
    assert most == 1
    await asyncio.gather(*(asked(who) for who in (ANN, BOB, EVE)))
    assert most == 3
