"""What may change once an object exists, and what status and spec have to do with each other."""

from collections.abc import Callable
from typing import Any

import pytest
from contract.objects import Manifest, axes, axis, job, sweep
from contract.server import Api

from simops_crds.kinds import SIMULATION_JOB, SIMULATION_SWEEP

pytestmark = pytest.mark.versions

Make = Callable[[Manifest], Manifest]

FULL_JOB: dict[str, Any] = {
    "command": ["a"],
    "args": ["a"],
    "params": {"a": 1, "b": 2},
    "env": [{"name": "A"}],
    "resources": {"limits": {"cpu": 1}},
    "priorityClassName": "a",
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a"}],
    "queueName": "a",
}
JOB_CHANGES: dict[str, Any] = {
    "image": "sim:other",
    "command": ["b"],
    "args": [],
    "params": {"a": 2},
    "env": [{"name": "A", "value": "1"}],
    "resources": {"limits": {"cpu": 2}},
    "timeoutSeconds": 60,
    "retries": 1,
    "priorityClassName": "b",
    "nodeSelector": {"c": "d"},
    "tolerations": [{"key": "b"}],
    "queueName": "b",
    "network": "Cluster",
    "artifacts": {"deleteWithJob": True},
}
SWEEP_CHANGES: dict[str, Any] = {
    "template": {"params": {"length": 2}},
    "pointsPerPod": "auto",
    "timeoutSeconds": 60,
    "artifacts": {"deleteWithJob": True},
    "reuse": True,
}


def test_there_is_a_change_for_every_immutable_field() -> None:
    assert set(JOB_CHANGES) == set(SIMULATION_JOB.spec.immutable)
    assert set(SWEEP_CHANGES) == set(SIMULATION_SWEEP.spec.immutable)


def _is_refused(api: Api, manifest: Manifest, field: str, value: Any) -> None:
    refusal = api.patch_refusal(manifest, {"spec": {field: value}})
    assert refusal is not None, f"{field} could be changed"
    assert refusal.code == 422
    assert refusal.says(f"spec.{field}", f"{field} cannot be changed once the object exists: make a new object")


@pytest.mark.parametrize("field", JOB_CHANGES)
def test_what_defines_a_job_cannot_change(api: Api, made: Make, field: str) -> None:
    manifest = job(**FULL_JOB)
    made(manifest)
    _is_refused(api, manifest, field, JOB_CHANGES[field])


@pytest.mark.parametrize("field", FULL_JOB)
def test_what_defines_a_job_cannot_be_taken_away(api: Api, made: Make, field: str) -> None:
    manifest = job(**FULL_JOB)
    made(manifest)
    _is_refused(api, manifest, field, None)


@pytest.mark.parametrize("field", FULL_JOB)
def test_what_defines_a_job_cannot_be_added(api: Api, made: Make, field: str) -> None:
    manifest = job()
    made(manifest)
    _is_refused(api, manifest, field, FULL_JOB[field])


@pytest.mark.parametrize("field", SWEEP_CHANGES)
def test_what_defines_a_sweep_cannot_change(api: Api, made: Make, field: str) -> None:
    manifest = sweep()
    made(manifest)
    _is_refused(api, manifest, field, SWEEP_CHANGES[field])


MUTABLE = [
    (job(), {"suspend": True}),
    (job(suspend=True), {"suspend": False}),
    (job(), {"cancelled": True}),
    (job(), {"ttlSecondsAfterFinished": 5}),
    (job(ttlSecondsAfterFinished=5), {"ttlSecondsAfterFinished": None}),
    (job(), {"pendingTimeoutSeconds": 5}),
    (job(metadata={"a": "b"}), {"metadata": {"a": "c"}}),
    (job(params={"a": 1}), {"params": {"a": 1.0}}),
    (sweep(), {"suspend": True}),
    (sweep(), {"cancelled": True}),
    (sweep(), {"parallelism": 3}),
    (sweep(), {"retriesPerPoint": 3}),
    (sweep(), {"maxFailedPoints": 3}),
    (sweep(), {"cancelledPoints": "1-2"}),
    (sweep(cancelledPoints="1-2"), {"cancelledPoints": None}),
    (sweep(), {"rerun": {"points": "failed", "id": "a"}}),
    (sweep(rerun={"points": "failed", "id": "a"}), {"rerun": {"points": "missing", "id": "b"}}),
    (sweep(), {"ttlSecondsAfterFinished": 5}),
]


