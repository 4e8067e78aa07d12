"""Records in memory, found by namespace, phase, label and creation time (pure: no I/O, no clock).

For every combination that a filter of one label, one namespace and one phase can have there is a list of keys in order, kept as
records come and go. So a count is a length, and a page is a slice, however many records there are. Several namespaces or phases are
the union of a few such lists; of several labels the rarest is taken and the others are checked record by record.

Nothing here awaits: whoever reads sees all of a change or nothing of it.
"""

import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from simops_api.ordered import ranked
from simops_api.records import Key, Label, Record

_Sorted = list[tuple[Any, str]]
_BULK = 64
"""From so many changes at once (and a share of what is there), all lists are made anew."""


class _Where(NamedTuple):
    """Names one list: the records with this label, namespace and phase; None is any."""

    label: Label | None
    namespace: str | None
    phase: str | None


@dataclass(frozen=True)
class Query:
    """Which records. None is any; an empty collection is none at all."""

    namespaces: Collection[str] | None = None
    phases: Collection[str] | None = None
    labels: Collection[Label] = ()
    since: float | None = None
    """Created at this time or later, in seconds since 1970."""
    newest_first: bool = True


@dataclass(frozen=True)
class Page:
    """Some of the records that a query finds, and how many it finds in all."""

    total: int
    records: list[Record]


@dataclass(frozen=True)
class Stats:
    """Counts and durations."""

    phases: dict[str, int]
    durations: dict[float, float]
    """Quantile → seconds (nearest rank); empty when nothing has finished."""
    finished: int
    """Records that finished since the time that was asked for."""


