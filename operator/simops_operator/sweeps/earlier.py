"""Results that there are already: of finished sweeps and jobs of the namespace, and of other points of the same sweep.

What is found depends on the store alone, so it may be looked for again after a crash. Points are compared chunk by chunk: memory holds the digests of the
points that are looked for, and of the others a few chunks. What others have left may be made to be large, so a look ends when it has read so much.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from simops_crds.indexes import Indexes
from simops_crds.names import Reason, key_prefix, reuse_prefix, sweep_prefix
from simops_crds.space import CHUNK_POINTS, ChunkRef, read
from simops_io.untrusted import finite, parse
from simops_operator.core.reuse import family_of, key_of
from simops_operator.core.sweeps.books import NOTHING, Results
from simops_operator.core.sweeps.results import Line, known, reusable, written
from simops_operator.core.sweeps.sweep import Sweep
from simops_operator.store import Store, TooLargeError
from simops_operator.sweeps.points import space_of
from simops_operator.sweeps.shelf import CHUNKS_AT_ONCE, MAX_TABLE, UNWRITTEN_SIZE, Index, Shelf
from simops_operator.sweeps.together import InThread, Together, portions

log = logging.getLogger(__name__)

MAX_SOURCES = 100
"""The latest so many sweeps of the same program are looked at."""
MAX_LOOK = 256 << 20
"""Bytes that one look reads of others, that it looks through of the sweep itself, and that it writes: half a minute of work each."""
OBJECT_COST = 16 << 10
"""Bytes that an object counts beside its own: to ask for it takes its time, too."""
_MAX_RECORD = 4 << 20
_MAX_LISTED = 300_000
"""Keys of bundles that are remembered."""
_JOBS_AT_ONCE = 8
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
    points: list[int] = field(default_factory=list)
    """Those that were given a result."""
    seconds: float = 0.0
    measured: int = 0
    """How many of the results tell how long they took, and their time together."""
    twins: Indexes = NOTHING
    """The points that were given no result and are like one before them."""

    @property
    def results(self) -> Results:
        """What was found, as the books take it."""
        return Results(Indexes.of((i, i) for i in self.points), NOTHING, self.seconds, self.measured)


class Allowance:
    """How much a look may still read, or write."""

    def __init__(self, size: int) -> None:
        self._left = size

    @property
    def is_spent(self) -> bool:
        """Whether there is to be no more."""
        return self._left <= 0

    def spend(self, size: int) -> None:
        """Note what was written."""
        self._left -= size

    def read(self, size: int) -> None:
        """Note an object, or a list of keys, that was read."""
        self._left -= size + OBJECT_COST


@dataclass(frozen=True)
class _Match:
    digest: str
    line: Line
    """The line of the source's table."""
    source: Mapping[str, Any]