@pytest.mark.parametrize(("manifest", "change"), MUTABLE, ids=[f"{m['kind']} {c}" for m, c in MUTABLE])
def test_what_steers_a_run_can_change(api: Api, made: Make, manifest: Manifest, change: Manifest) -> None:
    made(manifest)
    spec = api.patch(manifest, {"spec": change})["spec"]
    assert {name: spec.get(name) for name in change} == change


@pytest.mark.parametrize("manifest", [job(cancelled=True), sweep(cancelled=True)], ids=lambda m: m["kind"])
@pytest.mark.parametrize("value", [False, None])
def test_cancelled_cannot_be_taken_back(api: Api, made: Make, manifest: Manifest, value: bool | None) -> None:
    made(manifest)
    refusal = api.patch_refusal(manifest, {"spec": {"cancelled": value}})
    assert refusal is not None
    assert refusal.says("spec.cancelled", f"cannot be taken back: make a new {manifest['kind']}")


def test_an_order_to_run_again_needs_a_new_id(api: Api, made: Make) -> None:
    manifest = sweep(rerun={"points": "failed", "id": "a"})
    made(manifest)
    refusal = api.patch_refusal(manifest, {"spec": {"rerun": {"points": "missing"}}})
    assert refusal is not None
    assert refusal.says("spec.rerun", "give it a new id")


def test_a_bad_value_is_refused_in_a_change_too(api: Api, made: Make) -> None:
    manifest = sweep()
    made(manifest)
    refusal = api.patch_refusal(manifest, {"spec": {"cancelledPoints": "9-7"}})
    assert refusal is not None
    assert refusal.says("spec.cancelledPoints: 9-7", "the lower index comes first")


STATUS: Manifest = {
    "phase": "Running",
    "reason": "SimulationStarted",
    "message": "läuft",
    "observedGeneration": 1,
    "startTime": "2026-11-23T16:00:00Z",
    "conditions": [
        {
            "type": "Started",
            "status": "True",
            "reason": "SimulationStarted",
            "message": "",
            "lastTransitionTime": "2026-11-23T16:00:00Z",
            "observedGeneration": 1,
        }
    ],
}
JOB_STATUS = STATUS | {
    "exitCode": -1,
    "attempts": 2,
    "jobName": "heat-6f0c1234",
    "podName": "heat-6f0c1234-x7k2p",
    "imageID": None,
    "imageId": "sha256:0",
    "metrics": {"max_temperature": 300.5, "a b": 1e-9, "count": 2},
    "completionTime": "2026-11-23T16:00:01Z",
    "artifacts": {
        "bundle": "jobs/a.zip",
        "log": "jobs/a.log",
        "files": 5,
        "bytes": 2**40,
        "size": 1,
        "sha256": "0",
        "partial": True,
        "expirationTime": "2027-11-23T16:00:00Z",
    },
}
JOB_STATUS.pop("imageID")
SWEEP_STATUS = STATUS | {
    "points": {"total": 9, "active": 1, "succeeded": 5, "failed": 2, "cancelled": 1},
    "succeededPoints": "0-4",
    "failedPoints": "5,7",
    "rounds": [{"job": "a-r0", "reason": "probe", "points": "0-4", "startTime": "2026-11-23T16:00:00Z"}],
    "activePoints": "8",
    "cancelledPoints": "6",
    "rangesInStore": True,
    "pointsDigest": "0",
    "pointsPerSecond": 1.5,
    "estimatedCompletionTime": "2026-11-23T17:00:00Z",
}
BOTH = pytest.mark.parametrize(
    ("manifest", "status"), [(job(), JOB_STATUS), (sweep(), SWEEP_STATUS)], ids=["job", "sweep"]
)


@BOTH
def test_a_write_of_status_keeps_every_field_and_leaves_the_spec(
    api: Api, made: Make, manifest: Manifest, status: Manifest
) -> None:
    before = made(manifest)
    api.patch(manifest, {"status": status, "spec": {"suspend": True}}, status=True)
    after = api.read(manifest)
    assert after["status"] == status
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


