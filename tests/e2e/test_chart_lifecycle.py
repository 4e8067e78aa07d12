"""A release from install to uninstall on a real cluster, beside the one under which the other tests run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

pytestmark = pytest.mark.cluster

CHART = Path(__file__).parents[2] / "charts" / "simops"
NAMESPACE = "chart-lifecycle"
LAB = "chart-lifecycle-lab"
RELEASE = "second"


class Cluster(Protocol):
    """What this module uses of the fixture ``cluster``."""

    def kubectl(self, *arguments: str) -> str: ...

    def helm(self, *arguments: str) -> str: ...


def deploy(cluster: Cluster, *settings: str) -> str:
    """Install or upgrade, and wait until all is ready."""
    return cluster.helm(
        "upgrade",
        "--install",
        RELEASE,
        str(CHART),
        f"--namespace={NAMESPACE}",
        "--create-namespace",
        f"--values={CHART / 'ci' / 'local-values.yaml'}",
        "--set=crds.install=false,simulations.createNamespaces=true",
        f"--set=simulations.namespaces={{{LAB}}}",
        *(f"--set={setting}" for setting in settings),
        "--wait",
        "--timeout=4m",
    )


def secret(cluster: Cluster, namespace: str) -> dict[str, str]:
    data: dict[str, str] = json.loads(
        cluster.kubectl("get", "secret", "simops-store", f"--namespace={namespace}", "--output=json")
    )["data"]
    return data


def pods(cluster: Cluster, component: str) -> list[str]:
    selector = f"--selector=app.kubernetes.io/component={component}"
    out = cluster.kubectl(
        "get", "pods", f"--namespace={NAMESPACE}", selector, "--field-selector=status.phase=Running", "--output=json"
    )
    return [
        item["metadata"]["name"] for item in json.loads(out)["items"] if "deletionTimestamp" not in item["metadata"]
    ]


def crds(cluster: Cluster) -> set[str]:
    return {name for name in cluster.kubectl("get", "crds", "--output=name").split() if name.endswith(".simops.dev")}


@pytest.fixture
def clean(cluster: Cluster) -> Iterator[Cluster]:
    yield cluster
    cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--ignore-not-found", "--wait")
    cluster.kubectl("delete", "namespace", NAMESPACE, LAB, "--ignore-not-found", "--timeout=2m")


def test_install_upgrade_uninstall(clean: Cluster) -> None:
    cluster = clean
    before = crds(cluster)
    assert len(before) == 2

    assert "emptyDir" in deploy(cluster), "the notes warn of data that will be lost"
    credentials, keys = secret(cluster, NAMESPACE), secret(cluster, LAB)
    assert keys != credentials
    (operator,) = pods(cluster, "operator")
    store = pods(cluster, "minio")
    assert len(store) == 1

    # The same again changes nothing: no Pod is replaced.
    deploy(cluster)
    assert pods(cluster, "operator") == [operator]

    # Changed values replace the operator; the credentials and the store stay.
    deploy(cluster, "operator.workers=4", "operator.replicas=2")
    assert (secret(cluster, NAMESPACE), secret(cluster, LAB)) == (credentials, keys)
    replicas = pods(cluster, "operator")
    assert len(replicas) == 2
    assert operator not in replicas
    assert pods(cluster, "minio") == store

    cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    assert crds(cluster) == before
    left = cluster.kubectl(
        "get", "deployments,secrets,serviceaccounts,leases,roles", f"--namespace={NAMESPACE}", "--output=name"
    ).split()
    assert left == ["serviceaccount/default"]
    assert cluster.kubectl("get", "namespace", LAB, "--output=name").strip() == f"namespace/{LAB}", (
        "runs in it are kept"
    )


def test_a_kept_claim_is_found_again_with_its_credentials(clean: Cluster) -> None:
    cluster = clean
    persistent = ("store.embedded.persistence.enabled=true", "store.embedded.persistence.size=1Gi")
    deploy(cluster, *persistent)
    credentials, keys = secret(cluster, NAMESPACE), secret(cluster, LAB)
    claim = ("get", "pvc", f"--namespace={NAMESPACE}", "--output=jsonpath={.items[*].metadata.uid}")
    uid = cluster.kubectl(*claim)

    cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    deploy(cluster, *persistent)
    assert cluster.kubectl(*claim) == uid
    assert (secret(cluster, NAMESPACE), secret(cluster, LAB)) == (credentials, keys)
