"""Results of identical points that were run before: what counts as identical, what is taken of whom, and a kill at every call on the way."""

import hashlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest
import world as jobs
from builders import NAMESPACE
from hypothesis import given
from hypothesis import strategies as st
from sweepworld import PREFIX, UID, Plan, grid
from worldclock import Clock, TimedWorld, world_time

from simops_crds.names import REUSE_PREFIX, sweep_prefix
from simops_crds.v1alpha1 import EnvVar, RunSpec
from simops_operator.cache import Key
from simops_operator.core.reuse import family_of, key_of
from simops_operator.pace import PATIENCE_SECONDS, Pace
from simops_operator.pod.fitting import MAX_METRICS
from simops_operator.store import TooLargeError
from simops_operator.sweeps import earlier
from simops_operator.sweeps.shelf import MAX_TABLE, Shelf

IMAGE = "sim:local@sha256:" + "a" * 64
SPEC: dict[str, Any] = {"template": {"image": IMAGE, "command": ["run"]}, "space": grid(10), "pointsPerPod": 3}


@pytest.fixture(autouse=True)
def _world_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield from world_time(monkeypatch)


class World(TimedWorld):
    """A world with what others have left in the store."""

    def __init__(self, behaviour: Plan | None = None, store: Mapping[str, Any] | None = None, **spec: Any) -> None:
        super().__init__(behaviour, **({**SPEC, "reuse": True} | spec))
        self.objects |= store or {}


def left_by(name: str, behaviour: Plan | None = None, **spec: Any) -> dict[str, Any]:
    """Return what another sweep, which has ended, has left in the store."""
    other = World(behaviour, **({"reuse": False} | spec))
    other.be_fair()
    uid = f"uid-{name}"
    prefix = sweep_prefix(NAMESPACE, name, uid)
    out = {}
    for key, value in other.objects.items():
        text = value.decode() if isinstance(value, bytes) else value
        named = key.replace(PREFIX, prefix).replace(f"grid/{UID}", f"{name}/{uid}")
        out[named] = text.replace(PREFIX, prefix).replace('"name":"grid"', f'"name":"{name}"').replace(UID, uid)
    return out


def left_by_job(**spec: Any) -> dict[str, Any]:
    """Return what a job has left in the store."""
    Clock.world = other = jobs.World(**({"image": IMAGE, "command": ["run"]} | spec))
    other.be_fair()
    return dict(other.objects)


def ended(world: World) -> dict[str, Any]:
    Clock.world = world
    world.be_fair()
    assert world.status["phase"] == "Succeeded", world.status
    world.check_the_end()
    return world.status


def test_a_sweep_that_was_run_before_runs_nothing_and_says_whose_results_it_has() -> None:
    world = World(store=left_by("before"))
    status = ended(world)
    assert (world.ran, world.jobs_made) == ({}, 0)
    assert status["points"] == {"total": 10, "active": 0, "succeeded": 10, "reused": 10, "failed": 0, "cancelled": 0}
    assert status["message"] == "10 points succeeded, 10 of them by earlier results"
    line = world.table()[4]
    assert line["reused"] == {"kind": "SimulationSweep", "name": "before", "uid": "uid-before", "index": 4}
    assert line["bundle"].startswith(sweep_prefix(NAMESPACE, "before", "uid-before"))
    assert (line["seconds"], line["exitCode"]) == (0.5, 0)


def test_only_points_that_nobody_has_run_are_run() -> None:
    world = World(store=left_by("before", space=grid(4)))
    status = ended(world)
    assert world.ran == dict.fromkeys(range(4, 10), 1)
    assert status["points"]["reused"] == 4
    assert "reused" not in world.table()[4]


def test_what_failed_before_is_run() -> None:
    world = World(store=left_by("before", Plan(codes=lambda index, ran: 3 if index == 2 else 0)))
    ended(world)
    assert world.ran == {2: 1}


