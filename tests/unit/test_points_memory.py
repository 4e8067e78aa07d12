"""Points of a sweep may have long texts, and there may be many: whoever makes, extends or lists them holds a few of them at a time."""

import asyncio
import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from builders import NAMESPACE
from spaces import axis, grid

from simops_crds.names import Reason
from simops_crds.space import Chunk, IndexBuilder, SpaceError, expand, listed
from simops_crds.v1alpha1 import Space
from simops_operator.core.sweeps.sweep import Sweep, sweep_of
from simops_operator.store import Store, TooLargeError
from simops_operator.sweeps.points import RefusedError, make_points
from simops_operator.sweeps.shelf import Index, Shelf
from simops_operator.sweeps.together import together
from simops_operator.sweeps.uploads import with_points

TEXTS = [f"{number:04}" + "x" * 4000 for number in range(10)]
MEGABYTE = 1_000_000
CHUNKING = sys.modules["simops_crds.space.chunks"]
"""The package has a function of this name."""


class DiskStore:
    """Objects as files: what is stored takes no memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        return self.folder / key.replace("/", "_")

    async def get_bytes(self, key: str, limit: int) -> bytes | None:
        path = self.path(key)
        if path.exists() and path.stat().st_size > limit:
            raise TooLargeError(key)
        return path.read_bytes() if path.exists() else None

    async def get_text(self, key: str, limit: int) -> str | None:
        data = await self.get_bytes(key, limit)
        return None if data is None else data.decode()

    async def put_bytes(self, key: str, data: bytes) -> None:
        self.path(key).write_bytes(data)

    async def put_json(self, key: str, value: Any) -> None:
        self.path(key).write_bytes(json.dumps(value).encode())


async def at_once(function: Callable[[], Any]) -> Any:
    return function()


async def as_it_is(space: Space) -> Space:
    return space


def sweep(num: int) -> Sweep:
    """Return a sweep of ten long texts and so many numbers."""
    space = {
        "method": "grid",
        "axes": [
            {"name": "text", "values": TEXTS},
            {"name": "x", "linspace": {"start": 0, "stop": 1, "num": num}},
        ],
    }
    meta = {"name": "s", "namespace": NAMESPACE, "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return sweep_of({"metadata": meta, "spec": {"space": space, "template": {"image": "i", "command": ["c"]}}})


def made(folder: Path, num: int, before: Index | None = None) -> Index:
    shelf = Shelf(cast(Store, DiskStore(folder)), "p", together, at_once)
    return asyncio.run(make_points(shelf, sweep(num), before, 200_000, at_once, as_it_is))


def peak_of(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns, and how many megabytes it held at most."""
    tracemalloc.start()
    try:
        result = function()
        return result, tracemalloc.get_traced_memory()[1] / MEGABYTE
    finally:
        tracemalloc.stop()


def test_a_sweep_with_long_texts_is_made_and_extended_a_few_chunks_at_a_time(tmp_path: Path) -> None:
    first, peak = peak_of(lambda: made(tmp_path, 1500))  # 60 MB
    assert peak < 45
    assert first.stored.total == 15_000
    second, peak = peak_of(lambda: made(tmp_path, 1501, first))  # 60 MB more
    assert peak < 55
    assert second.stored.total > 29_000
    assert second.stored.chunks[: len(first.stored.chunks)] == first.stored.chunks


def test_a_sweep_does_not_grow_beyond_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CHUNKING, "MAX_TOTAL_BYTES", MEGABYTE)
    first = made(tmp_path, 20)  # 0.8 MB
    with pytest.raises(
        RefusedError, match="would take more than 1 MB in the store, those that there are included"
    ) as e:
        made(tmp_path, 21, first)
    assert e.value.why.reason == Reason.TOO_MANY_POINTS


def test_an_index_takes_no_more_than_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CHUNKING, "MAX_TOTAL_BYTES", 5)
    builder = IndexBuilder()
    builder.add(Chunk.of(0, b"123\n"))
    with pytest.raises(SpaceError, match="make several sweeps"):
        builder.add(Chunk.of(1, b"123\n"))


def space_in(folder: Path, data: bytes, points: int, **more: Any) -> Space:
    """Return the space of an uploaded list, with its points."""
    digest = listed.digest_of(data)
    store = DiskStore(folder)
    asyncio.run(store.put_bytes(f"uploads/{NAMESPACE}/{digest.removeprefix('sha256:')}", data))
    named = Space.model_validate({"method": "list", "pointsFrom": {"digest": digest, "points": points}} | more)
    return asyncio.run(with_points(cast(Store, store), NAMESPACE, named, at_once))


def test_of_a_list_its_bytes_are_held_and_not_its_points(tmp_path: Path) -> None:
    point = {f"p{number}": number for number in range(200)}
    data = listed.to_lines([point] * 2000)  # 4 MB; as objects 30

    def number() -> int:
        return sum(int(point["p7"]) for point in expand(space_in(tmp_path, data, 2000, where="p7 > p3"), {}))

    total, peak = peak_of(number)
    assert total == 7 * 2000
    assert peak < 16


def test_points_of_a_list_are_the_same_however_they_are_read(tmp_path: Path) -> None:
    points: list[dict[str, Any]] = [{"a": 1, "b": "ä"}, {"a": 2.5, "b": "\n"}, {"b": True}]
    found = space_in(tmp_path, listed.to_lines(points), 3).points or []
    assert [*found] == points
    assert (len(found), found[1], found[1:]) == (3, points[1], points[1:])


@pytest.mark.parametrize(
    ("data", "number", "words"),
    [
        (b'{"a":1}\n' * 100, 99, "has 100 points"),
        (b'{"a":"' + b"x" * (8 << 20) + b'"}\n', 1, "no point is so long"),
        (b"\n" * ((128 << 20) + 1), 1, "more than 128 MiB"),
    ],
)
def test_a_list_that_is_too_much_is_refused_before_it_is_understood(
    tmp_path: Path, data: bytes, number: int, words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        space_in(tmp_path, data, number)


def test_a_condition_over_many_names_knows_those_that_it_has(tmp_path: Path) -> None:
    points = [{f"p{number}": number} for number in range(3000)]
    with pytest.raises(SpaceError, match="point 0 has no parameter p2999, which where needs"):
        expand(space_in(tmp_path, listed.to_lines(points), 3000, where="p2999 > 0"), {})
    found = expand(space_in(tmp_path, listed.to_lines(points), 3000, where="p2999 > 0"), {"p2999": -1})
    assert list(found) == [{"p2999": 2999}]


def test_a_space_of_axes_with_a_shared_parameter_in_where() -> None:
    assert len(expand(grid(axis("a", values=[1, 2]), where="a < b"), {"b": 2})) == 1
