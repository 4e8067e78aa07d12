"""What is kept and answered of a SimulationJob."""

import json
from typing import Any

import pytest

from simops_api.jobs.models import Job
from simops_api.jobs.requests import JobRequest
from simops_api.records import document_of, record_of, seconds_of

META = {
    "name": "heat",
    "namespace": "lab",
    "uid": "6f0c1234",
    "resourceVersion": "7",
    "creationTimestamp": "2026-03-01T12:00:00Z",
    "labels": {"project": "heat"},
}
STATUS = {
    "phase": "Failed",
    "reason": "ExitCode",
    "message": "läuft nicht",
    "startTime": "2026-03-01T12:00:05Z",
    "completionTime": "2026-03-01T12:01:05.5Z",
    "exitCode": 3,
    "attempts": 1,
    "metrics": {"max_temperature": 300.5},
    "artifacts": {"bundle": "jobs/a.zip", "expirationTime": "2026-04-01T12:00:00Z"},
}
SPEC = {
    "image": "sim:local",
    "command": ["a"],
    "args": ["b"],
    "params": {"length": 1.0, "steps": 200, "plot": True, "label": "x"},
    "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
    "env": [{"name": "OMP_NUM_THREADS", "value": "4"}],
    "network": "Internet",
    "priorityClassName": "low",
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "spot", "operator": "Exists", "tolerationSeconds": 5}],
    "queueName": "physics",
    "pendingTimeoutSeconds": 900,
    "retries": 2,
    "ttlSecondsAfterFinished": 86400,
    "timeoutSeconds": 60,
    "metadata": {"project": "heat"},
    "cancelled": True,
    "suspend": False,
}


def obj(**parts: Any) -> dict[str, Any]:
    return {"metadata": META, "spec": SPEC, "status": STATUS} | parts


def test_a_record_has_what_lists_go_by() -> None:
    record = record_of(obj(), "lab.heat")
    assert (record.id, record.namespace, record.version, record.phase) == ("lab.heat", "lab", 7, "Failed")
    assert record.labels == (("project", "heat"),)
    assert record.finished
    assert record.seconds == 60.5
    assert record.key == (1772366400, "lab.heat")


def test_a_job_that_the_operator_has_not_seen_is_pending() -> None:
    record = record_of({"metadata": META, "spec": {"image": "a"}}, "lab.heat")
    assert record.phase == "Pending"
    assert record.seconds is None
    assert json.loads(record.document)["status"] == "Pending"


def test_what_is_answered_keeps_the_schema_that_is_published() -> None:
    document = json.loads(record_of(obj(), "lab.heat").document)
    job = Job.model_validate(document)
    assert set(document) == set(Job.model_fields) - {"sweep", "index", "seconds", "reused"}  # those are of points
    assert job.params == SPEC["params"]
    assert job.artifacts is not None
    assert job.artifacts.bundle == "jobs/a.zip"
    assert job.message == "läuft nicht"


def test_a_run_can_be_asked_for_again_with_what_is_answered_of_it() -> None:
    document = json.loads(record_of(obj(), "lab.heat").document)
    others = ("name", "artifacts", "cancelled")  # the name is its own; what became of it is not asked for
    asked = JobRequest.model_validate(
        {k: v for k, v in document.items() if k in JobRequest.model_fields and k not in others}
    )
    wanted = {k: v for k, v in SPEC.items() if k not in ("cancelled", "suspend")}
    made = asked.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert {k: v for k, v in made.items() if k not in ("namespace", "labels")} == wanted


def test_fields_without_a_value_are_left_out() -> None:
    document = document_of({"metadata": META, "spec": {"image": "a", "timeoutSeconds": 5}}, "lab.heat")
    Job.model_validate(document)
    assert "exit_code" not in document
    assert document["params"] == {}


@pytest.mark.parametrize("text", [None, "", "soon", 7, "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_no_time(text: Any) -> None:
    assert seconds_of(text) is None


def test_a_run_that_ended_before_it_started_took_no_time() -> None:
    record = record_of(obj(status=STATUS | {"completionTime": "2026-03-01T12:00:00Z"}), "a")
    assert record.seconds == 0.0
