"""What goes to the API server reads there as it was meant, and not more often than may be."""

import asyncio
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from simops_operator.cluster import limit_of, yaml_text

# A key of more than 1,024 characters is one that PyYAML does not read back; no manifest has any.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@example({"a": "e\u0085f c\u2029 d q \u2028 r"})
@example({"a": "🚀 𝛼 \U0001fffe"})
@example({"a": "\x01\x1b\x7f\x9f\ufeff\ufffe"})
@example({"a": "\\ud83d\\ude80 \\U0001F680"})
def test_a_manifest_is_the_same_text_to_whoever_reads_it_as_yaml(value: Any) -> None:
    text = yaml_text({"value": value})
    assert text.isascii()
    assert yaml.safe_load(text) == {"value": value}


async def test_never_more_calls_are_made_than_the_limit_says() -> None:
    limit, rate, burst = limit_of(200, 20), 200, 20
    times: list[float] = []

    async def call() -> None:
        await limit()
        times.append(asyncio.get_running_loop().time())

    await asyncio.gather(*(call() for _ in range(120)))
    # For every two moments: what came between them.
    for i, begin in enumerate(times):
        for j in range(i, len(times)):
            assert j - i + 1 <= burst + rate * (times[j] - begin) + 1


async def test_without_a_limit_nothing_waits() -> None:
    limit = limit_of(0, 1)
    await asyncio.wait_for(asyncio.gather(*(limit() for _ in range(10_000))), 30)
