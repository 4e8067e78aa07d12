"""Log lines: one object each, whatever is in them."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from simops_io import logs


@pytest.fixture(autouse=True)
def _loggers() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    token = logs.about.set({})
    yield
    logs.about.reset(token)
    root.setLevel(level)
    root.handlers[:] = handlers


def written(form: logs.LogFormat, call: Any, **configured: Any) -> str:
    stream = io.StringIO()
    handler = logs.configure("DEBUG", form, stream=stream, **configured)
    try:
        call(logging.getLogger("simops.test"))
    finally:
        logging.getLogger().removeHandler(handler)
    return stream.getvalue()


def line(call: Any, **configured: Any) -> dict[str, Any]:
    text = written("json", call, **configured)
    assert text.endswith("\n")
    assert text.count("\n") == 1
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_says_when_how_bad_who_and_what() -> None:
    found = line(lambda log: log.warning("%d things", 3, extra={"status": 201}))
    assert datetime.fromisoformat(found.pop("time")).utcoffset() is not None
    assert found == {"level": "WARNING", "logger": "simops.test", "message": "3 things", "status": 201}


def test_a_line_says_what_its_task_is_about_without_what_is_empty() -> None:
    token = logs.about.set({"namespace": "physics", "uid": ""})
    try:
        logs.tell(name="heat")
        found = line(lambda log: log.info("x"))
    finally:
        logs.about.reset(token)
    assert found["namespace"] == "physics"
    assert found["name"] == "heat"
    assert "uid" not in found


def test_further_fields_are_asked_for_when_the_line_is_written() -> None:
    assert line(lambda log: log.info("x"), context=lambda: {"request_id": "r-1"})["request_id"] == "r-1"


def test_an_object_reference_becomes_fields() -> None:
    reference = {"apiVersion": "v1", "kind": "Pod", "namespace": "physics", "name": "heat", "uid": "u"}
    found = line(lambda log: log.info("x", extra={"k8s_ref": reference, "k8s_skip": True, "settings": object()}))
    assert {"namespace": "physics", "name": "heat", "uid": "u"}.items() <= found.items()
    assert not {"k8s_ref", "k8s_skip", "settings"} & found.keys()


def test_a_line_within_a_span_names_it() -> None:
    with TracerProvider(shutdown_on_exit=False).get_tracer("x").start_as_current_span("work") as span:
        found = line(lambda log: log.info("x"))
    assert found["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert found["span_id"] == f"{span.get_span_context().span_id:016x}"


def test_an_exception_is_text_in_its_line() -> None:
    def call(log: logging.Logger) -> None:
        try:
            raise ValueError("bad\nvalue")
        except ValueError:
            log.exception("failed")

    found = line(call)
    assert found["message"] == "failed"
    assert found["exception"].startswith("Traceback (most recent call last):")
    assert found["exception"].endswith("ValueError: bad\nvalue")
    assert "exc_info" not in found


@given(st.text(), st.text())
def test_no_value_ends_a_line_of_json(value: str, extra: str) -> None:
    found = line(lambda log: log.info("%s", value, extra={"given": extra}))
    assert found["message"] == value
    assert found["given"] == extra


@given(st.text())
def test_no_value_ends_a_line_of_text_or_steers_a_terminal(value: str) -> None:
    text = written("text", lambda log: log.info("<%s>", value))
    assert text.endswith(">\n")
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


def test_no_value_changes_the_order_in_which_a_line_of_text_is_shown() -> None:
    text = written("text", lambda log: log.info("%s", "a\u202eb\u2066c\u200fd"))
    assert text.endswith(": a\\u202eb\\u2066c\\u200fd\n")


def test_a_traceback_as_text_never_looks_like_a_line() -> None:
    fake = "2026-01-01T00:00:00.000Z INFO simops: all is well"

    def call(log: logging.Logger) -> None:
        try:
            raise ValueError(f"x\n{fake}\r{fake}\u2028{fake}")
        except ValueError:
            log.exception("failed")

    first, *rest = written("text", call).splitlines()
    assert first.endswith("ERROR   simops.test: failed")
    assert all(line.startswith("    ") for line in rest)
    assert any(fake in line for line in rest)


def test_the_level_is_kept_to() -> None:
    stream = io.StringIO()
    logs.configure("WARNING", "json", stream=stream)
    logging.getLogger("simops.test").info("quiet")
    assert stream.getvalue() == ""