class Index:
    """All records, and the lists by which they are found."""

    def __init__(self, records: Iterable[Record] = (), *, bulk: int = _BULK) -> None:
        self._bulk = bulk
        self._records: dict[str, Record] = {}
        self._keys: defaultdict[_Where, _Sorted] = defaultdict(list)
        self._durations: defaultdict[str | None, _Sorted] = defaultdict(list)
        self._completions: defaultdict[str | None, _Sorted] = defaultdict(list)
        self.change(records)

    def __len__(self) -> int:
        return len(self._records)

    def get(self, job_id: str) -> Record | None:
        """Return a record, None if there is none."""
        return self._records.get(job_id)

    def ids(self, namespace: str) -> list[str]:
        """Return the ids in a namespace."""
        return [job_id for _, job_id in self._keys.get(_Where(None, namespace, None), ())]

    # Changing
    def change(self, records: Iterable[Record] = (), gone: Iterable[str] = ()) -> None:
        """Forget the records whose ids are gone, then take records in, each in place of the one with its id."""
        stale = [old for job_id in gone if (old := self._records.pop(job_id, None))]
        fresh = {r.id: r for r in records}
        fresh = {job_id: r for job_id, r in fresh.items() if self._records.get(job_id) != r}
        stale += [old for job_id in fresh if (old := self._records.pop(job_id, None))]
        is_much = len(stale) + len(fresh) > max(self._bulk, len(self._records) // 100)
        self._records.update(fresh)
        if is_much:
            self._rebuild()
            return
        for record in stale:
            for one, entry in self._entries(record):
                del one[bisect_left(one, entry)]
            self._drop_empty(record)
        for record in fresh.values():
            for one, entry in self._entries(record):
                insort(one, entry)

    def _rebuild(self) -> None:
        self._keys.clear()
        self._durations.clear()
        self._completions.clear()
        for record in self._records.values():
            for one, entry in self._entries(record):
                one.append(entry)
        for lists in (self._keys, self._durations, self._completions):
            for one in lists.values():
                one.sort()

    def _wheres(self, record: Record) -> Iterator[_Where]:
        for label in (None, *record.labels):
            for namespace in (None, record.namespace):
                yield _Where(label, namespace, None)
                yield _Where(label, namespace, record.phase)

    def _entries(self, record: Record) -> Iterator[tuple[_Sorted, tuple[Any, str]]]:
        key: Key = record.key
        for where in self._wheres(record):
            yield self._keys[where], key
        for namespace in (None, record.namespace):
            if record.seconds is not None:
                yield self._durations[namespace], (record.seconds, record.id)
            if record.finished and record.completed is not None:
                yield self._completions[namespace], (record.completed, record.id)

    def _drop_empty(self, record: Record) -> None:
        # Labels that were used once must not be remembered for ever.
        for where in self._wheres(record):
            if where in self._keys and not self._keys[where]:
                del self._keys[where]

    # Reading
    def select(self, query: Query) -> "Selection":
        """Return the records that a query finds."""
        labels = sorted(set(query.labels), key=lambda label: len(self._keys.get(_Where(label, None, None), ())))
        lists = self._lists(query, labels[0] if labels else None)
        if len(labels) > 1:
            lists = [[key for key in one if self._has(key, labels[1:])] for one in lists]
        starts = [0 if query.since is None else bisect_left(one, (query.since,)) for one in lists]
        return Selection(self._records, lists, starts)

    def page(self, query: Query, first: int, count: int) -> Page:
        """Return ``count`` records from the one of rank ``first`` on, in the query's order."""
        found = self.select(query)
        begin, end, step = span(found.total, first, count, newest_first=query.newest_first)
        return Page(found.total, found.records(begin, end)[::step])

    def _lists(self, query: Query, label: Label | None) -> list[_Sorted]:
        namespaces = (None,) if query.namespaces is None else set(query.namespaces)
        phases = (None,) if query.phases is None else set(query.phases)
        wheres = (_Where(label, namespace, phase) for namespace in namespaces for phase in phases)
        return [self._keys[where] for where in wheres if where in self._keys]

    def _has(self, key: tuple[Any, str], labels: Collection[Label]) -> bool:
        return all(label in self._records[key[1]].labels for label in labels)

    def stats(
        self,
        phases: Iterable[str],
        *,
        namespaces: Collection[str] | None = None,
        finished_since: float = 0.0,
        quantiles: Collection[float] = (0.5, 0.95),
    ) -> Stats:
        """Count records by phase, and say how long those that finished took."""
        scopes = (None,) if namespaces is None else set(namespaces)
        counts = {p: sum(len(self._keys.get(_Where(None, n, p), ())) for n in scopes) for p in phases}
        durations = [self._durations[n] for n in scopes if n in self._durations]
        total = sum(map(len, durations))
        ranks = {q: max(0, math.ceil(q * total) - 1) for q in quantiles}
        starts = [0] * len(durations)
        values = {q: ranked(durations, starts, r, r + 1)[0][0] for q, r in ranks.items()} if total else {}
        completions = [self._completions[n] for n in scopes if n in self._completions]
        finished = sum(len(one) - bisect_left(one, (finished_since,)) for one in completions)
        return Stats(counts, values, finished)


@dataclass(frozen=True)
class Selection:
    """The records that a query finds, from the oldest to the newest. Good until the index changes: nothing may be awaited meanwhile."""

    _all: Mapping[str, Record]
    _lists: Sequence[_Sorted]
    _starts: Sequence[int]

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(len(one) - start for one, start in zip(self._lists, self._starts, strict=True))

    def before(self, key: Key) -> int:
        """Return how many of them stand before a key."""
        return sum(bisect_left(one, key, start) - start for one, start in zip(self._lists, self._starts, strict=True))

    def records(self, first: int, last: int) -> list[Record]:
        """Return those of rank ``first`` to ``last - 1``."""
        keys = ranked(self._lists, self._starts, first, last)
        return [self._all[job_id] for _, job_id in keys]


def span(total: int, first: int, count: int, *, newest_first: bool) -> tuple[int, int, int]:
    """Return which ranks, counted from the oldest, a page is, and 1 or -1 for the direction to read them in."""
    last = min(first + count, total)
    first = min(first, last)
    return (total - last, total - first, -1) if newest_first else (first, last, 1)
