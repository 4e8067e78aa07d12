"""Groups take turns, and no key is lost or comes twice."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_operator.turns import Turns

Key = tuple[str, int]
KEYS = st.tuples(st.sampled_from("abc"), st.integers(0, 20))


def group(key: Key) -> str:
    return key[0]


def turns_of(keys: list[Key]) -> Turns[Key, int]:
    turns: Turns[Key, int] = Turns(group)
    for number, key in enumerate(keys):
        turns.put(key, number)
    return turns


def taken(turns: Turns[Key, int]) -> list[Key]:
    return [turns.take() for _ in range(len(turns))]


@given(st.lists(KEYS))
def test_every_key_comes_once_and_those_of_a_group_in_the_order_in_which_they_came(keys: list[Key]) -> None:
    order = taken(turns_of(keys))
    first = list(dict.fromkeys(keys))
    assert Counter(order) == Counter(first)
    for name in "abc":
        assert [k for k in order if group(k) == name] == [k for k in first if group(k) == name]


@given(st.lists(KEYS))
def test_no_group_is_taken_twice_while_another_one_waits(keys: list[Key]) -> None:
    turns = turns_of(keys)
    last = ""
    while turns:
        others = [k for k in keys if group(k) != last and k in turns]
        key = turns.take()
        assert group(key) != last or not others
        last = group(key)


@given(st.lists(KEYS), st.lists(KEYS))
def test_what_is_discarded_does_not_come(keys: list[Key], gone: list[Key]) -> None:
    turns = turns_of(keys)
    for key in gone:
        turns.discard(key)
    assert set(taken(turns)) == set(keys) - set(gone)


def test_one_key_comes_next_whatever_another_group_has_waiting() -> None:
    turns = turns_of([("a", number) for number in range(5000)])
    turns.take()
    turns.put(("b", 0), 0)
    assert ("b", 0) in [turns.take(), turns.take()]


def test_a_key_of_one_group_is_taken_before_its_turn_and_its_group_waits_then() -> None:
    turns = turns_of([("a", 1), ("b", 1), ("b", 2), ("c", 1)])
    assert turns.groups() == ["a", "b", "c"]
    assert turns.take("b") == ("b", 1)
    assert turns.groups() == ["a", "c", "b"]
    with pytest.raises(StopIteration):
        turns.take("d")
    assert taken(turns) == [("a", 1), ("c", 1), ("b", 2)]


def test_a_key_that_waits_keeps_its_place_and_the_heads_are_the_first_of_each_group() -> None:
    turns = turns_of([("a", 1), ("b", 1), ("a", 2), ("a", 1)])
    assert sorted(turns.heads()) == [0, 1]
    assert taken(turns) == [("a", 1), ("b", 1), ("a", 2)]
