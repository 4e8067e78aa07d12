"""The object that a request becomes."""

import re
from pathlib import Path
from typing import Any

import pytest
from contract.objects import BREAKOUTS, BREAKOUTS_WITHIN
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from unit.test_api_serving import settings_of

from simops_api.errors import ProblemError
from simops_api.jobs.ids import id_of, parse_id
from simops_api.jobs.manifests import manifest_of, mapping_of, name_for
from simops_api.jobs.requests import JobRequest
from simops_crds.kinds import SIMULATION_JOB, SIMULATION_SWEEP
from simops_crds.v1alpha1 import SimulationJobSpec, SimulationSweepSpec

SUFFIX = "7k2mqx4d"
SETTINGS = settings_of(Path("none"), namespaces=("lab", "other"), default_container_command=("python", "-m", "sim"))
HEAT = {"length": 1.0, "time_steps": 200, "diffusivity": 0.01, "initial_temp": 100.0}


def manifest(body: dict[str, Any]) -> dict[str, Any]:
    kind, made = manifest_of(JobRequest.model_validate(body), SETTINGS, SUFFIX)
    assert made["kind"] == kind.kind
    (SimulationJobSpec if kind is SIMULATION_JOB else SimulationSweepSpec).model_validate(made["spec"])
    return made


def test_a_request_becomes_a_job_with_what_was_said_and_no_defaults() -> None:
    made = manifest({"container_image": "sim:local", "params": HEAT, "metadata": {"project": "heat-transfer"}})
    assert made == {
        "apiVersion": "simops.dev/v1alpha1",
        "kind": "SimulationJob",
        "metadata": {"name": f"sim-{SUFFIX}", "namespace": "lab"},
        "spec": {"image": "sim:local", "params": HEAT, "metadata": {"project": "heat-transfer"}},
    }


def test_every_field_of_a_job_can_be_said_in_both_ways_of_writing() -> None:
    body = {"timeout_seconds": 5, "priorityClassName": "low", "retries": 2, "env": [{"name": "A"}], "suspend": True}
    assert manifest(body)["spec"] == {
        "image": "sim:local",
        "timeoutSeconds": 5,
        "priorityClassName": "low",
        "retries": 2,
        "env": [{"name": "A"}],
        "suspend": True,
    }
    for field in SimulationJobSpec.model_fields:
        assert field in JobRequest.model_json_schema()["properties"]


def test_labels_and_namespace_are_the_objects() -> None:
    meta = manifest({"namespace": "other", "labels": {"a": "b"}})["metadata"]
    assert (meta["namespace"], meta["labels"]) == ("other", {"a": "b"})


def test_null_is_as_good_as_not_said() -> None:
    assert manifest({"command": None, "params": None})["spec"] == {"image": "sim:local"}


def test_without_any_image_the_setting_is_named() -> None:
    settings = settings_of(Path("none"), default_container_image="")
    with pytest.raises(ProblemError, match="SIMOPS_DEFAULT_CONTAINER_IMAGE"):
        manifest_of(JobRequest(), settings, SUFFIX)


def test_a_list_of_points_becomes_a_sweep_that_runs_exactly_these() -> None:
    points = [{"diffusivity": 0.1}, {"diffusivity": 0.2, "length": 2.0}]
    request = {"params": HEAT, "sweep": points, "retries": 1, "timeout_seconds": 9, "pending_timeout_seconds": 8}
    made = manifest(request)
    assert made["kind"] == "SimulationSweep"
    assert made["spec"] == {
        "template": {
            "image": "sim:local",
            "command": ["python", "-m", "sim"],
            "params": {"time_steps": 200, "initial_temp": 100.0},
            "pendingTimeoutSeconds": 8,
        },
        "space": {
            "method": "list",
            "points": [{"diffusivity": 0.1, "length": 1.0}, {"diffusivity": 0.2, "length": 2.0}],
        },
        "retriesPerPoint": 1,
        "timeoutSeconds": 9,
    }
    whole = mapping_of(JobRequest.model_validate(request), ["a-0", "a-1"])
    assert whole == {"a-0": HEAT | points[0], "a-1": HEAT | points[1]}


