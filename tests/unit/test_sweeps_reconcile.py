"""The reconcile of sweeps against a model of Kubernetes: what a sweep costs, how it ends, and a kill at every call that it makes."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from builders import CONFIG, NAMESPACE
from sweepworld import PREFIX, SWEEP, Plan, SweepWorld, grid, job_name
from world import Calls, run_now
from worldclock import TimedWorld, world_time

from simops_crds.indexes import Indexes
from simops_operator.cache import Key
from simops_operator.core.sweeps.results import MAX_FILES
from simops_operator.core.sweeps.sweep import sweep_of
from simops_operator.pace import Pace
from simops_operator.sweeps import reconcile, shelf
from simops_operator.sweeps.memory import Memory

WRITES = {"apply_job", "patch_job_spec", "delete_job", "stop_pod", "delete_sweep", "write_status", "post_event"}


@pytest.fixture(autouse=True)
def _world_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield from world_time(monkeypatch)


def fails(*indexes: int, times: int = 99) -> Plan:
    """Return a plan in which some points fail the first few times."""
    return Plan(codes=lambda index, ran: 3 if index in indexes and ran < times else 0)


def ended(world: SweepWorld, phase: str, reason: str) -> dict[str, Any]:
    """Let the world go on until the sweep has ended like this."""
    world.be_fair()
    assert (world.status["phase"], world.status["reason"]) == (phase, reason), world.status
    world.check_the_end()
    return world.status


def test_a_sweep_that_goes_well_is_one_round() -> None:
    world = TimedWorld(points=10)
    status = ended(world, "Succeeded", "Completed")
    assert status["succeededPoints"] == "0-9"
    assert status["points"] == {"total": 10, "active": 0, "succeeded": 10, "failed": 0, "cancelled": 0}
    (only,) = status["rounds"]
    assert (only["job"], only["reason"], only["points"]) == (job_name(0), "points", "0-9")
    assert only["startTime"] <= only["completionTime"]
    assert world.pods_made == 10
    assert set(world.ran.values()) == {1}


def test_points_are_in_the_store_before_the_first_job() -> None:
    world = TimedWorld(points=10)
    world.calls.die_at = 1_000_000
    world.deliver_all()
    world.work()
    log = world.calls.log
    assert log.index("apply_job") > max(i for i, call in enumerate(log) if call in ("put_bytes", "put_json"))
    index = json.loads(world.objects[f"{PREFIX}/points/index.json"])
    assert index["total"] == 10
    assert world.objects[f"{PREFIX}/points/0000000.jsonl"].splitlines()[3] == b'{"index":3,"params":{"x":3}}'
    first = json.loads(world.objects[f"{PREFIX}/rounds/0.json"])
    assert first == {
        "round": 0, "points": "0-9", "pointsPerPod": 1, "reason": "points", "chunks": index["chunks"],
    }  # fmt: skip


@pytest.mark.parametrize("messages", ["results", "ranges", "cut"])
def test_packs_give_the_same_whatever_their_pods_can_say(messages: str) -> None:
    plan = fails(4)
    plan.messages = messages
    world = TimedWorld(plan, points=10, pointsPerPod=4)
    status = ended(world, "Failed", "PointsFailed")
    assert (status["succeededPoints"], status["failedPoints"]) == ("0-3,5-9", "4")
    assert world.pods_made == 3
    assert world.table()[7]["bundle"] == next(k for k in world.objects if "/rounds/0/1/" in k and k.endswith(".zip"))
    # What only the results in the store say is in the table too.
    assert all(line["seconds"] == 0.5 for line in world.table().values())


def test_no_write_of_the_operator_is_about_a_single_pod() -> None:
    world = TimedWorld(points=60, parallelism=5)
    ended(world, "Succeeded", "Completed")
    writes = [call for call in world.calls.log if call in WRITES]
    assert writes.count("apply_job") == 1
    assert set(writes) == {"apply_job", "write_status", "post_event"}
    assert len(writes) < 0.2 * 3 * 60 + 60


def test_no_two_statuses_within_a_second() -> None:
    world = TimedWorld(points=30, parallelism=30)
    while not world.is_finished:
        world.job_controller()
        for name in list(world.pods):
            world.kubelet(name)
        world.deliver_all()
        world.wait(0.25)
        world.work()
    moments = [moment for _, moment in world.written_at]
    gaps = [(b - a).total_seconds() for a, b in pairwise(moments)]
    assert min(gaps) >= 1


def test_results_that_fit_into_messages_cost_no_read_of_the_store() -> None:
    world = TimedWorld(points=10)
    ended(world, "Succeeded", "Completed")
    # index.json, the chunk of the table before it is written; nothing for each Pod
    assert world.calls.log.count("get_text") <= 4
    assert "list_pods" not in world.calls.log


def test_a_failed_point_is_tried_again_as_often_as_is_allowed() -> None:
    world = TimedWorld(fails(2, 5, times=1), points=8, retriesPerPoint=2)
    status = ended(world, "Succeeded", "Completed")
    assert [r["reason"] for r in status["rounds"]] == ["points", "retry"]
    assert status["rounds"][1]["points"] == "2,5"
    assert world.ran == {i: 2 if i in (2, 5) else 1 for i in range(8)}


def test_a_point_that_goes_on_failing_has_failed_after_its_retries() -> None:
    world = TimedWorld(fails(2), points=8, retriesPerPoint=2)
    status = ended(world, "Failed", "PointsFailed")
    assert status["failedPoints"] == "2"
    assert world.ran[2] == 3
    assert "1 of 8 points failed" in status["message"]


def test_points_whose_pod_left_no_bundle_run_again() -> None:
    world = TimedWorld(Plan(fates=["lost", "good", "unstored"]), points=8, pointsPerPod=2)
    status = ended(world, "Succeeded", "Completed")
    assert [r["reason"] for r in status["rounds"]] == ["points", "missing"]
    assert status["rounds"][1]["points"] == "0-1,4-5"


def test_a_point_that_kills_its_pod_is_found_and_the_others_succeed() -> None:
    class Killer(TimedWorld):
        def _run_a_point(self, pod: dict[str, Any]) -> None:
            pod["fate"] = "killed" if pod["todo"][0] == 5 else "good"
            super()._run_a_point(pod)

    world = Killer(points=16, pointsPerPod=16)
    status = ended(world, "Failed", "PointsFailed")
    assert status["failedPoints"] == "5"
    assert world.table()[5]["reason"] == "OOMKilled"
    assert [r["points"] for r in status["rounds"]] == ["0-15", "6-15"]


def test_pods_that_can_do_nothing_end_the_sweep_at_once() -> None:
    world = TimedWorld(Plan(fates=["unstartable"] * 100), points=60)
    status = ended(world, "Failed", "ContainerCannotRun")
    assert world.pods_made < 20
    assert status["points"]["cancelled"] == 60


def test_points_that_are_always_lost_have_failed_in_the_end() -> None:
    world = TimedWorld(Plan(fates=["lost"] * 100), points=4)
    status = ended(world, "Failed", "PointsFailed")
    assert "without a result" in status["message"]
    assert len(status["rounds"]) == 4
    assert {c["type"]: c["status"] for c in status["conditions"]}["ArtifactsStored"] == "False"


def test_too_many_failures_stop_it() -> None:
    world = TimedWorld(fails(*range(100)), points=100, maxFailedPoints=5)
    status = ended(world, "Failed", "TooManyFailedPoints")
    assert 6 <= status["points"]["failed"] < 20
    assert status["points"]["cancelled"] == 100 - status["points"]["failed"]
    assert not world.jobs


def test_cancelling_keeps_what_has_ended() -> None:
    world = TimedWorld(points=20, pointsPerPod=4)
    for _ in range(7):
        world.step()
    world.change_spec(cancelled=True)
    status = ended(world, "Cancelled", "Cancelled")
    assert 0 < status["points"]["succeeded"] < 20
    assert not world.jobs
    assert set(Indexes.parse(status["succeededPoints"])) <= {i for i, count in world.ran.items() if count}


def test_cancelled_before_it_started_it_makes_no_job() -> None:
    world = TimedWorld(points=20, cancelled=True)
    ended(world, "Cancelled", "Cancelled")
    assert world.jobs_made == 0


def test_suspended_it_goes_on_with_what_is_left() -> None:
    world = TimedWorld(points=20, pointsPerPod=4)
    for _ in range(7):
        world.step()
    world.change_spec(suspend=True)
    world.be_fair()
    assert (world.status["phase"], world.status["reason"]) == ("Queued", "Suspended")
    assert not world.jobs
    done = Indexes.parse(world.status["succeededPoints"])
    assert done.ranges
    world.change_spec(suspend=False)
    status = ended(world, "Succeeded", "Completed")
    assert status["rounds"][1]["points"] == str(Indexes.up_to(20) - done)
    assert all(world.ran[i] == 1 for i in done)


def test_cancelled_points_that_have_not_started_never_run() -> None:
    world = TimedWorld(points=12, parallelism=2)
    for _ in range(3):
        world.step()
    world.change_spec(cancelledPoints="8-11")
    status = ended(world, "Succeeded", "Completed")
    assert status["cancelledPoints"] == "8-11"
    assert not {8, 9, 10, 11} & world.ran.keys()


def test_a_cancelled_point_alone_in_its_pod_is_stopped() -> None:
    world = TimedWorld(points=4, parallelism=2)
    world.step()
    world.step()
    assert world.status["activePoints"] == "0-1"
    world.change_spec(cancelledPoints="0")
    world.deliver_all()
    world.work()
    stopped = [name for name, pod in world.pods.items() if "deletionTimestamp" in pod["metadata"]]
    assert [world.pods[name]["pack"] for name in stopped] == [0]
    assert ended(world, "Succeeded", "Completed")["cancelledPoints"] == "0"


def test_all_points_cancelled_is_a_cancelled_sweep() -> None:
    world = TimedWorld(points=4, cancelledPoints="0-3")
    ended(world, "Cancelled", "Cancelled")
    assert world.pods_made == 0


def test_failed_points_run_again_when_told_to_and_each_order_once() -> None:
    world = TimedWorld(fails(2, 5, times=1), points=8)
    assert ended(world, "Failed", "PointsFailed")["failedPoints"] == "2,5"
    world.change_spec(rerun={"points": "failed", "id": "one"})
    status = ended(world, "Succeeded", "Completed")
    assert [r["reason"] for r in status["rounds"]] == ["points", "rerun"]
    assert status["rounds"][1]["points"] == "2,5"
    world.change_spec(ttlSecondsAfterFinished=10**6)
    world.be_fair()
    assert len(world.status["rounds"]) == 2
    assert world.status["observedGeneration"] == world.sweeps[SWEEP]["metadata"]["generation"]


def test_ranges_run_again_and_the_later_result_counts() -> None:
    world = TimedWorld(Plan(codes=lambda index, ran: 3 if index == 1 and ran == 1 else 0), points=4)
    ended(world, "Succeeded", "Completed")
    world.change_spec(rerun={"points": "1,3", "id": "again"})
    status = ended(world, "Failed", "PointsFailed")
    assert status["failedPoints"] == "1"
    assert world.table()[1]["round"] == 1


@pytest.mark.parametrize("change", [{"cancelled": True}, {"cancelledPoints": "1,3"}])
def test_results_stay_whose_points_were_to_run_again_and_were_cancelled_before(change: dict[str, Any]) -> None:
    world = TimedWorld(points=4)
    ended(world, "Succeeded", "Completed")
    world.change_spec(rerun={"points": "1,3", "id": "again"}, **change)
    world.be_fair()
    assert world.status["succeededPoints"] == "0-3"
    assert "cancelledPoints" not in world.status
    assert {line["round"] for line in world.table().values()} == {0}


def test_an_order_given_while_it_runs_is_carried_out_at_the_end() -> None:
    world = TimedWorld(fails(2, times=1), points=8, rerun={"points": "failed", "id": "early"})
    status = ended(world, "Succeeded", "Completed")
    assert [r["reason"] for r in status["rounds"]] == ["points", "rerun"]


def test_what_was_not_run_runs_when_told_to() -> None:
    world = TimedWorld(fails(0, 1, times=1), points=30, maxFailedPoints=0)
    ended(world, "Failed", "TooManyFailedPoints")
    world.change_spec(maxFailedPoints=10, rerun={"points": "missing", "id": "rest"})
    status = ended(world, "Failed", "PointsFailed")
    assert status["points"]["succeeded"] + status["points"]["failed"] == 30


def test_a_finished_sweep_whose_space_has_grown_runs_the_new_points_only() -> None:
    world = TimedWorld(points=10)
    ended(world, "Succeeded", "Completed")
    old = world.objects[f"{PREFIX}/points/0000000.jsonl"]
    world.change_spec(space=grid(14))
    status = ended(world, "Succeeded", "Completed")
    assert status["points"]["total"] == 14
    assert status["rounds"][1]["points"] == "10-13"
    assert set(world.ran.values()) == {1}
    assert world.objects[f"{PREFIX}/points/0000000.jsonl"] == old


def test_another_space_is_refused_and_the_results_stay() -> None:
    world = TimedWorld(points=10)
    before = ended(world, "Succeeded", "Completed")
    world.change_spec(space=grid(5))
    world.be_fair()
    status = world.status
    assert (status["phase"], status["reason"]) == ("Succeeded", "InvalidSpace")
    assert "not extended" in status["message"]
    assert status["succeededPoints"] == before["succeededPoints"]
    assert len(status["rounds"]) == 1


def test_auto_measures_first_and_then_makes_packs() -> None:
    world = TimedWorld(points=400, parallelism=3, pointsPerPod="auto")
    status = ended(world, "Succeeded", "Completed")
    assert [r["reason"] for r in status["rounds"]] == ["probe", "points"]
    # 0.5 s a point: 120 in a minute
    assert json.loads(world.objects[f"{PREFIX}/rounds/1.json"])["pointsPerPod"] == 120
    assert set(world.ran.values()) == {1}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"template": {"image": "evil:1"}}, "ImageNotTrusted"),
        ({"points": 5000}, "TooManyPoints"),
        ({"space": {"method": "grid", "axes": [{"name": "x", "values": [1]}], "where": "x > 2"}}, "InvalidSpace"),
        ({"parallelism": 0}, "InvalidSpec"),
        ({"template": {"args": ["a" * 4000] * 40}}, "InvalidSpec"),
    ],
)
def test_what_cannot_run_fails_before_anything_runs(spec: dict[str, Any], reason: str) -> None:
    world = TimedWorld(**spec)
    status = ended(world, "Failed", reason)
    assert status["message"]
    assert status["conditions"][0]["status"] == "False"
    assert world.jobs_made == 0
    assert f"{PREFIX}/points/index.json" not in world.objects


def test_a_job_that_the_api_server_refuses_fails_it() -> None:
    world = TimedWorld(points=4)
    world.rejects_jobs = "no such priority class"
    status = ended(world, "Failed", "JobRejected")
    assert "priority" in status["message"]


def test_it_gives_up_when_nothing_starts() -> None:
    class Full(TimedWorld):
        def kubelet(self, name: str) -> None:
            if "deletionTimestamp" in self.pods[name]["metadata"]:
                super().kubelet(name)

    world = Full(points=4, template={"pendingTimeoutSeconds": 60})
    status = ended(world, "Failed", "PendingTimeout")
    assert status["points"]["cancelled"] == 4
    assert not world.jobs


def test_a_queue_starts_it() -> None:
    world = TimedWorld(points=4, template={"queueName": "team"})
    world.be_fair()
    assert (world.status["phase"], world.status["reason"]) == ("Queued", "Suspended")
    world.jobs[job_name(0)]["spec"]["suspend"] = False
    world._changed("job", world.jobs[job_name(0)])
    ended(world, "Succeeded", "Completed")


def test_a_job_that_a_person_deletes_is_followed_by_another_round() -> None:
    world = TimedWorld(points=20, pointsPerPod=4)
    for _ in range(7):
        world.step()
    world.delete_job(job_name(0))
    status = ended(world, "Succeeded", "Completed")
    assert [r["reason"] for r in status["rounds"]] == ["points", "points"]


def test_more_pods_at_once_when_parallelism_is_raised() -> None:
    world = TimedWorld(points=20)
    world.step()
    world.change_spec(parallelism=9)
    world.step()
    assert world.jobs[job_name(0)]["spec"]["parallelism"] == 9
    ended(world, "Succeeded", "Completed")


def test_what_was_deleted_while_it_ran_has_a_record_of_what_had_ended() -> None:
    world = TimedWorld(points=20, pointsPerPod=4)
    for _ in range(7):
        world.step()
    world.delete_sweep()
    world.be_fair()
    record = json.loads(world.objects[f"{PREFIX}/record.json"])
    assert (record["status"]["phase"], record["status"]["reason"]) == ("Cancelled", "Deleted")
    assert record["status"]["points"]["succeeded"] == len([x for x in world.table().values() if x["exitCode"] == 0]) > 0
    assert not world.reconciler._memories


def test_the_object_goes_when_its_time_has_come() -> None:
    world = TimedWorld(points=4, ttlSecondsAfterFinished=3600)
    ended(world, "Succeeded", "Completed")
    world.wait(3600)
    run_now(world.resync.run((NAMESPACE,)))
    world.be_fair()
    assert SWEEP not in world.sweeps
    assert f"{PREFIX}/record.json" in world.objects


def test_an_outage_of_the_store_is_told_and_nothing_is_lost() -> None:
    world = TimedWorld(points=8, pointsPerPod=2)
    for _ in range(4):
        world.step()
    world.store_is_up = False
    for _ in range(30):
        world.step()
    assert world.status["phase"] == "Running"
    world.be_fair()
    ended(world, "Succeeded", "Completed")


def test_ranges_that_are_too_long_are_in_the_store() -> None:
    world = TimedWorld(
        Plan(codes=lambda index, ran: index % 2), max_points=60_000, points=40_000, parallelism=40, pointsPerPod=1000
    )
    world.be_fair(steps=3000)
    status = world.status
    assert status["rangesInStore"] is True
    assert "succeededPoints" not in status
    assert len(json.dumps(status)) < 10_000
    state = json.loads(world.objects[f"{PREFIX}/state.json"])
    assert len(Indexes.parse(state["succeededPoints"])) == status["points"]["succeeded"] == 20_000
    record = json.loads(world.objects[f"{PREFIX}/record.json"])
    assert record["status"]["succeededPoints"] == state["succeededPoints"]


def _calls_of(**spec: Any) -> int:
    world = TimedWorld(fails(1, times=1), **spec)
    world.be_fair()
    return len(world.calls.log)


SMALL: dict[str, Any] = {"points": 5, "pointsPerPod": 2, "retriesPerPoint": 1, "parallelism": 2}


@pytest.mark.parametrize("size", [0, 1 << 20])
@pytest.mark.parametrize("has_effect", [False, True])
def test_killed_at_any_call_it_ends_the_same(has_effect: bool, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "UNWRITTEN_SIZE", size)
    for call in range(1, _calls_of(**SMALL) + 1):
        world = TimedWorld(fails(1, times=1), **SMALL)
        world.calls.die_at, world.calls.die_after = call, has_effect
        world.be_fair()
        assert (world.status["phase"], world.status["succeededPoints"]) == ("Succeeded", "0-4"), call
        world.check_the_end()
        assert world.ran == {0: 1, 1: 2, 2: 1, 3: 1, 4: 1}, call
        assert len(world.status["rounds"]) == 2


def test_a_finished_sweep_that_gets_a_point_which_is_cancelled_already_says_so_in_its_record() -> None:
    world = TimedWorld(points=2, cancelledPoints="2")
    ended(world, "Succeeded", "Completed")
    world.change_spec(space=grid(3))
    status = ended(world, "Succeeded", "Completed")
    assert (status["points"]["total"], status["cancelledPoints"]) == (3, "2")


class Doomed(Calls):
    """The operator dies whenever it is about to write a status."""

    def before(self, name: str) -> None:
        super().before(name)
        if name == "write_status":
            raise asyncio.CancelledError("killed before it could tell")


def test_a_round_that_no_status_told_of_is_told_of_at_the_end() -> None:
    world = TimedWorld(points=5)
    world.calls = Doomed()
    while not json.loads(world.objects.get(f"{PREFIX}/ledger.json", "{}")).get("rounds"):
        world.step()
    assert not world.statuses
    world.calls = Calls()
    status = ended(world, "Succeeded", "Completed")
    (only,) = status["rounds"]
    assert (only["job"], only["points"]) == (job_name(0), "0-4")
    assert status["startTime"] <= only["completionTime"] <= status["completionTime"]
    stored = next(c for c in status["conditions"] if c["type"] == "ArtifactsStored")
    assert (stored["status"], stored["reason"]) == ("True", "Stored")


def test_when_it_is_finished_it_rests() -> None:
    world = TimedWorld(points=6)
    world.be_fair()
    world.calls.log.clear()
    world.restart()
    world.be_fair()
    assert not WRITES & set(world.calls.log)
    assert not world.cache.sweeps
    assert not world.cache.present
    assert not world.reconciler._memories


def test_memory_follows_the_pods_that_are_alive() -> None:
    world = TimedWorld(points=200, parallelism=4)
    most = 0
    while not world.is_finished:
        world.step()
        present = world.cache.present.get(world.sweeps[SWEEP]["metadata"]["uid"])
        most = max(most, len(present.pods) if present else 0)
    assert most <= 12


class Deaf(TimedWorld):
    """A world in which no event of a Pod arrives."""

    def deliver_all(self) -> None:
        self.feed["pod"].clear()
        super().deliver_all()


def test_nothing_depends_on_having_seen_a_pod() -> None:
    world = Deaf(fails(1, 4, times=2), points=9, pointsPerPod=2, retriesPerPoint=2)
    ended(world, "Succeeded", "Completed")
    assert world.ran == {i: 3 if i in (1, 4) else 1 for i in range(9)}


def let_all_pods_end_unseen(world: SweepWorld) -> None:
    """Let the first round end, and its Pods be gone, before anybody looks."""
    world.step()
    while not world.jobs[job_name(0)]["status"].get("conditions"):
        world.job_controller()
        for name in list(world.pods):
            world.kubelet(name)
    for name in list(world.pods):
        world.vanish(name)


def test_results_of_pods_that_are_gone_are_found_in_the_store() -> None:
    world = Deaf(points=9, pointsPerPod=2)
    let_all_pods_end_unseen(world)
    ended(world, "Succeeded", "Completed")
    assert set(world.ran.values()) == {1}
    assert len(world.status["rounds"]) == 1


def test_results_that_many_pods_have_left_are_written_before_all_of_them_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconcile, "UNWRITTEN_SIZE", 0)
    monkeypatch.setattr(reconcile, "_packs_at_once", lambda _this: 2)
    world = Deaf(points=12, pointsPerPod=2)
    let_all_pods_end_unseen(world)
    world.objects = order = Ordered(world.objects)
    ended(world, "Succeeded", "Completed")
    left = [at for at, what in enumerate(order.seen) if what == "left"]
    table = [at for at, what in enumerate(order.seen) if what == "table"]
    assert len(left) == 6
    assert [sum(at < write for at in left) for write in table] == [2, 4, 6]


@pytest.mark.parametrize("world_of", [TimedWorld, Deaf])
def test_what_pods_have_left_is_parsed_in_a_thread(world_of: type[TimedWorld], monkeypatch: pytest.MonkeyPatch) -> None:
    is_in_thread, called = False, list[str]()

    async def in_thread(function: Callable[[], Any], /) -> Any:
        nonlocal is_in_thread
        is_in_thread = True
        try:
            return function()
        finally:
            is_in_thread = False

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            assert is_in_thread, name
            called.append(name)
            return function(*args)

        return call

    for name in ("lines_left", "files_left", "results_in", "merged"):
        monkeypatch.setattr(shelf, name, watched(name, getattr(shelf, name)))
    world = world_of(Plan(messages="cut"), points=9, pointsPerPod=2)
    world.reconciler._in_thread = in_thread
    if world_of is Deaf:
        let_all_pods_end_unseen(world)
    ended(world, "Succeeded", "Completed")
    assert {"lines_left", "merged"} <= set(called)
    assert ("files_left" in called) == (world_of is Deaf)
    called.clear()
    index = world.reconciler._shelf(sweep_of(world.sweeps[SWEEP]))
    run_now(Memory().load(index))
    assert called == ["results_in"] * len(called)


def test_of_forged_files_of_results_none_is_read_and_of_all_there_is_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = Deaf(fails(1), points=4, pointsPerPod=4)
    let_all_pods_end_unseen(world)
    key = next(key for key in world.objects if "/rounds/0/0/" in key and key.endswith(".jsonl"))
    world.objects[key] = world.objects[key].split(b"\n", 1)[1]  # no line of point 0: the pack is never complete
    folder = f"{PREFIX}/rounds/0/0"
    forged = json.dumps({"index": 1, "exitCode": 0}).encode()
    world.objects |= {f"{folder}/a{number}.jsonl": forged for number in range(40)}
    world.objects |= {f"{folder}/{job_name(0)}-0-~{number}.jsonl": forged for number in range(40)}
    reads: list[str] = []
    world.objects = Watched(world.objects, reads)
    for _ in range(5):
        world.step()
    left = [key for key in reads if "/rounds/0/0/" in key and key.endswith(".jsonl")]
    assert (len(left), left[0]) == (MAX_FILES, key)
    assert len([text for text in caplog.messages if "are passed over" in text]) == 1


def test_a_pass_reads_so_much_of_what_pods_have_left_and_the_next_one_goes_on_even_after_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconcile, "MAX_READ", 1)
    monkeypatch.setattr(reconcile, "_packs_at_once", lambda _this: 2)
    world = Deaf(points=12, pointsPerPod=2)
    let_all_pods_end_unseen(world)
    reads: list[str] = []
    world.objects = Watched(world.objects, reads)

    def left() -> list[str]:
        return [key for key in reads if "/rounds/0/" in key and key.endswith(".jsonl")]

    for count in (2, 4):
        while len(left()) < count:
            world.wait()
            world.deliver_all()
            world.work()
        assert len(left()) == count
        assert len(world.table()) == 2 * count, "what was read is written before others' turn"
        assert world.queue.keys, "it goes on at once"
    world.restart()
    ended(world, "Succeeded", "Completed")
    assert len(left()) == len(set(left())) == 6
    assert set(world.ran.values()) == {1}


class Ordered(dict[str, Any]):
    """Objects of a store that note when results of a Pod are read and when a part of the table is written."""

    def __init__(self, objects: dict[str, Any]) -> None:
        super().__init__(objects)
        self.seen: list[str] = []

    def get(self, key: str, default: Any = None) -> Any:
        """Return an object."""
        if "/rounds/" in key and key.endswith(".jsonl"):
            self.seen.append("left")
        return super().get(key, default)

    def __setitem__(self, key: str, value: Any) -> None:
        if "/table/" in key:
            self.seen.append("table")
        super().__setitem__(key, value)


def test_after_a_restart_the_table_tells_what_had_ended() -> None:
    world = TimedWorld(Plan(messages="cut"), points=60, pointsPerPod=2)
    for _ in range(30):
        world.step()
    assert len(world.table()) > 10
    known = {line["pack"] for line in world.table().values()}
    world.calls.log.clear()
    reads: list[str] = []
    world.objects = Watched(world.objects, reads)
    world.restart()
    world.deliver_all()
    world.work()
    assert not {int(key.split("/")[-2]) for key in reads if key.endswith(".jsonl") and "/rounds/" in key} & known
    ended(world, "Succeeded", "Completed")


class Watched(dict[str, Any]):
    """Objects of a store whose reads are noted."""

    def __init__(self, objects: dict[str, Any], reads: list[str]) -> None:
        super().__init__(objects)
        self._reads = reads

    def get(self, key: str, default: Any = None) -> Any:
        """Return an object and note that it was read."""
        self._reads.append(key)
        return super().get(key, default)


def test_a_pod_that_was_lost_to_a_drain_and_its_successor_count_once() -> None:
    world = TimedWorld(Plan(codes=lambda index, ran: 3 * (index == 0 and ran == 1)), points=3, pointsPerPod=3)
    while not world.ran.get(0):
        world.step()
    world.disrupt(next(iter(world.pods)))
    status = ended(world, "Succeeded", "Completed")
    assert world.ran[0] == 2  # the second time it failed
    assert world.table()[0]["exitCode"] == 0
    assert len(status["rounds"]) == 1


def test_an_order_that_still_breaks_the_limit_ends_as_before() -> None:
    world = TimedWorld(fails(0, 1, times=1), points=30, maxFailedPoints=0)
    ended(world, "Failed", "TooManyFailedPoints")
    world.change_spec(rerun={"points": "missing", "id": "rest"})
    ended(world, "Failed", "TooManyFailedPoints")


def test_a_sweep_that_gave_up_can_be_extended() -> None:
    world = TimedWorld(Plan(fates=["unstartable"] * 12), points=12)
    ended(world, "Failed", "ContainerCannotRun")
    world.change_spec(space=grid(14))
    status = ended(world, "Succeeded", "Completed")
    assert (status["succeededPoints"], status["cancelledPoints"]) == ("12-13", "0-11")


def test_a_queue_that_takes_it_back_is_told() -> None:
    world = TimedWorld(points=12, template={"queueName": "team"})
    world.be_fair()

    def let(suspend: bool) -> None:
        job = world.jobs[job_name(0)]
        job["spec"]["suspend"] = suspend
        world._changed("job", job)
        for pod in list(world.pods) if suspend else []:
            world.delete_pod(pod)

    let(False)
    for _ in range(6):
        world.step()
    assert world.status["phase"] == "Running"
    let(True)
    world.be_fair()
    assert (world.status["phase"], world.status["reason"]) == ("Queued", "Suspended")
    let(False)
    ended(world, "Succeeded", "Completed")


def test_a_job_that_was_left_behind_is_taken_away() -> None:
    world = TimedWorld(points=4)
    ended(world, "Succeeded", "Completed")
    job = world.jobs[job_name(0)]
    job["metadata"]["uid"], job["status"] = "another", {}
    world.restart()
    world.be_fair()
    assert not world.jobs


def test_where_a_digest_is_required_a_tag_runs_nothing() -> None:
    world = TimedWorld(config=replace(CONFIG, require_digest=True))
    status = ended(world, "Failed", "ImageNotTrusted")
    assert status["message"].startswith("image sim:local is not named by its digest, which is required here")
    assert not world.jobs


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"timeoutSeconds": 7201}, "spec.timeoutSeconds: 7201 seconds are more than 7200,"),
        (
            {"template": {"resources": {"limits": {"memory": "9Gi"}}}},
            "spec.template.resources.limits: memory: 9Gi is more than 8Gi,",
        ),
    ],
)
def test_more_time_or_resources_than_there_may_be_run_nothing(spec: dict[str, Any], words: str) -> None:
    world = TimedWorld(config=replace(CONFIG, max_timeout_seconds=7200, max_resources=(("memory", "8Gi"),)), **spec)
    status = ended(world, "Failed", "AboveMaximum")
    assert status["message"].startswith(words)
    assert status["conditions"][0]["status"] == "False"
    assert world.jobs_made == 0


def test_what_has_begun_before_a_maximum_was_lowered_goes_on() -> None:
    world = TimedWorld(fails(2, times=1), points=8, retriesPerPoint=1, template={"resources": {"limits": {"cpu": 4}}})
    while not world.status.get("startTime"):
        world.step()
    world.config = replace(CONFIG, max_timeout_seconds=600, max_resources=(("cpu", "2"),))
    world.restart()
    status = ended(world, "Succeeded", "Completed")
    assert [r["reason"] for r in status["rounds"]] == ["points", "retry"]


class HalfWorld(TimedWorld):
    """A world whose simulations write half of a surrogate pair wherever they can."""

    def _upload(self, pod: dict[str, Any]) -> None:
        for line in pod["lines"]:
            line |= {"reason": "\ud800", "metrics": {"\ud800": 1, "b": 2}, "metricsError": "\udfff"}
        super()._upload(pod)


@pytest.mark.parametrize("messages", ["results", "ranges", "cut"])
def test_results_that_utf_8_cannot_say_keep_no_sweep_from_its_end(messages: str) -> None:
    world = HalfWorld(Plan(messages=messages), points=2)
    ended(world, "Succeeded", "Completed")
    (table,) = [value for key, value in world.objects.items() if key.startswith(f"{PREFIX}/table/")]
    line = json.loads(table.decode().splitlines()[0])
    assert (line["metrics"], line["metricsError"]) == ({"?": 1, "b": 2}, "?")


def test_a_sweep_waits_without_a_worker_while_the_points_of_another_are_made() -> None:
    world = TimedWorld(points=10)
    world.reconciler._expanding = turns = Pace(1, lambda: 0.0)
    other = Key("elsewhere", "other", "other-uid")
    assert turns.enter(other)
    world.deliver_all()
    world.work()
    assert (world.jobs_made, turns.waiting) == (0, 1)
    turns.leave(other)
    (called,) = turns.called()
    world.queue.keys.add(called)
    ended(world, "Succeeded", "Completed")
    assert turns.enter(other)


def test_a_sweep_that_is_deleted_while_it_waits_gives_its_turn_to_the_next() -> None:
    world = TimedWorld(points=10)
    world.reconciler._expanding = turns = Pace(1, lambda: 0.0)
    first, last = Key("elsewhere", "first", "first-uid"), Key("elsewhere", "last", "last-uid")
    turns.enter(first)
    world.deliver_all()
    world.work()
    world.delete_sweep()
    world.deliver_all()
    turns.leave(first)
    assert not turns.enter(last)
    (called,) = turns.called()
    world.queue.keys.add(called)
    world.work()
    assert last in world.queue.keys
