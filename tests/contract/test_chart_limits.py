"""The chart's maxima of time and resources at a real API server, in the same words as gateway and operator have them."""

import time
from typing import Any

import pytest
from contract.objects import Manifest, job, sweep
from contract.server import Api, Kubectl
from unit.test_chart_render import render

from simops_crds.limits import parse_maxima, why_too_large, why_too_long
from simops_crds.v1alpha1.job import Resources

NAMESPACE = "limited"
MAXIMA = parse_maxima("cpu=64,memory=256Gi,nvidia.com/gpu=0")
SECONDS = 7200
DEADLINE = 60.0


def policies(*settings: str) -> list[Manifest]:
    """The policies of maxima of a release for the namespace of these tests."""
    maxima = [f"simulations.maxResources.{name.replace('.', chr(92) + '.')}={most}" for name, most in MAXIMA]
    fixed = ("crds.install=false", "fullnameOverride=limited", f"simulations.namespaces={{{NAMESPACE}}}")
    objects = render(*fixed, f"simulations.maxTimeoutSeconds={SECONDS}", *maxima, *settings)
    return [
        o for o in objects if o["kind"].startswith("ValidatingAdmissionPolicy") and "-limits." in o["metadata"]["name"]
    ]


def here(manifest: Manifest, namespace: str = NAMESPACE) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


def refusal(kubectl: Kubectl, manifest: Manifest) -> str:
    """What the API server says to an object, without keeping it; empty if it takes it."""
    try:
        kubectl("create", "--dry-run=server", "-f", "-", given=manifest)
    except AssertionError as error:
        return str(error)
    return ""


def in_force(kubectl: Kubectl, *settings: str, probe: Manifest) -> None:
    """Apply the policies, and wait until the API server has noticed: what it refuses then shows that it has."""
    kubectl(
        "apply", "--server-side", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": policies(*settings)}
    )
    ends = time.monotonic() + DEADLINE
    while "the most that this installation allows" not in refusal(kubectl, here(probe)):
        assert time.monotonic() < ends, "the policy is not in force"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def limited(api: Api, kubectl: Kubectl) -> Kubectl:
    kubectl("create", "namespace", NAMESPACE)
    for probe in (job(timeoutSeconds=SECONDS + 1), sweep(timeoutSeconds=SECONDS + 1)):
        in_force(kubectl, probe=probe)
    return kubectl


RESOURCES: list[dict[str, Any]] = [
    {},
    {"requests": {}, "limits": {}},
    {"limits": {"cpu": 64, "memory": "256Gi"}},
    {"limits": {"cpu": "64000m", "memory": 256 * 2**30}},
    {"limits": {"cpu": 65}},
    {"limits": {"cpu": "64001m"}},
    {"limits": {"cpu": "64.001"}},
    {"limits": {"cpu": "6.4e1"}},
    {"limits": {"cpu": "1k"}},
    {"limits": {"memory": "257Gi"}},
    {"limits": {"memory": 256 * 2**30 + 1}},
    {"limits": {"memory": "256G"}},
    {"limits": {"memory": "275G"}},
    {"limits": {"memory": "1Ei"}},
    {"limits": {"memory": "0.25Ti"}},
    {"limits": {"memory": "0.251Ti"}},
    {"limits": {"memory": "1e12"}},
    {"limits": {"memory": "1E"}},
    {"requests": {"cpu": "65"}},
    {"requests": {"memory": "512Gi"}},
    {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": 2, "memory": "512Gi"}},
    {"limits": {"nvidia.com/gpu": 1}},
    {"requests": {"nvidia.com/gpu": 0}},
    {"limits": {"amd.com/gpu": 99, "ephemeral-storage": "9Ti"}},
]


@pytest.mark.parametrize("resources", RESOURCES, ids=str)
def test_api_server_and_programs_take_and_refuse_the_same_in_the_same_words(
    limited: Kubectl, resources: dict[str, Any]
) -> None:
    found = why_too_large(Resources.model_validate(resources), MAXIMA)
    for manifest, path in (
        (job(resources=resources), "spec.resources"),
        (sweep(template={"resources": resources}), "spec.template.resources"),
    ):
        said = refusal(limited, here(manifest))
        if found is None:
            assert said == ""
        else:
            assert f"denied request: {path}.{found[0]}: {found[1]}" in said


@pytest.mark.parametrize("seconds", [1, 3600, SECONDS, SECONDS + 1, 31_536_000])
def test_a_timeout_is_held_to_its_maximum(limited: Kubectl, seconds: int) -> None:
    why = why_too_long(seconds, SECONDS)
    for manifest in (job(timeoutSeconds=seconds), sweep(timeoutSeconds=seconds)):
        said = refusal(limited, here(manifest))
        assert said == "" if why is None else f"denied request: spec.timeoutSeconds: {why}" in said


def test_other_namespaces_are_left_alone(limited: Kubectl) -> None:
    assert refusal(limited, job(timeoutSeconds=SECONDS + 1, resources={"limits": {"cpu": 65}})) == ""


def test_what_exists_can_be_changed_and_cancelled_after_a_maximum_was_lowered(limited: Kubectl) -> None:
    most = {"limits": {"cpu": "64"}}
    limited("create", "-f", "-", given=here(job("old", resources=most, timeoutSeconds=SECONDS)))
    limited("create", "-f", "-", given=here(sweep("old", template={"resources": most}, timeoutSeconds=SECONDS)))
    lower = (f"simulations.maxTimeoutSeconds={SECONDS - 1}", "simulations.maxResources.cpu=63")
    try:
        for probe in (job(resources=most), sweep(timeoutSeconds=SECONDS)):
            in_force(limited, *lower, probe=probe)
        for kind in ("simulationjob", "simulationsweep"):
            for change in ("suspend", "cancelled"):
                patch = f'--patch={{"spec":{{"{change}":true}}}}'
                limited("patch", kind, "old", f"--namespace={NAMESPACE}", "--type=merge", patch)
    finally:
        limited("delete", "simulationjobs,simulationsweeps", "--all", f"--namespace={NAMESPACE}")


def test_below_the_default_an_object_has_to_give_its_timeout(limited: Kubectl) -> None:
    in_force(limited, "simulations.maxTimeoutSeconds=600", probe=job(timeoutSeconds=601))
    assert f"spec.timeoutSeconds: {why_too_long(3600, 600)}" in refusal(limited, here(job()))
    assert refusal(limited, here(job(timeoutSeconds=600))) == ""
