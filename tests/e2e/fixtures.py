"""Fixtures of the tests on a whole cluster: a cluster by pytest-kind, SimOps in it by its chart, and a namespace to run simulations in.

pytest-kind drives kind where a Docker engine answers and the native cluster elsewhere, by `hack/kind`. With `--keep-cluster` the next
session finds all of it again.
"""

import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.bucket import Bucket
from e2e.cluster import SYSTEM, Cluster
from e2e.gateway import Gateway, running_gateway
from e2e.host import Host
from e2e.lab import NAMESPACE, Chronicle, Lab

from localcluster.golang import tool
from simops_demo import installation
from simops_images.catalogue import MINIO, ROOT, TESTBOX, name_of
from simops_images.cli import build_all

FOLDERS = tuple(Path(__file__).resolve().parents[1] / name for name in ("e2e", "chaos"))
"""Where the tests are that need all of this."""
IMAGES = ("operator", "api", "sim", MINIO, TESTBOX)
# Short times, so that tests of time-outs are short; a claim, so that the store can stop and come back with its data.
OVERRIDES: dict[str, Any] = {
    "operator": {"resyncSeconds": 5},
    "simulations": {
        "namespaces": [NAMESPACE],
        "createNamespaces": True,
        "imagePullGraceSeconds": 5,
        "terminationGraceSeconds": 180,
        "stopSeconds": 3,
        "stopGraceSeconds": 20,
        "outputsSize": "64Mi",
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
    },
    "store": {"embedded": {"persistence": {"enabled": True, "size": "2Gi"}}},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in FOLDERS):
            item.add_marker("cluster")
    items.sort(key=lambda item: item.get_closest_marker("runs_last") is not None)


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    both = {
        k: _merged(values[k], v) for k, v in changes.items() if isinstance(v, dict) and isinstance(values.get(k), dict)
    }
    return values | changes | both


@pytest.fixture(scope="session")
def _kind(request: pytest.FixtureRequest) -> Any:
    """pytest-kind's cluster, with this project's programs unless others are given."""
    option = request.config.option
    kind = option.kind_bin = str(Path(option.kind_bin or ROOT / "hack" / "kind").absolute())
    option.kind_kubectl_bin = option.kind_kubectl_bin or str(tool("kubectl"))
    if option.kubeconfig is None:
        option.kubeconfig = str(ROOT / ".pytest-kind" / option.cluster_name / "kubeconfig")
        Path(option.kubeconfig).parent.mkdir(parents=True, exist_ok=True)
        there = subprocess.run([kind, "get", "clusters"], capture_output=True, text=True, check=True, timeout=60).stdout
        if option.cluster_name in there.split():  # pytest-kind would trust a kubeconfig of an earlier one
            command = [
                kind,
                "export",
                "kubeconfig",
                f"--name={option.cluster_name}",
                f"--kubeconfig={option.kubeconfig}",
            ]
            subprocess.run(command, check=True, timeout=60)
    return request.getfixturevalue("kind_cluster")


@pytest.fixture(scope="session")
def cluster(_kind: Any) -> Cluster:
    """The cluster, with nothing of ours in it yet."""
    return Cluster(_kind.name, _kind.kubeconfig_path, _kind.api.session, _kind.api.url)


@pytest.fixture(scope="session")
def _images(_kind: Any, cluster: Cluster) -> None:
    """The images of this checkout, in the cluster."""
    build_all(IMAGES)
    nodes = "".join(node["metadata"]["uid"] for node in cluster.items("/api/v1/nodes"))
    remembered = cluster.kubeconfig.parent / "images.yaml"
    loaded = yaml.safe_load(remembered.read_text()) if remembered.exists() else {}
    for name in map(name_of, IMAGES):
        key = f"{installation.image_key(name)} {nodes}"
        if loaded.get(name) != key:
            _kind.load_docker_image(name)
            loaded[name] = key
            remembered.write_text(yaml.safe_dump(loaded))


@pytest.fixture(scope="session")
def simops(cluster: Cluster, _images: None) -> Iterator[Lab]:
    """SimOps, installed by its chart, and the namespace that it looks after."""
    values = cluster.kubeconfig.parent / "values.yaml"
    local = yaml.safe_load(installation.LOCAL_VALUES.read_text())
    values.write_text(yaml.safe_dump(_merged(local, OVERRIDES)))
    installed = installation.Cluster(cluster.name, cluster.kubeconfig)
    installation.install(installed, values)
    bucket, chronicle = Bucket(installed), Chronicle(cluster)
    lab = Lab(cluster, bucket, chronicle)
    lab.clear()
    yield lab
    chronicle.close()
    bucket.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell with a failure what the cluster has to say about it."""
    report = yield
    lab = getattr(item, "funcargs", {}).get("simops")
    if report.failed and isinstance(lab, Lab):
        selector = "--selector=app.kubernetes.io/component=operator"
        questions = {
            "operator": ("logs", f"--namespace={SYSTEM}", selector, "--prefix", "--tail=150"),
            "Pods": ("get", "pods", "--all-namespaces", "--output=wide"),
            "Events": ("get", "events", f"--namespace={NAMESPACE}", "--sort-by=.lastTimestamp"),
        }
        for run in lab.recent[-5:]:
            questions[run.name] = ("describe", f"{run.kind}/{run.name}", f"--namespace={NAMESPACE}")
            questions[f"Pods of {run.name}"] = (
                "describe",
                "pods",
                f"--namespace={NAMESPACE}",
                f"--selector=simops.dev/uid={run.uid}",
            )
        for title, words in questions.items():
            try:
                answer = lab.cluster.kubectl(*words, timeout=30)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                answer = str(error)
            report.sections.append((title, "\n".join(answer.splitlines()[-200:])))
    return report


@pytest.fixture(scope="session")
def host(simops: Lab) -> Iterator[Host]:
    # For the whole run: its Pod takes a while to go, and the next module would find it as it goes.
    host = Host(simops.cluster)
    yield host
    host.close()


@pytest.fixture(scope="module")
def gateway(simops: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(simops.cluster, tmp_path_factory.mktemp("gateway")) as running:
        yield running
