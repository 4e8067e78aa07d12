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
from enum import Enum, auto
from typing import Any, NamedTuple

from simops_api.ordered import ranked
from simops_api.records import Key, Label, Record

_Sorted = list[tuple[Any, str]]
_BULK = 64
"""From so many changes at once (and a share of what is there), all lists are made anew."""
_SHARE = 8


class _Order(Enum):
    """What a list is sorted by; records without that are not in it."""

    CREATED = auto()
    SECONDS = auto()
    COMPLETED = auto()


class _Where(NamedTuple):
    """Names one list: the records with this label, namespace and phase, None is any, in this order."""

    label: Label | None
    namespace: str | None
    phase: str | None
    order: _Order = _Order.CREATED


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
        self._lists: defaultdict[_Where, _Sorted] = defaultdict(list)
        self.change(records)

    def __len__(self) -> int:
        return len(self._records)

    def get(self, job_id: str) -> Record | None:
        """Return a record, None if there is none."""
        return self._records.get(job_id)

    def ids(self, namespace: str) -> list[str]:
        """Return the ids in a namespace."""
        return [job_id for _, job_id in self._lists.get(_Where(None, namespace, None), ())]

    # Changing
    def change(self, records: Iterable[Record] = (), gone: Iterable[str] = ()) -> None:
        """Forget the records whose ids are gone, then take records in, each in place of the one with its id."""
        stale = {job_id: old for job_id in gone if (old := self._records.pop(job_id, None))}
        fresh = {r.id: r for r in records}
        fresh = {job_id: r for job_id, r in fresh.items() if self._records.get(job_id) != r}
        stale |= {job_id: old for job_id in fresh if (old := self._records.pop(job_id, None))}
        self._records.update(fresh)
        ids = stale.keys() | fresh.keys()
        if len(ids) > max(self._bulk, len(self._records) // _SHARE):
            self._rebuild()
            return
        for job_id in ids:
            self._move(stale.get(job_id), fresh.get(job_id))

    def _move(self, old: Record | None, new: Record | None) -> None:
        """Take a record out of the lists where it stands no more, and into those where it did not stand: few of them when only its phase is new."""
        before, after = (dict(_places(record)) if record is not None else {} for record in (old, new))
        for where in before:
            if after.get(where) != before[where]:
                one = self._lists[where]
                del one[bisect_left(one, before[where])]
                if not one:  # labels that were used once must not be remembered for ever
                    del self._lists[where]
        for where in after:
            if after[where] != before.get(where):
                insort(self._lists[where], after[where])

    def _rebuild(self) -> None:
        self._lists.clear()
        lists_of: dict[tuple[tuple[Label, ...], str, str], list[_Sorted]] = {}
        for record in sorted(self._records.values(), key=_key):
            group = (record.labels, record.namespace, record.phase)
            lists = lists_of.get(group)
            if lists is None:
                lists = lists_of[group] = [self._lists[where] for where in _wheres(record)]
            key = record.key
            for one in lists:
                one.append(key)  # in order, since the records come in order
            for where, entry in _times(record):
                self._lists[where].append(entry)
        for where, one in self._lists.items():
            if where.order is not _Order.CREATED:
                one.sort()

    # Reading
    def select(self, query: Query) -> "Selection":
        """Return the records that a query finds."""
        labels = sorted(set(query.labels), key=lambda label: len(self._lists.get(_Where(label, None, None), ())))
        lists = self._chosen(query, labels[0] if labels else None)
        if len(labels) > 1:
            lists = [[key for key in one if self._has(key, labels[1:])] for one in lists]
        starts = [0 if query.since is None else bisect_left(one, (query.since,)) for one in lists]
        return Selection(self._records, lists, starts)

    def page(self, query: Query, first: int, count: int) -> Page:
        """Return ``count`` records from the one of rank ``first`` on, in the query's order."""
        found = self.select(query)
        begin, end, step = span(found.total, first, count, newest_first=query.newest_first)
        return Page(found.total, found.records(begin, end)[::step])

    def _chosen(self, query: Query, label: Label | None) -> list[_Sorted]:
        namespaces = (None,) if query.namespaces is None else set(query.namespaces)
        phases = (None,) if query.phases is None else set(query.phases)
        wheres = (_Where(label, namespace, phase) for namespace in namespaces for phase in phases)
        return [self._lists[where] for where in wheres if where in self._lists]

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
        counts = {p: sum(len(self._lists.get(_Where(None, n, p), ())) for n in scopes) for p in phases}
        durations = self._timed(scopes, _Order.SECONDS)
        total = sum(map(len, durations))
        ranks = {q: max(0, math.ceil(q * total) - 1) for q in quantiles}
        starts = [0] * len(durations)
        values = {q: ranked(durations, starts, r, r + 1)[0][0] for q, r in ranks.items()} if total else {}
        completions = self._timed(scopes, _Order.COMPLETED)
        finished = sum(len(one) - bisect_left(one, (finished_since,)) for one in completions)
        return Stats(counts, values, finished)

    def _timed(self, namespaces: Collection[str | None], order: _Order) -> list[_Sorted]:
        wheres = (_Where(None, namespace, None, order) for namespace in namespaces)
        return [self._lists[where] for where in wheres if where in self._lists]


def _key(record: Record) -> Key:
    return record.key


def _wheres(record: Record) -> Iterator[_Where]:
    """Yield the lists in which a record stands by its creation time."""
    for label in (None, *record.labels):
        for namespace in (None, record.namespace):
            yield _Where(label, namespace, None)
            yield _Where(label, namespace, record.phase)


def _times(record: Record) -> Iterator[tuple[_Where, tuple[Any, str]]]:
    """Yield the lists in which a record stands by how long it took and when it ended, and its entry in each."""
    for namespace in (None, record.namespace):
        if record.seconds is not None:
            yield _Where(None, namespace, None, _Order.SECONDS), (record.seconds, record.id)
        if record.finished and record.completed is not None:
            yield _Where(None, namespace, None, _Order.COMPLETED), (record.completed, record.id)


def _places(record: Record) -> Iterator[tuple[_Where, tuple[Any, str]]]:
    """Yield all lists in which a record stands, and its entry in each."""
    key = record.key
    for where in _wheres(record):
        yield where, key
    yield from _times(record)


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
