"""A described space has exactly the points that were meant, in order, and never more than there may be."""

import itertools
import math
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import SCALARS, axis, grid, listed, space, zipped

from simops_crds.kinds import MAX_POINTS
from simops_crds.space import SpaceError, check, check_size, count, expand
from simops_crds.v1alpha1.sweep import Axis

VALUES = st.lists(SCALARS, min_size=1, max_size=5)


def values_of(described: Axis) -> list[Any]:
    return [point[described.name] for point in expand(grid(described), {})]


@given(st.lists(VALUES, min_size=1, max_size=4))
@settings(deadline=None)
def test_a_grid_has_every_combination_once_and_its_first_axis_is_the_slowest(several: list[list[Any]]) -> None:
    wanted = [{f"x{i}": value for i, value in enumerate(row)} for row in itertools.product(*several)]
    described = grid(*(axis(f"x{i}", values=values) for i, values in enumerate(several)))
    points = expand(described, {})
    assert [same(point) for point in points] == [same(point) for point in wanted]
    assert len(points) == count(described) == len(wanted)
    assert list(points) == list(points)


def same(point: dict[str, Any]) -> list[tuple[str, type, Any]]:
    """Tell True from 1, and 1 from 1.0; the order of the axes counts."""
    return [(name, type(value), value) for name, value in point.items()]


@given(st.lists(VALUES, min_size=1, max_size=3))
@settings(deadline=None)
def test_a_zip_takes_the_axes_side_by_side(several: list[list[Any]]) -> None:
    shortest = min(map(len, several))
    axes = [axis(f"x{i}", values=values[:shortest]) for i, values in enumerate(several)]
    points = list(expand(zipped(*axes), {}))
    assert [tuple(point.values()) for point in points] == list(
        zip(*(values[:shortest] for values in several), strict=True)
    )


def test_axes_of_a_zip_that_do_not_fit_are_told_with_their_lengths() -> None:
    with pytest.raises(SpaceError, match=r"spec.space.axes: a has 2, b has 3: zip takes one value of each"):
        expand(zipped(axis("a", values=[1, 2]), axis("b", values=[1, 2, 3])), {})


def test_a_list_keeps_its_points_in_order_and_equal_ones_too() -> None:
    points: list[dict[str, Any]] = [{"a": 1}, {"b": True, "c": "x"}, {"a": 1}, {"a": 1.0}]
    assert [same(point) for point in expand(listed(*points), {})] == [same(point) for point in points]


def test_a_point_that_is_changed_by_its_reader_is_not_changed_in_the_space() -> None:
    points = expand(listed({"a": 1}), {})
    next(iter(points))["a"] = 2
    assert list(points) == [{"a": 1}]


ENDS = st.floats(-1e300, 1e300)


@given(ENDS, ENDS, st.integers(2, 50))
@settings(deadline=None)
def test_a_linspace_begins_and_ends_exactly_and_goes_in_even_steps(start: float, stop: float, num: int) -> None:
    values = values_of(axis(linspace={"start": start, "stop": stop, "num": num}))
    assert (len(values), values[0], values[-1]) == (num, start, stop)
    assert all(type(value) is float for value in values)
    step = (stop - start) / (num - 1)
    scale = max(abs(start), abs(stop))
    assert all(abs(value - (start + i * step)) <= 2e-15 * scale + 1e-320 for i, value in enumerate(values))


POSITIVE = st.floats(1e-320, 1e300)


@given(POSITIVE, POSITIVE, st.integers(2, 50))
@settings(deadline=None)
def test_a_logspace_begins_and_ends_exactly_and_has_one_ratio(start: float, stop: float, num: int) -> None:
    values = values_of(axis(logspace={"start": start, "stop": stop, "num": num}))
    assert (len(values), values[0], values[-1]) == (num, start, stop)
    assert values == sorted(values, reverse=start > stop)
    step = (math.log(stop) - math.log(start)) / (num - 1)
    assert all(
        math.log(value) == pytest.approx(math.log(start) + i * step, abs=1e-9)
        for i, value in enumerate(values)
        if value > 1e-300
    )


def test_values_come_out_as_people_write_them() -> None:
    assert values_of(axis(linspace={"start": 0, "stop": 1, "num": 11})) == [
        0,
        0.1,
        0.2,
        0.3,
        0.4,
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        1,
    ]
    assert values_of(axis(logspace={"start": 1e-3, "stop": 1e3, "num": 7})) == [1e-3, 1e-2, 1e-1, 1, 10, 100, 1000]
    assert values_of(axis(logspace={"start": 2, "stop": 200, "num": 3})) == [2, 20, 200]


def test_the_widest_ranges_do_not_overflow() -> None:
    wide = {"start": -1.7e308, "stop": 1.7e308, "num": 5}
    assert values_of(axis(linspace=wide)) == pytest.approx([-1.7e308, -8.5e307, 0, 8.5e307, 1.7e308], rel=1e-15)
    high = values_of(axis(logspace={"start": 5e-324, "stop": 1.7e308, "num": 9}))
    assert high == sorted(high)
    assert all(map(math.isfinite, high))


def test_one_value_of_a_range_is_its_first() -> None:
    assert values_of(axis(linspace={"start": 3, "stop": 4, "num": 1})) == [3.0]
    assert values_of(axis(logspace={"start": 3, "stop": 4, "num": 1})) == [3.0]