def test_a_job_serves_as_a_point() -> None:
    world = World(store=left_by_job(params={"x": 7}))
    ended(world)
    assert world.ran == dict.fromkeys([0, 1, 2, 3, 4, 5, 6, 8, 9], 1)
    line = world.table()[7]
    assert line["reused"] == {"kind": "SimulationJob", "name": "heat", "uid": "6f0c1234-0000-4000-8000-000000000001"}
    assert line["bundle"].startswith("jobs/lab/heat/")


@pytest.mark.parametrize(
    "other",
    [
        {"template": {"image": IMAGE.replace("a" * 64, "b" * 64), "command": ["run"]}},
        {"template": {"image": "sim:local", "command": ["run"]}},
        {"template": {"image": IMAGE, "command": ["other"]}},
        {"template": {"image": IMAGE, "command": ["run"], "args": ["-v"]}},
        {"template": {"image": IMAGE, "command": ["run"], "params": {"y": 1}}},
        {"template": {"image": IMAGE, "command": ["run"], "env": [{"name": "MODE", "value": "fast"}]}},
        {"template": {"image": IMAGE, "command": ["run"], "batch": True}},
        {"space": {"method": "list", "points": [{"x": f"{i}"} for i in range(10)]}},
        {"artifacts": {"expireAfterSeconds": 3600}},
        {"artifacts": {"deleteWithJob": True}},
    ],
)
def test_what_is_not_the_same_or_does_not_stay_is_not_taken(other: dict[str, Any]) -> None:
    world = World(store=left_by("before", **other))
    ended(world)
    assert world.ran == dict.fromkeys(range(10), 1)


def test_the_same_digest_under_another_name_is_the_same_image() -> None:
    world = World(store=left_by("before", template={"image": IMAGE.replace("local", "v1"), "command": ["run"]}))
    ended(world)
    assert world.ran == {}


def test_nothing_is_taken_of_another_namespace() -> None:
    foreign = {key.replace(f"/{NAMESPACE}/", "/elsewhere/"): value for key, value in left_by("before").items()}
    world = World(store=foreign)
    ended(world)
    assert len(world.ran) == 10


def test_a_table_that_points_into_another_namespace_is_not_believed() -> None:
    store = left_by("before")
    (key,) = [key for key in store if "/before/" in key and "/table/" in key]
    store[key] = store[key].replace("sweeps/lab/before", "sweeps/elsewhere/before")
    store |= {k.replace("sweeps/lab/before", "sweeps/elsewhere/before"): v for k, v in store.items()}
    world = World(store=store)
    ended(world)
    assert len(world.ran) == 10


def test_a_result_whose_files_are_gone_is_not_taken() -> None:
    store = {key: value for key, value in left_by("before").items() if not ("/before/" in key and "/0/1/" in key)}
    world = World(store=store)
    ended(world)
    assert world.ran == {3: 1, 4: 1, 5: 1}


@pytest.mark.parametrize(
    "what", ["/points/index.json", "/points/0000000.jsonl", "/table/0000000.jsonl", "/points/space-"]
)
@pytest.mark.parametrize("text", ["", "{", "[]", '{"index":1}', "[" * 100_000])
def test_an_earlier_sweep_whose_objects_are_damaged_is_passed_over(what: str, text: str) -> None:
    store = left_by("before")
    store |= {key: text for key in store if "/before/" in key and what in key}
    world = World(store=store)
    ended(world)
    assert world.ran == dict.fromkeys(range(10), 1)


@pytest.mark.parametrize(
    "text", ["[1]", '{"status":"Succeeded"}', '{"status":{"phase":"Succeeded","artifacts":{"bundle":1}}}']
)
def test_a_record_of_a_job_that_is_none_is_passed_over(text: str) -> None:
    store = left_by_job(params={"x": 7})
    store |= {key: text for key in store if key.endswith("/record.json")}
    store |= {f"{key}/more": "{}" for key in store if key.startswith(f"{REUSE_PREFIX}/")}
    world = World(store=store)
    ended(world)
    assert world.ran == dict.fromkeys(range(10), 1)


