"""Samples are spread as their method promises, are the same wherever they are drawn, and go on where fewer of them ended."""

import hashlib
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from scipy.stats import qmc
from spaces import axis, grid, space

from simops_crds.space import Points, SpaceError, chunks, digest, expand
from simops_crds.v1alpha1.sweep import Axis

UNIT = {"uniform": {"low": 0, "high": 1}}
METHODS = ["random", "latinHypercube", "sobol"]
SEQUENCES = ["random", "sobol"]


def cube(method: str, samples: int, dimensions: int, seed: int) -> Any:
    """Return samples of the unit cube, shape (samples, dimensions)."""
    axes = [axis(f"x{i}", **UNIT) for i in range(dimensions)]
    points = expand(space(method, *axes, samples=samples, seed=seed), {})
    return np.array([tuple(point.values()) for point in points])


def column(method: str, described: Axis, samples: int = 1000, seed: int = 0) -> list[Any]:
    return [point[described.name] for point in expand(space(method, described, samples=samples, seed=seed), {})]


@given(st.integers(1, 300), st.integers(1, 6), st.integers(0, 2**53 - 1))
@settings(deadline=None)
def test_a_latin_hypercube_has_one_sample_in_each_of_n_bins_of_each_axis(samples: int, axes: int, seed: int) -> None:
    bins = np.sort(np.floor(cube("latinHypercube", samples, axes, seed) * samples), axis=0)
    assert (bins == np.arange(samples)[:, None]).all()


@pytest.mark.parametrize("dimensions", [2, 5])
@pytest.mark.parametrize("samples", [100, 256])
def test_the_discrepancy_of_sobol_is_far_below_that_of_random(samples: int, dimensions: int) -> None:
    def mean(method: str) -> float:
        return float(np.mean([qmc.discrepancy(cube(method, samples, dimensions, seed)) for seed in range(10)]))

    assert mean("sobol") < 0.25 * mean("random")
    assert mean("latinHypercube") < mean("random")


@given(st.sampled_from(SEQUENCES), st.integers(1, 300), st.integers(0, 300), st.integers(0, 2**53 - 1))
@settings(deadline=None)
def test_more_samples_of_the_same_seed_begin_with_the_same_ones(method: str, few: int, more: int, seed: int) -> None:
    axes = [axis("a", **UNIT), axis("b", integers={"low": 0, "high": 9}), axis("c", logUniform={"low": 1, "high": 10})]

    def some(samples: int) -> Points:
        return expand(space(method, *axes, samples=samples, seed=seed, where="a + b < d or c < 2"), {"d": 8.5})

    try:
        small, large = some(few), some(few + more)
    except SpaceError:
        reject()
    assert list(islice(large, len(small))) == list(small)


@pytest.mark.parametrize("method", SEQUENCES)
def test_a_sequence_goes_on_evenly_across_the_blocks_in_which_it_is_drawn(method: str) -> None:
    many = cube(method, 20_000, 3, 5)
    assert (cube(method, 8193, 3, 5) == many[:8193]).all()
    assert len(np.unique(many, axis=0)) == 20_000


def test_another_number_of_samples_moves_every_point_of_a_latin_hypercube() -> None:
    assert not (cube("latinHypercube", 101, 2, 1)[:100] == cube("latinHypercube", 100, 2, 1)).any()


@pytest.mark.parametrize("method", METHODS)
def test_another_seed_gives_other_samples_and_the_default_is_zero(method: str) -> None:
    assert not (cube(method, 50, 2, 1) == cube(method, 50, 2, 2)).any()
    described = space(method, axis(**UNIT), samples=5)
    assert list(expand(described, {})) == list(expand(described.model_copy(update={"seed": 0}), {}))


@pytest.mark.parametrize("method", METHODS)
def test_listed_values_and_integers_are_drawn_equally_often(method: str) -> None:
    words = column(method, axis(values=["a", True, 3, 2.5]))
    assert {type(word) for word in words} == {str, bool, int, float}
    numbers = column(method, axis(integers={"low": -3, "high": 6, "step": 3}))
    assert set(numbers) == {-3, 0, 3, 6}
    assert all(type(number) is int for number in numbers)
    for drawn in (words, numbers):
        counts = [drawn.count(value) for value in dict.fromkeys(drawn)]
        spread = 100 if method == "random" else 2
        assert all(abs(times - 250) <= spread for times in counts), counts


