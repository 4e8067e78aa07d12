"""The Job of a round."""

import json
from typing import Any

import pytest
from builders import CONFIG, NAMESPACE
from sweepworld import PREFIX, SWEEP, UID, job_name, sweep_object

from simops_crds.indexes import Indexes
from simops_operator.core.pods import Manifest
from simops_operator.core.sweeps.books import Round
from simops_operator.core.sweeps.manifest import deadline_of, job_for_round
from simops_operator.core.sweeps.sweep import sweep_of


def job(points: int = 10, size: int = 4, number: int = 0, **spec: Any) -> Manifest:
    sweep = sweep_of(sweep_object(points=points, **spec))
    assert sweep.spec is not None, sweep.invalid
    return job_for_round(sweep, sweep.spec, Round(number, Indexes.up_to(points), size), CONFIG)


def containers(**spec: Any) -> tuple[Manifest, Manifest, Manifest]:
    """Return the Pod's spec, its bundle container and its simulation container."""
    pod = job(**spec)["spec"]["template"]["spec"]
    return pod, pod["initContainers"][0], pod["containers"][0]


def env(container: Manifest) -> dict[str, str]:
    return {e["name"]: e["value"] for e in container["env"] if "value" in e}


def test_one_index_a_pack_and_no_second_pod_for_a_pack_that_failed() -> None:
    spec = job()["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert spec["backoffLimitPerIndex"] == 0
    assert "backoffLimit" not in spec
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["podFailurePolicy"]["rules"][0]["action"] == "Ignore"
    assert not spec["suspend"]


def test_no_more_pods_at_once_than_there_are_packs() -> None:
    assert job(parallelism=50)["spec"]["parallelism"] == 3
    assert job(parallelism=2)["spec"]["parallelism"] == 2


def test_it_belongs_to_its_sweep_and_says_which_round_it_is() -> None:
    whole = job(number=7)
    assert whole["metadata"]["name"] == job_name(7)
    labels = {
        "app.kubernetes.io/managed-by": "simops",
        "simops.dev/sweep": SWEEP,
        "simops.dev/uid": UID,
        "simops.dev/round": "7",
    }
    assert whole["metadata"]["labels"] == labels
    assert whole["spec"]["template"]["metadata"]["labels"] == labels | {"simops.dev/network": "None"}
    (owner,) = whole["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("SimulationSweep", SWEEP, UID)


def test_the_longest_name_fits_into_a_hosts_name() -> None:
    name = "a" * 43
    assert len(f"{name}-7a1b2c3d-r999-99999") == 63


def test_the_bundle_container_is_told_where_the_points_are() -> None:
    template = {"command": ["heat", "--x"], "args": ["$HOME"], "params": {"length": 1.0, "name": "ä$(A)"}}
    _, bundle, _ = containers(template=template)
    told = env(bundle)
    assert told["SIMOPS_SWEEP_PREFIX"] == PREFIX == f"sweeps/{NAMESPACE}/{SWEEP}/{UID}"
    assert "SIMOPS_KEY_PREFIX" not in told
    assert told["SIMOPS_ROUND"] == "0"
    assert told["SIMOPS_BATCH"] == "false"
    assert told["SIMOPS_POINT_SECONDS"] == "3600"
    # Kubernetes makes $ of $$.
    assert json.loads(told["SIMOPS_COMMAND"].replace("$$", "$")) == ["heat", "--x", "$HOME"]
    assert json.loads(told["SIMOPS_TEMPLATE_PARAMS"].replace("$$", "$")) == {"length": 1.0, "name": "ä$(A)"}


def test_the_simulation_waits_until_its_points_are_there_and_cannot_change_them() -> None:
    pod, bundle, simulation = containers()
    hook = bundle["lifecycle"]["postStart"]["exec"]["command"]
    assert "/simops/points/ready" in hook[-1]
    mounts = [m for c in (bundle, simulation) for m in c["volumeMounts"] if m["name"] == "points"]
    assert [m.get("readOnly", False) for m in mounts] == [False, True]
    assert {v["name"] for v in pod["volumes"]} == {"outputs", "tmp", "points", "store"}
    assert all(m["name"] != "store" for m in simulation["volumeMounts"])


def test_the_runner_runs_the_points() -> None:
    _, _, simulation = containers()
    assert simulation["command"] == ["/bin/sh", "/simops/points/run.sh"]
    assert simulation["args"] == []
    assert env(simulation)["SIMOPS_JOB"] == SWEEP


def test_in_batch_mode_the_image_runs_them() -> None:
    _, bundle, simulation = containers(template={"batch": True, "command": ["b"], "args": ["$c"]})
    assert (simulation["command"], simulation["args"]) == (["b"], ["$$c"])
    assert env(simulation)["SIMOPS_POINTS"] == "/simops/points/points.jsonl"
    assert env(simulation)["SIMOPS_RESULTS"] == "/simops/outputs/results.jsonl"
    assert env(bundle)["SIMOPS_BATCH"] == "true"


@pytest.mark.parametrize(
    ("seconds", "size", "deadline"),
    [
        (100, 1, 100 + 600 + 300),
        (100, 50, 5000 + 600 + 300),
        (31_536_000, 1, 604_800 + 600 + 300),
        (31_536_000, 100_000, 2**31 - 1),
    ],
)
def test_a_pod_may_live_as_long_as_its_points_may_take(seconds: int, size: int, deadline: int) -> None:
    sweep = sweep_of(sweep_object(timeoutSeconds=seconds))
    assert sweep.spec is not None
    assert deadline_of(sweep.spec, Round(0, Indexes.up_to(10), size), CONFIG) == deadline


def test_a_queue_is_given_the_job_suspended() -> None:
    whole = job(template={"queueName": "team"})
    assert whole["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    assert whole["spec"]["suspend"] is True