def test_without_reuse_everything_is_run() -> None:
    world = World(store=left_by("before"), reuse=False)
    ended(world)
    assert world.ran == dict.fromkeys(range(10), 1)


def test_points_that_are_alike_run_once() -> None:
    space = {"method": "list", "points": [{"x": value} for value in (1, 2, 1, 3, 2, 1)]}
    world = World(space=space)
    status = ended(world)
    assert world.ran == {0: 1, 1: 1, 3: 1}
    assert status["points"]["reused"] == 3
    assert {i: world.table()[i]["reused"]["index"] for i in (2, 4, 5)} == {2: 0, 4: 1, 5: 0}


def test_a_point_is_run_when_the_one_that_is_like_it_has_failed() -> None:
    space = {"method": "list", "points": [{"x": 1}, {"x": 1}, {"x": 2}]}
    world = World(Plan(codes=lambda index, ran: 3 if index == 0 else 0), space=space)
    world.be_fair()
    assert (world.status["failedPoints"], world.status["succeededPoints"]) == ("0", "1-2")
    assert world.ran == {0: 1, 1: 1, 2: 1}


def test_what_is_ordered_to_run_again_is_run() -> None:
    world = World(store=left_by("before"))
    ended(world)
    world.change_spec(rerun={"points": "2-4", "id": "again"})
    status = ended(world)
    assert world.ran == {2: 1, 3: 1, 4: 1}
    assert status["points"]["reused"] == 7
    assert "reused" not in world.table()[3]


def test_an_extension_takes_what_there_is_as_well() -> None:
    world = World(store=left_by("before"), space=grid(4))
    assert ended(world)["points"]["reused"] == 4
    world.change_spec(space=grid(12))
    status = ended(world)
    assert world.ran == {10: 1, 11: 1}
    assert status["points"]["reused"] == 10


def test_who_took_a_result_leads_to_the_run_itself() -> None:
    second = World(store=left_by("before"), space=grid(5))
    ended(second)
    third = World(store=second.objects)
    third.objects = {
        k.replace(UID, "u2"): v for k, v in second.objects.items() if "/before/" not in k or "/rounds/" in k
    }
    third.objects = {
        k: v.replace(UID, "u2") if isinstance(v, str) else v.replace(UID.encode(), b"u2")
        for k, v in third.objects.items()
    }
    status = ended(third)
    assert status["points"]["reused"] == 5
    assert third.table()[2]["reused"]["name"] == "before"


def test_a_pod_cannot_say_that_its_result_is_that_of_another_run() -> None:
    forged = {"kind": "SimulationSweep", "name": "secret", "uid": "u", "index": 0}

    class Forging(World):
        def _run_a_point(self, pod: dict[str, Any]) -> None:
            super()._run_a_point(pod)
            pod["lines"][-1] |= {"reused": forged, "bundle": "sweeps/lab/secret/u/rounds/0/0/p.zip"}

    world = Forging()
    ended(world)
    assert all("reused" not in line and line["bundle"].startswith(PREFIX) for line in world.table().values())


@pytest.mark.parametrize("size", [0, 1 << 20])
@pytest.mark.parametrize("has_effect", [False, True])
def test_killed_at_any_call_it_takes_the_same_results(
    has_effect: bool, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier, "UNWRITTEN_SIZE", size)
    store = left_by("before", space=grid(4))
    space = {"method": "list", "points": [{"x": value} for value in (0, 1, 7, 7, 5)]}
    calls = World(store=store, space=space)
    ended(calls)
    for call in range(1, len(calls.calls.log) + 1):
        world = World(store=store, space=space)
        world.calls.die_at, world.calls.die_after = call, has_effect
        status = ended(world)
        assert world.ran == {2: 1, 4: 1}, call
        assert status["points"]["reused"] == 3, call


