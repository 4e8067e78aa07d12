"""The operator's time is the API server's, whatever happens to the clock of its machine."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from simops_operator.clock import TOLERANCE, Clock

T0 = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Machine:
    """A machine whose time of day can be set."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.wrong = timedelta(0)

    @property
    def true(self) -> datetime:
        return T0 + timedelta(seconds=self.seconds)

    def clock(self) -> Clock:
        return Clock(lambda: self.seconds, lambda: self.true + self.wrong)


def header(moment: datetime) -> str:
    return format_datetime(moment.replace(microsecond=0), usegmt=True)


def test_a_machine_that_starts_with_a_wrong_time_is_told_the_right_one() -> None:
    machine = Machine()
    machine.wrong = timedelta(days=400)
    clock = machine.clock()
    assert clock.now() - machine.true > timedelta(days=399)
    clock.see(header(machine.true))
    assert abs(clock.now() - machine.true) <= timedelta(seconds=0.5)


def test_a_correction_of_the_time_of_day_moves_nothing() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wrong = timedelta(hours=-3)
    machine.seconds += 60
    assert clock.now() == machine.true


def test_whole_seconds_of_the_header_do_not_make_the_time_go_back_and_forth() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(50):
        machine.seconds += 0.37
        before = clock.now()
        clock.see(header(machine.true))
        assert clock.now() == before == machine.true


def test_a_header_that_is_none_is_ignored() -> None:
    machine = Machine()
    clock = machine.clock()
    for date in (None, "", "yesterday", "Thu, 99 Foo 2026"):
        clock.see(date)
    assert clock.now() == machine.true


@given(st.lists(st.tuples(st.floats(0, 5000), st.floats(-1e6, 1e6), st.floats(0, 1)), max_size=20))
def test_the_error_is_never_more_than_the_tolerance_once_an_answer_has_come(
    steps: list[tuple[float, float, float]],
) -> None:
    machine = Machine()
    machine.wrong = timedelta(days=3)
    clock = machine.clock()
    for seconds, wrong, delay in steps:
        machine.seconds += seconds
        machine.wrong = timedelta(seconds=wrong)
        said = header(machine.true)
        machine.seconds += delay  # on its way
        clock.see(said)
        assert abs(clock.now() - machine.true) <= TOLERANCE + timedelta(seconds=2)
