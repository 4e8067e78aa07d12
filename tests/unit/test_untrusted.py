"""Text of others never does more than not to be read."""

import inspect
import json
import math
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from kopf._cogs.clients import api as kopf_api

from simops_io.untrusted import MAX_DEPTH, finite, loads, parse
from simops_operator.core.views import parse_summary
from simops_operator.deep import read_any_objects

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


def test_json_with_half_of_a_surrogate_pair_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    loads_once = json.loads

    def noted(text: str, **how: Any) -> Any:
        asked.append(text)
        return loads_once(text, **how)

    monkeypatch.setattr(json, "loads", noted)
    assert parse(r'{"\ud800":1,"a":"\\\ud800\ud83d\ude80\"\udfff"}') == {"?": 1, "a": '\\?🚀"?'}
    assert len(asked) == 1


HALVES = st.text(st.sampled_from(["\ud800", "\udfff", "\\", "u", "a", "ä"]), max_size=6)


@given(st.dictionaries(HALVES, HALVES, max_size=3))
def test_what_is_read_can_be_written(value: dict[str, str]) -> None:
    written = json.dumps(value, ensure_ascii=False).encode(errors="replace")
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        found = parse(text)
        json.dumps(found, ensure_ascii=False).encode()
        assert len(found) <= len(value)
    if "\ud800\udfff" not in "".join([*value, *value.values()]):  # which is a pair, and a character as JSON
        assert parse(json.dumps(value)) == json.loads(written)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'{"a\ud800":"\uDFFFb"}', {"a?": "?b"}),
        (r'["\ud83d\ude80","\\ud800"]', ["🚀", "\\ud800"]),
        (rb'["\ud800"]', ["?"]),
    ],
)
def test_half_of_a_surrogate_pair_is_a_question_mark(text: str | bytes, value: object) -> None:
    assert parse(text) == value


def test_bytes_that_say_half_of_a_surrogate_pair_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="invalid continuation byte"):
        parse(b'["\xed\xa0\x80"]')


@given(st.integers() | st.floats() | st.booleans() | st.text() | st.none() | st.just(10**400))
def test_a_number_that_is_told_is_finite(value: object) -> None:
    number = finite(value)
    assert number is None or math.isfinite(number)


def test_metrics_that_are_no_finite_numbers_are_left_out() -> None:
    summary = parse_summary('{"bundle":"b","metrics":{"a":1,"b":' + "1" + "0" * 400 + ',"c":true,"d":"x"}}')
    assert summary is not None
    assert summary.metrics == {"a": 1.0}
    assert parse_summary('{"bundle":"b","metrics":{"a":NaN}}') is None


def nested(depth: int) -> str:
    return '{"f:a":' * depth + "{}" + "}" * depth


def test_what_is_nested_too_deeply_to_be_read_is_cut_off_and_the_rest_is_there() -> None:
    text = f'{{"a":[1,"}}]\\"{{"],"deep":{nested(100_000)},"list":{"[" * 50_000}{"]" * 50_000},"z":"end"}}'
    for form in (text, text.encode()):
        value = loads(form)
        assert (value["a"], value["z"]) == ([1, '}]"{'], "end")
        depth, at = 0, value["deep"]
        while isinstance(at, dict) and at:
            depth, at = depth + 1, at["f:a"]
        assert (depth, at) == (MAX_DEPTH - 1, None)
    assert loads('{"a":[{"b":null}]}') == {"a": [{"b": None}]}


@pytest.mark.parametrize("text", ["", "{", '{"a":', "[" * 100_000, "nul"])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are Python's
        loads(text)


async def test_kopf_reads_deep_objects_in_its_lists_and_its_watches() -> None:
    event = f'{{"type":"ADDED","object":{nested(50_000)}}}'.encode() + b"\n"

    async def serve(request: web.Request) -> web.Response:
        return web.Response(body=event, content_type="application/json")

    read_any_objects()
    app = web.Application()
    app.router.add_get("/", serve)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        async with session.get(server.make_url("/")) as response:
            assert (await response.json())["type"] == "ADDED"
        assert [kopf_api.json.loads(line.decode())["type"] for line in event.splitlines()] == ["ADDED"]  # type: ignore[attr-defined]
    source = inspect.getsource(kopf_api)
    assert "yield json.loads(" in source
    assert "await response.json()" in source