def test_a_space_becomes_a_sweep() -> None:
    space = {"axes": [{"name": "x", "linspace": {"start": 0, "stop": 1, "num": 3}}]}
    made = manifest({"command": ["a"], "space": space})
    assert made["spec"]["space"] == space
    assert made["spec"]["template"] == {"image": "sim:local", "command": ["a"]}


def test_an_image_whose_command_is_not_known_cannot_be_swept_without_one() -> None:
    with pytest.raises(ProblemError, match="a sweep needs command"):
        manifest({"image": "other:1", "sweep": [{"a": 1}]})


def test_shared_parameters_cannot_make_an_object_that_is_too_large() -> None:
    points: list[dict[str, Any]] = [{"a": 1}] * 2000
    with pytest.raises(ProblemError, match="larger than Kubernetes takes"):
        manifest({"params": {"text": "x" * 4000}, "sweep": [*points, {"text": "y"}]})


def test_more_points_than_the_schema_allows_are_refused_with_the_field() -> None:
    with pytest.raises(ProblemError, match=r"space\.points: List should have at most 10000 items"):
        manifest({"sweep": [{"a": 1}] * 10_001})


@given(st.text(max_size=80) | st.from_regex(r"[a-z0-9.:/@_-]{1,200}", fullmatch=True))
def test_any_image_gives_a_name_that_both_kinds_take(image: str) -> None:
    name = name_for(image, SUFFIX)
    assert re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= min(SIMULATION_JOB.name_limit, SIMULATION_SWEEP.name_limit)


@pytest.mark.parametrize(
    ("image", "name"),
    [("registry.example.com:5000/team/Heat_1D:1.2", "heat-1d"), ("sim@sha256:0", "sim"), ("///", "job")],
)
def test_a_name_begins_with_what_the_image_is_called(image: str, name: str) -> None:
    assert name_for(image, SUFFIX) == f"{name}-{SUFFIX}"


