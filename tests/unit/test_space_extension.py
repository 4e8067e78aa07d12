"""A sweep that has begun may grow: what is there keeps its index, only what is new is added, and nothing else may change."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from spaces import axis, grid, listed, space, zipped

from simops_crds.space import Points, SpaceError, expand, extension, is_extension, key_of
from simops_crds.v1alpha1.sweep import Space

UNIT = {"uniform": {"low": 0, "high": 1}}
Point = dict[str, Any]


def sampled(method: str, samples: int, seed: int = 0, **more: Any) -> Space:
    return space(method, axis("a", **UNIT), axis("b", values=[1, "x"]), samples=samples, seed=seed, **more)


def lin(num: int) -> Any:
    return axis("a", linspace={"start": 0, "stop": 1, "num": num})


def log(num: int) -> Any:
    return axis("b", logspace={"start": 1, "stop": 10, "num": num})


def integers(high: int) -> Any:
    return axis("c", integers={"low": 1, "high": high, "step": 2})


def new_points(old: Space, new: Space, params: Point | None = None, limit: int = 200_000) -> list[Point]:
    return list(extension(map(key_of, expand(old, params or {}, 10**6)), new, params or {}, limit))


@given(
    st.integers(1, 12), st.integers(1, 12), st.integers(1, 9), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)
)
@settings(deadline=None)
def test_a_larger_grid_adds_each_of_its_points_that_is_not_there_once(
    a: int, b: int, c: int, more_a: int, more_b: int, more_c: int
) -> None:
    old, new = grid(lin(a), log(b), integers(c)), grid(lin(a + more_a), log(b + more_b), integers(c + more_c))
    assert is_extension(old, new) is None
    there = list(expand(old, {}))
    added = new_points(old, new)
    assert added == [point for point in expand(new, {}) if point not in there]


@given(st.integers(1, 6), st.integers(1, 4))
@settings(deadline=None)
def test_a_grid_that_is_made_finer_by_whole_parts_becomes_just_the_finer_grid(parts: int, factor: int) -> None:
    old, new = grid(lin(parts + 1), log(parts + 1)), grid(lin(parts * factor + 1), log(parts * factor + 1))
    both = [*expand(old, {}), *new_points(old, new)]
    assert len(both) == len(expand(new, {}))
    assert {tuple(point.values()) for point in both} == {tuple(point.values()) for point in expand(new, {})}


def test_old_points_that_the_larger_space_lacks_stay() -> None:
    assert new_points(grid(lin(3)), grid(lin(4))) == [{"a": 1 / 3}, {"a": 2 / 3}]


def test_appended_values_come_after_all_that_is_there_and_equal_ones_are_counted() -> None:
    old = grid(axis("a", values=[1, 1]), axis("b", values=["x"]))
    new = grid(axis("a", values=[1, 1, 1, True]), axis("b", values=["x", "y"]))
    assert is_extension(old, new) is None
    wanted = [(1, "y"), (1, "y"), (1, "x"), (1, "y"), (True, "x"), (True, "y")]
    assert [tuple(point.values()) for point in new_points(old, new)] == wanted
    assert Counter(type(point["a"]) for point in new_points(old, new)) == {int: 4, bool: 2}


def test_a_longer_zip_adds_its_new_pairs() -> None:
    old = zipped(axis("a", values=[1, 2]), integers(3))
    new = zipped(axis("a", values=[1, 2, 3]), integers(5))
    assert is_extension(old, new) is None
    assert new_points(old, new) == [{"a": 3, "c": 5}]


def test_a_longer_list_adds_what_was_appended_equal_or_not() -> None:
    old, new = listed({"a": 1}, {"a": 2}), listed({"a": 1}, {"a": 2}, {"a": 1}, {"b": 1})
    assert is_extension(old, new) is None
    assert new_points(old, new) == [{"a": 1}, {"b": 1}]


@given(st.sampled_from(["random", "sobol"]), st.integers(1, 200), st.integers(0, 100), st.integers(0, 99))
@settings(deadline=None)
def test_more_samples_are_those_that_the_sequence_goes_on_with(method: str, few: int, more: int, seed: int) -> None:
    for where in (None, "a < k"):
        old, new = sampled(method, few, seed, where=where), sampled(method, few + more, seed, where=where)
        assert is_extension(old, new) is None
        try:
            there = list(expand(old, {"k": 0.5}))
        except SpaceError:
            reject()
        assert [*there, *extension(map(key_of, there), new, {"k": 0.5})] == list(expand(new, {"k": 0.5}))


@given(st.lists(st.integers(1, 60), min_size=2, max_size=5))
@settings(deadline=None)
def test_a_sweep_may_grow_again_and_again(sizes: list[int]) -> None:
    points: list[Point] = []
    sizes.sort()
    for size in sizes:
        described = grid(axis("a", integers={"low": 1, "high": size}), where="a % 3 != 0")
        points += extension(map(key_of, points), described, {})
    assert points == list(expand(grid(axis("a", integers={"low": 1, "high": sizes[-1]}), where="a % 3 != 0"), {}))


def test_where_leaves_out_new_points_too_and_there_may_be_none_left() -> None:
    old, new = grid(integers(3), where="c < k"), grid(integers(99), where="c < k")
    assert new_points(old, new, {"k": 8}) == [{"c": 5}, {"c": 7}]
    assert len(extension(map(key_of, expand(old, {"k": 2})), new, {"k": 2})) == 0


def test_new_points_are_counted_before_they_are_made_and_can_be_made_again() -> None:
    added = extension(map(key_of, expand(grid(integers(3)), {})), grid(integers(9)), {})
    assert isinstance(added, Points)
    assert len(added) == 3
    assert list(added) == list(added) == [{"c": 5}, {"c": 7}, {"c": 9}]


def test_old_and_new_points_together_have_the_limit() -> None:
    assert len(new_points(grid(lin(6)), grid(lin(7)), limit=11)) == 5
    with pytest.raises(SpaceError, match="it has 11 points, and a sweep has at most 10 here"):
        new_points(grid(lin(6)), grid(lin(7)), limit=10)
    with pytest.raises(SpaceError, match="it has 12 points, and a sweep has at most 10 here"):
        new_points(sampled("sobol", 5), sampled("sobol", 12), limit=10)


def test_a_latin_hypercube_cannot_be_extended() -> None:
    with pytest.raises(SpaceError, match="every point of a Latin hypercube is another one: make a new sweep"):
        extension([], sampled("latinHypercube", 9), {})


SAME = [
    grid(lin(3), log(2), integers(5), where="a > 0"),
    listed({"a": 1}),
    sampled("latinHypercube", 5),
    sampled("sobol", 5),
]


@pytest.mark.parametrize("described", SAME, ids=lambda described: described.method)
def test_the_same_space_is_allowed(described: Space) -> None:
    assert is_extension(described, Space.model_validate(described.to_dict())) is None


REFUSED = [
    (grid(lin(3)), zipped(lin(3)), "method cannot be changed from grid to zip"),
    (grid(lin(3)), grid(lin(2)), "num of axis a cannot be made less than the 3"),
    (
        grid(lin(3)),
        grid(axis("a", linspace={"start": 0, "stop": 2, "num": 5})),
        "of linspace of axis a only num can be changed",
    ),
    (
        grid(log(3)),
        grid(axis("b", logspace={"start": 2, "stop": 10, "num": 5})),
        "of logspace of axis b only num can be",
    ),
    (grid(integers(9)), grid(integers(5)), "high of axis c cannot be made less than the 9"),
    (
        grid(integers(9)),
        grid(axis("c", integers={"low": 1, "high": 9})),
        "of integers of axis c only high can be changed",
    ),
    (grid(integers(9)), grid(axis("c", integers={"low": 0, "high": 9, "step": 2})), "only high can be changed"),
    (grid(lin(3)), grid(axis("a", values=[0, 0.5, 1])), "axis a cannot be described in another way"),
    (grid(lin(3)), grid(lin(3), log(3)), "axes cannot be added"),
    (grid(lin(3), log(3)), grid(log(3), lin(3)), "axes cannot be added, renamed, moved"),
    (grid(lin(3)), grid(lin(4), where="a > 0"), "where cannot be changed"),
    (
        grid(axis("a", values=[1, 2])),
        grid(axis("a", values=[2, 1, 3])),
        "values of axis a that are there cannot be changed",
    ),
    (grid(axis("a", values=[1, 2])), grid(axis("a", values=[1])), "values of axis a that are there cannot be changed"),
    (
        grid(axis("a", values=[1])),
        grid(axis("a", values=[True, 2])),
        "values of axis a that are there cannot be changed",
    ),
    (listed({"a": 1}, {"a": 2}), listed({"a": 1}), "points that are there cannot be changed"),
    (listed({"a": 1}), listed({"a": 2}, {"a": 1}), "points that are there cannot be changed"),
    (sampled("sobol", 5), sampled("sobol", 4), "samples cannot be made less than the 5"),
    (sampled("random", 5), sampled("random", 6, seed=1), "seed cannot be changed"),
    (sampled("latinHypercube", 5), sampled("latinHypercube", 6), "every point of a Latin hypercube is another one"),
    (
        space("random", axis("a", values=[1]), samples=5),
        space("random", axis("a", values=[1, 2]), samples=6),
        "axis a cannot be changed, as every sample depends on it",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "why"), REFUSED, ids=[why[:30] + str(i) for i, (_, _, why) in enumerate(REFUSED)]
)
def test_anything_else_is_refused_with_a_sentence(old: Space, new: Space, why: str) -> None:
    assert why in (is_extension(old, new) or "allowed")


def test_no_seed_is_seed_zero() -> None:
    without = space("sobol", axis("a", **UNIT), samples=5)
    assert is_extension(without, space("sobol", axis("a", **UNIT), samples=6, seed=0)) is None
