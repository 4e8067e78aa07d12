"""Ranges and preconditions, by the words of RFC 9110."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_api.artifacts.ranges import Range, UnsatisfiableError, Verdict, check, parse_range, wanted_range

TAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "start", "length"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-9", 0, 10),
        ("bytes=5-", 5, 5),
        ("bytes=3-5", 3, 3),
        ("bytes=9-99", 9, 1),
        ("bytes=-3", 7, 3),
        ("bytes=-99", 0, 10),
        ("BYTES = 1-2", 1, 2),
        ("bytes=1-2,", 1, 2),
        (f"bytes=0-{'9' * 5000}", 0, 10),
        (f"bytes={'0' * 5000}1-2", 1, 2),
    ],
)
def test_one_range_is_understood(header: str, start: int, length: int) -> None:
    assert parse_range(header, 10) == Range(start, length)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-3",
        "bytes=0-1,3-4",
        "items=0-1",
        "bytes=1",
        "bytes=٣-٤",
        "bytes=--1",
    ],
)
def test_whatever_is_no_single_range_is_ignored(header: str | None) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", f"bytes={'9' * 5000}-", "bytes=-0"])
def test_a_range_that_begins_after_the_end_cannot_be_had(header: str) -> None:
    with pytest.raises(UnsatisfiableError):
        parse_range(header, 10)


def test_of_nothing_there_is_no_range() -> None:
    assert parse_range("bytes=-5", 0) is None
    with pytest.raises(UnsatisfiableError):
        parse_range("bytes=0-", 0)


@given(size=st.integers(0, 50), first=st.integers(0, 60) | st.none(), last=st.integers(0, 60) | st.none())
def test_a_range_is_a_slice(size: int, first: int | None, last: int | None) -> None:
    content = bytes(range(size))
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    try:
        found = parse_range(header, size)
    except UnsatisfiableError:
        assert (first is not None and first >= size) or (first is None and last == 0)
        return
    if found is None:
        return
    part = content[found.start : found.start + found.length]
    if first is None:
        assert last is not None
        assert part == content[-last:]
    else:
        assert part == content[first : None if last is None else last + 1]
    assert len(part) == found.length > 0
    assert found.content_range(size) == f"bytes {found.start}-{found.start + len(part) - 1}/{size}"


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({}, Verdict.SEND),
        ({"if-none-match": TAG}, Verdict.NOT_MODIFIED),
        ({"if-none-match": f'"x", W/{TAG}'}, Verdict.NOT_MODIFIED),
        ({"if-none-match": "*"}, Verdict.NOT_MODIFIED),
        ({"if-none-match": '"x"'}, Verdict.SEND),
        ({"if-match": TAG}, Verdict.SEND),
        ({"if-match": "*"}, Verdict.SEND),
        ({"if-match": f"W/{TAG}"}, Verdict.FAILED),
        ({"if-match": '"x"', "if-none-match": TAG}, Verdict.FAILED),
    ],
)
def test_preconditions_are_heeded(headers: dict[str, str], verdict: Verdict) -> None:
    assert check(headers, TAG) is verdict


def test_a_range_of_something_else_is_the_whole() -> None:
    part = {"range": "bytes=1-2"}
    assert wanted_range(part, TAG, 10) == Range(1, 2)
    assert wanted_range(part | {"if-range": TAG}, TAG, 10) == Range(1, 2)
    for other in ('"x"', f"W/{TAG}", "Sat, 29 Oct 1994 19:43:31 GMT"):
        assert wanted_range(part | {"if-range": other}, TAG, 10) is None