class Earlier:
    """Looks for results of one sweep's points, once."""

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
        # Of the sweep itself apart: what others have must not keep it from finding again what it had taken before a crash.
        self._of_others, self._of_itself, self._taken = (Allowance(MAX_LOOK) for _ in range(3))
        self._listed: dict[str, frozenset[str]] = {}

    async def find(self, wanted: Indexes, *, own: bool) -> Found:
        """Write results for some points into the table, of this sweep itself (``own``) or of it and all others; return what was found.

        Raises:
            StoreError: the store does not answer.
        """
        spec = self._sweep.spec
        family = family_of(spec.template, batch=spec.template.batch) if spec is not None else None
        if spec is None or family is None:
            return Found()
        left = await self._wanted(wanted)
        found = Found()
        await self._take_sweep(self._sweep.name, self._sweep.uid, left, found)
        if not own:
            await self._take_jobs(family, left, found)
            for name, uid in await self._sweeps(family):
                if not self._is_over(left, self._of_others):
                    await self._take_sweep(name, uid, left, found)
            found.twins = Indexes.of((i, i) for points in left.values() for i in points[1:])
        await self._write_out(found)
        self._tell(left)
        return found

    def _is_over(self, left: Wanted, allowance: Allowance) -> bool:
        return not left or allowance.is_spent or self._taken.is_spent

    def _tell(self, left: Wanted) -> None:
        if left and any(some.is_spent for some in (self._of_others, self._of_itself, self._taken)):
            log.info(
                "%s/%s: %d MB of earlier results were read or taken; no more are looked at, and what is left is run",
                self._sweep.namespace,
                self._sweep.name,
                MAX_LOOK >> 20,
            )

    async def _write_out(self, found: Found) -> None:
        if found.lines:
            await self._write(found.lines)
        found.lines, found.size = {}, 0

    async def _wanted(self, points: Indexes) -> Wanted:
        shelf = Shelf(self._store, self._sweep.prefix, self._at_once, self._in_thread)
        shared = space_of(self._sweep)["params"]
        out: Wanted = {}
        for refs in portions(self._index.stored.chunks_of(points), CHUNKS_AT_ONCE):
            for chunk in await self._at_once([shelf.read_chunk(ref) for ref in refs]):
                if chunk is not None:  # else the Pod that is to run its points will say so
                    await self._in_thread(partial(_collect, chunk.data, shared, points, out))
        return out

    async def _sweeps(self, family: str) -> list[tuple[str, str]]:
        """Return name and UID of the latest sweeps of the same program, the latest first, as they are listed."""
        keys = await self._store.list_keys(f"{reuse_prefix(self._sweep.namespace, family)}/sweeps/")
        named = [(key.split("/")[-2], key.split("/")[-1]) for key in keys]
        return [one for one in named if one[1] != self._sweep.uid][:MAX_SOURCES]

    async def _take_sweep(self, name: str, uid: str, left: Wanted, found: Found) -> None:
        """Take what a sweep has. One that is being removed, or whose objects are damaged, has nothing: this sweep must not wait for it."""
        allowance = self._of_itself if uid == self._sweep.uid else self._of_others
        try:
            prefix = sweep_prefix(self._sweep.namespace, name, uid)
            shelf = Shelf(self._store, prefix, self._at_once, self._in_thread, allowance.read)
            index = await shelf.read_index()
            base = (await shelf.read_space(index))["params"] if index is not None else {}
            source = {"kind": "SimulationSweep", "name": name, "uid": uid}
            for refs in portions(index.stored.chunks if index is not None else (), CHUNKS_AT_ONCE):
                if self._is_over(left, allowance):
                    break
                for data, table in await self._at_once([self._chunk_of(shelf, ref) for ref in refs]):
                    if data and table and left:
                        match = partial(_matching, data, table, base, left, source)
                        await self._take(await self._in_thread(match), left, found)
        except (ValueError, KeyError, TypeError, RecursionError, TooLargeError) as error:
            log.warning("%s/%s: no more of sweep %s is taken: %s", self._sweep.namespace, self._sweep.name, name, error)

    @staticmethod
    async def _chunk_of(shelf: Shelf, ref: ChunkRef) -> tuple[bytes, str]:
        if ref.count > CHUNK_POINTS:
            raise ValueError(f"{ref.count} points in points/{ref.file} are more than SimOps writes")
        table = await shelf.read_table(ref.first, MAX_TABLE)
        chunk = await shelf.read_chunk(ref) if table else None
        return (chunk.data if chunk is not None else b""), table or ""

    async def _take_jobs(self, family: str, left: Wanted, found: Found) -> None:
        root = f"{reuse_prefix(self._sweep.namespace, family)}/jobs/"
        listed = [key.removeprefix(root).split("/") for key in await self._store.list_keys(root)]
        named = {parts[0]: (parts[1], parts[2]) for parts in listed if len(parts) == 3 and parts[0] in left}
        for part in portions(list(named.items()), _JOBS_AT_ONCE):
            if self._is_over(left, self._of_others):
                break
            texts = await self._at_once([self._record_of(*who) for _, who in part])
            await self._take(await self._in_thread(partial(_matches_of_jobs, part, texts)), left, found)

    async def _record_of(self, name: str, uid: str) -> str:
        try:
            text = await self._store.get_text(
                f"{key_prefix(self._sweep.namespace, name, uid)}/record.json", _MAX_RECORD
            )
        except TooLargeError as error:
            log.warning("%s/%s: taken as missing: %s", self._sweep.namespace, self._sweep.name, error)
            text = None
        self._of_others.read(len(text or ""))
        return text or ""

    async def _take(self, matches: Sequence[_Match], left: Wanted, found: Found) -> None:
        """Take the results whose files are in the store; of several of a point, the first."""
        present = await self._present({match.line["bundle"] for match in matches})
        for match in matches:
            if match.line["bundle"] in present and (points := left.pop(match.digest, [])):
                count = await self._give(points, match, found)
                if count < len(points):
                    left[match.digest] = points[count:]

    async def _give(self, points: Sequence[int], match: _Match, found: Found) -> int:
        """Give points that are alike a result, as many of them as may be written; return how many."""
        given = 0
        for index in points:
            if self._taken.is_spent:
                break
            # One line at a time, as thousands of points may be alike.
            found.lines[index] = line = _line(index, match)
            found.size += len(line)
            self._taken.spend(len(line))
            given += 1
            if found.size > UNWRITTEN_SIZE:
                await self._write_out(found)
        found.points += points[:given]
        if (took := finite(match.line.get("seconds"))) is not None and took >= 0:
            found.seconds += took * given
            found.measured += given
        return given

    async def _present(self, bundles: set[str]) -> set[str]:
        here = tuple(f"{kind}/{self._sweep.namespace}/" for kind in ("sweeps", "jobs"))
        owners = {"/".join(key.split("/")[:_OWNER_DEPTH]) for key in bundles if key.startswith(here)}
        out: set[str] = set()
        for owner in sorted(owners):
            out.update(bundles & await self._bundles_of(owner))
        return out

    async def _bundles_of(self, owner: str) -> frozenset[str]:
        """Return the keys of the bundles of a run or sweep. They are remembered, as each chunk of its table asks for them."""
        if owner not in self._listed:
            keys = await self._store.list_keys(f"{owner}/", ".zip")
            is_own = owner == self._sweep.prefix
            (self._of_itself if is_own else self._of_others).read(sum(map(len, keys)))
            if sum(map(len, self._listed.values())) > _MAX_LISTED:
                self._listed.clear()
            self._listed[owner] = frozenset(keys)
        return self._listed[owner]


