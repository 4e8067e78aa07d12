"""The cache of sweeps: what is news, and what is forgotten."""

from typing import Any

from builders import NAMESPACE, ended, running, time_of
from sweepworld import UID, job_name, sweep_object

from simops_operator.core.sweeps.sweep import sweep_of
from simops_operator.core.sweeps.views import PackPod, RoundJob, pack_pod, round_job
from simops_operator.sweeps.cache import SweepCache


def pod(
    name: str = "p", *, number: int = 0, version: int = 1, state: Any = None, phase: str = "Running", gone: bool = False
) -> PackPod:
    labels = {"simops.dev/round": str(number), "batch.kubernetes.io/job-completion-index": "3"}
    meta = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "labels": labels}
    meta |= {"creationTimestamp": time_of(0), "resourceVersion": str(version)}
    statuses = [{"name": "simulation", "state": state}] if state else []
    return pack_pod({"metadata": meta, "status": {"phase": phase, "containerStatuses": statuses}}, gone=gone)


def job(*, version: int = 1, number: int = 0, done: str = "", finished: bool = False, uid: str = "j") -> RoundJob:
    meta = {"name": job_name(number), "uid": uid, "resourceVersion": str(version)}
    conditions = [{"type": "Complete", "status": "True"}] if finished else []
    return round_job(
        {
            "metadata": meta | {"labels": {"simops.dev/round": str(number)}},
            "spec": {"parallelism": 3},
            "status": {"completedIndexes": done, "conditions": conditions},
        }
    )


def test_the_counters_of_a_job_are_no_news_and_its_end_is() -> None:
    cache = SweepCache()
    assert cache.put_job(UID, job())
    assert not cache.put_job(UID, job(version=2, done="0-5"))
    assert cache.of(UID).jobs[0].completed.ranges == ((0, 5),)
    assert cache.put_job(UID, job(version=3, done="0-9", finished=True))
    assert not cache.put_job(UID, job(version=2))
    assert cache.of(UID).jobs[0].job.finished


def test_of_a_pod_only_what_is_decided_by_is_news() -> None:
    cache = SweepCache()
    assert cache.put_pod(UID, pod(phase="Pending"))
    assert cache.put_pod(UID, pod(version=2, state=running()))
    assert not cache.put_pod(UID, pod(version=3, state=running()))
    assert cache.put_pod(UID, pod(version=4, state=ended(0), phase="Succeeded"))
    assert not cache.put_pod(UID, pod(version=3, state=running()))


def test_a_pod_whose_results_were_taken_does_not_come_back() -> None:
    cache = SweepCache()
    cache.put_pod(UID, pod())
    cache.collect(UID, "p")
    assert cache.is_collected(UID, "p")
    assert not cache.put_pod(UID, pod(version=9, gone=True))
    cache.replace_pods(UID, [pod(version=10)], [])
    assert not cache.of(UID).pods


def test_what_is_left_of_an_earlier_round_does_not_matter() -> None:
    cache = SweepCache()
    cache.put_pod(UID, pod("old"))
    cache.put_pod(UID, pod("new", number=1))
    cache.put_job(UID, job())
    cache.collect(UID, "p")
    cache.begin(UID, 1)
    assert list(cache.of(UID).pods) == ["new"]
    assert not cache.of(UID).jobs
    assert not cache.is_collected(UID, "p")
    assert not cache.put_pod(UID, pod("late"))
    assert not cache.put_job(UID, job(version=5))


def test_a_pod_that_a_list_does_not_show_is_gone() -> None:
    cache = SweepCache()
    cache.put_pod(UID, pod("seen"))
    cache.put_pod(UID, pod("lost"))
    cache.replace_pods(UID, [pod("seen")], ["seen", "lost"])
    assert {name: p.pod.gone for name, p in cache.of(UID).pods.items()} == {"seen": False, "lost": True}


def test_another_job_of_the_same_name_is_not_dropped_with_the_first() -> None:
    cache = SweepCache()
    cache.put_job(UID, job(uid="second"))
    cache.drop_job(UID, job(uid="first"))
    assert cache.of(UID).jobs[0].job.uid == "second"


def test_a_sweep_that_is_finished_is_forgotten_until_it_is_told_to_go_on() -> None:
    cache = SweepCache()
    cache.put_sweep(sweep_of(sweep_object()))
    cache.put_pod(UID, pod())
    cache.finish(UID)
    assert cache.is_finished(UID)
    assert not cache.present
    assert cache.put_sweep(sweep_of(sweep_object(version=2)))
    assert not cache.is_finished(UID)