@pytest.mark.parametrize("method", METHODS)
def test_a_range_of_magnitudes_is_sampled_evenly_in_the_logarithm(method: str) -> None:
    drawn = column(method, axis(logUniform={"low": 1e-3, "high": 1e3}), samples=1200)
    decades = np.histogram(np.log10(drawn), bins=6, range=(-3, 3))[0]
    assert abs(decades - 200).max() <= (60 if method == "random" else 4)


WIDE = [
    {"uniform": {"low": -1.7e308, "high": 1.7e308}},
    {"uniform": {"low": 1.0, "high": 1.0000000000000002}},
    {"logUniform": {"low": 5e-324, "high": 1.7e308}},
    {"logUniform": {"low": 1.0, "high": 1.0000000000000002}},
    {"integers": {"low": -(2**53) + 1, "high": 2**53 - 1}},
]


@pytest.mark.parametrize("how", WIDE, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_samples_of_the_widest_and_the_narrowest_ranges_stay_within(method: str, how: dict[str, Any]) -> None:
    (ends,) = how.values()
    drawn = column(method, axis(**how))
    assert all(ends["low"] <= value <= ends["high"] for value in drawn)
    assert len(set(drawn)) >= 2


PROGRAM = """
import sys
from simops_crds.space import Points, SpaceError, chunks, digest, expand
from simops_crds.v1alpha1.sweep import Space
print(digest(chunks(expand(Space.model_validate_json(sys.argv[1]), {"k": 2.0}, 10**6))))
print(sorted({name.split(".")[0] for name in sys.modules} & {"numpy", "scipy", "simpleeval"}))
"""
AXES = [axis("a", logUniform={"low": 1e-3, "high": 1e3}), axis("b", values=["ä", True, 2, 2.5]), axis("c", **UNIT)]
LOADED: list[tuple[Any, list[str]]] = [
    (grid(axis("a", logspace={"start": 1e-3, "stop": 1, "num": 9}), axis("b", values=["ä", True])), []),
    (grid(axis("a", logspace={"start": 1e-3, "stop": 1, "num": 9}), where="k * a > 0.1"), ["numpy", "simpleeval"]),
    (space("random", *AXES, samples=9000, seed=7), ["numpy"]),
    (space("latinHypercube", *AXES, samples=500, seed=7, where="k * c < 1.5"), ["numpy", "scipy", "simpleeval"]),
    (space("sobol", *AXES, samples=9000, seed=7), ["numpy", "scipy"]),
]


@pytest.mark.parametrize(
    ("described", "loaded"), LOADED, ids=[case.method.value + str(i) for i, (case, _) in enumerate(LOADED)]
)
def test_another_process_makes_the_same_points_and_loads_only_what_it_needs(described: Any, loaded: list[str]) -> None:
    crds = Path(__file__).resolve().parents[2] / "crds"
    answers = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM, described.model_dump_json(by_alias=True, exclude_none=True)],
            env={"PYTHONPATH": str(crds), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for seed in ("1", "2")
    ]
    assert answers[0] == answers[1] == [digest(chunks(expand(described, {"k": 2.0}))), str(loaded)]


CHECK = """
import sys
from simops_crds.space import check, count
from simops_crds.v1alpha1.sweep import Space
space = Space.model_validate_json(sys.argv[1])
check(space, {"k": 2.0})
print(count(space), sorted({name.split(".")[0] for name in sys.modules} & {"numpy", "scipy", "simpleeval"}))
"""


def test_who_only_checks_a_space_needs_nothing_to_compute_with() -> None:
    described = space("sobol", *AXES, samples=9000, where="k * c < 1.5 and a > 0.1")
    answer = subprocess.run(
        [sys.executable, "-c", CHECK, described.model_dump_json(by_alias=True, exclude_none=True)],
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2] / "crds")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert answer == "9000 []\n"


KNOWN = {
    "random": "c681c04e17a77852",
    "latinHypercube": "a2cddcffaadc3ce7",
    "sobol": "82d0c69d7a2f92a9",
}


@pytest.mark.parametrize("method", METHODS)
def test_the_points_of_a_seed_are_those_that_they_were(method: str) -> None:
    """A sweep of an earlier version is extended by this one: other points here would be a gap there."""
    drawn = cube(method, 1000, 5, 42)
    assert hashlib.sha256(np.round(drawn, 9).tobytes()).hexdigest()[:16] == KNOWN[method]
