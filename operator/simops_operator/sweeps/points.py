"""The points of a sweep, from its space into the store: made once, and more of them when a finished sweep is extended.

Making them takes a moment of computing for a large space, so it is done in a thread. What is in the store is never changed: an extension goes on behind it.
Memory holds a few chunks of points, of old ones and of new ones alike, however many there are: of the old ones 16 bytes each besides.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Protocol

from simops_crds.names import Reason
from simops_crds.space import (
    Chunk,
    IndexBuilder,
    Points,
    SpaceError,
    begins_with,
    check_size,
    chunks,
    count,
    expand,
    extension,
    is_extension,
    key_of,
    read,
)
from simops_crds.v1alpha1 import SimulationSweepSpec, Space
from simops_operator.core.sweeps.books import Why
from simops_operator.core.sweeps.sweep import Sweep
from simops_operator.sweeps.shelf import CHUNKS_AT_ONCE, Index, Shelf
from simops_operator.sweeps.together import InThread


class RefusedError(Exception):
    """A space that gives no points, or no more of them."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.message)
        self.why = why


class ReadList(Protocol):
    """Puts the points of a list into a space that only names them."""

    async def __call__(self, space: Space, /) -> Space:
        """Return the space with its points in it; raises RefusedError if they are not there."""


async def make_points(
    shelf: Shelf, sweep: Sweep, before: Index | None, limit: int, in_thread: InThread, read_list: ReadList
) -> Index:
    """Store the points of a sweep and return their index.

    Args:
        shelf: where they go.
        sweep: the sweep, with a spec.
        before: the points that it has already.
        limit: how many points a sweep may have here.
        in_thread: calls what takes long.
        read_list: gives the points that are in a list of their own.

    Raises:
        RefusedError: the space is not good, or no extension of what there is.
        StoreError: the store does not answer.
    """
    spec = sweep.spec
    if spec is None:
        raise RefusedError(Why(Reason.INVALID_SPEC, sweep.invalid))
    params = spec.template.params or {}
    builder = IndexBuilder()
    try:
        check_size(spec.space, limit)  # before a list is read that is too long
        space = await read_list(spec.space)
        if before is None:
            points = await in_thread(lambda: expand(space, params, limit))
        else:
            kept = await shelf.read_space(before)
            _check_grown(kept, spec)
            there = await _there(shelf, before, builder, in_thread)
            points = await in_thread(lambda: _more(kept, there, spec, space, limit))
        made = chunks(points, builder.total)
        while some := await in_thread(partial(_next, made, builder)):
            await shelf.write_chunks(some)
    except ValueError as error:  # SpaceError is one; so is what the store has of the old space, if that is not good
        reason = Reason.TOO_MANY_POINTS if _is_too_large(spec, error) else Reason.INVALID_SPACE
        raise RefusedError(Why(reason, str(error))) from error
    index = Index(builder.index(), sweep.space_digest())
    await shelf.write_index(index, space_of(sweep))
    return index


def space_of(sweep: Sweep) -> dict[str, Any]:
    """Return what the points of a sweep are made of, as it is stored beside them."""
    return {"space": sweep.raw_spec.get("space"), "params": (sweep.raw_spec.get("template") or {}).get("params") or {}}


def _next(made: Iterator[Chunk], builder: IndexBuilder) -> list[Chunk]:
    """Return the next chunks, which the index has now."""
    some = list(islice(made, CHUNKS_AT_ONCE))
    for chunk in some:
        builder.add(chunk)
    return some


async def _there(shelf: Shelf, before: Index, builder: IndexBuilder, in_thread: InThread) -> list[bytes]:
    """Return the keys of the points that there are, whose chunks the index has now."""
    keys: list[bytes] = []

    def take(some: Sequence[Chunk]) -> None:
        for chunk in some:
            builder.add(chunk)
            keys.extend(key_of(point) for _, point in read(chunk.data))

    async for some in shelf.read_chunks(before):
        await in_thread(partial(take, some))
    return keys


def _check_grown(kept: dict[str, Any], spec: SimulationSweepSpec) -> None:
    if (why := is_extension(Space.model_validate(kept["space"]), spec.space)) is not None:
        raise ValueError(f"spec.space: {why}")
    if json.dumps(kept["params"], sort_keys=True) != json.dumps(spec.template.params or {}, sort_keys=True):
        raise ValueError("spec.template.params cannot be changed: make a new sweep")


def _more(kept: dict[str, Any], there: Sequence[bytes], spec: SimulationSweepSpec, space: Space, limit: int) -> Points:
    before, params = Space.model_validate(kept["space"]), spec.template.params or {}
    is_elsewhere = before.points_from is not None or spec.space.points_from is not None
    if is_elsewhere and not begins_with(space, params, there):
        raise ValueError(
            "spec.space: points that are there cannot be changed, moved or taken away: the new list must begin with them"
        )
    return extension(there, space, params, limit)


def _is_too_large(spec: SimulationSweepSpec, error: ValueError) -> bool:
    """Whether a space of the right shape was refused as a whole."""
    try:
        count(spec.space)
    except SpaceError:
        return False
    return isinstance(error, SpaceError) and error.field == "spec.space"