@given(ENDS, ENDS, st.integers(1, 20), st.integers(1, 7), st.sampled_from(["linspace", "logspace"]))
@settings(deadline=None)
def test_a_finer_axis_has_every_value_of_a_coarser_one_to_the_last_bit(
    start: float, stop: float, parts: int, factor: int, how: str
) -> None:
    start, stop = (abs(start) or 1, abs(stop) or 1) if how == "logspace" else (start, stop)
    coarse = values_of(axis(**{how: {"start": start, "stop": stop, "num": parts + 1}}))
    fine = values_of(axis(**{how: {"start": start, "stop": stop, "num": parts * factor + 1}}))
    assert fine[::factor] == coarse


@given(st.integers(-50, 50), st.integers(0, 40), st.integers(1, 9))
@settings(deadline=None)
def test_integers_are_integers_and_stop_at_the_greatest_that_may_occur(low: int, width: int, step: int) -> None:
    values = values_of(axis(integers={"low": low, "high": low + width, "step": step}))
    assert values == list(range(low, low + width + 1, step))
    assert all(type(value) is int for value in values)


def test_a_space_of_any_size_is_counted_without_making_its_points() -> None:
    huge = grid(*(axis(f"x{i}", integers={"low": -(2**53) + 1, "high": 2**53 - 1}) for i in range(16)))
    begin = time.process_time()
    assert count(huge) == (2**54 - 1) ** 16
    assert count(space("sobol", axis(uniform={"low": 0, "high": 1}), samples=1_000_000)) == 1_000_000
    with pytest.raises(SpaceError, match="points"):
        expand(huge, {})
    assert time.process_time() - begin < 0.5


def test_a_space_that_is_too_large_is_refused_with_the_number_of_its_points() -> None:
    described = grid(axis("a", integers={"low": 1, "high": 512}), axis("b", integers={"low": 1, "high": 512}))
    for refuse in (lambda: check_size(described, 200_000), lambda: expand(described, {}, 200_000)):
        with pytest.raises(
            SpaceError, match=r"spec.space: it has 262,144 points, and a sweep has at most 200,000 here"
        ) as caught:
            refuse()
        assert caught.value.field == "spec.space"
    check_size(described, 262_144)
    assert len(expand(described, {}, 262_144)) == 262_144


def test_what_is_left_by_where_counts_and_not_what_was_tried() -> None:
    described = grid(axis("a", integers={"low": 1, "high": 1000}), where="a > 900")
    check_size(described, 100)
    assert len(expand(described, {}, 100)) == 100
    with pytest.raises(SpaceError, match="it has 100 points, and a sweep has at most 99 here"):
        expand(described, {}, 99)


def test_what_is_tried_has_a_limit_too() -> None:
    described = grid(axis("a", integers={"low": 0, "high": MAX_POINTS}), where="a < 5")
    with pytest.raises(SpaceError, match=r"1,000,001 points before where .* at most 1,000,000 can be tried"):
        check_size(described)


def test_a_space_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"spec.space.where: none of the 3 points is left"):
        expand(grid(axis("a", values=[1, 2, 3]), where="a > 3"), {})


def test_a_parameter_of_an_axis_and_of_the_template_is_refused() -> None:
    with pytest.raises(
        SpaceError, match=r"spec.space.axes: a, c: a parameter stands in template.params and in an axis"
    ):
        expand(grid(axis("a"), axis("b"), axis("c")), {"a": 1, "c": 2})


def test_a_listed_point_goes_before_what_all_points_share() -> None:
    assert list(expand(listed({"a": 1}, {"b": 1}, where="a == 1"), {"a": 5})) == [{"a": 1}]


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (grid(axis("a"), axis("a")), "two axes a: remove one"),
        (grid(Axis(name="a")), "axis a: describe it by exactly one of values, linspace"),
        (grid(axis("a", values=[1], integers={"low": 1, "high": 2})), "axis a: describe it by exactly one of"),
        (
            grid(axis("a", uniform={"low": 0, "high": 1})),
            "axis a: describe it by values, integers, linspace or logspace",
        ),
        (
            space("random", axis("a", linspace={"start": 0, "stop": 1, "num": 2}), samples=3),
            "axis a: describe it by values, integers, uniform or logUniform",
        ),
        (space("random", axis("a")), "say how many points random draws"),
        (space("list", axis("a")), "method list needs points"),
        (grid(), "every other method takes axes"),
    ],
)
def test_a_space_that_contradicts_itself_is_refused_in_words(described: Any, words: str) -> None:
    with pytest.raises(SpaceError, match=words):
        count(described)


def test_texts_that_would_fill_the_store_are_refused_with_their_size() -> None:
    long = grid(*(axis(f"x{i}", values=["a" * 4000 + str(j) for j in range(10)]) for i in range(5)))
    with pytest.raises(SpaceError, match=r"spec.space.axes: its points would take 2,004 MB"):
        check(long, {})
    check(grid(axis("a", values=["a" * 4000 for j in range(10)])), {})


def test_what_json_makes_of_texts_and_the_names_of_parameters_count_too() -> None:
    control = grid(axis("t", values=["\x01" * 1000]), axis("i", integers={"low": 1, "high": 200_000}))
    with pytest.raises(SpaceError, match="its points would take 1,2"):
        check(control, {})
    names = grid(*(axis(f"{'n' * 60}{i}", values=[0, 1]) for i in range(15)), axis("x", integers={"low": 0, "high": 9}))
    with pytest.raises(SpaceError, match="shorter names of parameters"):
        check(names, {}, 1_000_000)
    check(
        grid(axis("a", integers={"low": 1, "high": 1000}), axis("b", integers={"low": 1, "high": 1000})), {}, 1_000_000
    )
