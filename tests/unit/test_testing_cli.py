"""Which tests a command runs, and how two calls of pytest end as one."""

import pytest

from simops_testing.cli import NO_TESTS, REST, UNIT, chosen, worst


def test_without_paths_both_run_with_the_same_arguments() -> None:
    assert chosen(["-k", "bundle"], UNIT) == ["tests/unit", "-k", "bundle"]
    assert chosen(["-k", "bundle"], REST) == [*REST, "-k", "bundle"]


def test_a_path_chooses_who_runs() -> None:
    arguments = ["tests/e2e/test_job_heat.py", "-x"]
    assert chosen(arguments, UNIT) is None
    assert chosen(arguments, REST) == arguments
    both = ["tests/unit/test_cache.py", "tests/contract", "-q"]
    assert chosen(both, UNIT) == ["tests/unit/test_cache.py", "-q"]
    assert chosen(both, REST) == ["tests/contract", "-q"]


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([0, 0], 0),
        ([0, 1], 1),
        ([1, 0], 1),
        ([NO_TESTS, 0], 0),
        ([0, NO_TESTS], 0),
        ([NO_TESTS, 1], 1),
        ([NO_TESTS] * 2, 5),
        ([], 5),
    ],
)
def test_what_one_of_them_finds_no_test_for_the_other_one_decides(codes: list[int], code: int) -> None:
    assert worst(codes) == code