def _collect(data: bytes, shared: Mapping[str, Any], points: Indexes, out: Wanted) -> None:
    for index, params in read(data):
        if index in points:
            out.setdefault(key_of({**shared, **params}), []).append(index)


def _matching(
    data: bytes, table: str, shared: Mapping[str, Any], left: Wanted, source: Mapping[str, Any]
) -> list[_Match]:
    keys = ((index, key_of({**shared, **params})) for index, params in read(data))
    same = {index: digest for index, digest in keys if digest in left}
    good = reusable(table, same) if same else {}
    return [_Match(digest, good[i], {**source, "index": i}) for i, digest in same.items() if i in good]


def _matches_of_jobs(named: Sequence[tuple[str, tuple[str, str]]], texts: Sequence[str]) -> list[_Match]:
    return [
        _Match(params, line, {"kind": "SimulationJob", "name": name, "uid": uid})
        for (params, (name, uid)), text in zip(named, texts, strict=True)
        if (line := _line_of_job(text)) is not None
    ]


def _line_of_job(text: str) -> Line | None:
    """Return what the record of a job says, as a line of a table; None when it has no result that could be taken."""
    try:
        record = dict(parse(text)) if text else {}
        status, timings = record.get("status") or {}, record.get("timings") or {}
        bundle = (status.get("artifacts") or {}).get("bundle")
        if status.get("phase") != "Succeeded" or not isinstance(bundle, str):
            return None
        told = {"exitCode": 0, "reason": Reason.COMPLETED.value, "metrics": status.get("metrics") or {}}
        return {**known({**told, "seconds": timings.get("runSeconds")}), "bundle": bundle}
    except (ValueError, TypeError, AttributeError):
        return None


def _line(index: int, match: _Match) -> str:
    origin = match.line.get("reused") or match.source  # the run itself, and not who took its result before
    return written({**match.line, "index": index, "round": NO_ROUND, "pack": NO_ROUND, "reused": origin})
