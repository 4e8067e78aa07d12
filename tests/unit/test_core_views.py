"""Views of the API's objects: every object that the API server may give makes one."""

import json
from typing import Any

import pytest
from builders import at, bundle_message, ended, job, pod, run, run_object, running, running_pod, time_of, waiting
from hypothesis import given
from hypothesis import strategies as st

from simops_operator.core.record import record_of
from simops_operator.core.run import run_of
from simops_operator.core.views import job_view, parse_summary, pod_view, summary_in

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


class TestPods:
    def test_the_least_that_there_can_be(self) -> None:
        view = pod_view({"metadata": {"name": "p", "uid": "u", "creationTimestamp": time_of(0)}})
        assert (view.phase, view.started, view.ended) == ("Pending", False, False)

    def test_a_container_that_ran_has_started(self) -> None:
        assert not pod(simulation=waiting()).started
        assert pod(simulation=running()).started
        assert pod(simulation=ended(3)).started

    def test_the_time_zero_of_a_process_that_never_ran_is_none(self) -> None:
        never = pod(simulation=ended(128, reason="StartError", since=(at(0).timestamp()) * -1))
        assert not never.started

    def test_stopping_is_a_simulation_that_was_told_to_stop(self) -> None:
        assert not running_pod().stopping
        assert running_pod(deleting=True).stopping
        assert running_pod(being_stopped=True).stopping
        assert not running_pod(deleting=True, phase="Failed").stopping
        assert not pod(deleting=True).stopping

    def test_a_grace_period_of_thousands_of_years_is_no_error(self) -> None:
        meta = {"name": "p", "uid": "u", "creationTimestamp": time_of(0), "deletionTimestamp": time_of(60)}
        assert pod_view({"metadata": meta | {"deletionGracePeriodSeconds": 50}}).told_at == at(10)
        for grace in (82_786_976_294, 9_223_372_036_854_775_807):
            assert pod_view({"metadata": meta | {"deletionGracePeriodSeconds": grace}}).told_at == at(60)

    def test_one_that_is_gone_has_ended(self) -> None:
        assert running_pod(gone=True).ended


class TestJobs:
    def test_the_least_that_there_can_be(self) -> None:
        view = job_view({"metadata": {"name": "j", "uid": "u"}})
        assert (view.finished, view.suspended, view.version) == (False, False, 0)

    def test_a_condition_that_is_false_is_not_an_end(self) -> None:
        obj = {"metadata": {"name": "j", "uid": "u"}, "status": {"conditions": [{"type": "Failed", "status": "False"}]}}
        assert not job_view(obj).finished
        assert job(failed="BackoffLimitExceeded").finished
        assert job(complete=True).finished


class TestSummaries:
    def test_what_the_bundle_container_says(self) -> None:
        summary = parse_summary(bundle_message())
        assert summary is not None
        assert (summary.files, summary.bytes, summary.metrics) == (5, 812345, {"max_temperature": 300.0})

    @pytest.mark.parametrize("text", ["", "killed", "[]", "{}", "null", '{"files":', "1"])
    def test_anything_else_is_none(self, text: str) -> None:
        assert parse_summary(text) is None

    @pytest.mark.parametrize("field", ["files", "bytes", "size", "sha256", "partial", "metrics", "error"])
    @given(value=json_values)
    def test_no_value_of_a_field_stops_the_operator(self, field: str, value: Any) -> None:
        parse_summary(bundle_message(**{field: value}))


class TestRecords:
    def test_attempts_and_timings(self) -> None:
        status = {"startTime": time_of(20), "completionTime": time_of(30), "phase": "Failed"}
        pods = (pod("p2", created=50), pod("p1", simulation=ended(3)))
        record = record_of(run(metadata={"why": "test"}), pods, status)
        assert [a["pod"] for a in record["attempts"]] == ["p1"]
        assert record["timings"] == {"created": time_of(0), "pendingSeconds": 20.0, "runSeconds": 10.0}
        assert record["spec"]["metadata"] == {"why": "test"}


def test_the_summary_of_a_manifest_is_read_without_its_list_of_files() -> None:
    text = json.dumps({"bundle": "a.zip", "files": 2, "error": 'x,"entries":[', "metrics": {',"entries":[': 1.5}})
    for tail in (b',"entries":[{"path":"a"}],"skippedEntries":[]}', b',"entries":[{"pa', b',"entries":['):
        found = summary_in(text[:-1].encode() + tail)
        assert found is not None
        assert (found.bundle, found.files, found.error) == ("a.zip", 2, 'x,"entries":[')
        assert found.metrics == {',"entries":[': 1.5}
    assert summary_in(text.encode()) == parse_summary(text)
    assert summary_in(text.encode()[:-9]) is None
    assert summary_in(b'{"bundle":null,"x":[' + b"{}," * 100) is None
    assert summary_in(b"\xff\xfe") is None


class TestASummaryThatSomebodyElseHasWritten:
    def test_has_as_many_metrics_as_a_status_has_room_for(self) -> None:
        forged = {"bundle": "b", "metrics": {f"m{number}": 1 for number in range(400_000)}}
        found = parse_summary(json.dumps(forged))
        assert found is not None
        assert len(json.dumps(found.metrics)) < 300_000
        assert "not all metrics fit" in found.metrics_note

    def test_has_no_endless_texts(self) -> None:
        long = "x" * 1_000_000
        found = parse_summary(json.dumps({"bundle": None, "error": long, "sha256": long, "metricsError": long}))
        assert found is not None
        assert len(found.error) + len(found.sha256) + len(found.metrics_note) < 3000
        assert parse_summary(json.dumps({"bundle": long})) is None
        assert parse_summary(json.dumps({"bundle": 3})) is None


@pytest.mark.parametrize("spec", [{"metadata": {"a" * 1_000_000: "b"}}, {"params": {"b" * 1_000_000: []}}])
def test_of_a_long_name_the_words_about_a_spec_that_is_refused_keep_the_beginning(spec: dict[str, Any]) -> None:
    run = run_of(run_object(**spec))
    assert run.spec is None
    assert run.invalid.startswith("spec.")
    assert len(run.invalid) < 2000
