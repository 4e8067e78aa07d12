"""Many points at once: their numbers are those of one run each, over all schemes, profiles and ends."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import SPEED, assert_same, one_run

from simops_sim import ensemble, heat1d
from simops_sim.heat1d import Array
from simops_sim.problem import Boundary, InitialCondition, Method, Problem

METHODS: tuple[Method, ...] = ("ftcs", "btcs", "crank_nicolson")
PROFILES: tuple[InitialCondition, ...] = ("sine", "gaussian", "uniform")
ENDS: tuple[Boundary, ...] = ("dirichlet", "neumann")
CASES = list(itertools.product(METHODS, PROFILES, ENDS))


def solved(problems: Sequence[Problem]) -> list[tuple[dict[str, float], Array]]:
    """Compute problems with one key together; give of each what `one_run` gives."""
    group = ensemble.Group.of(problems)
    solution = ensemble.solve(group)
    assert solution is not None
    columns = ensemble.metrics(group, solution)
    numbers = [
        {name: float(column[i]) for name, column in columns.items() if not np.isnan(column[i])}
        | dict.fromkeys(SPEED, 1.0)
        for i in range(len(problems))
    ]
    return [(each, row) for each, row in zip(numbers, solution.rows, strict=True)]


def with_r(problem: Problem, method: Method, r: float) -> Problem:
    """Choose the end time that gives this stability number; FTCS gets one at which it is stable."""
    r = min(r, 0.5) if method == "ftcs" else r
    safe = replace(problem, method="btcs")
    return replace(safe, end_time=r * safe.dx**2 / safe.diffusivity * safe.time_steps, method=method)


# Denormal numbers have no twelve digits.
temperatures = st.one_of(
    st.floats(-1e3, 1e3).map(lambda value: value if abs(value) > 1e-200 else 0.0),
    st.sampled_from([0.0, 1e-30, 1e30, 300.0]),
)
own_fields = st.fixed_dictionaries(
    {
        "length": st.floats(1e-3, 1e3),
        "diffusivity": st.floats(1e-8, 1e3),
        "initial_temp": temperatures,
        "boundary_temp": temperatures,
    }
)
stability_numbers = st.one_of(st.floats(1e-4, 1.5), st.floats(0.9, 30.0), st.floats(1.0, 1e4), st.floats(1e-9, 1e9))


@pytest.mark.parametrize(("method", "profile", "ends"), CASES)
@settings(max_examples=40, deadline=None)
@given(
    points=st.one_of(st.integers(3, 12), st.integers(3, 130)),
    time_steps=st.one_of(st.integers(1, 12), st.integers(1, 700)),
    own=st.lists(st.tuples(own_fields, stability_numbers), min_size=1, max_size=6),
)
def test_points_computed_together_have_the_numbers_of_one_run_each(
    method: Method,
    profile: InitialCondition,
    ends: Boundary,
    points: int,
    time_steps: int,
    own: list[tuple[dict[str, Any], float]],
) -> None:
    common = Problem(
        spatial_steps=points, time_steps=time_steps, initial_condition=profile, boundary=ends, method="btcs"
    )
    problems = [with_r(replace(common, **fields), method, r) for fields, r in own]
    for problem, (numbers, row) in zip(problems, solved(problems), strict=True):
        expected, expected_row = one_run(problem)
        assert_same(numbers, expected, problem)
        scale = max(abs(problem.initial_temp), abs(problem.boundary_temp))
        assert float(np.abs(row - expected_row).max()) <= 1e-12 * scale


@pytest.mark.parametrize(("profile", "ends"), list(itertools.product(PROFILES, ENDS)))
@pytest.mark.parametrize("r", [1.0, 1.2, 2.0, 5.0, 40.0, 1000.0])
@pytest.mark.parametrize("block", [1, 1 << 11, 1 << 17])
def test_the_extremes_of_crank_nicolson_beyond_its_limit_are_found_among_all_rows(
    monkeypatch: pytest.MonkeyPatch, profile: InitialCondition, ends: Boundary, r: float, block: int
) -> None:
    """Temperatures around 1 K, so that an undershoot of 1e-12 K would be seen."""
    monkeypatch.setattr(ensemble, "_BLOCK_VALUES", block)
    base = Problem(spatial_steps=101, time_steps=1000, initial_condition=profile, boundary=ends, initial_temp=1.0)
    turned = replace(base, initial_temp=-1.0)
    problems = [with_r(p, "crank_nicolson", f * r) for p, f in ((base, 1.0), (turned, 1.01), (base, 1.7))]
    for problem, (numbers, _) in zip(problems, solved(problems), strict=True):
        assert_same(numbers, one_run(problem)[0], problem)


@pytest.mark.parametrize(
    ("profile", "points", "r", "row"),
    [("gaussian", 12, 5.93, 10), ("gaussian", 33, 49.6, 7), ("uniform", 5, 2.92, 2), ("uniform", 6, 2.92, 3)],
)
@pytest.mark.parametrize("block", [1, 20, 1 << 17])
def test_an_extreme_that_comes_late_is_not_missed(
    monkeypatch: pytest.MonkeyPatch, profile: InitialCondition, points: int, r: float, row: int, block: int
) -> None:
    monkeypatch.setattr(ensemble, "_BLOCK_VALUES", block)
    base = Problem(spatial_steps=points, time_steps=61, initial_condition=profile, initial_temp=1.0)
    problem = with_r(base, "crank_nicolson", r)
    assert heat1d.solve(problem).min(axis=1).argmin() == row
    assert_same(solved([problem])[0][0], one_run(problem)[0], problem)


def test_rows_that_cannot_have_a_new_extreme_are_not_computed() -> None:
    """A march through so many rows would take years."""
    base = Problem(time_steps=10**15, spatial_steps=101, end_time=1.5e13)
    assert base.r > 1.0
    numbers = solved([base, replace(base, diffusivity=0.02)])[1][0]
    assert numbers["max_temp"] == 100.0
    assert numbers["overshoot"] == 0.0
    assert solved([replace(base, method="btcs", initial_condition="gaussian")])[0][0]["min_temp"] == 0.0
