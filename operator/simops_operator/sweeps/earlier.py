"""Results that there are already: of finished sweeps and jobs of the namespace, and of other points of the same sweep.

What is found depends on the store alone, so it may be looked for again after a crash. Points are compared chunk by chunk: memory holds the digests of the
points that are looked for, and of the others a thousand at a time.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from simops_crds.indexes import Indexes
from simops_crds.names import Reason, key_prefix, reuse_prefix, sweep_prefix
from simops_crds.space import ChunkRef, read
from simops_io.untrusted import parse
from simops_operator.core.reuse import family_of, key_of
from simops_operator.core.sweeps.books import NOTHING, Results
from simops_operator.core.sweeps.results import compacted, each_line, written
from simops_operator.core.sweeps.sweep import Sweep
from simops_operator.store import Store
from simops_operator.sweeps.points import InThread, space_of
from simops_operator.sweeps.shelf import UNWRITTEN_SIZE, Index, Shelf
from simops_operator.sweeps.together import Together, portions

log = logging.getLogger(__name__)

MAX_SOURCES = 100
"""The latest so many sweeps of the same program are looked at."""
_AT_ONCE = 8
NO_ROUND = -1
"""The round, and the pack, of a line of the table whose result comes from elsewhere."""
_OWNER_DEPTH = 4
"""Kind, namespace, name, uid: what the keys of all that a run left begin with."""

Wanted = dict[str, list[int]]
"""Digest of parameters → points of this sweep that have them, in order."""


@dataclass
class Found:
    """What was found for a sweep."""

    lines: dict[int, str] = field(default_factory=dict)
    """Index → line of the table that is not written yet."""
    size: int = 0
    """Characters of these lines."""
    results: Results = field(default_factory=Results)
    twins: Indexes = NOTHING
    """The points that were given no result and are like one before them."""


@dataclass(frozen=True)
class _Match:
    index: int
    line: Mapping[str, Any]
    """The line of the source's table."""
    source: Mapping[str, Any]


