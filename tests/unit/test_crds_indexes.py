"""Index ranges behave as the sets of integers that they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_crds.base import check_ranges
from simops_crds.indexes import Indexes, ranked

SETS = st.sets(st.integers(0, 40))


def indexes(numbers: set[int]) -> Indexes:
    return Indexes.of((n, n) for n in numbers)


@given(SETS)
def test_ranges_are_as_few_as_can_be_and_say_the_same_when_read_again(numbers: set[int]) -> None:
    found = indexes(numbers)
    assert list(found) == sorted(numbers)
    assert len(found) == len(numbers)
    assert all(b + 1 < c for (_, b), (c, _) in zip(found.ranges, found.ranges[1:], strict=False))
    assert Indexes.parse(str(found)) == found
    assert not numbers or check_ranges(str(found)) == str(found)


@given(SETS, SETS)
def test_union_difference_and_intersection_are_those_of_sets(one: set[int], other: set[int]) -> None:
    assert set(indexes(one) | indexes(other)) == one | other
    assert set(indexes(one) - indexes(other)) == one - other
    assert set(indexes(one) & indexes(other)) == one & other
    assert (indexes(one) - indexes(other)) == indexes(one - other)


@given(SETS, st.integers(-1, 45))
def test_a_member_is_found(numbers: set[int], index: int) -> None:
    assert (index in indexes(numbers)) == (index in numbers)


@given(SETS, st.integers(0, 45), st.integers(0, 45))
def test_a_slice_is_the_slice_of_all(numbers: set[int], first: int, last: int) -> None:
    assert indexes(numbers).slice(first, last) == sorted(numbers)[first:last]


@given(SETS, st.integers(-1, 45))
def test_those_below_an_index_are_counted(numbers: set[int], index: int) -> None:
    assert indexes(numbers).below(index) == sum(number < index for number in numbers)


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(0, 45), st.integers(0, 45))
def test_ranks_in_several_sets_are_those_in_their_union(owners: list[int], first: int, last: int) -> None:
    sets = [{index for index, owner in enumerate(owners) if owner == one} for one in range(3)]
    union = sorted(index for index, owner in enumerate(owners) if owner < 3)
    assert ranked([indexes(numbers) for numbers in sets], first, last) == union[first:last]


@given(st.integers(0, 200_000))
def test_the_first_so_many_are_one_range(count: int) -> None:
    found = Indexes.up_to(count)
    assert (len(found), len(found.ranges)) == (count, min(count, 1))


@pytest.mark.parametrize("text", ["a", "1-b", "-"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        Indexes.parse(text)
