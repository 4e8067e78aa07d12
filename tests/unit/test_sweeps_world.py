"""Any order of events, lags, outages, kills and changes of mind: what stays true of a sweep in all of them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from builders import NAMESPACE
from histories import HISTORIES
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sweepworld import SWEEP, Plan, SweepWorld, grid
from world import run_now
from worldclock import Clock, TimedWorld, world_time

from simops_crds.indexes import Indexes
from simops_crds.names import FINAL_PHASES


@pytest.fixture(autouse=True)
def _world_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield from world_time(monkeypatch)


class AnyHistory(RuleBasedStateMachine):
    """One sweep in a world that is as unkind as it may be, and fair in the end."""

    world: SweepWorld
    retries = 0
    total = 0
    orders = 0
    hands = 0
    """Jobs that people have taken away: each may be followed by a round."""
    is_cancelled = False
    unwanted = ""

    @initialize(
        points=st.integers(1, 12),
        size=st.sampled_from([1, 1, 3, 5, "auto"]),
        codes=st.lists(st.sampled_from([0, 0, 3]), min_size=36, max_size=36),
        fates=st.lists(st.sampled_from(["good", "good", "killed", "lost", "unstored", "unstartable"]), max_size=8),
        messages=st.sampled_from(["results", "ranges", "cut"]),
        retries=st.integers(0, 2),
        suspend=st.booleans(),
    )
    def begin(
        self,
        points: int,
        size: int | str,
        codes: list[int],
        fates: list[str],
        messages: str,
        retries: int,
        suspend: bool,
    ) -> None:
        plan = Plan(lambda index, ran: codes[(3 * index + min(ran, 2)) % 36], fates, messages)
        self.retries, self.total = retries, points
        spec: Any = {"pointsPerPod": size, "retriesPerPoint": retries, "suspend": suspend}
        self.world = TimedWorld(plan, points=points, **spec)

    # What goes on by itself
    @rule(times=st.integers(1, 3))
    def operator_works(self, times: int) -> None:
        for _ in range(times):
            self.world.work()

    @rule(kind=st.sampled_from(["sweep", "job", "pod"]), times=st.integers(1, 4))
    def a_watch_delivers(self, kind: str, times: int) -> None:
        for _ in range(times):
            self.world.deliver(kind)

    @rule(times=st.integers(1, 4))
    def all_goes_well_for_a_while(self, times: int) -> None:
        for _ in range(times):
            self.world.step()

    @rule()
    def job_controller_works(self) -> None:
        self.world.job_controller()

    @rule(which=st.integers(0, 5), times=st.integers(1, 6))
    def kubelet_works(self, which: int, times: int) -> None:
        pods = sorted(self.world.pods)
        for _ in range(times if pods else 0):
            self.world.kubelet(pods[which % len(pods)])

    @rule(seconds=st.sampled_from([0.5, 1, 15, 600]))
    def time_goes_by(self, seconds: float) -> None:
        self.world.wait(seconds)

    # What goes wrong
    @rule()
    def operator_dies(self) -> None:
        if self.world.store_is_up:
            self.world.restart()

    @rule(calls=st.integers(1, 12), has_effect=st.booleans())
    def operator_will_die(self, calls: int, has_effect: bool) -> None:
        self.world.calls.die_at = len(self.world.calls.log) + calls
        self.world.calls.die_after = has_effect

    @rule(calls=st.integers(1, 6))
    def an_answer_will_be_lost(self, calls: int) -> None:
        self.world.calls.lose_at = len(self.world.calls.log) + calls

    @rule(kind=st.sampled_from(["sweep", "job", "pod"]), calls=st.integers(1, 8), steps=st.integers(0, 4))
    def a_watch_delivers_while_the_operator_works(self, kind: str, calls: int, steps: int) -> None:
        def happens() -> None:
            for _ in range(steps):
                for pod in list(self.world.pods):
                    self.world.kubelet(pod)
                self.world.job_controller()
            while self.world.deliver(kind):
                pass

        self.world.calls.meanwhile[len(self.world.calls.log) + calls] = happens

    @rule(is_up=st.booleans())
    def store_goes_or_comes(self, is_up: bool) -> None:
        self.world.store_is_up = is_up

    @rule(which=st.integers(0, 5), how=st.sampled_from(["deleted", "disrupted", "vanished"]))
    def a_pod_is_lost(self, which: int, how: str) -> None:
        pods = sorted(self.world.pods)
        if not pods:
            return
        name = pods[which % len(pods)]
        match how:
            case "deleted":
                self.world.delete_pod(name)
            case "disrupted":
                self.world.disrupt(name)
            case "vanished":
                self.world.vanish(name)

    @precondition(lambda self: self.hands < 4 and self.world.jobs)
    @rule()
    def a_person_deletes_the_job(self) -> None:
        self.hands += 1
        for job in list(self.world.jobs):
            self.world.delete_job(job)

    # Changes of mind
    @precondition(lambda self: self.hands < 4)
    @rule(suspend=st.booleans())
    def a_person_holds_or_releases(self, suspend: bool) -> None:
        self.hands += 1
        self.world.change_spec(suspend=suspend)

    @rule(parallelism=st.integers(1, 5))
    def a_person_changes_the_parallelism(self, parallelism: int) -> None:
        self.world.change_spec(parallelism=parallelism)

    @rule(point=st.integers(0, 11))
    def a_person_cancels_a_point(self, point: int) -> None:
        self.unwanted = str(point)
        self.world.change_spec(cancelledPoints=self.unwanted)

    @precondition(lambda self: self.orders < 2)
    @rule(what=st.sampled_from(["failed", "missing", "0", "1-2"]))
    def a_person_wants_points_run_again(self, what: str) -> None:
        self.orders += 1
        self.world.change_spec(rerun={"points": what, "id": f"order-{self.orders}"})

    @precondition(lambda self: self.world.is_finished and self.total < 20)
    @rule(more=st.integers(1, 4))
    def a_person_extends_it(self, more: int) -> None:
        if self.world.status.get("points") is None:
            return
        self.total += more
        self.hands += 1
        self.world.change_spec(space=grid(self.total))

    @rule()
    def a_person_cancels(self) -> None:
        if self.world.now.second % 4 == 0:  # seldom: little happens afterwards
            self.is_cancelled = True
            self.world.change_spec(cancelled=True)

    # What stays true. The model itself checks each final status: each point is in one state and once in the table, the record is there.
    @invariant()
    def statuses_are_a_second_apart(self) -> None:
        written = zip(self.world.written_at, self.world.statuses, strict=True) if Clock.world is not None else ()
        for ((one, before), status), ((other, after), _) in pairwise(written):
            is_over = status["phase"] in FINAL_PHASES  # what comes then answers a person
            assert one != other or is_over or (after - before).total_seconds() >= 1

    @invariant()
    def counts_are_true_while_it_runs(self) -> None:
        if Clock.world is None or "points" not in self.world.status:
            return
        status = self.world.status
        for name in ("succeeded", "failed", "active", "cancelled"):
            assert len(Indexes.parse(status.get(f"{name}Points") or "")) == status["points"][name]
        assert sum(status["points"].values()) <= 2 * status["points"]["total"]

    @invariant()
    def rounds_are_bounded(self) -> None:
        if Clock.world is not None:
            # Each point fails or is lost so often at most in each order; probes and hands add rounds of their own.
            each = (self.retries + 1) + (self.retries + 4) + 3
            assert self.world.jobs_made <= each * (self.orders + 1) + 2 * self.hands + self.total

    def teardown(self) -> None:
        """The world becomes fair: everything works, nobody holds the sweep any more."""
        if Clock.world is None:
            return
        world = self.world
        world.store_is_up, world.calls.die_at, world.calls.lose_at = True, None, None
        world.calls.meanwhile.clear()
        world.change_spec(suspend=False)
        world.be_fair()
        assert world.is_finished, world.status
        world.check_the_end()
        status = world.status
        assert status["phase"] in FINAL_PHASES
        if not self.is_cancelled and status.get("points"):
            assert status["points"]["total"] == self.total
            if status["reason"] in ("Completed", "PointsFailed"):
                gone = set(Indexes.parse(status.get("cancelledPoints") or ""))
                assert gone <= set(Indexes.parse(self.unwanted)) or self.orders or self.hands, status
        world.wait(600)
        run_now(world.resync.run((NAMESPACE,)))
        world.be_fair()
        assert not [j for j in world.jobs.values() if not j["status"].get("conditions")], "a Job goes on"
        assert not world.cache.sweeps
        assert not world.cache.present
        assert not world.reconciler._memories
        world.calls.log.clear()
        world.restart()
        world.be_fair()
        assert not {"apply_job", "write_status", "put_json", "put_bytes"} & set(world.calls.log), "it does not rest"
        assert SWEEP in world.sweeps


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = HISTORIES
