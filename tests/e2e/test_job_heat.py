"""The sample job, from `kubectl apply` to its results, as a person sees it."""

import json
from pathlib import Path

import pytest
import yaml
from e2e.cluster import Object, Refused
from e2e.lab import NAMESPACE, PODS, Lab, Run

from simops_crds.names import ConditionType

EXAMPLE = Path(__file__).parents[2] / "examples" / "heat.yaml"
FILES = {"meta.json", "metrics.json", "result.csv", "simulation_results.png", "temperature_field.npy"}


@pytest.fixture(scope="module")
def manifest() -> Object:
    example: Object = yaml.safe_load(EXAMPLE.read_text())
    example["metadata"]["namespace"] = NAMESPACE
    return example


@pytest.fixture(scope="module")
def heat(simops: Lab, manifest: Object) -> Run:
    run = simops.start(manifest)
    run.finished()
    return run


def test_it_goes_from_pending_through_running_to_succeeded(heat: Run) -> None:
    status = heat.ended("Succeeded", "Completed")
    assert heat.phases == ["Pending", "Running", "Succeeded"]
    assert status["exitCode"] == 0
    assert status["attempts"] == 1
    assert status["observedGeneration"] == 1
    assert status["startTime"] <= status["completionTime"]
    assert {kind: heat.condition(kind)[0] for kind in ConditionType} == dict.fromkeys(ConditionType, "True")


def test_kubectl_get_shows_it_usefully(simops: Lab, heat: Run) -> None:
    head, line = simops.cluster.kubectl("get", "simjob", heat.name, f"--namespace={NAMESPACE}").splitlines()
    assert head.split()[:2] == ["NAME", "PHASE"]
    assert line.split()[:2] == ["heat", "Succeeded"]
    assert "AGE" in head
    found = simops.cluster.kubectl(
        "get", "simjob", f"--namespace={NAMESPACE}", "--field-selector=status.phase=Succeeded", "--output=name"
    )
    assert f"simulationjob.simops.dev/{heat.name}" in found.split()


def test_kubectl_describe_tells_its_story(simops: Lab, heat: Run) -> None:
    story = simops.cluster.kubectl("describe", "simjob", heat.name, f"--namespace={NAMESPACE}")
    for kind in ConditionType:
        assert kind in story
    assert "Completed" in story.split("Events:")[1]
    assert heat.events() == [("Normal", "Completed")]


def test_its_bundle_has_the_five_files(heat: Run) -> None:
    files = heat.files()
    assert set(files) == FILES
    assert files["simulation_results.png"].startswith(b"\x89PNG")


def test_its_log_in_the_store_is_what_it_printed(simops: Lab, heat: Run) -> None:
    pod = heat.status["podName"]
    printed = simops.cluster.kubectl("logs", f"--namespace={NAMESPACE}", pod, "--container=simulation")
    assert printed.strip()
    assert heat.log() == printed


def test_its_metrics_are_in_its_status(heat: Run) -> None:
    assert heat.status["metrics"] == {
        name: pytest.approx(value) for name, value in json.loads(heat.files()["metrics.json"]).items()
    }


def test_its_record_tells_everything(manifest: Object, heat: Run) -> None:
    record = heat.record()
    assert record["uid"] == heat.uid
    assert record["spec"].items() >= manifest["spec"].items()
    assert record["status"] == heat.status
    assert record["image"]["name"] == "sim:local"
    assert "sha256:" in record["image"]["id"]
    (attempt,) = record["attempts"]
    assert attempt["pod"] == heat.status["podName"]
    assert attempt["exitCode"] == 0
    assert record["timings"]["pendingSeconds"] >= 0
    assert record["timings"]["runSeconds"] > 0


def test_nothing_is_written_into_its_metadata(heat: Run) -> None:
    found = heat.find()
    assert found is not None
    assert "annotations" not in found["metadata"]
    assert "finalizers" not in found["metadata"]
    assert heat.kubernetes_jobs
    assert len(heat.kubernetes_jobs) == 1


def test_what_it_is_cannot_be_changed_any_more(heat: Run) -> None:
    with pytest.raises(Refused, match="params") as refused:
        heat.patch(params={"length": 2.0})
    assert refused.value.status == 422


def test_its_namespace_takes_restricted_pods_only(simops: Lab, heat: Run) -> None:
    assert [pod["status"]["phase"] for pod in heat.pods()] == ["Succeeded"]
    loose = {"metadata": {"name": "loose"}, "spec": {"containers": [{"name": "loose", "image": "sim:local"}]}}
    with pytest.raises(Refused, match="restricted"):
        simops.cluster.request("POST", f"{PODS}?dryRun=All", {"apiVersion": "v1", "kind": "Pod", **loose})
