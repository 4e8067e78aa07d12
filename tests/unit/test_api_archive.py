"""Records by time: every page is the next part of one order, whatever the store holds and however it is asked."""

import asyncio
import base64
import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.test_api_holds import roomy
from unit.test_api_serving import settings_of

from simops_api.archive import history as history_module
from simops_api.archive.cursor import Place, after_key, decode, encode, place_of
from simops_api.archive.history import History
from simops_api.archive.reader import JOBS, Archive
from simops_api.archive.service import Past
from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import ANONYMOUS, Caller
from simops_api.cache import WatchCache
from simops_api.errors import ProblemError
from simops_api.index import Index
from simops_api.jobs.models import JobQuery
from simops_api.records import Record, record_of
from simops_api.settings import Settings
from simops_api.store import Store, StoredObject
from simops_crds.kinds import Kind
from simops_crds.names import archive_key, key_prefix
from simops_io.s3 import TooLargeError

NAMESPACES = ("default", "lab", "lab-2")
Run = tuple[str, int, str, str]
"""Namespace, creation time, name, UID."""


class Objects:
    """A store that counts what it is asked for."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.lists = 0
        self.gets = 0
        self.reading = self.most = 0

    async def keys(self, prefix: str, after: str = "", limit: int = 0) -> list[StoredObject]:
        self.lists += 1
        limit = limit or history_module._LIST_KEYS
        found = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        return [StoredObject(key, len(self.objects[key]), "e", 0.0) for key in found[:limit]]

    async def folders(self, prefix: str, limit: int) -> list[str]:
        self.lists += 1
        found = {prefix + key.removeprefix(prefix).partition("/")[0] for key in self.objects if key.startswith(prefix)}
        return sorted(found)[:limit]

    async def get(self, key: str, limit: int) -> bytes | None:
        self.gets += 1
        self.reading += 1
        self.most = max(self.most, self.reading)
        await asyncio.sleep(0)
        self.reading -= 1
        found = self.objects.get(key)
        if found is not None and len(found) > limit:
            raise TooLargeError(key)
        return found

    def put(self, namespace: str, created: int, name: str, uid: str, phase: str = "Succeeded", **labels: str) -> None:
        meta = {"creationTimestamp": "2026-03-01T12:00:00Z", "labels": labels}
        record = {
            "namespace": namespace,
            "name": name,
            "uid": uid,
            "metadata": meta,
            "spec": {"image": "a"},
            "status": {"phase": phase},
        }
        self.objects[f"{key_prefix(namespace, name, uid)}/record.json"] = json.dumps(record).encode()
        self.objects[archive_key(namespace, created, name, uid)] = b"{}"


def both(objects: Objects) -> tuple[History, Archive[Record]]:
    store = cast(Store, objects)
    archive = Archive(store, "default", JOBS)
    return History(store, archive), archive


RUNS = st.sets(
    st.tuples(
        st.sampled_from(NAMESPACES),
        st.integers(1_772_000_000, 1_772_000_005),
        st.sampled_from(["a", "a-b", "b", "heat"]),
        st.sampled_from(["0a", "1b", "2c"]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(
    runs=RUNS, gone=RUNS, size=st.integers(1, 7), listed=st.integers(1, 9), asked=st.sets(st.sampled_from(NAMESPACES))
)
async def test_the_pages_are_all_runs_that_are_gone_latest_first(
    runs: set[Run], gone: set[Run], size: int, listed: int, asked: set[str]
) -> None:
    objects = Objects()
    # A UID is of one run only.
    alive = {(n, m, u) for n, _, m, u in runs} - {(n, m, u) for n, _, m, u in gone}
    unique = {(n, m, u): (n, s, m, u) for n, s, m, u in sorted(runs | gone)}
    for run in unique.values():
        objects.put(*run)
    expected = sorted(
        (Place(archive_key(n, s, m, u).split("/")[2], n, m, u) for n, s, m, u in unique.values()),
        key=lambda place: place.order,
    )
    expected = [p for p in expected if p.namespace in asked and (p.namespace, p.name, p.uid) not in alive]
    patch = pytest.MonkeyPatch()
    patch.setattr(history_module, "_LIST_KEYS", listed)
    try:
        seen: list[tuple[str, str, str]] = []
        after: Place | None = None
        for _ in range(1000):
            page = await both(objects)[0].page(
                asked,
                size,
                roomy(),
                after=decode(encode(after)) if after else None,
                is_gone=lambda p: (p.namespace, p.name, p.uid) not in alive,
            )
            assert len(page.records) <= size
            seen += [(r.namespace, str(json.loads(r.document)["name"]), r.uid) for r in page.records]
            if page.next is None:
                break
            assert after is None or page.next.order > after.order
            after = page.next
    finally:
        patch.undo()
    assert seen == [(p.namespace, p.name, p.uid) for p in expected]


async def test_a_page_costs_one_list_and_a_read_of_each_of_its_records() -> None:
    objects = Objects()
    for number in range(300):
        objects.put("lab", 1_772_000_000 + number, f"run-{number}", "u")
    page = await both(objects)[0].page({"lab"}, 50, roomy())
    assert [r.id for r in page.records] == [f"lab.run-{number}" for number in range(299, 249, -1)]
    assert (objects.lists, objects.gets) == (1, 50)


async def test_what_one_page_looks_at_is_bounded_and_it_says_where_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "_LIST_KEYS", 10)
    monkeypatch.setattr(history_module, "_MAX_LISTS", 3)
    objects = Objects()
    for number in range(100):
        objects.put("lab", 1_772_000_000 + number, f"run-{number}", "u", project="rare" if number == 0 else "common")
    history, _ = both(objects)
    after, pages, found = None, 0, []
    while True:
        lists = objects.lists
        page = await history.page({"lab"}, 5, roomy(), after=after, fits=lambda r: ("project", "rare") in r.labels)
        assert objects.lists - lists <= 3
        pages, after = pages + 1, page.next
        found += [r.id for r in page.records]
        if after is None:
            break
    assert found == ["lab.run-0"]
    assert pages >= 4


async def test_since_ends_the_list_where_time_does() -> None:
    objects = Objects()
    for number in range(20):
        objects.put("lab", 1_772_000_000 + number, f"run-{number}", "u")
    page = await both(objects)[0].page({"lab"}, 50, roomy(), since=1_772_000_017)
    assert ([r.id for r in page.records], page.next) == (["lab.run-19", "lab.run-18", "lab.run-17"], None)


async def test_a_run_whose_record_is_gone_and_a_strange_key_are_passed_over() -> None:
    objects = Objects()
    objects.put("lab", 1_772_000_000, "a", "u")
    objects.put("lab", 1_772_000_001, "b", "u")
    del objects.objects["jobs/lab/b/u/record.json"]
    objects.objects |= {"archive/lab/soon": b"", "archive/lab/0000000000/x": b"", "archive/lab/../../../etc": b""}
    page = await both(objects)[0].page({"lab"}, 50, roomy())
    assert [r.id for r in page.records] == ["lab.a"]


async def test_a_record_is_read_once_a_minute_and_not_kept_for_ever() -> None:
    objects, now = Objects(), 0.0
    objects.put("lab", 1_772_000_000, "a", "u")
    archive = Archive(cast(Store, objects), "default", JOBS, clock=lambda: now)
    for _ in range(3):
        assert await archive.get("lab", "a", "u") is not None
    assert objects.gets == 1
    objects.objects.clear()
    now = 61.0
    assert await archive.get("lab", "a", "u") is None
    assert not archive._kept
    assert archive._kept_bytes == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "%%%",
        "é",
        "a" * 1000,
        base64.urlsafe_b64encode(b"8227999999/lab/../../u").decode(),
        base64.urlsafe_b64encode(b"82279/lab/a/u").decode(),
        base64.urlsafe_b64encode(b"8227999999/lab/a/u/x").decode(),
        base64.urlsafe_b64encode("٣٣٣٣٣٣٣٣٣٣/lab/a/u".encode()).decode(),
    ],
)
def test_what_is_no_place_is_none(text: str) -> None:
    assert decode(text) is None


@given(
    place=st.builds(
        Place,
        st.sampled_from(["0000000001", "0000000002"]),
        st.sampled_from(NAMESPACES),
        st.sampled_from(["a", "a-b"]),
        st.just("u"),
    ),
    other=st.builds(
        Place,
        st.sampled_from(["0000000001", "0000000002"]),
        st.sampled_from(NAMESPACES),
        st.sampled_from(["a", "a-b"]),
        st.just("u"),
    ),
)
def test_a_list_goes_on_exactly_after_a_place(place: Place, other: Place) -> None:
    key = f"archive/{other.namespace}/{other.second}/{other.name}/{other.uid}"
    assert place_of(key) == other
    assert (key > after_key(place, other.namespace)) == (other.order > place.order)


# For whom
class OnlyLab:
    """Lets a caller list the jobs of one namespace."""

    async def sign_in(self, authorization: str | None) -> Caller:
        return ANONYMOUS

    async def require(self, caller: Caller, verb: Verb, kind: Kind, namespace: str, name: str = "") -> None:
        if (verb, namespace) != (Verb.LIST, "lab"):
            raise ProblemError(403, "no")

    async def namespaces(self, caller: Caller, verb: Verb, kind: Kind) -> frozenset[str]:
        assert verb is Verb.LIST
        return frozenset({"lab"})


def past(objects: Objects, *alive: dict[str, Any]) -> Past:
    wanted: Settings = settings_of("none", namespaces=("default", "lab"))
    cache = WatchCache(cast(Any, None), ("default", "lab"), cast(Any, None))
    cache.index = Index([record_of(obj, f"lab.{obj['metadata']['name']}") for obj in alive])
    for place in cache._places.values():
        place.synced = True
    return Past(wanted, cast(Access, OnlyLab()), cache, both(objects)[0])


@pytest.fixture
def objects() -> Objects:
    made = Objects()
    made.put("lab", 1_772_000_003, "a", "u1", project="heat")
    made.put("lab", 1_772_000_002, "b", "u2", phase="Failed")
    made.put("lab", 1_772_000_001, "a", "u0", project="heat")
    made.put("default", 1_772_000_009, "secret", "u9")
    return made


async def uids(jobs: Past, **query: Any) -> list[str]:
    page = json.loads(await jobs.page(ANONYMOUS, JobQuery.model_validate({"archived": True} | query), roomy()))
    return [item["uid"] for item in page["items"]]


async def test_only_what_one_may_list_is_listed(objects: Objects) -> None:
    assert await uids(past(objects)) == ["u1", "u2", "u0"]
    with pytest.raises(ProblemError) as refused:
        await uids(past(objects), namespace="default")
    assert refused.value.status == 403
    for place in (Place("0000000000", "default", "a", "u"), Place("8227999990", "default", "secret", "u9")):
        assert await uids(past(objects), after=encode(place)) == ["u1", "u2", "u0"]


async def test_a_job_that_is_there_is_not_in_the_archive_but_its_predecessor_is(objects: Objects) -> None:
    meta = {"name": "a", "namespace": "lab", "uid": "u1", "resourceVersion": "1"}
    assert await uids(past(objects, {"metadata": meta, "spec": {"image": "a"}})) == ["u2", "u0"]


async def test_the_archive_is_filtered_as_the_list_is(objects: Objects) -> None:
    assert await uids(past(objects), status=["failed"]) == ["u2"]
    assert await uids(past(objects), label=["project=heat"]) == ["u1", "u0"]
    assert await uids(past(objects), namespace="lab", since="2026-02-25T06:13:22Z") == ["u1", "u2"]


async def test_a_page_says_where_the_next_one_begins(objects: Objects) -> None:
    jobs = past(objects)
    first = json.loads(await jobs.page(ANONYMOUS, JobQuery(archived=True, size=2), roomy()))
    assert ([item["uid"] for item in first["items"]], first["size"]) == (["u1", "u2"], 2)
    rest = json.loads(await jobs.page(ANONYMOUS, JobQuery(archived=True, size=2, after=first["next"]), roomy()))
    assert [item["uid"] for item in rest["items"]] == ["u0"]
    assert "next" not in rest


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": 2}, "page"),
        ({"sort": "created"}, "sort"),
        ({"after": "nonsense"}, "after"),
        ({"size": 100_000}, "size"),
        ({"namespace": "kube-system"}, "namespace"),
    ],
)
async def test_what_cannot_be_asked_of_the_archive_is_said(objects: Objects, query: dict[str, Any], field: str) -> None:
    with pytest.raises(ProblemError) as refused:
        await uids(past(objects), **query)
    assert (refused.value.status, refused.value.errors[0].field) == (422, field)
    assert objects.lists == 0


async def test_of_many_runs_of_one_name_a_few_records_are_read_at_once_whoever_asks() -> None:
    objects = Objects()
    for number in range(30):
        objects.put("lab", 1_772_000_000 + number, "a", f"u{number}")
    objects.objects[f"{key_prefix('lab', 'a', 'u29')}/record.json"] = b" " * (9 << 20)
    last = f"{key_prefix('lab', 'a', 'u17')}/record.json"
    record = json.loads(objects.objects[last])
    record["status"]["completionTime"] = "2026-03-01T12:00:00Z"
    objects.objects[last] = json.dumps(record).encode()
    archive = both(objects)[1]
    found = await asyncio.gather(*(archive.find("lab", "a") for _ in range(5)))
    assert {record.uid for record in found if record is not None} == {"u17"}
    assert len(await archive.annotations("lab", "a")) == 29
    assert objects.most <= 4
