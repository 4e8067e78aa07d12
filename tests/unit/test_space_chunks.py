"""Points lie in the store in chunks whose bytes are the points, and the index finds them again."""

import hashlib
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import SCALARS, axis, grid, listed

from simops_crds.indexes import Indexes
from simops_crds.space import Chunk, ChunkRef, IndexBuilder, PointsIndex, chunks, digest, expand, read

NAMES = st.from_regex("[A-Za-z_][A-Za-z0-9_.-]{0,5}", fullmatch=True)
POINTS = st.lists(st.dictionaries(NAMES, SCALARS, max_size=4), min_size=1, max_size=20)


def index_of(several: list[Chunk]) -> PointsIndex:
    builder = IndexBuilder()
    for chunk in several:
        builder.add(chunk)
    return builder.index()


def exact(point: dict[str, Any]) -> list[tuple[str, type, str]]:
    """Tell 1 from 1.0 and True, and 0.0 from -0.0."""
    return [(name, type(value), repr(value)) for name, value in point.items()]


@given(POINTS, st.integers(0, 3000))
@settings(deadline=None)
def test_what_is_read_from_a_chunk_is_what_was_written_to_the_last_bit(
    points: list[dict[str, Any]], first: int
) -> None:
    found = [pair for chunk in chunks(points, first) for pair in read(chunk.data)]
    assert [index for index, _ in found] == list(range(first, first + len(points)))
    assert [exact(point) for _, point in found] == [exact(point) for point in points]


@given(POINTS)
@settings(deadline=None)
def test_each_line_is_compact_json_and_its_bytes_depend_on_the_point_alone(points: list[dict[str, Any]]) -> None:
    lines = b"".join(chunk.data for chunk in chunks(points)).split(b"\n")
    assert lines.pop() == b""
    for index, (line, point) in enumerate(zip(lines, points, strict=True)):
        wanted = {"index": index, "params": point}
        assert line.decode() == json.dumps(wanted, separators=(",", ":"), ensure_ascii=False)


def test_the_lines_are_those_that_the_runner_is_promised() -> None:
    (chunk,) = chunks([{"a": 0.1, "b": True, "c": "ä\n\u2028'\"", "d": 2, "e": 1e300}])
    assert chunk.data == '{"index":0,"params":{"a":0.1,"b":true,"c":"ä\\n\u2028\'\\"","d":2,"e":1e+300}}\n'.encode()
    assert chunk.sha256 == hashlib.sha256(chunk.data).hexdigest()
    assert chunk == Chunk.of(0, chunk.data)
    assert dict(read(chunk.data))[0]["c"] == "ä\n\u2028'\""


def test_a_chunk_has_up_to_a_thousand_points_and_begins_at_a_multiple_again_after_an_extension() -> None:
    points = expand(grid(axis(integers={"low": 1, "high": 2345})), {})
    assert [(chunk.first, chunk.count) for chunk in chunks(points)] == [(0, 1000), (1000, 1000), (2000, 345)]
    assert [(chunk.first, chunk.count) for chunk in chunks(points, 2345)] == [(2345, 655), (3000, 1000), (4000, 690)]
    assert [chunk.ref.file for chunk in chunks(points)] == ["0000000.jsonl", "0001000.jsonl", "0002000.jsonl"]
    assert list(chunks([])) == []


