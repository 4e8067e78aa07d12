"""A log as lines, and the place in it where somebody went away: whatever the chunks, the length of lines and the place."""

import datetime
from collections.abc import AsyncGenerator, Coroutine
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_api.logs import stored
from simops_api.logs.position import NANO, Position, parse_position
from simops_api.logs.seek import Seeker, since
from simops_api.logs.split import PIECE_BYTES, Piece, Splitter
from simops_api.store import StoredObject

T = TypeVar("T")
POD = "heat-0c0ffee0-abcde"
BEGIN = 1_770_000_000 * NANO


def stamp(time: int) -> bytes:
    moment = datetime.datetime.fromtimestamp(time // NANO, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time % NANO:09d}Z ".encode()


def stamped(lines: list[tuple[int, bytes]]) -> bytes:
    return b"".join(stamp(time) + text + b"\n" for time, text in lines)


def finished(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine that never waits returns."""
    with pytest.raises(StopIteration) as ended:
        work.send(None)
    value: T = ended.value.value
    return value


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def pieces_of(
    data: bytes, places: list[int] | None = None, *, is_stamped: bool, at: int = 0, size: int = 8
) -> list[Piece]:
    splitter = Splitter(stamped=is_stamped, at=at, piece_bytes=size)
    out = [piece for chunk in cut(data, places or []) for piece in splitter.feed(chunk)]
    return out + splitter.end()


def text_of(pieces: list[Piece]) -> bytes:
    return b"".join(piece.data + (b"\n" if piece.whole else b"") for piece in pieces)


class Memory:
    """A store with one object, that counts what is read."""

    def __init__(self, data: bytes, chunk: int = 5) -> None:
        self.data = data
        self.read_bytes = 0
        self._chunk = chunk
        self.log = StoredObject("log", len(data), "", 0.0)

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        end = len(self.data) if length is None else offset + length
        while offset < end:
            part = self.data[offset : min(end, offset + self._chunk)]
            self.read_bytes += len(part)
            offset += len(part)
            yield part


text = st.one_of(
    st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"\r")),
    st.text(max_size=20).map(lambda words: words.encode(errors="replace").replace(b"\n", b"")),
    st.sampled_from([b"", b" ", b"step", b"2026-01-01T00:00:00Z x", "ä€😀".encode() * 5, b"\xff" * 30]),
)
# Steps of time: often none at all, sometimes back, as standard error beside standard output, and over a second's edge.
steps = st.sampled_from([0, 0, 1, 1000, -500, NANO // 3, NANO - 1, 5 * NANO])
cuts = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)


@st.composite
def logs(draw: st.DrawFn) -> list[tuple[int, bytes]]:
    time, out = BEGIN, list[tuple[int, bytes]]()
    for step, words in draw(st.lists(st.tuples(steps, text), max_size=25)):
        time += step
        out.append((time, words))
    return out


@given(logs(), cuts)
def test_the_pieces_of_a_log_are_the_log_however_it_is_cut(log: list[tuple[int, bytes]], places: list[int]) -> None:
    raw = b"".join(words + b"\n" for _, words in log)
    assert text_of(pieces_of(raw, places, is_stamped=False)) == raw
    found = pieces_of(stamped(log), places, is_stamped=True)
    assert text_of(found) == raw
    assert found == pieces_of(stamped(log), is_stamped=True)
    assert [piece.time for piece in found if piece.whole] == [time for time, _ in log]
    assert all(len(piece.data) <= 8 for piece in found)
    starts = {piece.at for piece in found}
    assert all(at == 0 or raw[at - 1 : at] == b"\n" for at in starts)


@given(logs(), cuts, st.data())
def test_a_place_is_found_again_in_a_log_that_is_read_from_a_little_before(
    log: list[tuple[int, bytes]], places: list[int], data: st.DataObject
) -> None:
    whole = pieces_of(stamped(log), is_stamped=True)
    if not whole:
        return
    number = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))
    place = parse_position(str(whole[number].position(POD)))
    assert place is not None
    # As the kubelet gives it: what is older than a whole second is left out.
    newer = [line for line in log if line[0] >= since(place) * NANO]
    seeker = Seeker(place)
    again = [
        new for piece in pieces_of(stamped(newer), places, is_stamped=True, at=place.at) for new in seeker.take(piece)
    ]
    assert not seeker.seeking
    assert again == whole[number + 1 :]


@given(logs(), st.data())
def test_a_place_is_found_again_in_the_stored_log(log: list[tuple[int, bytes]], data: st.DataObject) -> None:
    raw = b"".join(words + b"\n" for _, words in log)
    whole = pieces_of(stamped(log), is_stamped=True)
    if not whole:
        return
    place = data.draw(st.sampled_from(whole)).position(POD)
    memory = Memory(raw, data.draw(st.integers(min_value=1, max_value=50)))
    assert finished(stored.is_at(memory, memory.log, place))  # type: ignore[arg-type]


@given(
    st.lists(st.binary(max_size=30).map(lambda d: d.replace(b"\n", b"")), max_size=40),
    st.booleans(),
    st.integers(0, 50),
)
def test_the_tail_is_the_last_lines(lines: list[bytes], is_ended: bool, count: int) -> None:
    raw = b"\n".join(lines) + (b"\n" if is_ended and lines else b"")
    memory = Memory(raw)
    begin = finished(stored.tail_start(memory, memory.log, count))  # type: ignore[arg-type]
    assert raw[begin:] == b"".join(_last(raw, count))


def _last(raw: bytes, count: int) -> list[bytes]:
    lines = raw.split(b"\n")
    whole = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    return whole[-count:] if count else []


async def test_the_tail_of_an_enormous_log_is_read_from_its_end() -> None:
    memory = Memory(b"a line of a log\n" * 4_000_000, chunk=1 << 18)
    begin = await stored.tail_start(memory, memory.log, 10)  # type: ignore[arg-type]
    assert begin == 3_999_990 * 16
    assert memory.read_bytes <= 1 << 16


async def test_a_line_that_a_rotation_has_moved_is_searched_and_a_doubt_is_told() -> None:
    old = pieces_of(stamped([(BEGIN + i, b"step %d" % i) for i in range(20)]), is_stamped=True)
    memory = Memory(b"".join(b"step %d\n" % i for i in range(10, 20)))
    place = old[12].position(POD)
    assert not await stored.is_at(memory, memory.log, place)  # type: ignore[arg-type]
    found, is_sure = await stored.search(memory, memory.log, place)  # type: ignore[arg-type]
    assert is_sure
    assert found is not None
    assert memory.data[found.next :].startswith(b"step 13\n")
    assert await stored.search(memory, memory.log, old[3].position(POD)) == (None, False)  # type: ignore[arg-type]
    twice = Memory(memory.data * 2)
    found, is_sure = await stored.search(twice, twice.log, place)  # type: ignore[arg-type]
    assert (found and found.next, is_sure) == (memory.data.index(b"step 13"), False)


def test_a_place_that_was_rotated_away_gives_all_that_comes_after_it() -> None:
    place = Position(POD, 100, 4, True, 0, BEGIN, 1)
    seeker = Seeker(place)
    lines = [(BEGIN + 10, b"a"), (BEGIN + 20, b"b"), (BEGIN + 3 * NANO, b"c"), (BEGIN + 4 * NANO, b"d")]
    out = [new for piece in pieces_of(stamped(lines), is_stamped=True) for new in seeker.take(piece)]
    assert [piece.data for piece in out] == [b"a", b"b", b"c", b"d"]
    assert [piece.at for piece in out] == [105, 107, 109, 111]


def test_a_place_that_does_not_come_is_given_up() -> None:
    seeker = Seeker(Position(POD, 100, 4, True, 0, BEGIN, 1))
    held = [new for piece in pieces_of(stamped([(BEGIN + 10, b"a")]), is_stamped=True) for new in seeker.take(piece)]
    assert not held
    assert [piece.data for piece in seeker.give_up()] == [b"a"]


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        (stamped([(BEGIN, b"a")]) + b"failed to create fsnotify watcher: too many open files", "failed to create"),
        (b"unable to retrieve container logs for containerd://1234", "unable to retrieve"),
        (b"rest of an older line\n" + stamped([(BEGIN, b"a")]), ""),
        (stamped([(BEGIN, b"a")]) + stamp(BEGIN) + b"unfinished", ""),
    ],
)
def test_what_the_kubelet_says_itself_is_no_line(log: bytes, fault: str) -> None:
    splitter = Splitter(stamped=True)
    assert [piece.data for piece in splitter.feed(log)] == ([b"a"] if b" a\n" in log else [])
    assert splitter.fault().startswith(fault)
    assert bool(splitter.fault()) == bool(fault)


def test_a_line_of_megabytes_comes_in_pieces_and_no_character_is_cut() -> None:
    line = "€".encode() * 1_000_000
    found = pieces_of(line + b"\n", list(range(0, 10_000, 1000)), is_stamped=False, size=PIECE_BYTES)
    assert max(len(piece.data) for piece in found) <= PIECE_BYTES
    assert "".join(piece.data.decode() for piece in found) == "€" * 1_000_000
    assert [piece.whole for piece in found] == [False] * (len(found) - 1) + [True]


@pytest.mark.parametrize(("zone", "hours"), [("Z", 0), ("+02:00", 2), ("-05:30", -5.5)])
def test_a_stamp_may_be_of_any_time_zone(zone: str, hours: float) -> None:
    (piece,) = pieces_of(f"2026-03-01T12:00:00.5{zone} x\n".encode(), is_stamped=True)
    assert piece.time == 1_772_366_400 * NANO + NANO // 2 - int(hours * 3600) * NANO


@given(st.text(max_size=80))
def test_what_is_no_place_is_none(words: str) -> None:
    assert parse_position(words) is None


@pytest.mark.parametrize(
    "words",
    [
        f"{POD}/1/1./0000000g/1/1",
        f"../{POD}/1/1./00000000/1/1",
        f"{POD}/-1/1./00000000/1/1",
        f"{POD}/1/1./00000000/1/1\n",
        f"{POD}/٣/1./00000000/1/1",
    ],
)
def test_what_is_nearly_a_place_is_none(words: str) -> None:
    assert parse_position(f"{POD}/1/1./00000000/1/1") is not None
    assert parse_position(words) is None


async def test_another_line_of_the_same_length_at_the_same_place_is_not_taken_for_it() -> None:
    place = pieces_of(stamped([(BEGIN, b"step 1"), (BEGIN, b"step 2")]), is_stamped=True)[1].position(POD)
    right, wrong = Memory(b"step 1\nstep 2\n"), Memory(b"step 8\nstep 9\n")
    assert await stored.is_at(right, right.log, place)  # type: ignore[arg-type]
    assert not await stored.is_at(wrong, wrong.log, place)  # type: ignore[arg-type]