names = st.from_regex(r"[a-z0-9](?:[-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)


@given(names, names, names)
def test_an_id_says_again_what_it_was_made_of(namespace: str, name: str, default: str) -> None:
    job_id = id_of(namespace, name, default)
    assert parse_id(job_id, default) == (namespace, name)
    assert parse_id(f"{namespace}.{name}", default) == (namespace, name)


@given(st.text())
def test_an_id_that_is_understood_is_safe_in_a_path(text: str) -> None:
    found = parse_id(text, "default")
    assert found is None or not set("".join(found)) - set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_space_is_checked_at_the_door_with_the_count_that_it_would_have_made() -> None:
    axes = [{"name": name, "integers": {"low": 1, "high": 1000}} for name in ("a", "b")]
    for space, field, words in (
        ({"axes": axes}, "space", "1,000,000 points"),
        ({"axes": axes[:1], "where": "a +"}, "space.where", "a +"),
        ({"axes": axes[:1], "where": "b > 1"}, "space.where", "b"),
        ({"axes": [{"name": "a", "values": [1, 2]}], "where": "a > 5"}, "space.where", "none of the 2 points is left"),
    ):
        with pytest.raises(ProblemError) as caught:
            manifest({"command": ["run"], "space": space})
        assert caught.value.status == 422
        assert caught.value.errors[0].field == field
        assert words in caught.value.detail


def test_results_are_taken_for_an_image_with_a_digest_only() -> None:
    wanted: dict[str, Any] = {"command": ["run"], "sweep": [{"a": 1}], "reuse": True}
    for image in ("sim:local", "sim@sha256:abc", f"sim@sha256:{'A' * 64}"):
        with pytest.raises(ProblemError) as caught:
            manifest({**wanted, "image": image})
        assert caught.value.errors[0].field == "reuse"
    assert manifest({**wanted, "image": f"sim:local@sha256:{'a' * 64}"})["spec"]["reuse"] is True
    with pytest.raises(ProblemError, match="is for many runs"):
        manifest({"reuse": True})


@pytest.mark.parametrize("more", [{}, {"sweep": [{"a": 1}], "command": ["run"]}])
def test_where_a_digest_is_required_a_tag_is_refused_at_the_door(more: dict[str, Any]) -> None:
    strict = SETTINGS.model_copy(update={"require_digest": True})
    for body in ({"container_image": "sim:1"}, {}):
        with pytest.raises(ProblemError) as caught:
            manifest_of(JobRequest.model_validate(body | more), strict, SUFFIX)
        assert caught.value.status == 422
        assert caught.value.errors[0].field == "image"
        assert "is not named by its digest, which is required here" in caught.value.detail
    by_digest = JobRequest.model_validate({"container_image": f"sim@sha256:{'a' * 64}"} | more)
    assert manifest_of(by_digest, strict, SUFFIX)


MANY = {"sweep": [{"a": 1}], "command": ["run"]}
MAXIMA = SETTINGS.model_copy(update={"max_timeout_seconds": 7200, "max_resources": (("memory", "8Gi"),)})


@pytest.mark.parametrize("more", [{}, MANY], ids=["one", "many"])
@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"timeout_seconds": 7201}, "timeout_seconds", "7201 seconds are more than 7200, the most that"),
        ({"resources": {"limits": {"memory": "9Gi"}}}, "resources.limits", "memory: 9Gi is more than 8Gi, the most"),
        ({"resources": {"requests": {"memory": "8.1Gi"}}}, "resources.requests", "memory: 8.1Gi is more than 8Gi"),
        ({"resources": {"limits": {"memory": "lots"}}}, "resources.limits", "memory: 'lots' is no Kubernetes quantity"),
    ],
)
def test_more_time_or_resources_than_there_may_be_are_refused_at_the_door(
    body: dict[str, Any], field: str, words: str, more: dict[str, Any]
) -> None:
    with pytest.raises(ProblemError) as caught:
        manifest_of(JobRequest.model_validate(body | more), MAXIMA, SUFFIX)
    assert (caught.value.status, caught.value.errors[0].field) == (422, field)
    assert words in caught.value.detail


@pytest.mark.parametrize("more", [{}, MANY], ids=["one", "many"])
def test_all_the_time_and_resources_that_there_may_be_are_taken(more: dict[str, Any]) -> None:
    most = {"timeout_seconds": 7200, "resources": {"limits": {"memory": "8192Mi", "cpu": 99}}}
    _, made = manifest_of(JobRequest.model_validate(most | more), MAXIMA, SUFFIX)
    assert made["spec"]["timeoutSeconds"] == 7200


@pytest.mark.parametrize("more", [{}, MANY], ids=["one", "many"])
def test_a_request_without_a_timeout_gets_what_there_may_be_where_the_default_is_more(more: dict[str, Any]) -> None:
    request = JobRequest.model_validate(more)
    for most, timeout in ((60, 60), (3600, None), (7200, None)):
        _, made = manifest_of(request, SETTINGS.model_copy(update={"max_timeout_seconds": most}), SUFFIX)
        assert made["spec"].get("timeoutSeconds") == timeout


@pytest.mark.parametrize("name", [*BREAKOUTS, *BREAKOUTS_WITHIN])
def test_a_field_that_would_let_a_simulation_out_of_its_pod_is_not_taken(name: str) -> None:
    if name == "labels":
        # Here they are those of the object, which its Pods do not get.
        assert "labels" not in manifest({"labels": BREAKOUTS["labels"]})["spec"]
        return
    field = BREAKOUTS_WITHIN.get(name) or {name: BREAKOUTS[name]}
    for more in ({}, MANY):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            JobRequest.model_validate(field | more)
