"""The index against a model that looks at every record."""

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from simops_api.index import Index, Query
from simops_api.ordered import ranked
from simops_api.records import Record

PHASES = ("Pending", "Running", "Succeeded", "Failed")
LABELS = tuple((key, value) for key in "ab" for value in "xy")
NAMESPACES = ("lab", "default")


def record(name: str = "heat", namespace: str = "lab", **more: object) -> Record:
    return replace(Record(f"{namespace}.{name}", namespace, 1, 0, "Pending"), **more)  # type: ignore[arg-type]


labels = st.lists(st.sampled_from(LABELS), max_size=3, unique=True).map(tuple)
records = st.builds(
    record,
    name=st.sampled_from([f"j{i}" for i in range(12)]),
    namespace=st.sampled_from(NAMESPACES),
    version=st.integers(1, 9),
    created=st.integers(0, 5),
    phase=st.sampled_from(PHASES),
    labels=labels,
    started=st.none() | st.floats(0, 10),
    completed=st.none() | st.floats(0, 20),
)
ids = st.sampled_from([f"{namespace}.j{i}" for namespace in NAMESPACES for i in range(12)])
changes = st.lists(st.tuples(st.lists(records, max_size=8), st.lists(ids, max_size=4)), max_size=4)
bulks = st.sampled_from([0, 1000])
queries = st.builds(
    Query,
    namespaces=st.none() | st.sets(st.sampled_from((*NAMESPACES, "other"))),
    phases=st.none() | st.sets(st.sampled_from(PHASES)),
    labels=st.lists(st.sampled_from((*LABELS, ("a", "z"))), max_size=2),
    since=st.none() | st.floats(-1, 6),
    newest_first=st.booleans(),
)


def matches(one: Record, query: Query) -> bool:
    return (
        (query.namespaces is None or one.namespace in query.namespaces)
        and (query.phases is None or one.phase in query.phases)
        and set(query.labels) <= set(one.labels)
        and (query.since is None or one.created >= query.since)
    )


def found(model: dict[str, Record], query: Query) -> list[Record]:
    return sorted((r for r in model.values() if matches(r, query)), key=lambda r: r.key, reverse=query.newest_first)


def changed(index: Index, model: dict[str, Record], steps: list[tuple[list[Record], list[str]]]) -> None:
    for taken, gone in steps:
        index.change(taken, gone)
        for job_id in gone:
            model.pop(job_id, None)
        model |= {r.id: r for r in taken}


@given(changes, queries, st.integers(0, 30), st.integers(0, 10), bulks)
@settings(max_examples=200, deadline=None)
def test_a_page_is_what_a_look_at_every_record_finds(
    steps: list[tuple[list[Record], list[str]]], query: Query, first: int, count: int, bulk: int
) -> None:
    index, model = Index(bulk=bulk), dict[str, Record]()
    changed(index, model, steps)
    everything = found(model, query)
    page = index.page(query, first, count)
    assert page.total == len(everything)
    assert page.records == everything[first : first + count]
    assert len(index) == len(model)


@given(changes, st.none() | st.sets(st.sampled_from(NAMESPACES)), st.integers(-1, 21), bulks)
@settings(max_examples=100, deadline=None)
def test_counts_and_quantiles_are_those_of_a_look_at_every_record(
    steps: list[tuple[list[Record], list[str]]], namespaces: set[str] | None, since: int, bulk: int
) -> None:
    index, model = Index(bulk=bulk), dict[str, Record]()
    changed(index, model, steps)
    own = found(model, Query(namespaces=namespaces))
    stats = index.stats(PHASES, namespaces=namespaces, finished_since=since)
    assert stats.phases == {phase: sum(r.phase == phase for r in own) for phase in PHASES}
    ended = [r for r in own if r.finished and r.completed is not None]
    assert stats.finished == sum(r.completed is not None and r.completed >= since for r in ended)
    took = sorted(r.seconds for r in own if r.seconds is not None)
    assert stats.durations == ({q: took[max(0, math.ceil(q * len(took)) - 1)] for q in (0.5, 0.95)} if took else {})


@given(st.lists(st.sets(st.integers(0, 60)), max_size=4), st.data())
@settings(max_examples=200, deadline=None)
def test_ranks_in_several_lists_are_those_in_their_union(sets: list[set[int]], data: st.DataObject) -> None:
    lists = [sorted((value, str(i)) for value in one) for i, one in enumerate(sets)]
    starts = [data.draw(st.integers(0, len(one))) for one in lists]
    union = sorted(element for one, start in zip(lists, starts, strict=True) for element in one[start:])
    first = data.draw(st.integers(0, len(union)))
    last = data.draw(st.integers(first, len(union)))
    assert ranked(lists, starts, first, last) == union[first:last]


@given(st.lists(records, min_size=1, max_size=12), st.data())
@settings(max_examples=100, deadline=None)
def test_changes_one_by_one_leave_the_same_as_all_at_once(taken: list[Record], data: st.DataObject) -> None:
    one_by_one = Index(bulk=1000)
    for one in taken:
        one_by_one.change([one])
    gone = data.draw(st.lists(st.sampled_from([one.id for one in taken]), unique=True))
    for job_id in gone:
        one_by_one.change(gone=[job_id])
    at_once = Index({one.id: one for one in taken if one.id not in gone}.values(), bulk=0)
    assert one_by_one._lists == at_once._lists


def test_nothing_is_remembered_of_labels_that_no_record_has_any_more() -> None:
    index = Index()
    for i in range(1000):
        index.change([record(labels=(("run", str(i)),))])
    index.change(gone=["lab.heat"])
    assert len(index) == 0
    assert not index._lists


def test_pages_put_together_are_the_whole_in_order_without_a_gap() -> None:
    index = Index(record(f"j{i:03}", created=i // 7) for i in range(500))
    pages = [index.page(Query(), first, 30).records for first in range(0, 500, 30)]
    assert [r.id for page in pages for r in page] == sorted(
        (f"lab.j{i:03}" for i in range(500)), key=lambda job_id: (int(job_id[5:]) // 7, job_id), reverse=True
    )
