"""The points of a sweep, from its space into the store: made once, and more of them when a finished sweep is extended.

Making them takes a moment of computing for a large space, so it is done in a thread. What is in the store is never changed: an extension goes on behind it.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from simops_crds.names import Reason
from simops_crds.space import (
    Chunk,
    IndexBuilder,
    SpaceError,
    begins_with,
    check_size,
    chunks,
    count,
    expand,
    extension,
    is_extension,
    read,
)
from simops_crds.v1alpha1 import SimulationSweepSpec, Space
from simops_operator.core.sweeps.books import Why
from simops_operator.core.sweeps.sweep import Sweep
from simops_operator.sweeps.shelf import Index, Shelf

T = TypeVar("T")


class InThread(Protocol):
    """Calls a function that computes for a while, without holding up everything else."""

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Return its result."""


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
    try:
        check_size(spec.space, limit)  # before a list is read that is too long
        space = await read_list(spec.space)
        if before is None:
            made = await in_thread(lambda: list(chunks(expand(space, params, limit))))
            old: list[Chunk] = []
        else:
            old = await shelf.read_chunks(before)
            kept = await shelf.read_space(before)
            made = await in_thread(lambda: _more(kept, old, spec, space, limit))
    except ValueError as error:  # SpaceError is one; so is what the store has of the old space, if that is not good
        reason = Reason.TOO_MANY_POINTS if _is_too_large(spec, error) else Reason.INVALID_SPACE
        raise RefusedError(Why(reason, str(error))) from error
    builder = IndexBuilder()
    for chunk in (*old, *made):
        builder.add(chunk)
    index = Index(builder.index(), sweep.space_digest())
    await shelf.write_points(index, made, space_of(sweep))
    return index


def space_of(sweep: Sweep) -> dict[str, Any]:
    """Return what the points of a sweep are made of, as it is stored beside them."""
    return {"space": sweep.raw_spec.get("space"), "params": (sweep.raw_spec.get("template") or {}).get("params") or {}}


def _more(
    kept: dict[str, Any], old: Sequence[Chunk], spec: SimulationSweepSpec, space: Space, limit: int
) -> list[Chunk]:
    before, params = Space.model_validate(kept["space"]), spec.template.params or {}
    if (why := is_extension(before, spec.space)) is not None:
        raise ValueError(f"spec.space: {why}")
    if json.dumps(kept["params"], sort_keys=True) != json.dumps(params, sort_keys=True):
        raise ValueError("spec.template.params cannot be changed: make a new sweep")
    points = [point for chunk in old for _, point in read(chunk.data)]
    is_elsewhere = before.points_from is not None or spec.space.points_from is not None
    if is_elsewhere and not begins_with(space, params, points):
        raise ValueError(
            "spec.space: points that are there cannot be changed, moved or taken away: the new list must begin with them"
        )
    return list(chunks(extension(points, space, params, limit), len(points)))


def _is_too_large(spec: SimulationSweepSpec, error: ValueError) -> bool:
    """Whether a space of the right shape was refused as a whole."""
    try:
        count(spec.space)
    except SpaceError:
        return False
    return isinstance(error, SpaceError) and error.field == "spec.space"
