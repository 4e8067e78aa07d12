"""Which cluster it is: one that is given, kind where a Docker engine answers, or the native one.

Nobody's `~/.kube/config` is ever used or changed unless it is named.
"""

import json
import os
from pathlib import Path

from localcluster import kindprovider, machine, native
from localcluster.golang import tool
from localcluster.paths import cluster_names, cluster_paths, image_archive
from localcluster.progress import StepError, say
from localcluster.state import read_state

GIVEN = "SIMOPS_KUBECONFIG"
DEFAULT_NAME = "simops"


def given_kubeconfig(explicit: Path | None = None) -> Path | None:
    """Return the kubeconfig of a cluster that someone else looks after."""
    path = explicit or (Path(os.environ[GIVEN]) if os.environ.get(GIVEN) else None)
    if path and not path.exists():
        msg = f"the given kubeconfig {path} does not exist"
        raise StepError(msg)
    return path


def choose(*, docker: bool, obstacles: list[str]) -> str:
    """Return the provider for a new cluster, or say what either would need."""
    if docker:
        return "kind"
    if obstacles:
        msg = (
            "no local cluster is possible here:\n"
            "  - kind needs a Docker engine that answers `docker info`: install Docker and start it\n"
            + "".join(f"  - {obstacle}\n" for obstacle in obstacles)
            + f"  - or name a cluster that you have: {GIVEN}=FILE"
        )
        raise StepError(msg)
    return "native"


def provider_of(name: str) -> str | None:
    """Return which provider made a cluster."""
    try:
        return str(json.loads(cluster_paths(name).state.read_text())["provider"])
    except FileNotFoundError:
        return None


def up(
    name: str, scope: str = "node", *, given: Path | None = None, provider: str | None = None, kubernetes: str = ""
) -> Path:
    """Bring a cluster up and return its kubeconfig; with `kubernetes` one of that version, whichever was given."""
    if kubernetes:
        if provider_of(name) == "kind":
            msg = f"cluster {name} is one of kind: take another name for an API server of Kubernetes {kubernetes}"
            raise StepError(msg)
        return native.up(name, scope, kubernetes)
    if existing := given_kubeconfig(given):
        say(f"Using the given cluster of {existing}")
        return existing
    chosen = provider or provider_of(name)
    if chosen is None and scope == "node":
        chosen = choose(docker=kindprovider.docker_answers(), obstacles=native.missing_requirements())
    if chosen == "kind":
        return kindprovider.up(name)
    return native.up(name, scope)


def down(name: str) -> None:
    """Remove a cluster; one that was given is left alone."""
    if provider_of(name) == "kind":
        kindprovider.down(name)
    else:
        native.down(name)


def kubeconfig(name: str) -> Path:
    """Return the kubeconfig of a cluster that is there."""
    path = given_kubeconfig() or cluster_paths(name).kubeconfig
    if not path.exists():
        msg = f"no cluster {name!r}: start it by `hack/cluster up --name {name}`"
        raise StepError(msg)
    return path


def load(name: str, image: str) -> None:
    """Make an image, given by its name or as a docker-archive, available to a cluster's Pods."""
    provider = provider_of(name)
    # A cluster that nobody here has made can only be one that somebody has made with kind itself.
    if provider == "kind" or (provider is None and kindprovider.docker_answers()):
        kindprovider.load(name, image)
        return
    archive = Path(image) if Path(image).is_file() else image_archive(image)
    if not archive.exists():
        msg = f"image {image} is not built: there is no {archive}"
        raise StepError(msg)
    native.load(name, archive)


def clusters() -> list[str]:
    """Return the names of all clusters that were started from here and not removed."""
    return cluster_names()


def running() -> list[str]:
    """Return the names of the clusters of this machine that can take images, those that somebody has made with kind itself among them."""
    native_ones = [(name, read_state(cluster_paths(name))) for name in clusters()]
    found = {
        name
        for name, state in native_ones
        if state is not None and state.scope == "node" and state.process is not None and machine.alive(state.process)
    }
    if kindprovider.docker_answers():
        found |= set(kindprovider.existing(tool("kind")))
    return sorted(found)


def how_to_start(name: str) -> str:
    """Return the command that makes or mends a cluster with SimOps in it."""
    return "`make up`" if name == DEFAULT_NAME else f"`make up CLUSTER={name}`"


def _absent(name: str) -> list[str]:
    others = clusters()
    there = [f"There are: {', '.join(others)}"] if others else []
    return [f"No cluster {name}: {how_to_start(name)} makes one", *there]


def status(name: str) -> tuple[list[str], bool]:
    """Return what there is to say about a cluster, and whether all is well."""
    if existing := given_kubeconfig():
        return [f"given: {existing}"], True
    provider = provider_of(name)
    if provider is None:
        return _absent(name), False
    if provider == "kind":
        return [f"{name}: kind, kubeconfig {cluster_paths(name).kubeconfig}"], True
    state = read_state(cluster_paths(name))
    if state is None:
        return _absent(name), False
    spec = native.spec_for(name, state.slot, Path("/"))
    wanted = native.wanted_components(spec, state.scope, Path("volumes"))
    running = machine.programs(state.process) if state.process else set()
    healthy = native.healthy(spec, state, wanted)
    lines = [f"{name}: native, {state.scope}, {spec.addresses.server}, {'healthy' if healthy else 'NOT healthy'}"]
    lines += [f"  {component}: {'running' if component in running else 'NOT running'}" for component in wanted]
    return [*lines, f"  kubeconfig: {spec.paths.kubeconfig}"], healthy
