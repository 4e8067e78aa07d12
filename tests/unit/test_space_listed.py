"""Lists of points as objects of their own: equal lists have equal names, and what is read is what was written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_crds.space import SpaceError, begins_with, count, expand, is_extension, key_of, listed
from simops_crds.v1alpha1 import Space

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
)
POINTS = st.lists(st.dictionaries(NAMES, SCALARS, max_size=4), min_size=1, max_size=8)


def named(points: list[dict[str, Any]]) -> Space:
    """Return a space that names these points."""
    digest = listed.digest_of(listed.to_lines(points))
    return Space.model_validate({"method": "list", "pointsFrom": {"digest": digest, "points": len(points)}})


@given(POINTS)
def test_what_was_written_is_read(points: list[dict[str, Any]]) -> None:
    found = list(listed.from_lines(listed.to_lines(points)))
    assert found == points
    assert [{k: type(v) for k, v in point.items()} for point in found] == [
        {k: type(v) for k, v in point.items()} for point in points
    ]


@given(POINTS)
def test_equal_lists_have_one_digest_and_others_another(points: list[dict[str, Any]]) -> None:
    digest = listed.digest_of(listed.to_lines(points))
    assert listed.digest_of(listed.to_lines([dict(reversed(p.items())) for p in points])) == digest
    assert listed.digest_of(listed.to_lines([*points, {}])) != digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there are no points"),
        ('{"a": 1}\n[1]\n', "point 2"),
        ('{"a": 1}\n\n{"a": }\n', "line 3 is no JSON object"),
        ('{"a": null}', "point 1: a: the value of a parameter is a finite number, a boolean or a string"),
        ('{"a": 1, "a": 2}', "given twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": 1e400}', "finite"),
        ('{"1a": 1}', "parameter name '1a'"),
        ('{"a": 9223372036854775808}', "64 bits"),
        ('{"a": "\\u0000"}', "NUL"),
        ("[" * 100_000, "line 1"),
    ],
)
def test_what_is_no_point_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(SpaceError, match=r"spec\.space\.pointsFrom") as caught:
        list(listed.from_lines(text.encode()))
    assert words in str(caught.value)


def test_a_space_that_names_its_points_can_be_counted_and_not_expanded() -> None:
    space = named([{"a": i} for i in range(5)])
    assert count(space) == 5
    with pytest.raises(ValueError, match="in the store"):
        expand(space, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "list"},
        {"method": "list", "points": [{"a": 1}], "pointsFrom": {"digest": "sha256:" + "0" * 64, "points": 1}},
        {"method": "grid", "pointsFrom": {"digest": "sha256:" + "0" * 64, "points": 1}},
    ],
)
def test_a_list_has_its_points_in_one_way(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpaceError, match="method list needs points or pointsFrom"):
        count(Space.model_validate(wrong))


def test_a_list_may_grow_and_not_shrink() -> None:
    short, long = named([{"a": 1}]), named([{"a": 1}, {"a": 2}])
    inline = Space.model_validate({"method": "list", "points": [{"a": 1}]})
    assert is_extension(short, long) is None
    assert is_extension(inline, long) is None
    assert "cannot be taken away" in str(is_extension(long, short))


@given(POINTS, POINTS)
def test_a_list_begins_with_another_exactly_if_it_does(old: list[dict[str, Any]], more: list[dict[str, Any]]) -> None:
    def space(points: list[dict[str, Any]]) -> Space:
        return Space.model_validate({"method": "list", "points": points})

    assert begins_with(space(old + more), {}, map(key_of, old))
    texts = [json.dumps(p, sort_keys=True) for p in more]
    assert begins_with(space(more), {}, map(key_of, old)) == (
        texts[: len(old)] == [json.dumps(p, sort_keys=True) for p in old]
    )
