"""The release is upgraded, and taken back, while runs and a sweep are at work: nothing of them is lost or done twice.

An upgrade replaces the Pods of operator and gateway and applies the CRDs and policies again; one to the same version does all of that.
"""

import json
from collections.abc import Iterator

import pytest
from e2e.cluster import SYSTEM, until
from e2e.lab import HELD, Lab, job, sweep

from simops_demo import installation

STAMP = r"podAnnotations.e2e\.simops\.dev/upgrade"


def revision(lab: Lab) -> int:
    """Return the number of the release as it is now."""
    said = lab.cluster.helm("history", installation.RELEASE, f"--namespace={SYSTEM}", "--max=1", "--output=json")
    return int(json.loads(said)[0]["revision"])


def upgrade(lab: Lab, stamp: str) -> None:
    """Upgrade with other annotations of both Deployments' Pods, so that these are replaced."""
    settings = [f"--set-string={part}.{STAMP}={stamp}" for part in ("operator", "gateway")]
    chart = str(installation.CHART)
    lab.cluster.helm(
        "upgrade", installation.RELEASE, chart, f"--namespace={SYSTEM}", "--reuse-values", *settings, "--wait"
    )


@pytest.fixture
def rolled_back(simops: Lab) -> Iterator[Lab]:
    """The release as it was, whatever a test makes of it."""
    before = revision(simops)
    yield simops
    simops.cluster.helm("rollback", installation.RELEASE, str(before), f"--namespace={SYSTEM}", "--wait")


def operators(lab: Lab) -> set[str]:
    return {pod["metadata"]["uid"] for pod in lab.cluster.operators()}


def test_an_upgrade_and_a_rollback_while_everything_is_at_work_lose_nothing(rolled_back: Lab) -> None:
    lab = rolled_back
    held = lab.start(job("upgraded-run", HELD))
    held.attempt()
    made = lab.sweep(
        sweep("upgraded-sweep", "sleep 1; echo $x > $SIMOPS_OUTPUTS/x.txt", points=60, pointsPerPod=5, parallelism=2)
    )
    made.until(lambda s: (s.get("points") or {}).get("succeeded", 0) > 0 or s.get("phase") == "Running", "it has begun")
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/simulationsweeps.simops.dev"
    before, uid = operators(lab), lab.cluster.request("GET", crd)["metadata"]["uid"]

    upgrade(lab, "one")
    until(lambda: operators(lab) and not operators(lab) & before, "another operator runs")
    during = lab.start(job("upgraded-during", "echo begun > $SIMOPS_OUTPUTS/begun.txt"))
    upgrade(lab, "two")

    held.release()
    held.ended("Succeeded", "Completed")
    during.ended("Succeeded", "Completed")
    status = made.ended("Succeeded", "Completed", within=400)
    assert status["succeededPoints"] == "0-59"
    made.whole()
    assert all(made.table()[index]["exitCode"] == 0 for index in range(60))
    assert len(made.kubernetes_jobs) == len(made.rounds)
    for run in (held, during):
        assert len(run.kubernetes_jobs) == 1
    assert lab.cluster.request("GET", crd)["metadata"]["uid"] == uid, (
        "the CRD was changed in place, and all objects with it"
    )
