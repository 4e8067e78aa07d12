"""The kind provider: Kubernetes in Docker, for every machine that has a Docker engine."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from localcluster.components import POD_PIDS
from localcluster.golang import tool
from localcluster.paths import cluster_paths, image_archive, log_file
from localcluster.progress import StepError, run_logged

CREATE_TIMEOUT = 15 * 60
# As the native provider's: logs are kept whole, since a run's log is a result, a nearly full disk evicts nothing, and no Pod takes all processes.
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "containerLogMaxSize": "1Gi",
    "imageGCHighThresholdPercent": 100,
    "podPidsLimit": POD_PIDS,
}


def docker_answers() -> bool:
    """Say whether a Docker engine answers: the command alone is not enough."""
    if shutil.which("docker") is None:
        return False
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def kind_config() -> dict[str, object]:
    """Return kind's configuration (JSON is YAML)."""
    patch = json.dumps(KUBELET)
    return {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "kubeadmConfigPatches": [patch]}


def write_config(folder: Path) -> Path:
    """Write kind's configuration into a folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kind.json"
    path.write_text(json.dumps(kind_config(), indent=2))
    return path


def up_command(kind: Path, name: str, config: Path, kubeconfig: Path) -> list[str]:
    """Return the command that creates the cluster."""
    options = [f"--name={name}", f"--config={config}", f"--kubeconfig={kubeconfig}", "--wait=180s"]
    return [str(kind), "create", "cluster", *options]


def existing(kind: Path) -> list[str]:
    """Return the names of kind's clusters."""
    done = subprocess.run([kind, "get", "clusters"], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


def up(name: str) -> Path:
    """Create the cluster if kind does not have it, and write its kubeconfig."""
    kind, paths = tool("kind"), cluster_paths(name)
    config = write_config(paths.config)
    paths.state.write_text(json.dumps({"provider": "kind"}))
    if name in existing(kind):
        command = [str(kind), "export", "kubeconfig", f"--name={name}", f"--kubeconfig={paths.kubeconfig}"]
    else:
        command = up_command(kind, name, config, paths.kubeconfig)
    run_logged(f"Starting kind cluster {name}", command, log_file(f"kind-{name}"), timeout=CREATE_TIMEOUT)
    return paths.kubeconfig


def down(name: str) -> None:
    """Delete the cluster and what is remembered of it."""
    paths = cluster_paths(name)
    command = [str(tool("kind")), "delete", "cluster", f"--name={name}", f"--kubeconfig={paths.kubeconfig}"]
    run_logged(f"Deleting kind cluster {name}", command, log_file(f"kind-{name}"), timeout=300)
    shutil.rmtree(paths.root)


def load(name: str, image: str) -> None:
    """Load an image: a docker-archive, one of the local image store, or one of Docker's own."""
    archive = Path(image) if Path(image).is_file() else image_archive(image)
    what = ["image-archive", str(archive)] if archive.exists() else ["docker-image", image]
    command = [str(tool("kind")), "load", *what, f"--name={name}"]
    run_logged(f"Loading {image}", command, log_file(f"kind-load-{name}"), timeout=600)


def exec_kind(arguments: list[str]) -> None:
    """Become kind."""
    path = str(tool("kind"))
    try:
        os.execv(path, [path, *arguments])  # noqa: S606 - this is what a shim is for
    except OSError as error:
        msg = f"{path}: {error}"
        raise StepError(msg) from error