class Earlier:
    """Looks for results of one sweep's points."""

    def __init__(
        self,
        store: Store,
        sweep: Sweep,
        index: Index,
        at_once: Together,
        in_thread: InThread,
        write: Callable[[Mapping[int, str]], Awaitable[None]],
    ) -> None:
        self._store = store
        self._sweep = sweep
        self._index = index
        self._at_once = at_once
        self._in_thread = in_thread
        self._write = write

    async def find(self, wanted: Indexes, *, own: bool) -> Found:
        """Write results for some points into the table, of this sweep itself (``own``) or of it and all others; return what was found.

        Raises:
            StoreError: the store does not answer.
        """
        spec = self._sweep.spec
        family = family_of(spec.template, batch=spec.template.batch) if spec is not None else None
        if spec is None or family is None:
            return Found()
        digests = await self._wanted(wanted)
        left: Wanted = {digest: list(points) for digest, points in digests.items()}
        found = Found()
        await self._take_sweep(self._sweep.name, self._sweep.uid, left, found)
        if not own:
            await self._take_jobs(family, left, found)
            for name, uid in await self._sweeps(family):
                if left:
                    await self._take_sweep(name, uid, left, found)
            found.twins = Indexes.of((i, i) for points in left.values() for i in points[1:])
        await self._write_out(found)
        return found

    async def _write_out(self, found: Found) -> None:
        if found.lines:
            await self._write(found.lines)
        found.lines, found.size = {}, 0

    async def _wanted(self, points: Indexes) -> Wanted:
        shelf = self._shelf(self._sweep.name, self._sweep.uid)
        shared = space_of(self._sweep)["params"]
        out: Wanted = {}
        for refs in portions(self._index.stored.chunks_of(points), _AT_ONCE):
            for chunk in await self._at_once([shelf.read_chunk(ref) for ref in refs]):
                if chunk is not None:  # else the Pod that is to run its points will say so
                    await self._in_thread(partial(_collect, chunk.data, shared, points, out))
        return out

    async def _sweeps(self, family: str) -> list[tuple[str, str]]:
        keys = await self._store.list_keys(f"{reuse_prefix(self._sweep.namespace, family)}/sweeps/")
        named = [(key.split("/")[-2], key.split("/")[-1]) for key in keys]
        return [one for one in named if one[1] != self._sweep.uid][:MAX_SOURCES]

    def _shelf(self, name: str, uid: str) -> Shelf:
        return Shelf(self._store, sweep_prefix(self._sweep.namespace, name, uid), self._at_once)

    async def _take_sweep(self, name: str, uid: str, left: Wanted, found: Found) -> None:
        """Take what a sweep has. One that is being removed, or whose objects are damaged, has nothing: this sweep must not wait for it."""
        try:
            shelf = self._shelf(name, uid)
            index = await shelf.read_index()
            base = (await shelf.read_space(index))["params"] if index is not None else {}
            source = {"kind": "SimulationSweep", "name": name, "uid": uid}
            for refs in portions(index.stored.chunks if index is not None else (), _AT_ONCE):
                matches: list[_Match] = []
                for data, table in await self._at_once([self._chunk_of(shelf, ref) for ref in refs]):
                    if data and table and left:
                        matches += await self._in_thread(partial(_matching, data, table, base, left, source))
                await self._take(matches, left, found)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("%s/%s: no more of sweep %s is taken: %s", self._sweep.namespace, self._sweep.name, name, error)

    @staticmethod
    async def _chunk_of(shelf: Shelf, ref: ChunkRef) -> tuple[bytes, str]:
        table = await shelf.read_table(ref.first)
        chunk = await shelf.read_chunk(ref) if table else None
        return (chunk.data if chunk is not None else b""), table or ""

    async def _take_jobs(self, family: str, left: Wanted, found: Found) -> None:
        namespace = self._sweep.namespace
        root = f"{reuse_prefix(namespace, family)}/jobs/"
        listed = [key.removeprefix(root).split("/") for key in await self._store.list_keys(root)]
        named = {parts[0]: (parts[1], parts[2]) for parts in listed if len(parts) == 3 and parts[0] in left}
        for part in portions(list(named.items()), _AT_ONCE):
            texts = await self._at_once(
                [self._store.get_text(f"{key_prefix(namespace, *who)}/record.json") for _, who in part]
            )
            matches = [
                _Match(i, line, {"kind": "SimulationJob", "name": who[0], "uid": who[1]})
                for (params, who), text in zip(part, texts, strict=True)
                if (line := _line_of_job(text)) is not None
                for i in left[params]
            ]
            await self._take(matches, left, found)

    async def _take(self, matches: Iterable[_Match], left: Wanted, found: Found) -> None:
        """Take the results whose files are in the store; of several of a point, the first."""
        listed = list(matches)
        present = await self._present({str(match.line["bundle"]) for match in listed})
        new: dict[int, _Match] = {}
        for match in listed:
            if match.line["bundle"] in present:
                new.setdefault(match.index, match)
        for index, match in new.items():
            found.lines[index] = _line(match)
            found.size += len(found.lines[index])
        if found.size > UNWRITTEN_SIZE:
            await self._write_out(found)
        found.results = _with(found.results, new)
        for digest in list(left):
            left[digest] = [i for i in left[digest] if i not in new]
            if not left[digest]:
                del left[digest]

    async def _present(self, bundles: set[str]) -> set[str]:
        here = tuple(f"{kind}/{self._sweep.namespace}/" for kind in ("sweeps", "jobs"))
        owners = {"/".join(key.split("/")[:_OWNER_DEPTH]) for key in bundles if key.startswith(here)}
        out: set[str] = set()
        for owner in sorted(owners):
            out.update(bundles.intersection(await self._store.list_keys(f"{owner}/")))
        return out


def _collect(data: bytes, shared: Mapping[str, Any], points: Indexes, out: Wanted) -> None:
    for index, params in read(data):
        if index in points:
            out.setdefault(key_of({**shared, **params}), []).append(index)


def _matching(
    data: bytes, table: str, shared: Mapping[str, Any], left: Wanted, source: Mapping[str, Any]
) -> list[_Match]:
    good = {line["index"]: compacted(line) for line in each_line(table) if line["exitCode"] == 0 and line.get("bundle")}
    return [
        _Match(point, good[index], {**source, "index": index})
        for index, params in read(data)
        if index in good
        for point in left.get(key_of({**shared, **params}), ())
    ]


def _line_of_job(text: str | None) -> dict[str, Any] | None:
    """Return what the record of a job says, as a line of a table; None when it has no result that could be taken."""
    try:
        record = dict(parse(text)) if text else {}
    except (ValueError, TypeError):
        return None
    status = record.get("status") or {}
    bundle = (status.get("artifacts") or {}).get("bundle")
    if status.get("phase") != "Succeeded" or not bundle:
        return None
    line = {"exitCode": 0, "reason": Reason.COMPLETED.value, "bundle": bundle}
    seconds = (record.get("timings") or {}).get("runSeconds")
    return line | ({"seconds": seconds} if seconds is not None else {}) | {"metrics": status.get("metrics") or {}}


def _line(match: _Match) -> str:
    origin = match.line.get("reused") or match.source  # the run itself, and not who took its result before
    return written({**match.line, "index": match.index, "round": NO_ROUND, "pack": NO_ROUND, "reused": origin})


def _with(before: Results, new: Mapping[int, _Match]) -> Results:
    times = [took for m in new.values() if isinstance(took := m.line.get("seconds"), int | float) and took >= 0]
    points = before.succeeded | Indexes.of((i, i) for i in new)
    return Results(points, before.failed, before.seconds + sum(times), before.measured + len(times))
