"""What the operator is told: always JSON, never more than 4096 bytes, only finite numbers."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_operator.pod.summary import (
    MAX_MESSAGE,
    MAX_METRICS_FILE,
    Summary,
    TerminationMessage,
    parse_metrics,
    read_metrics,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
any_text = st.text(st.characters(exclude_categories=()), max_size=3000)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=6))
def test_only_finite_numbers_with_a_name_become_metrics(content: dict[str, Any]) -> None:
    metrics, error = parse_metrics(json.dumps(content).encode())
    wanted = {name: value for name, value in content.items() if name and is_finite_number(value)}
    assert metrics == wanted
    assert (error is None) == (len(wanted) == len(content))


def is_finite_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ('{"a": 1, "b": 2.5}', {"a": 1, "b": 2.5}),
        ('{"a": true, "b": "1", "c": null, "d": [1], "e": {"f": 1}, "g": NaN, "h": Infinity, "i": -0.0}', {"i": 0}),
        ('{"a": 1e400, "b": 1' + 400 * "0" + "}", {}),
        ('{"a": 9223372036854775808}', {"a": 2.0**63}),
        ('{"": 1}', {}),
        ('{"\\ud800": 1}', {"?": 1}),
    ],
)
def test_examples_of_metrics(text: str, metrics: dict[str, float]) -> None:
    assert parse_metrics(text.encode())[0] == metrics


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"a": 1' + b"0" * 10_000 + b"}", b"{'a': 1}"]
)
def test_content_that_is_no_object_of_numbers_is_a_note_and_no_failure(text: bytes) -> None:
    metrics, error = parse_metrics(text)
    assert metrics == {}
    assert error is not None
    assert error.startswith("metrics.json: ")


def test_the_file_is_read_only_if_it_is_a_regular_file_of_a_sane_size(tmp_path: Path) -> None:
    assert read_metrics(str(tmp_path)) == ({}, None)
    assert "No such file" not in (read_metrics(str(tmp_path / "none"))[1] or "")
    path = tmp_path / "metrics.json"
    path.write_text('{"a": 1}')
    assert read_metrics(str(tmp_path)) == ({"a": 1}, None)
    path.write_bytes(b" " * MAX_METRICS_FILE + b"{}")
    assert read_metrics(str(tmp_path))[1] == f"metrics.json: larger than {MAX_METRICS_FILE} bytes"
    path.rename(tmp_path / "other")
    path.symlink_to("other")
    assert read_metrics(str(tmp_path))[1] is not None
    path.unlink()
    os.mkfifo(path)
    assert read_metrics(str(tmp_path))[1] == "metrics.json: a FIFO"


@given(
    st.dictionaries(any_text, st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1)),
    any_text,
    any_text,
)
def test_the_message_is_json_and_fits_whatever_is_in_it(metrics: dict[str, float], error: str, note: str) -> None:
    metrics = {name.encode("utf-8", "replace").decode(): value for name, value in metrics.items()}
    summary = Summary(bundle="jobs/a/b/c/d.zip", metrics=metrics, error=error, metrics_error=note, manifest_error=note)
    message = summary.message()
    assert len(message) <= MAX_MESSAGE
    told = json.loads(message)
    assert told["bundle"] == "jobs/a/b/c/d.zip"
    assert told["metrics"].items() <= metrics.items()
    assert (len(told["metrics"]) < len(metrics)) == told.get("metricsCut", False)


def test_metrics_that_do_not_fit_are_cut_from_the_end_and_the_message_is_nearly_full() -> None:
    metrics: dict[str, int | float] = {f"metric_{index:04}": index for index in range(1000)}
    message = Summary(metrics=metrics).message()
    told = json.loads(message)
    assert told["metricsCut"] is True
    assert list(told["metrics"]) == list(metrics)[: len(told["metrics"])]
    assert MAX_MESSAGE - 40 < len(message) <= MAX_MESSAGE


def test_the_summary_has_the_fields_of_the_contract_and_notes_only_if_there_are_any() -> None:
    plain = Summary(bundle="k", files=5, bytes=812345, size=301234, sha256="ab", metrics={"t": 300.0}, seconds=0.2101)
    assert json.loads(plain.message()) == {
        "bundle": "k",
        "files": 5,
        "bytes": 812345,
        "size": 301234,
        "sha256": "ab",
        "metrics": {"t": 300.0},
        "partial": False,
        "skipped": 0,
        "seconds": 0.21,
        "error": None,
    }
    assert "metricsError" in json.loads(replace(plain, metrics_error="x").message())


def test_a_shorter_message_replaces_a_longer_one_entirely_and_in_place(tmp_path: Path) -> None:
    path = tmp_path / "termination-log"
    path.touch()
    before = path.stat().st_ino
    message = TerminationMessage(str(path))
    assert message.write(Summary(error="x" * 500)) is None
    assert message.write(Summary(bundle="k")) is None
    assert json.loads(path.read_bytes()) == json.loads(Summary(bundle="k").message())
    assert path.stat().st_ino == before
    assert path.read_bytes().endswith(b"}")


def test_a_message_that_cannot_be_written_is_reported_and_does_not_raise(tmp_path: Path) -> None:
    assert "cannot write" in (TerminationMessage(str(tmp_path / "no" / "where")).write(Summary()) or "")