def test_an_outage_of_the_store_delays_it_and_nothing_more() -> None:
    world = World(store=left_by("before"))
    world.store_is_up = False
    for _ in range(5):
        world.step()
    assert world.status["reason"] == "StoreUnavailable"
    assert ended(world)["points"]["reused"] == 10


OTHER, LAST = Key("elsewhere", "other", "other-uid"), Key("elsewhere", "last", "last-uid")


def waiting(line: str) -> tuple[World, Pace]:
    """Return a world whose sweep waits until it is its turn, which another one has."""
    world = World(store=left_by("before"))
    Clock.world = world
    turns = Pace(1, lambda: 0.0)
    setattr(world.reconciler, line, turns)
    assert turns.enter(OTHER)
    world.deliver_all()
    world.work()
    assert (world.jobs_made, turns.waiting) == (0, 1)
    return world, turns


def test_a_sweep_waits_without_a_worker_while_another_one_looks() -> None:
    world, turns = waiting("_looking")
    assert f"{PREFIX}/points/index.json" in world.objects
    assert not any(key.startswith(f"{PREFIX}/table/") for key in world.objects)
    assert world.reconciler._expanding.enter(LAST), "its points are made, and it keeps others from making theirs"
    world.reconciler._expanding.leave(LAST)
    turns.leave(OTHER)
    (called,) = turns.called()
    world.queue.keys.add(called)
    assert ended(world)["points"]["reused"] == 10
    assert turns.enter(OTHER)


@pytest.mark.parametrize("line", ["_expanding", "_looking"])
@pytest.mark.parametrize("what", ["deleted", "suspended", "cancelled"])
def test_a_sweep_that_needs_its_turn_no_more_gives_it_to_the_next(what: str, line: str) -> None:
    world, turns = waiting(line)
    if what == "deleted":
        world.delete_sweep()
    else:
        world.change_spec(**{"suspend": True} if what == "suspended" else {"cancelled": True})
    world.deliver_all()
    assert not turns.enter(LAST)
    turns.leave(OTHER)
    (called,) = turns.called()
    world.queue.keys.add(called)
    world.work()
    assert LAST in world.queue.keys


def test_a_sweep_that_was_suspended_while_it_waited_looks_when_it_goes_on() -> None:
    world, turns = waiting("_looking")
    world.change_spec(suspend=True)
    world.be_fair()
    assert (world.status["reason"], turns.waiting) == ("Suspended", 0)
    turns.leave(OTHER)
    world.change_spec(suspend=False)
    assert ended(world)["points"]["reused"] == 10


def test_who_gets_the_turn_of_one_that_has_it_for_too_long_is_woken() -> None:
    world, now = World(store=left_by("before")), 0.0
    Clock.world = world
    world.reconciler._looking = turns = Pace(1, lambda: now)
    assert turns.enter(OTHER)
    assert not turns.enter(LAST)
    now = PATIENCE_SECONDS + 1
    world.deliver_all()
    world.work()
    assert world.queue.keys == {LAST}
    assert turns.waiting == 1


