"""Text of others never does more than not to be read."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_io.untrusted import finite, parse
from simops_operator.core.views import parse_summary

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_json_is_read_as_it_is(value: object) -> None:
    assert parse(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 200_000, '{"a":' * 100_000, "NaN", "[Infinity]", "-Infinity", "1" * 5000]
)
def test_what_cannot_be_read_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the kind is what matters
        parse(text)


@given(st.integers() | st.floats() | st.booleans() | st.text() | st.none() | st.just(10**400))
def test_a_number_that_is_told_is_finite(value: object) -> None:
    number = finite(value)
    assert number is None or math.isfinite(number)


def test_metrics_that_are_no_finite_numbers_are_left_out() -> None:
    summary = parse_summary('{"bundle":"b","metrics":{"a":1,"b":' + "1" + "0" * 400 + ',"c":true,"d":"x"}}')
    assert summary is not None
    assert summary.metrics == {"a": 1.0}
    assert parse_summary('{"bundle":"b","metrics":{"a":NaN}}') is None
