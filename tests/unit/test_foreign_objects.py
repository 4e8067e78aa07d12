"""Jobs and Pods whose labels name a run or sweep of another namespace: anybody may write a label, and it changes nothing."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from builders import NAME, NAMESPACE, UID, job, pod, run_object, succeeded_pod
from sweepworld import SWEEP
from sweepworld import UID as SWEEP_UID
from world import KEY, World, run_now
from worldclock import Clock, TimedWorld, world_time

from simops_operator.cache import Cache, Key
from simops_operator.core.run import run_of
from simops_operator.core.sweeps.sweep import sweep_of
from simops_operator.core.sweeps.views import PackPod, RoundJob
from simops_operator.sweeps.cache import SweepCache

ELSEWHERE = "elsewhere"


@pytest.fixture(autouse=True)
def _world_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield from world_time(monkeypatch)


@pytest.mark.parametrize("is_first", [False, True])
def test_the_cache_keeps_none_of_them_whichever_comes_first(is_first: bool) -> None:
    cache = Cache()
    foreign = replace(succeeded_pod("forged"), namespace=ELSEWHERE), replace(job(), namespace=ELSEWHERE, uid="forged")

    def come() -> None:
        cache.put_pod(UID, foreign[0])
        cache.put_job(UID, foreign[1])

    if is_first:
        come()
    cache.put_run(run_of(run_object()))
    if not is_first:
        come()
    assert cache.pods_of(UID) == ()
    assert UID not in cache.jobs
    own = replace(pod("real"), namespace=NAMESPACE)
    cache.put_pod(UID, own)
    assert cache.pods_of(UID) == (own,)


@pytest.mark.parametrize("is_first", [False, True])
def test_nor_does_that_of_sweeps(is_first: bool) -> None:
    world = TimedWorld(points=3)
    cache = SweepCache()
    uid = SWEEP_UID
    foreign = PackPod(replace(succeeded_pod("forged"), namespace=ELSEWHERE), 0, 0)
    job_of_it = RoundJob(replace(job(), namespace=ELSEWHERE), 0)

    def come() -> None:
        cache.put_pod(uid, foreign)
        cache.put_job(uid, job_of_it)

    if is_first:
        come()
    cache.put_sweep(sweep_of(world.sweeps[SWEEP]))
    if not is_first:
        come()
    assert not cache.of(uid).pods
    assert not cache.of(uid).jobs


@pytest.mark.parametrize("is_known", [True, False])
def test_a_name_from_elsewhere_neither_ends_nor_hides_a_run(is_known: bool) -> None:
    world = World()
    Clock.world = world
    other = Key(ELSEWHERE, "whatever", UID)
    if is_known:
        world.cache.doubtful.add(UID)
    else:
        world.cache.runs.clear()
    run_now(world.reconciler.reconcile(other))
    assert not world.cache.is_finished(UID)
    assert UID not in world.cache.deleted
    if not is_known:
        world.cache.put_run(run_of(world.runs[NAME]))
    world.queue.keys.add(KEY)
    world.be_fair()
    assert world.status["phase"] == "Succeeded"
