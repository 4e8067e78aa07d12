"""The chart's policy of Services at a real API server: in namespaces of simulations none takes over the address of another one."""

import time

import pytest
from contract.objects import Manifest
from contract.server import Kubectl
from unit.test_chart_render import render

NAMESPACE = "served"
DEADLINE = 60.0


def service(name: str, namespace: str, *addresses: str) -> Manifest:
    spec = {"ports": [{"port": 80}], "selector": {"app": "x"}, "externalIPs": [*addresses]}
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def refusal(kubectl: Kubectl, *words: str, manifest: Manifest | None = None) -> str:
    """What the API server says, without changing anything; empty if it would."""
    try:
        kubectl(*words, "--dry-run=server", *(["-f", "-"] if manifest else []), given=manifest)
    except AssertionError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def policed(kubectl: Kubectl) -> Kubectl:
    kubectl("create", "namespace", NAMESPACE)
    objects = render("crds.install=false", "fullnameOverride=served", f"simulations.namespaces={{{NAMESPACE}}}")
    items = [one for one in objects if one["metadata"]["name"].startswith("services-external-ips.")]
    assert len(items) == 2
    kubectl("apply", "--server-side", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": items})
    ends = time.monotonic() + DEADLINE
    while "take over" not in refusal(kubectl, "create", manifest=service("a", NAMESPACE, "10.0.0.1")):
        assert time.monotonic() < ends, "the policy is not in force"
        time.sleep(0.05)
    return kubectl


def test_no_service_of_a_namespace_of_simulations_has_external_addresses(policed: Kubectl) -> None:
    policed("create", "-f", "-", given=service("plain", NAMESPACE))
    patch = '{"spec": {"externalIPs": ["10.0.0.1"]}}'
    assert "take over" in refusal(policed, "patch", "service", "plain", "-n", NAMESPACE, "--type=merge", "-p", patch)
    assert refusal(policed, "patch", "service", "plain", "-n", NAMESPACE, "--type=merge", "-p", "{}") == ""


def test_services_elsewhere_are_left_alone(policed: Kubectl) -> None:
    assert refusal(policed, "create", manifest=service("a", "default", "10.0.0.1")) == ""
