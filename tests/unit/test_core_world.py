"""Any order of events, lags, outages, kills and changes of mind: what stays true in all of them."""

from collections.abc import Iterator

import pytest
from builders import JOB, NAMESPACE
from histories import HISTORIES
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from world import Behaviour, World, check_the_end, run_now
from worldclock import Clock, world_time

from simops_crds.names import FINAL_PHASES


@pytest.fixture(autouse=True)
def _world_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield from world_time(monkeypatch)


class AnyHistory(RuleBasedStateMachine):
    """One run of SimOps in a world that is as unkind as it may be, and fair in the end."""

    world: World
    is_cancelled = False
    hands = 0
    """Jobs that a person has deleted or held in a queue: each may be made again."""

    @initialize(
        codes=st.lists(st.sampled_from([0, 0, 3]), min_size=1, max_size=3),
        ignores_sigterm=st.booleans(),
        retries=st.integers(0, 2),
        suspend=st.booleans(),
        long=st.integers(0, 3),
    )
    def begin(self, codes: list[int], ignores_sigterm: bool, retries: int, suspend: bool, long: int) -> None:
        Clock.world = self.world = World(
            Behaviour(tuple(codes), ignores_sigterm, long), retries=retries, suspend=suspend
        )

    # What goes on by itself
    @rule(times=st.integers(1, 3))
    def operator_works(self, times: int) -> None:
        for _ in range(times):
            self.world.work()

    @rule(kind=st.sampled_from(["run", "job", "pod"]), times=st.integers(1, 3))
    def a_watch_delivers(self, kind: str, times: int) -> None:
        for _ in range(times):
            self.world.deliver(kind)

    @rule()
    def everything_arrives_and_is_worked_on(self) -> None:
        self.world.deliver_all()
        self.world.work()

    @rule()
    def job_controller_works(self) -> None:
        self.world.job_controller()

    @rule(which=st.integers(0, 3), times=st.integers(1, 3))
    def kubelet_works(self, which: int, times: int) -> None:
        pods = sorted(self.world.pods)
        for _ in range(times if pods else 0):
            self.world.kubelet(pods[which % len(pods)])

    @rule(seconds=st.sampled_from([1, 60, 600]))
    def time_goes_by(self, seconds: float) -> None:
        self.world.wait(seconds)

    # What goes wrong
    @rule()
    def operator_dies(self) -> None:
        self.world.restart() if self.world.store_is_up else None

    @rule(calls=st.integers(1, 6), has_effect=st.booleans())
    def operator_will_die(self, calls: int, has_effect: bool) -> None:
        self.world.calls.die_at = len(self.world.calls.log) + calls
        self.world.calls.die_after = has_effect

    @rule(calls=st.integers(1, 6))
    def an_answer_will_be_lost(self, calls: int) -> None:
        self.world.calls.lose_at = len(self.world.calls.log) + calls

    @rule(kind=st.sampled_from(["run", "job", "pod"]), calls=st.integers(1, 6), steps=st.integers(0, 3))
    def a_watch_delivers_while_the_operator_works(self, kind: str, calls: int, steps: int) -> None:
        def happens() -> None:
            for _ in range(steps):
                for pod in list(self.world.pods):
                    self.world.kubelet(pod)
                self.world.job_controller()
            while self.world.deliver(kind):
                pass

        self.world.while_it_works(calls, happens)

    @rule(is_up=st.booleans())
    def store_goes_or_comes(self, is_up: bool) -> None:
        self.world.store_is_up = is_up

    @rule(which=st.integers(0, 3), by_hand=st.booleans())
    def a_pod_is_lost(self, which: int, by_hand: bool) -> None:
        pods = sorted(self.world.pods)
        if pods and by_hand:
            self.world.delete_pod(pods[which % len(pods)])
        elif pods:
            self.world.disrupt(pods[which % len(pods)])

    @precondition(lambda self: self.hands < 2 and self.world.jobs)
    @rule()
    def a_person_deletes_the_job(self) -> None:
        self.hands += 1
        self.world.delete_job(JOB)

    # Changes of mind
    @rule(suspend=st.booleans())
    def a_person_holds_or_releases(self, suspend: bool) -> None:
        self.world.change_spec(suspend=suspend)

    @rule(seconds=st.integers(10**6, 10**7))
    def a_person_changes_something_harmless(self, seconds: int) -> None:
        self.world.change_spec(ttlSecondsAfterFinished=seconds)

    @rule()
    def a_person_cancels(self) -> None:
        self.is_cancelled = True
        self.world.change_spec(cancelled=True)

    # What stays true. The model itself checks each final status: bundle, log and record are in the store before it,
    # Succeeded means exit code 0 and a bundle, a final status is never written over, nothing is killed before its outputs are kept.
    @invariant()
    def one_job(self) -> None:
        if Clock.world is not None:
            assert self.world.jobs_made <= 1 + self.hands + self.world.jobs_deleted

    @invariant()
    def a_status_is_complete(self) -> None:
        if Clock.world is not None and self.world.status:
            assert [c["type"] for c in self.world.status["conditions"]] == [
                "Accepted",
                "Started",
                "ArtifactsStored",
                "Finished",
            ]

    def teardown(self) -> None:
        """The world becomes fair: everything works, nobody holds the run any more."""
        if Clock.world is None:
            return
        world = self.world
        world.store_is_up, world.calls.die_at, world.calls.lose_at = True, None, None
        world.calls.meanwhile.clear()
        world.change_spec(suspend=False)
        world.be_fair()
        assert world.final is not None, world.status
        check_the_end(world)
        assert world.final["phase"] in FINAL_PHASES
        if self.is_cancelled:
            assert world.final["phase"] != "Failed" or world.final["reason"] != "Cancelled"
        world.wait(600)
        run_now(world.resync.run((NAMESPACE,)))
        world.be_fair()
        assert not [j for j in world.jobs.values() if not j["status"].get("conditions")], "a Job goes on"
        assert not world.cache.runs
        assert not world.cache.pods
        assert not world.reconciler._memories
        assert world.objects
        world.calls.log.clear()
        world.restart()
        world.be_fair()
        assert not {"apply_job", "write_status", "put_json", "put_stream"} & set(world.calls.log), "it does not rest"


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = HISTORIES
