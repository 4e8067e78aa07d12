"""Not more Jobs wait for their Pods than may, and no run waits for ever."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from simops_operator.cache import Key
from simops_operator.pace import PATIENCE_SECONDS, Pace


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def key(namespace: str, number: int) -> Key:
    return Key(namespace, f"run-{number}", f"{namespace}-{number}")


def test_a_job_is_made_at_once_while_there_are_places_and_later_ones_wait_for_one() -> None:
    pace = Pace(2, Clock())
    assert [pace.enter(key("a", n)) for n in range(4)] == [True, True, False, False]
    assert pace.waiting == 2
    pace.leave(key("a", 1))
    assert pace.called() == [key("a", 2)]
    assert pace.called() == []
    assert pace.enter(key("a", 2))
    assert not pace.enter(key("a", 3))


def test_one_that_has_a_place_may_try_again() -> None:
    pace = Pace(1, Clock())
    assert pace.enter(key("a", 0))
    assert pace.enter(key("a", 0))


def test_a_namespace_with_one_run_does_not_wait_behind_the_thousands_of_another() -> None:
    pace = Pace(10, Clock())
    for number in range(5000):
        pace.enter(key("big", number))
    assert [pace.enter(key("small", n)) for n in range(6)] == [True] * 5 + [False]
    for number in range(7):
        pace.leave(key("big", number))
    assert key("small", 5) in pace.called()


def test_a_job_that_gets_no_pod_for_a_minute_holds_up_nobody_any_more() -> None:
    clock = Clock()
    pace = Pace(1, clock)
    assert pace.enter(key("a", 0))
    assert not pace.enter(key("b", 0))
    clock.now = PATIENCE_SECONDS + 1
    assert pace.enter(key("b", 0))


def test_a_namespace_whose_jobs_get_no_pods_keeps_no_other_from_its_share_of_the_places() -> None:
    pace = Pace(10, Clock())
    assert all(pace.enter(key("stuck", n)) for n in range(10))
    assert not pace.enter(key("stuck", 10))
    assert [pace.enter(key("b", n)) for n in range(6)] == [True] * 5 + [False]
    assert [pace.enter(key("c", n)) for n in range(4)] == [True] * 3 + [False]
    pace.leave(key("b", 0))
    assert pace.called() == []  # of the places of three it has its share still
    for number in range(1, 4):
        pace.leave(key("b", number))
    assert pace.called() == [key("b", 5)]


def test_a_namespace_that_has_less_than_its_share_goes_before_one_whose_turn_it_is() -> None:
    pace = Pace(4, Clock())
    for number in range(5):
        pace.enter(key("stuck", number))
    assert [pace.enter(key("b", n)) for n in range(3)] == [True, True, False]
    for number in range(3, 50):
        pace.leave(key("b", number - 2))
        assert pace.called() == [key("b", number - 1)]
        assert not pace.enter(key("b", number))


def test_one_place_is_one_place_whoever_waits() -> None:
    pace = Pace(1, Clock())
    assert [pace.enter(key(namespace, 0)) for namespace in "abc"] == [True, False, False]


def test_a_run_that_is_over_while_it_waits_takes_no_place() -> None:
    pace = Pace(1, Clock())
    pace.enter(key("a", 0))
    pace.enter(key("a", 1))
    pace.enter(key("a", 2))
    pace.leave(key("a", 1))
    assert pace.called() == []
    pace.leave(key("a", 0))
    assert pace.called() == [key("a", 2)]


def test_no_places_means_any_number() -> None:
    pace = Pace(0, Clock())
    assert all(pace.enter(key("a", n)) for n in range(1000))


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["enter", "leave", "wait"]), st.sampled_from("ab"), st.integers(0, 6))),
)
def test_never_more_than_the_places_and_a_share_are_taken_and_everybody_gets_one_in_the_end(
    places: int, steps: list[tuple[str, str, int]]
) -> None:
    clock = Clock()
    pace = Pace(places, clock)
    inside: dict[str, float] = {}
    outside: dict[str, Key] = {}

    def let_in(run: Key) -> None:
        outside.pop(run.uid, None)
        inside.setdefault(run.uid, clock.now)

    def look(*, is_noticed: bool = True) -> None:
        for run in pace.called():
            let_in(run)
        fresh = [uid for uid, since in inside.items() if clock.now - since <= PATIENCE_SECONDS]
        assert len(fresh) <= places + places // 2
        # A minute that is over is noticed at the next step of a run.
        for namespace in {run.namespace for run in outside.values()} if is_noticed else ():
            assert sum(uid[0] == namespace for uid in fresh) >= places // 2

    for what, namespace, number in steps:
        run = key(namespace, number)
        match what:
            case "enter" if run.uid not in inside:
                if pace.enter(run):
                    let_in(run)
                else:
                    outside[run.uid] = run
            case "leave":
                pace.leave(run)
                inside.pop(run.uid, None)
                outside.pop(run.uid, None)
            case "wait":
                clock.now += 25.0
        look(is_noticed=what != "wait")
    while outside:
        for uid in list(inside):
            pace.leave(Key(uid[0], "", uid))
            inside.pop(uid)
        before = len(outside)
        look()
        assert len(outside) < before, "nobody was called"