def test_a_chunk_of_long_texts_ends_earlier_and_no_more_of_it_is_in_memory() -> None:
    made = []

    def points() -> Any:
        for number in range(500):
            made.append(number)
            yield {f"x{i}": "a" * 4096 for i in range(16)}

    found = []
    for chunk in chunks(points()):
        found.append(chunk)
        assert len(chunk.data) < (4 << 20) + 70_000
        assert len(made) == chunk.first + chunk.count
    assert [chunk.first for chunk in found] == [0, 64, 128, 192, 256, 320, 384, 448]
    assert index_of(found).total == 500


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_line_is_written_that_is_no_json(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        list(chunks([{"a": value}]))


def test_the_digest_is_that_of_all_bytes_in_order_however_they_are_cut() -> None:
    points = list(expand(grid(axis(integers={"low": 1, "high": 2500})), {}))
    whole = digest(chunks(points))
    assert whole == hashlib.sha256(b"".join(chunk.data for chunk in chunks(points))).hexdigest()
    assert whole == digest([*chunks(points[:300]), *chunks(points[300:], 300)])
    assert whole != digest(chunks(points[::-1]))


def test_an_index_is_read_as_it_was_written() -> None:
    several = list(chunks(expand(grid(axis(integers={"low": 1, "high": 2345})), {})))
    index = index_of(several)
    assert index == PointsIndex(2345, digest(several), tuple(chunk.ref for chunk in several))
    assert PointsIndex.parse(index.to_json()) == index
    written = json.loads(index.to_json())
    assert list(written) == ["total", "digest", "chunks"]
    assert written["chunks"][2] == {"first": 2000, "count": 345, "sha256": several[2].sha256}
    assert ChunkRef.parse(written["chunks"][2]) == several[2].ref


GOOD = {"first": 0, "count": 2, "sha256": "0" * 64}
BROKEN: list[Any] = [
    [],
    {},
    {"total": 2, "digest": "0" * 63, "chunks": [GOOD]},
    {"total": 3, "digest": "0" * 64, "chunks": [GOOD]},
    {"total": 2, "digest": "0" * 64, "chunks": [{**GOOD, "first": 1}]},
    {"total": 4, "digest": "0" * 64, "chunks": [GOOD, GOOD]},
    {"total": 2, "digest": "0" * 64, "chunks": [{**GOOD, "count": 0}]},
    {"total": 2, "digest": "0" * 64, "chunks": [{**GOOD, "sha256": "x"}]},
    {"total": 2, "digest": "0" * 64, "chunks": ["a"]},
    {"total": "2", "digest": "0" * 64, "chunks": [GOOD]},
]


@pytest.mark.parametrize("value", BROKEN, ids=str)
def test_an_index_that_does_not_fit_together_is_not_taken(value: Any) -> None:
    with pytest.raises(ValueError, match=r"index of points|reference to a chunk"):
        PointsIndex.parse(json.dumps(value).encode())
    with pytest.raises(ValueError, match="Expecting"):
        PointsIndex.parse(b"{")


def test_a_chunk_that_does_not_follow_is_not_added() -> None:
    first, second, third = chunks(expand(grid(axis(integers={"low": 1, "high": 2345})), {}))
    builder = IndexBuilder()
    builder.add(first)
    with pytest.raises(ValueError, match="chunk 2000 does not follow point 999"):
        builder.add(third)
    builder.add(second)
    assert builder.index().total == 2000


@given(st.sets(st.integers(0, 99), max_size=30), st.lists(st.integers(1, 20), min_size=1, max_size=12))
@settings(deadline=None)
def test_the_chunks_of_some_points_are_those_that_hold_any_of_them(numbers: set[int], counts: list[int]) -> None:
    firsts = [sum(counts[:i]) for i in range(len(counts))]
    refs = tuple(ChunkRef(first, count, "0" * 64) for first, count in zip(firsts, counts, strict=True))
    index = PointsIndex(sum(counts), "0" * 64, refs)
    numbers = {number for number in numbers if number < index.total}
    wanted = [ref for ref in refs if numbers & set(range(ref.first, ref.first + ref.count))]
    assert list(index.chunks_of(Indexes.of((n, n) for n in numbers))) == wanted


def test_the_chunks_of_a_point_that_is_not_there_are_an_error() -> None:
    index = index_of(list(chunks(expand(listed({"a": 1}, {"a": 2}), {}))))
    assert index.chunks_of(Indexes()) == ()
    with pytest.raises(IndexError, match="there is no point 2: the sweep has 2 points"):
        index.chunks_of(Indexes.parse("0-2"))


MEMORY = """
from pathlib import Path
from simops_crds.space import IndexBuilder, chunks, expand
from simops_crds.v1alpha1.sweep import Space
axes = [{"name": f"x{i}", "uniform": {"low": 0, "high": 1}} for i in range(8)]
space = Space.model_validate({"method": "METHOD", "samples": 200_000, "axes": axes, "where": "x0 >= 0"})
builder = IndexBuilder()
for chunk in chunks(expand(space, {})):
    builder.add(chunk)
# getrusage would tell the peak of the process that started this one, if that was higher.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
print(builder.index().total, int(peak.split()[1]) // 1024)
"""


@pytest.mark.parametrize("method", ["random", "sobol", "latinHypercube"])
def test_two_hundred_thousand_points_need_less_than_300_mib(method: str) -> None:
    crds = Path(__file__).resolve().parents[2] / "crds"
    program = MEMORY.replace("METHOD", method)
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(crds)}, capture_output=True, text=True, check=True
    )
    total, mebibytes = map(int, done.stdout.split())
    assert total == 200_000
    assert mebibytes < 300


def test_points_are_made_while_they_are_gone_through() -> None:
    points = expand(
        grid(axis("a", integers={"low": 1, "high": 1000}), axis("b", integers={"low": 1, "high": 1000})), {}, 10**6
    )
    assert list(islice(points, 2)) == [{"a": 1, "b": 1}, {"a": 1, "b": 2}]
    assert next(chunks(points)).count == 1000
