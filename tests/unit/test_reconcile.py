"""The reconciler against a model of Kubernetes: conflicts, outages, and a kill at every call that it makes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from builders import JOB, NAME, NAMESPACE, PREFIX, T0, UID
from world import KEY, Behaviour, FakeStore, World, run_now
from worldclock import Clock, world_time

from simops_crds.names import OWNED_PREFIX, archive_key
from simops_operator.cache import Key
from simops_operator.cluster import ApiError
from simops_operator.pace import PATIENCE_SECONDS, Pace
from simops_operator.store import StoreError

ARCHIVED = archive_key(NAMESPACE, int(T0.timestamp()), NAME, UID)
WRITES = {
    "apply_job",
    "patch_job_spec",
    "delete_job",
    "stop_pod",
    "delete_run",
    "write_status",
    "post_event",
}


@pytest.fixture(autouse=True)
def _world_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield from world_time(monkeypatch)


def make(behaviour: Behaviour | None = None, **spec: Any) -> World:
    Clock.world = world = World(behaviour, **spec)
    return world


def writes(world: World) -> list[str]:
    return [call for call in world.calls.log if call in WRITES]


def test_five_writes_from_creation_to_the_end() -> None:
    world = make()
    world.be_fair()
    assert [s["phase"] for s in world.statuses] == ["Pending", "Running", "Succeeded"]
    assert writes(world) == ["apply_job", "write_status", "write_status", "write_status", "post_event"]


def test_a_run_that_goes_well_costs_no_read_of_its_job_or_pods() -> None:
    world = make()
    world.be_fair()
    assert not {"get_job", "list_pods"} & set(world.calls.log[: world.calls.log.index("post_event")])


def test_bundle_log_and_record_are_in_the_store() -> None:
    world = make()
    world.be_fair()
    pod = world.status["podName"]
    own = {f"{PREFIX}/{pod}.zip", f"{PREFIX}/{pod}.json", f"{PREFIX}/{pod}.log", f"{PREFIX}/record.json"}
    assert own | {ARCHIVED} == set(world.objects)
    record = json.loads(world.objects[f"{PREFIX}/record.json"])
    assert record["status"] == world.status
    assert record["attempts"][0]["exitCode"] == 0


def test_the_archive_lists_a_run_only_once_its_record_is_there_and_before_its_end_is_told() -> None:
    world = make()
    put = world.reconciler._store.put_json
    order: list[str] = []

    async def noted(key: str, value: Any) -> None:
        order.append(key)
        assert world.final is None
        await put(key, value)

    world.reconciler._store.put_json = noted  # type: ignore[method-assign]
    world.be_fair()
    assert order == [f"{PREFIX}/record.json", ARCHIVED]


def test_a_run_whose_artifacts_go_with_it_is_not_in_the_archive() -> None:
    world = make(artifacts={"deleteWithJob": True})
    world.be_fair()
    assert f"{PREFIX}/record.json" in world.objects
    assert not [key for key in world.objects if key.startswith("archive/")]


def test_a_record_keeps_the_labels_and_of_the_annotations_those_of_simops() -> None:
    world = make()
    meta = world.runs[NAME]["metadata"]
    meta["labels"] = {"project": "heat"}
    meta["annotations"] = {"simops.dev/traceparent": "00-1", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    world.restart()
    world.be_fair()
    record = json.loads(world.objects[f"{PREFIX}/record.json"])
    assert record["metadata"] == {
        "labels": {"project": "heat"},
        "annotations": {"simops.dev/traceparent": "00-1"},
        "creationTimestamp": meta["creationTimestamp"],
    }


def test_nothing_is_remembered_of_a_finished_run_but_that_it_is() -> None:
    world = make()
    world.be_fair()
    assert world.cache.is_finished(UID)
    caches = (world.cache.runs, world.cache.deleted, world.cache.jobs, world.cache.pods, world.cache.doubtful)
    assert not any(caches)
    assert not world.reconciler._memories


def test_looking_again_at_a_settled_run_writes_nothing() -> None:
    world = make(retries=1, suspend=True)
    world.be_fair()
    world.calls.log.clear()
    for _ in range(3):
        run_now(world.reconciler.reconcile(KEY))
    assert writes(world) == []


SCENES: dict[str, tuple[dict[str, Any], Behaviour]] = {
    "well": ({}, Behaviour()),
    "retry": ({"retries": 1}, Behaviour(codes=(3, 0))),
    "failure": ({}, Behaviour(codes=(3,))),
    "image": ({"image": "evil:1"}, Behaviour()),
    "expiring": ({"artifacts": {"expireAfterSeconds": 10**9}}, Behaviour()),
    "owned": ({"artifacts": {"deleteWithJob": True}}, Behaviour()),
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("has_effect", [False, True], ids=["before", "after"])
def test_a_kill_at_any_call_changes_nothing(scene: str, has_effect: bool) -> None:
    spec, behaviour = SCENES[scene]
    calm = make(behaviour, **spec)
    calm.be_fair()
    for number in range(1, len(calm.calls.log) + 1):
        world = make(behaviour, **spec)
        world.calls.log.clear()
        world.calls.die_at, world.calls.die_after = number, has_effect
        world.be_fair()
        assert world.final is not None
        assert (world.final["phase"], world.final["reason"]) == (calm.status["phase"], calm.status["reason"])
        assert world.final.get("attempts") == calm.status.get("attempts")
        assert world.jobs_made == calm.jobs_made
        assert len(world.statuses) <= len(calm.statuses)  # what has passed meanwhile is not told any more
        # Names of Pods differ; what was stored does not.
        assert len(world.objects) == len(calm.objects)


@pytest.mark.parametrize("has_effect", [False, True], ids=["before", "after"])
def test_a_kill_at_any_call_of_a_cancellation_changes_nothing(has_effect: bool) -> None:
    for number in range(1, 30):
        world = make(Behaviour(ignores_sigterm=True, long=40), retries=2)
        for _ in range(3):
            world.job_controller()
            for pod in list(world.pods):
                world.kubelet(pod)
            if world.status.get("phase") == "Running":
                break
            world.deliver_all()
            world.work()
        assert world.status["phase"] == "Running"
        world.calls.log.clear()
        world.calls.die_at, world.calls.die_after = number, has_effect
        world.change_spec(cancelled=True)
        world.be_fair()
        assert world.final is not None
        assert (world.final["phase"], world.jobs_made) == ("Cancelled", 1)
        assert world.final["artifacts"]["partial"] is True


def test_a_polite_simulation_that_is_cancelled_has_not_succeeded() -> None:
    world = make(Behaviour(stop_code=0, long=40))
    while world.status.get("phase") != "Running":
        world.job_controller()
        for pod in list(world.pods):
            world.kubelet(pod)
        world.deliver_all()
        world.work()
    world.change_spec(cancelled=True)
    world.be_fair()
    assert world.final is not None
    assert world.final["phase"] == "Cancelled"


def test_a_conflict_is_resolved_by_looking_again() -> None:
    world = make()
    world.work()
    world.job_controller()
    (pod,) = world.pods
    world.kubelet(pod)
    while world.deliver("pod") or world.deliver("job") or world.deliver("run"):
        pass
    world.change_spec(ttlSecondsAfterFinished=5)  # its event has not come yet
    with pytest.raises(ApiError, match="409"):
        run_now(world.reconciler.reconcile(KEY))
    run_now(world.reconciler.reconcile(KEY))
    assert world.status["phase"] == "Running"


def test_a_run_that_is_gone_when_its_status_is_written_is_settled() -> None:
    world = make()
    del world.runs[NAME]
    with pytest.raises(ApiError, match="404"):
        run_now(world.reconciler.reconcile(KEY))
    run_now(world.reconciler.reconcile(KEY))
    assert not world.cache.runs
    assert not world.cache.deleted
    assert not world.reconciler._memories


def test_one_made_again_under_the_same_name_is_another_one() -> None:
    world = make()
    world.be_fair()
    old = dict(world.objects)
    world.delete_run()
    world.be_fair()
    for key, value in old.items():
        assert world.objects[key] == value


def test_a_store_that_is_down_holds_the_start_and_says_so() -> None:
    world = make()
    world.store_is_up = False
    world.work()
    assert (world.status["phase"], world.status["reason"]) == ("Pending", "StoreUnavailable")
    assert world.jobs_made == 0
    world.wait()
    world.deliver_all()
    world.work()
    assert len(world.statuses) == 1
    world.be_fair()
    assert world.final is not None
    assert world.final["phase"] == "Succeeded"


def test_a_store_that_goes_down_before_the_end_is_waited_for() -> None:
    world = make()
    for _ in range(4):
        world.job_controller()
        for pod in list(world.pods):
            world.kubelet(pod)
        world.deliver_all()
        if any(p["stage"] == "over" for p in world.pods.values()):
            break
        world.work()
    world.store_is_up = False
    with pytest.raises(StoreError):
        run_now(world.reconciler.reconcile(KEY))
    assert (world.status["phase"], world.status["reason"]) == ("Running", "StoreUnavailable")
    assert world.final is None
    world.queue.keys.add(KEY)
    world.be_fair()
    assert world.final is not None
    assert world.final["phase"] == "Succeeded"


def test_a_job_that_is_refused_fails_the_run_once() -> None:
    world = make()
    world.rejects_jobs = "denied by policy"
    world.be_fair()
    assert world.final is not None
    assert (world.final["phase"], world.final["reason"]) == ("Failed", "JobRejected")
    assert "denied by policy" in world.final["message"]
    assert world.calls.log.count("apply_job") == 1


def test_a_job_that_exceeds_a_quota_is_tried_again() -> None:
    world = make()
    world.rejects_jobs = "exceeded quota: jobs"
    world.work()
    assert world.final is None
    world.rejects_jobs = ""
    world.wait()
    world.be_fair()
    assert world.final is not None
    assert world.final["phase"] == "Succeeded"


def test_pods_are_listed_when_the_job_knows_more_than_their_watch() -> None:
    world = make(Behaviour(codes=(3, 0)), retries=1)
    for _ in range(12):
        world.job_controller()
        for pod in list(world.pods):
            world.kubelet(pod)
        world.work()
        for kind in ("run", "job"):
            while world.deliver(kind):
                pass
        while len(world.feed["pod"]) > 5:  # those of the second attempt come late
            world.deliver("pod")
    world.work()
    assert world.final is not None
    assert (world.final["phase"], world.final["exitCode"]) == ("Succeeded", 0)


def test_a_job_that_ends_while_a_status_is_written_does_not_end_the_run_without_its_log() -> None:
    world = make()
    world.work()
    world.job_controller()
    world.kubelet(*world.pods)
    world.deliver_all()

    def the_job_ends_and_only_its_watch_tells() -> None:
        for _ in range(3):
            world.kubelet(*world.pods)
        world.job_controller()
        while world.deliver("job"):
            pass

    world.while_it_works(1, the_job_ends_and_only_its_watch_tells)
    world.work()
    assert [s["phase"] for s in world.statuses] == ["Pending", "Running", "Succeeded"]
    assert world.status["artifacts"]["log"] in world.objects


def test_a_pod_of_a_deleted_run_still_gives_its_log_and_record() -> None:
    world = make()
    world.work()
    world.job_controller()
    (pod,) = world.pods
    world.kubelet(pod)
    world.deliver_all()
    world.work()
    world.delete_run()
    for _ in range(6):
        world.deliver_all()
        world.work()
        for name in list(world.pods):
            world.kubelet(name)
    world.deliver_all()
    world.work()
    record = json.loads(world.objects[f"{PREFIX}/record.json"])
    assert (record["status"]["phase"], record["status"]["reason"]) == ("Cancelled", "Deleted")
    assert f"{PREFIX}/{pod}.zip" in world.objects
    assert not world.cache.deleted


def test_events_that_come_after_the_end_cost_no_call() -> None:
    world = make()
    while world.final is None:
        world.job_controller()
        for pod in list(world.pods):
            world.kubelet(pod)
        world.deliver_all()
        world.work()
    world.job_controller()
    world.calls.log.clear()
    world.deliver_all()
    world.work()
    assert world.calls.log == []


def test_a_list_older_than_the_end_does_not_bring_a_run_back() -> None:
    world = make()
    world.work()
    old = json.loads(json.dumps(world.runs[NAME]))
    world.be_fair()
    current, world.runs[NAME] = world.runs[NAME], old
    run_now(world.resync.run((NAMESPACE,)))
    world.runs[NAME] = current
    assert not world.cache.runs
    world.work()
    assert world.jobs_made == 1


def test_results_of_a_run_younger_than_the_list_are_not_orphans() -> None:
    world = make(artifacts={"deleteWithJob": True})
    world.be_fair()
    kept = dict(world.objects)
    run_now(world.resync._remove_orphans((NAMESPACE,), set()))
    assert world.objects == kept
    world.runs.clear()
    run_now(world.resync._remove_orphans(("another",), set()))
    assert world.objects == kept
    run_now(world.resync._remove_orphans((NAMESPACE,), set()))
    assert world.objects == {}


def test_results_that_cannot_be_removed_keep_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make()
    world.objects |= {f"{OWNED_PREFIX}/{NAMESPACE}/{name}/u": {} for name in ("a", "b")}
    world.objects |= {f"jobs/{NAMESPACE}/{name}/u/x": b"" for name in ("a", "b")}
    delete_prefix = FakeStore.delete_prefix

    async def refused(self: FakeStore, prefix: str, keep: str = "") -> None:
        if prefix == f"jobs/{NAMESPACE}/a/u":
            raise StoreError("MalformedXML")
        await delete_prefix(self, prefix, keep)

    monkeypatch.setattr(FakeStore, "delete_prefix", refused)
    run_now(world.resync._remove_orphans((NAMESPACE,), set()))
    assert world.objects.keys() == {f"{OWNED_PREFIX}/{NAMESPACE}/a/u", f"jobs/{NAMESPACE}/a/u/x"}


def test_a_strange_key_in_the_store_does_not_end_the_operator() -> None:
    world = make()
    world.objects |= {
        "expiry/soon": "",
        "owned/x": "",
        "expiry/000000000001/lab/old/u1": "",
        "jobs/lab/old/u1/record.json": "[",
    }
    run_now(world.resync.run((NAMESPACE,)))
    assert "expiry/000000000001/lab/old/u1" not in world.objects
    assert world.objects["jobs/lab/old/u1/record.json"] == "["


def test_a_job_deleted_by_hand_is_made_again() -> None:
    world = make()
    world.work()
    world.job_controller()
    world.kubelet(next(iter(world.pods)))
    world.deliver_all()
    world.work()
    world.delete_job(JOB)
    world.be_fair()
    assert world.final is not None
    assert world.final["phase"] in ("Succeeded", "Failed")
    assert world.jobs_made == 2


class TestTurns:
    """A run whose Job may not be made yet."""

    def waiting(self) -> tuple[World, Pace, Key]:
        world = make()
        pace, other = Pace(1, lambda: 0.0), Key("elsewhere", "other", "other-uid")
        assert pace.enter(other)
        world.reconciler._pace = pace
        world.work()
        return world, pace, other

    def test_it_makes_no_job_and_is_looked_at_again(self) -> None:
        world, pace, _ = self.waiting()
        assert not world.jobs
        assert (pace.waiting, world.queue.later[KEY]) == (1, PATIENCE_SECONDS)

    def test_it_is_woken_when_another_one_has_its_pod(self) -> None:
        world, _, other = self.waiting()
        run_now(world.reconciler._give_place(other))
        assert KEY in world.queue.keys
        world.be_fair()
        assert world.status["phase"] == "Succeeded"
        assert world.jobs_made == 1

    def test_its_pod_gives_the_place_to_the_next(self) -> None:
        world, pace, other = self.waiting()
        run_now(world.reconciler._give_place(other))
        world.be_fair()
        assert pace.enter(Key("elsewhere", "third", "third-uid"))

    def test_it_can_be_cancelled_while_it_waits(self) -> None:
        world, pace, _ = self.waiting()
        world.change_spec(cancelled=True)
        world.be_fair()
        assert world.status["phase"] == "Cancelled"
        assert (world.jobs_made, pace.waiting) == (0, 0)

    def test_it_can_be_deleted_while_it_waits(self) -> None:
        world, pace, _ = self.waiting()
        world.delete_run()
        world.be_fair()
        assert (world.jobs_made, pace.waiting) == (0, 0)

    def test_one_that_is_suspended_needs_no_place(self) -> None:
        world = make(suspend=True)
        world.reconciler._pace = pace = Pace(1, lambda: 0.0)
        pace.enter(Key("elsewhere", "other", "other-uid"))
        world.work()
        assert world.jobs_made == 1
