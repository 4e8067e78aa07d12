"""Brings up a cluster with the images in it and SimOps installed by its chart; each step is skipped when it is done."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcluster import providers
from localcluster.golang import tool
from localcluster.paths import cluster_paths, image_archive, log_file
from localcluster.progress import StepError, run_logged, say, step
from simops_images.catalogue import MINIO, ROOT, name_of
from simops_images.cli import build_all

CHART = ROOT / "charts" / "simops"
LOCAL_VALUES = CHART / "ci" / "local-values.yaml"
RELEASE = "simops"
NAMESPACE = "simops-system"
CRDS = ("simulationjobs.simops.dev", "simulationsweeps.simops.dev")
INSTALL_SECONDS = 300
READY_SECONDS = 120


@dataclass(frozen=True)
class Cluster:
    """A running cluster and the programs to talk to it."""

    name: str
    kubeconfig: Path

    def kubectl(self, *arguments: str) -> list[str]:
        """Return a kubectl command for this cluster."""
        return [str(tool("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]

    def helm(self, *arguments: str) -> list[str]:
        """Return a helm command for this cluster."""
        return [str(tool("helm")), f"--kubeconfig={self.kubeconfig}", *arguments]

    def get(self, *arguments: str) -> Any:
        """Return what `kubectl get` finds."""
        return json.loads(output(self.kubectl("get", "--output=json", *arguments)))


def output(command: Sequence[str | Path], *, timeout: float = 120) -> str:
    """Return what a command prints; its own words are the error when it fails."""
    done = subprocess.run(
        list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        program = Path(command[0]).name
        words = [part for part in map(str, command[1:]) if not part.startswith("--kubeconfig")]
        msg = f"{program} {' '.join(words)}: {done.stderr.strip() or f'exit code {done.returncode}'}"
        raise StepError(msg)
    return done.stdout


def image_key(name: str) -> str:
    """Return what tells one build of an image from another."""
    return image_archive(name).with_suffix(".key").read_text()


def load_images(cluster: Cluster, names: Sequence[str]) -> None:
    """Import the images that this very cluster does not have yet."""
    nodes = "".join(node["metadata"]["uid"] for node in cluster.get("nodes")["items"])
    remembered = cluster_paths(cluster.name).root / "images.json"
    loaded: dict[str, str] = json.loads(remembered.read_text()) if remembered.exists() else {}
    for name in names:
        key = f"{image_key(name)} {nodes}"
        if loaded.get(name) == key:
            continue
        with step(f"Loading {name}"):
            providers.load(cluster.name, name)
        loaded[name] = key
        remembered.write_text(json.dumps(loaded))


def _forget_interrupted(cluster: Cluster) -> None:
    """Remove the record of an installation that was interrupted, since helm refuses to go on from it."""
    for state in ("pending-install", "pending-upgrade", "pending-rollback"):
        selector = f"--selector=owner=helm,name={RELEASE},status={state}"
        output(cluster.kubectl("delete", "secret", f"--namespace={NAMESPACE}", selector, "--ignore-not-found"))


def install(cluster: Cluster, values: Path = LOCAL_VALUES) -> None:
    """Install or upgrade SimOps by its chart and wait until it is ready."""
    _forget_interrupted(cluster)
    options = [
        f"--namespace={NAMESPACE}",
        "--create-namespace",
        f"--values={values}",
        "--history-max=3",
        "--wait",
        f"--timeout={INSTALL_SECONDS}s",
    ]
    for part, image in (("operator", name_of("operator")), ("gateway", name_of("api"))):
        if image_archive(image).exists():
            # The tag stays the same when the code changes; Pods are replaced by what tells the builds apart.
            options.append(rf"--set-string={part}.podAnnotations.simops\.dev/image={image_key(image)[:12]}")
    command = cluster.helm("upgrade", "--install", RELEASE, str(CHART), *options)
    run_logged("Installing SimOps by its chart", command, log_file("helm"), timeout=INSTALL_SECONDS + 60)
    # `--wait` is content with a Deployment that may be unavailable while it is replaced.
    selector = f"--selector=app.kubernetes.io/instance={RELEASE}"
    rollout = ["rollout", "status", "deployment", f"--namespace={NAMESPACE}", selector, f"--timeout={READY_SECONDS}s"]
    try:
        run_logged("Waiting for SimOps", cluster.kubectl(*rollout), log_file("rollout"), timeout=READY_SECONDS + 60)
    except StepError as error:
        words = ["logs", f"--namespace={NAMESPACE}", selector, "--tail=15", "--prefix"]
        said = subprocess.run(cluster.kubectl(*words), capture_output=True, text=True, timeout=60, check=False).stdout
        msg = f"{error}\nWhat the Pods said last:\n{said}"
        raise StepError(msg) from error
    established = [f"crd/{crd}" for crd in CRDS]
    output(cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", *established))


def up(name: str, *, values: Path | None = None, images: Sequence[str] = ("operator", "api", "sim", MINIO)) -> Cluster:
    """Bring everything up: images, cluster, SimOps. What is there already is kept."""
    given = providers.given_kubeconfig()
    if given is None:
        build_all(images)
    cluster = Cluster(name, providers.up(name))
    if given is None:
        load_images(cluster, [name_of(image) for image in images])
    elif values is None:
        say("The given cluster must find the images itself; --values FILE names where they are.")
    install(cluster, values or LOCAL_VALUES)
    return cluster