@BOTH
def test_a_write_of_spec_leaves_the_status(api: Api, made: Make, manifest: Manifest, status: Manifest) -> None:
    made(manifest | {"status": {"phase": "Succeeded"}})
    assert "status" not in api.read(manifest)
    api.patch(manifest, {"status": status}, status=True)
    after = api.patch(manifest, {"spec": {"suspend": True}, "status": {"phase": "Failed"}})
    assert after["status"] == status
    assert after["spec"]["suspend"] is True
    assert after["metadata"]["generation"] == 2


def test_a_finished_object_can_be_labelled_and_deleted_with_a_finalizer(api: Api, made: Make) -> None:
    manifest = job(params={"a": 1})
    made(manifest)
    api.patch(manifest, {"metadata": {"labels": {"a": "b"}, "finalizers": ["simops.dev/test"]}})
    after = api.patch(manifest, {"metadata": {"finalizers": None}})
    assert after["metadata"]["labels"] == {"a": "b"}
    assert after["spec"]["params"] == {"a": 1}


def test_a_phase_that_does_not_exist_is_refused(api: Api, made: Make) -> None:
    manifest = job()
    made(manifest)
    with pytest.raises(Exception, match="Unsupported value"):
        api.patch(manifest, {"status": {"phase": "Done"}}, status=True)


def test_a_space_with_axes_is_immutable_down_to_one_value(api: Api, made: Make) -> None:
    manifest = sweep(space=axes(axis(values=[1, 2]), where="x > 1"))
    made(manifest)
    refusal = api.patch_refusal(manifest, {"spec": {"space": {"where": "x > 0"}}})
    assert refusal is not None
    assert refusal.says("spec.space", "space cannot be changed before the sweep has finished")


def _finished(api: Api, made: Make, **spec: Any) -> Manifest:
    manifest = sweep(**spec)
    made(manifest)
    api.patch(manifest, {"status": SWEEP_STATUS | {"phase": "Succeeded"}}, status=True)
    return manifest


SAMPLED: dict[str, Any] = {"method": "sobol", "axes": [axis(uniform={"low": 0, "high": 1})], "samples": 4}
LISTED: dict[str, Any] = {"method": "list", "points": [{"x": 1}, {"x": 2}]}
EXTENSIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (axes(axis(values=[1, 2])), {"axes": [axis(values=[1, 2, 3])]}),
    (
        axes(axis(linspace={"start": 0, "stop": 1, "num": 3})),
        {"axes": [axis(linspace={"start": 0, "stop": 1, "num": 5})]},
    ),
    (SAMPLED, {"samples": 8}),
    (LISTED, {"points": [{"x": 1}, {"x": 2}, {"x": 3}]}),
]


@pytest.mark.parametrize(("space", "more"), EXTENSIONS, ids=str)
def test_the_space_of_a_finished_sweep_can_be_extended(
    api: Api, made: Make, space: dict[str, Any], more: dict[str, Any]
) -> None:
    manifest = _finished(api, made, space=space)
    after = api.patch(manifest, {"spec": {"space": more}})["spec"]["space"]
    assert {name: after[name] for name in more} == more


@pytest.mark.parametrize(
    ("space", "change"),
    [
        (axes(axis(values=[1, 2])), {"where": "x > 1"}),
        (axes(axis(values=[1, 2])), {"axes": [axis("other", values=[1, 2])]}),
        (SAMPLED, {"samples": 2}),
        (SAMPLED, {"seed": 3}),
        (SAMPLED, {"method": "random"}),
        (SAMPLED, {"axes": [axis(uniform={"low": 0, "high": 2})], "samples": 8}),
        (LISTED, {"points": [{"x": 1}]}),
    ],
    ids=str,
)
def test_anything_else_of_its_space_cannot_be_changed(
    api: Api, made: Make, space: dict[str, Any], change: dict[str, Any]
) -> None:
    manifest = _finished(api, made, space=space)
    refusal = api.patch_refusal(manifest, {"spec": {"space": change}})
    assert refusal is not None
    assert refusal.says("spec.space", "but by an extension")


@pytest.mark.parametrize("field", SWEEP_CHANGES)
def test_what_defines_a_finished_sweep_cannot_change_either(api: Api, made: Make, field: str) -> None:
    manifest = _finished(api, made)
    _is_refused(api, manifest, field, SWEEP_CHANGES[field])