def test_a_store_that_goes_away_at_any_call_keeps_no_turn() -> None:
    store = left_by("before", space=grid(4))
    calls = World(store=store)
    ended(calls)
    for call in range(1, len(calls.calls.log) + 1):
        world = World(store=store)
        Clock.world = world
        world.calls.meanwhile[call] = partial(setattr, world, "store_is_up", False)
        while world.store_is_up and not world.is_finished:
            world.step()
        world.calls.meanwhile.clear()
        for turns in (world.reconciler._looking, world.reconciler._expanding):
            assert turns.enter(OTHER), call
            turns.leave(OTHER)
        assert ended(world)["points"]["reused"] == 4, call


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys and prefixes that the store was asked for."""
    out: list[str] = []
    get_text, list_keys = jobs.FakeStore.get_text, jobs.FakeStore.list_keys

    async def get(self: jobs.FakeStore, key: str, limit: int = 1 << 30) -> str | None:
        out.append(key)
        text = await get_text(self, key, limit)
        if len(text or "") > limit:
            raise TooLargeError(f"{key} is too large")
        return text

    async def listed(self: jobs.FakeStore, prefix: str, suffix: str = "") -> list[str]:
        out.append(prefix)
        return await list_keys(self, prefix, suffix)

    monkeypatch.setattr(jobs.FakeStore, "get_text", get)
    monkeypatch.setattr(jobs.FakeStore, "list_keys", listed)
    return out


def test_no_more_earlier_sweeps_are_read_than_a_look_may_read(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(earlier, "MAX_LOOK", 6 * earlier.OBJECT_COST)
    world = World(store=left_by("a", space=grid(4)) | left_by("b") | left_by("c"))
    asked.clear()
    ended(world)
    assert world.ran == dict.fromkeys(range(4, 10), 1)
    tables = [key for key in asked if "/table/" in key and not key.startswith(PREFIX)]
    assert [key.split("/")[2] for key in tables] == ["a"]
    assert not any("/c/" in key for key in asked)
    assert "no more are looked at, and what is left is run" in caplog.text


def test_a_look_that_finds_everything_says_nothing_of_its_bound(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ended(World(store=left_by("before")))
    assert "no more are looked at" not in caplog.text


@pytest.fixture
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["simops_crds.space.chunks"], "CHUNK_POINTS", 2)


@pytest.mark.usefixtures("_small_chunks")
def test_of_one_large_earlier_sweep_only_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    store = left_by("before")
    monkeypatch.setattr(earlier, "MAX_LOOK", 3 * earlier.OBJECT_COST)
    world = World(store=store)
    ended(world)
    assert world.ran == {8: 1, 9: 1}


@pytest.mark.usefixtures("_small_chunks")
def test_the_files_of_an_earlier_sweep_are_listed_once(asked: list[str]) -> None:
    store = left_by("before")
    asked.clear()
    ended(World(store=store))
    assert asked.count(sweep_prefix(NAMESPACE, "before", "uid-before") + "/") == 1


def test_records_of_jobs_count_as_what_a_look_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier, "MAX_LOOK", 20_000)
    monkeypatch.setattr(earlier, "_JOBS_AT_ONCE", 1)
    store = left_by_job(params={"x": 7})
    digests = (key_of({"x": 7}), key_of({"x": 8}))
    second = {key.replace("6f0c1234", "6f0c9999"): value for key, value in store.items()}
    second = {key.replace(*digests): value for key, value in second.items()}
    world = World(store=second | store)
    ended(world)
    assert len({7, 8} - set(world.ran)) == 1


def alike(count: int) -> dict[str, Any]:
    return {"method": "list", "points": [{"x": 1}] * count}


def test_many_points_that_are_alike_are_given_a_result_a_few_lines_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    write = Shelf.write_table

    async def table(self: Shelf, lines: Mapping[int, str], index: Any) -> None:
        written.append(sum(map(len, lines.values())))
        await write(self, lines, index)

    store = left_by("before", space=grid(2))
    monkeypatch.setattr(earlier, "UNWRITTEN_SIZE", 2000)
    monkeypatch.setattr(Shelf, "write_table", table)
    world = World(store=store, space=alike(100))
    assert ended(world)["points"]["reused"] == 100
    assert len(written) > 5
    assert max(written) < 3000


def test_a_result_is_given_to_no_more_points_than_a_look_may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier, "MAX_LOOK", 10_000)
    monkeypatch.setattr(earlier, "OBJECT_COST", 0)
    world = World(store=left_by("before", space=grid(2)), space=alike(200))
    status = ended(world)
    # Two looks: at what others have, and at what one of the points has left that were given nothing.
    assert 20 < status["points"]["reused"] < 100
    assert len(world.ran) == 200 - status["points"]["reused"]


@pytest.mark.parametrize(("what", "size"), [("/table/0000000.jsonl", MAX_TABLE), ("/record.json", 4 << 20)])
def test_what_is_larger_than_simops_writes_it_holds_up_no_sweep(what: str, size: int, asked: list[str]) -> None:
    store = left_by("before", space=grid(4)) | left_by_job(params={"x": 7})
    store |= {key: value + " " * size for key, value in store.items() if what in key}
    world = World(store=store)
    ended(world)
    assert set(world.ran) == set(range(10)) - (set(range(4)) if what == "/record.json" else {7})


def test_a_chunk_of_more_points_than_simops_writes_is_not_read() -> None:
    store = left_by("before", space=grid(1))
    prefix = sweep_prefix(NAMESPACE, "before", "uid-before")
    data = "".join(f'{{"index":{i},"params":{{"x":{i}}}}}\n' for i in range(1001))
    ref = {"first": 0, "count": 1001, "sha256": hashlib.sha256(data.encode()).hexdigest()}
    index = json.loads(store[f"{prefix}/points/index.json"]) | {"total": 1001, "chunks": [ref]}
    store |= {f"{prefix}/points/index.json": json.dumps(index), f"{prefix}/points/0000000.jsonl": data}
    world = World(store=store)
    ended(world)
    assert world.ran == dict.fromkeys(range(10), 1)


def test_of_a_job_with_many_metrics_as_many_are_taken_as_a_point_has() -> None:
    store = left_by_job(params={"x": 7})
    (key,) = [key for key in store if key.endswith("/record.json") and key.startswith("jobs/")]
    record = json.loads(store[key])
    record["status"]["metrics"] = {f"m{i}": i for i in range(20_000)}
    record["timings"]["runSeconds"] = 10**400  # more than a sum of times can have
    world = World(store=store | {key: json.dumps(record)})
    ended(world)
    line = world.table()[7]
    assert line["metricsCut"] is True
    assert MAX_METRICS / 2 < len(json.dumps(line["metrics"], separators=(",", ":"))) <= MAX_METRICS + 2


def test_jobs_are_listed_by_their_parameters_only_if_they_succeeded_and_have_a_digest() -> None:
    def listed(store: dict[str, Any]) -> list[str]:
        return [key for key in store if key.startswith(f"{REUSE_PREFIX}/")]

    assert len(listed(left_by_job(params={"x": 7}))) == 1
    assert listed(left_by_job(image="sim:local")) == []
    assert listed(left_by_job(artifacts={"expireAfterSeconds": 60})) == []
    Clock.world = failing = jobs.World(jobs.Behaviour(codes=(3,)), image=IMAGE)
    failing.be_fair()
    assert listed(failing.objects) == []


SCALARS = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5))
PARAMS = st.dictionaries(st.text(max_size=3), SCALARS, max_size=4)


@given(PARAMS, PARAMS)
def test_parameters_have_one_key_only_if_the_program_is_given_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    same = {k: json.dumps(v) for k, v in one.items()} == {k: json.dumps(v) for k, v in other.items()}
    assert (key_of(one) == key_of(other)) == same
    assert key_of(dict(reversed(one.items()))) == key_of(one)


def test_a_program_is_its_digest_command_arguments_and_environment() -> None:
    spec = RunSpec(image=IMAGE, command=["run"], args=["a", "b"], env=[EnvVar(name="A", value="1")])
    changes: list[dict[str, Any]] = [
        {"command": None},
        {"command": []},
        {"args": ["a b"]},
        {"args": ["b", "a"]},
        {"env": None},
    ]
    others = [spec.model_copy(update=change) for change in changes]
    families = [family_of(one) for one in (spec, *others)] + [family_of(spec, batch=True)]
    assert None not in families
    assert len(set(families)) == 7
    assert family_of(spec.model_copy(update={"args": None})) == family_of(spec.model_copy(update={"args": []}))
    assert family_of(spec.model_copy(update={"image": "sim:local"})) is None
