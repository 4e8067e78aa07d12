"""What people and nodes do to simulations that run: cancel, suspend, drain, delete, change.

All runs start together and what is to happen to each happens as soon as it runs; each test then waits for its own.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from e2e.cluster import Object, Refused, until
from e2e.lab import HELD, JOBS, NAMESPACE, PODS, STUBBORN, Lab, Run, job

from simops_crds.names import LABEL_UID

MANIFESTS = (
    job("cancelled", HELD, retries=2),
    job("cancelled-stubborn", STUBBORN, retries=2),
    job("suspended", HELD, suspend=True),
    job("suspended-later", HELD),
    job("drained", HELD),
    job("deleted", HELD),
    job("deleted-stubborn", STUBBORN),
    job("again", HELD),
    job("owned", "echo result > $SIMOPS_OUTPUTS/a.txt", artifacts={"deleteWithJob": True}),
    job("jobless", HELD),
    job("podless", HELD),
)


def cancel(run: Run) -> None:
    run.attempt()
    run.running()
    run.patch(cancelled=True)


def suspend(run: Run) -> None:
    run.attempt()
    run.running()
    run.patch(suspend=True)


def drain(run: Run) -> None:
    pod = run.attempt()
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": NAMESPACE}}
    run.lab.cluster.request("POST", f"{PODS}/{pod}/eviction", eviction)


def delete(run: Run) -> None:
    run.attempt()
    run.running()
    run.delete()


def delete_job(run: Run) -> None:
    run.attempt()
    (found,) = run.lab.cluster.items(JOBS, labelSelector=f"{LABEL_UID}={run.uid}")
    background = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    run.lab.cluster.request("DELETE", f"{JOBS}/{found['metadata']['name']}", background)


def delete_pod(run: Run) -> None:
    run.lab.cluster.request("DELETE", f"{PODS}/{run.attempt()}")


HAPPENINGS: dict[str, Callable[[Run], None]] = {
    "cancelled": cancel,
    "cancelled-stubborn": cancel,
    "suspended-later": suspend,
    "drained": drain,
    "deleted": delete,
    "deleted-stubborn": delete,
    "again": delete,
    "jobless": delete_job,
    "podless": delete_pod,
}


class Batch:
    """The runs by name; asking for one to which nothing could be done fails the test that asks."""

    def __init__(self, lab: Lab) -> None:
        self._runs = lab.start_all(*MANIFESTS)
        self._faults: dict[str, Exception] = {}
        self.again: Run | None = None
        for name, happen in HAPPENINGS.items():
            try:
                happen(self._runs[name])
                if name == "again":
                    self._runs[name].gone()
                    self.again = lab.start(job(name, "echo second > $SIMOPS_OUTPUTS/a.txt; echo second"))
            except (AssertionError, Refused) as error:
                self._faults[name] = error

    def __getitem__(self, name: str) -> Run:
        if name in self._faults:
            raise self._faults[name]
        return self._runs[name]


@pytest.fixture(scope="module", autouse=True)
def batch(simops: Lab) -> Batch:
    return Batch(simops)


def stopped_within(status: Object) -> float:
    begin, end = (datetime.fromisoformat(status[field]) for field in ("startTime", "completionTime"))
    return (end - begin) / timedelta(seconds=1)


def test_a_cancelled_simulation_stops_in_good_order(batch: Batch) -> None:
    run = batch["cancelled"]
    status = run.ended("Cancelled", "Cancelled")
    assert run.files() == {"begun.txt": b"begun\n"}
    assert run.log() == f"attempt {status['podName']}\nstopped\n"
    assert "partial" not in status["artifacts"]
    assert status["attempts"] == 1
    assert run.record()["status"]["phase"] == "Cancelled"
    run.podless()


def test_cancelling_cannot_be_taken_back(batch: Batch) -> None:
    run = batch["cancelled"]
    with pytest.raises(Refused, match="cancelled cannot be taken back"):
        run.patch(cancelled=False)


def test_a_cancelled_simulation_that_ignores_the_signal_leaves_its_outputs(batch: Batch) -> None:
    run = batch["cancelled-stubborn"]
    status = run.ended("Cancelled", "Cancelled")
    assert status["artifacts"]["partial"] is True
    assert run.files() == {"begun.txt": b"begun\n"}
    assert "attempts" in status
    assert stopped_within(status) < 120, "it must not wait for the end of the grace period"
    run.podless()


def test_a_suspended_run_waits_and_then_runs(batch: Batch) -> None:
    run = batch["suspended"]
    run.until(lambda s: s.get("phase") == "Queued", "Queued")
    assert not run.pods()
    run.patch(suspend=False)
    run.release()
    run.ended("Succeeded", "Completed")
    assert run.phases[:1] == ["Queued"]


def test_a_run_that_is_suspended_while_it_runs_starts_again_from_the_beginning(batch: Batch) -> None:
    run = batch["suspended-later"]
    run.until(lambda s: s.get("phase") == "Queued", "Queued")
    run.podless()
    (log,) = [name for name in run.objects() if name.endswith(".log")]
    run.patch(suspend=False)
    pod = run.release()
    status = run.ended("Succeeded", "Completed")
    assert status["podName"] == pod
    assert log != f"{pod}.log"
    assert set(run.files()) == {"begun.txt", "ended.txt"}
    assert [phase for phase in run.phases if phase != "Pending"] == ["Running", "Queued", "Running", "Succeeded"]


def test_a_drained_simulation_runs_again_and_no_retry_is_counted(batch: Batch) -> None:
    run = batch["drained"]
    run.until(lambda s: s.get("reason") == "Disrupted" or s.get("attempts") == 2, "a second attempt")
    pod = run.release()
    status = run.ended("Succeeded", "Completed")
    assert status["podName"] == pod
    assert status["attempts"] == 2
    assert len(run.kubernetes_jobs) == 1
    objects = run.objects()
    assert sum(name.endswith(".log") for name in objects) == 2, "the log of the attempt that was drained is kept"
    assert sum(name.endswith(".zip") for name in objects) == 2, "and so are its outputs"
    assert ("Warning", "Disrupted") in run.events()


@pytest.mark.parametrize("name", ["deleted", "deleted-stubborn"])
def test_a_run_that_is_deleted_while_it_runs_keeps_its_results(batch: Batch, name: str) -> None:
    run = batch[name]
    run.gone()
    record = run.wait_for_record()
    assert (record["status"]["phase"], record["status"]["reason"]) == ("Cancelled", "Deleted")
    # Kubernetes deletes its Pod with all of its grace period; a simulation that ignores the signal lives until that is over.
    if name == "deleted":
        run.podless()
    assert all("deletionTimestamp" in pod["metadata"] for pod in run.pods())
    suffixes = sorted(name.rpartition(".")[2] for name in run.objects())
    assert suffixes == ["json", "json", "log", "zip"]
    assert run.lab.unpacked(record["status"]["artifacts"]) == {"begun.txt": b"begun\n"}


def test_a_run_made_anew_under_the_name_of_one_that_was_deleted_is_another_run(batch: Batch) -> None:
    first, second = batch["again"], batch.again
    assert second is not None
    second.ended("Succeeded", "Completed")
    assert second.files() == {"a.txt": b"second\n"}
    assert second.log() == "second\n"
    record = first.wait_for_record()
    assert record["uid"] == first.uid
    assert record["status"]["reason"] == "Deleted"
    assert first.lab.unpacked(record["status"]["artifacts"]) == {"begun.txt": b"begun\n"}
    assert second.record()["uid"] == second.uid


def test_artifacts_that_belong_to_the_object_go_with_it(batch: Batch) -> None:
    run = batch["owned"]
    run.ended("Succeeded", "Completed")
    assert run.objects()
    run.delete()
    until(lambda: not run.objects(), lambda: f"nothing is left of it: {json.dumps(run.objects())}")


def test_a_run_whose_kubernetes_job_was_deleted_is_not_stuck(batch: Batch) -> None:
    run = batch["jobless"]
    # The Job is made again, and so is an attempt; what the first one left is kept.
    pod = run.attempt(after=[name.removesuffix(".log") for name in run.objects() if name.endswith(".log")], within=120)
    run.release(after=[p["metadata"]["name"] for p in run.pods() if p["metadata"]["name"] != pod])
    run.ended("Succeeded", "Completed")
    assert set(run.files()) == {"begun.txt", "ended.txt"}


def test_a_run_whose_pod_was_deleted_by_hand_runs_again_or_tells_so(batch: Batch) -> None:
    run = batch["podless"]
    status = run.until(lambda s: s.get("attempts") == 2 or s.get("phase") == "Failed", "another attempt, or its end")
    if status["phase"] != "Failed":
        run.release()
        run.ended("Succeeded", "Completed")
    assert sum(name.endswith(".zip") for name in run.objects()) >= 1
