"""The scheme: against a dense textbook version of itself, against the exact solutions, and its conserved properties."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simops_sim import heat1d
from simops_sim.heat1d import Array
from simops_sim.problem import Boundary, InitialCondition, Method, ParameterError, Problem

METHODS: tuple[Method, ...] = ("ftcs", "btcs", "crank_nicolson")
PROFILES: tuple[InitialCondition, ...] = ("sine", "gaussian", "uniform")
ENDS: tuple[Boundary, ...] = ("dirichlet", "neumann")
CASES = list(itertools.product(METHODS, PROFILES, ENDS))
THETA = {"ftcs": 0.0, "btcs": 1.0, "crank_nicolson": 0.5}


def problem(r: float | None = None, **given_fields: Any) -> Problem:
    """Build a problem around 1 K; with r, the end time is the one that gives this stability number."""
    fields = {"initial_temp": 1.0, "spatial_steps": 33, "time_steps": 40, "method": "btcs", **given_fields}
    made = Problem(**{**fields, "method": "btcs"})
    end_time = made.end_time if r is None else r * made.dx**2 / made.diffusivity * made.time_steps
    return replace(made, end_time=end_time, method=fields["method"])


def textbook(p: Problem) -> tuple[Array, Array]:
    """Give the two sides of the scheme as dense matrices: implicit · u[n+1] = explicit · u[n]."""
    n = p.spatial_steps
    difference = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    if p.boundary == "dirichlet":
        difference[[0, -1]] = 0.0
    else:
        difference[0, 1] = difference[-1, -2] = -2.0
    theta = THETA[p.method]
    return np.eye(n) + p.r * theta * difference, np.eye(n) - p.r * (1 - theta) * difference


def stepped(p: Problem) -> Array:
    """March the textbook scheme one dense solve at a time."""
    implicit, explicit = textbook(p)
    rows = [heat1d.initial_profile(p)]
    for _ in range(p.time_steps):
        rows.append(np.asarray(np.linalg.solve(implicit, explicit @ rows[-1]), dtype=np.float64))
    return np.array(rows)


def final_error(p: Problem) -> float:
    last = heat1d.solve(p)[-1]
    return float(np.abs(last - heat1d.exact(p, [p.end_time], heat1d.grid(p))[0]).max())


@pytest.mark.parametrize(("method", "profile", "ends"), CASES)
@pytest.mark.parametrize("points", [3, 4, 33, 201])
def test_the_field_is_that_of_the_textbook_scheme(
    method: Method, profile: InitialCondition, ends: Boundary, points: int
) -> None:
    for r in (0.5, 0.01) if method == "ftcs" else (0.01, 0.5, 30.0):
        p = problem(r=r, method=method, initial_condition=profile, boundary=ends, spatial_steps=points, time_steps=25)
        assert np.abs(heat1d.solve(p) - stepped(p)).max() < 2e-12


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    profile=st.sampled_from(PROFILES),
    ends=st.sampled_from(ENDS),
    points=st.integers(3, 90),
    steps=st.integers(1, 30),
    exponent=st.floats(-6, 4),
    low=st.floats(-1, 1),
)
def test_any_choice_of_parameters_gives_the_textbook_field(
    method: Method, profile: InitialCondition, ends: Boundary, points: int, steps: int, exponent: float, low: float
) -> None:
    r = min(10.0**exponent, 0.5) if method == "ftcs" else 10.0**exponent
    p = problem(
        r=r,
        method=method,
        initial_condition=profile,
        boundary=ends,
        spatial_steps=points,
        time_steps=steps,
        boundary_temp=low,
    )
    # The reference itself loses digits in its solves when r is large.
    assert np.abs(heat1d.solve(p) - stepped(p)).max() < 1e-11


@pytest.mark.parametrize("method", METHODS)
def test_many_blocks_of_rows_join_without_a_seam(method: Method) -> None:
    # So long that the fastest modes, whose sign changes with each step, are still there after a block.
    p = problem(r=0.5, method=method, initial_condition="uniform", spatial_steps=41, time_steps=30_000)
    implicit, explicit = textbook(p)
    step = np.linalg.solve(implicit, explicit)
    field = heat1d.solve(p)
    for n in (1, 2999, 3000, 3001, 6001, 12_345, 30_000):
        expected = np.linalg.matrix_power(step, n) @ field[0]
        assert np.abs(field[n] - expected).max() < 2e-12


def test_blocks_in_one_buffer_are_the_rows_of_the_whole_field() -> None:
    p = problem(r=2.0, initial_condition="uniform", spatial_steps=301, time_steps=1003)
    seen = 0
    field = heat1d.solve(p)
    for first, block in heat1d.march(p):
        assert first == seen
        assert np.array_equal(block, field[first : first + len(block)])
        seen += len(block)
    assert seen == p.time_steps + 1


@pytest.mark.parametrize(("method", "profile", "ends"), CASES)
def test_the_first_row_is_the_profile_and_the_shape_counts_both_ends(
    method: Method, profile: InitialCondition, ends: Boundary
) -> None:
    p = problem(r=0.5, method=method, initial_condition=profile, boundary=ends, time_steps=7, boundary_temp=0.25)
    field = heat1d.solve(p)
    assert field.shape == (8, 33)
    assert field.dtype == np.float64
    assert np.array_equal(field[0], heat1d.initial_profile(p))
    assert field[0, 16] == pytest.approx(1.0, abs=1e-15)
    if ends == "dirichlet":
        assert (field[:, [0, -1]] == 0.25).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_fine_grid_comes_close_to_the_exact_solution(
    method: Method, profile: InitialCondition, ends: Boundary
) -> None:
    p = problem(method=method, initial_condition=profile, boundary=ends, spatial_steps=101, time_steps=20_000)
    assert final_error(p) < 2e-4


def test_the_sine_wave_decays_by_the_factor_of_the_scheme() -> None:
    for method in METHODS:
        p = problem(r=0.5, method=method)
        z = p.r * 4 * math.sin(math.pi / 2 / 32) ** 2
        theta = THETA[method]
        factor = (1 - (1 - theta) * z) / (1 + theta * z)
        assert heat1d.centre(heat1d.solve(p))[-1] == pytest.approx(factor**p.time_steps, rel=1e-13)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ends", ENDS)
def test_the_order_in_space_is_two(method: Method, ends: Boundary) -> None:
    errors = [
        final_error(
            problem(
                method=method, initial_condition="gaussian", boundary=ends, end_time=1.0, spatial_steps=n, time_steps=t
            )
        )
        # FTCS and BTCS are of order one in time: so many steps that only the error in space is seen.
        for n, t in ((21, 100_000), (41, 100_000), (81, 100_000))
    ]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert orders == pytest.approx([2.0, 2.0], abs=0.1)


@pytest.mark.parametrize(("method", "order"), [("ftcs", 1), ("btcs", 1), ("crank_nicolson", 2)])
@pytest.mark.parametrize("ends", ENDS)
def test_the_order_in_time_is_that_of_the_method(method: Method, order: int, ends: Boundary) -> None:
    finals = [
        heat1d.solve(
            problem(method=method, initial_condition="gaussian", boundary=ends, spatial_steps=17, time_steps=t)
        )[-1]
        for t in (400, 800, 1600, 3200)
    ]
    steps = [np.abs(a - b).max() for a, b in itertools.pairwise(finals)]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(steps)]
    assert orders == pytest.approx([order, order], abs=0.05)


@settings(max_examples=40, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    profile=st.sampled_from(PROFILES),
    points=st.integers(3, 200),
    exponent=st.floats(-5, 5),
    low=st.floats(-100, 100),
)
def test_insulated_ends_keep_the_heat(
    method: Method, profile: InitialCondition, points: int, exponent: float, low: float
) -> None:
    r = min(10.0**exponent, 0.5) if method == "ftcs" else 10.0**exponent
    p = problem(
        r=r,
        method=method,
        initial_condition=profile,
        boundary="neumann",
        spatial_steps=points,
        time_steps=200,
        initial_temp=50.0,
        boundary_temp=low,
    )
    heat = heat1d.heat(heat1d.solve(p), p.dx)
    assert np.abs(heat - heat[0]).max() < 1e-13 * 100


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    profile=st.sampled_from(PROFILES),
    ends=st.sampled_from(ENDS),
    points=st.integers(3, 200),
    exponent=st.floats(-5, 6),
    low=st.floats(-2, 2),
)
def test_no_new_extreme_appears_where_the_scheme_forbids_it(
    method: Method, profile: InitialCondition, ends: Boundary, points: int, exponent: float, low: float
) -> None:
    r = min(10.0**exponent, {"ftcs": 0.5, "btcs": math.inf, "crank_nicolson": 1.0}[method])
    p = problem(r=r, method=method, initial_condition=profile, boundary=ends, spatial_steps=points, boundary_temp=low)
    assert p.keeps_maximum_principle or p.r > 1.0
    field = heat1d.solve(p)
    higher = field.max(axis=1)
    lower = field.min(axis=1)
    assert (np.diff(higher) < 1e-13).all()
    assert (np.diff(lower) > -1e-13).all()


def test_the_limit_of_crank_nicolson_without_overshoot_is_sharp() -> None:
    at_limit = problem(r=1.0 - 1e-12, method="crank_nicolson", initial_condition="uniform", spatial_steps=3)
    beyond = problem(r=1.01, method="crank_nicolson", initial_condition="uniform", spatial_steps=3)
    assert at_limit.keeps_maximum_principle
    assert heat1d.solve(at_limit).min() > -1e-15
    assert not beyond.keeps_maximum_principle
    assert heat1d.solve(beyond).min() < -1e-3


def test_crank_nicolson_rings_on_a_jump_when_the_step_is_long() -> None:
    p = problem(r=40.0, method="crank_nicolson", initial_condition="uniform")
    assert not p.keeps_maximum_principle
    assert p.starts_with_a_jump
    assert heat1d.solve(p).min() < -0.1
    assert heat1d.solve(replace(p, initial_condition="sine")).min() == 0.0


@settings(max_examples=100)
@example(points=823, length=0.001, alpha=0.04, end=86739.0)
@given(
    points=st.integers(3, 2000),
    length=st.floats(1e-3, 1e3),
    alpha=st.floats(1e-7, 10),
    end=st.floats(1e-3, 1e5),
)
def test_an_unstable_explicit_choice_is_refused_and_the_steps_it_names_are_the_fewest_stable(
    points: int, length: float, alpha: float, end: float
) -> None:
    base = Problem(method="btcs", spatial_steps=points, length=length, diffusivity=alpha, end_time=end, time_steps=1)
    steps = base.stable_time_steps
    accepted = replace(base, method="ftcs", time_steps=steps)
    assert accepted.r <= 0.5 * (1 + 1e-9)
    if 1 < steps < 10**9:
        with pytest.raises(ParameterError, match=rf"--time_steps {steps} or more") as caught:
            replace(base, method="ftcs", time_steps=steps - 1)
        assert caught.value.option == "method"


def test_an_explicit_run_at_the_limit_stays_bounded() -> None:
    p = problem(r=0.5, method="ftcs", initial_condition="uniform", spatial_steps=101, time_steps=20_000)
    assert np.abs(heat1d.solve(p)).max() <= 1.0 + 1e-14


def test_the_transforms_are_each_others_inverse() -> None:
    for ends, points in itertools.product(ENDS, (3, 4, 17, 200)):
        v = np.random.default_rng(points).normal(size=points)
        if ends == "dirichlet":
            v[[0, -1]] = 0.0
        assert np.abs(heat1d.from_modes(heat1d.to_modes(v, ends), ends) - v).max() < 1e-14 * points


def test_the_sine_wave_is_one_mode_whatever_the_grid() -> None:
    for points in (3, 51, 1000, 1010, 5000, 5001):
        assert heat1d.decompose(problem(spatial_steps=points)).number.tolist() == [0, 1]


def test_growth_factors_broadcast_over_many_problems_at_once() -> None:
    z = np.linspace(0.0, 2.0, 7)[:, None] * np.linspace(0.0, 1.0, 5)
    for method, theta in THETA.items():
        log, sign = heat1d.amplification(method, z)  # type: ignore[arg-type]
        assert sign * np.exp(log) == pytest.approx((1 - (1 - theta) * z) / (1 + theta * z), abs=1e-15)


def test_a_rod_that_has_cooled_down_entirely_stays_at_the_temperature_of_its_ends() -> None:
    p = problem(r=1e5, method="btcs", initial_condition="uniform", time_steps=500, boundary_temp=3.0)
    field = heat1d.solve(p)
    assert (field[-1] == 3.0).all()
    assert np.isfinite(field).all()


@pytest.mark.parametrize(("profile", "ends"), list(itertools.product(PROFILES, ENDS)))
def test_the_exact_solution_begins_with_the_profile(profile: InitialCondition, ends: Boundary) -> None:
    p = problem(initial_condition=profile, boundary=ends, boundary_temp=-1.0)
    inside = heat1d.grid(p)[8:-8]
    rows = heat1d.exact(p, [0.0, 1e-3], inside)
    assert np.array_equal(rows[0], heat1d.initial_profile(p)[8:-8])
    assert np.abs(rows[1] - rows[0]).max() < 5e-3


def test_the_exact_solution_is_unknown_where_its_series_does_not_converge() -> None:
    p = problem(initial_condition="uniform")
    assert np.isnan(heat1d.exact(p, [1e-9], [0.1])).all()
    assert heat1d.exact(problem(), [1e-9], [0.5]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *itertools.product(("length", "diffusivity", "end_time"), (0.0, -1.0, math.nan, math.inf, 1e60, True, "1")),
        *itertools.product(("initial_temp", "boundary_temp"), (math.nan, -math.inf, 1e200, None)),
        *itertools.product(("time_steps", "spatial_steps"), (0, -3, 1.5, True)),
        ("spatial_steps", 2),
        ("spatial_steps", 10**8),
        *itertools.product(("method", "initial_condition", "boundary"), ("", "spectral")),
    ],
)
def test_a_parameter_that_cannot_be_used_is_refused_by_name(option: str, value: object) -> None:
    with pytest.raises(ParameterError, match=f"^--{option}: ") as caught:
        Problem(**{option: value})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
