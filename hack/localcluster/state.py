"""What is remembered of a native cluster between two commands, and how commands keep out of each other's way."""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from localcluster import certs, machine
from localcluster.addresses import free_addresses
from localcluster.machine import Process
from localcluster.paths import ClusterPaths, cache, cluster_names, cluster_paths
from localcluster.progress import StepError

SCOPES = ("apiserver", "control-plane", "node")


@dataclass(frozen=True)
class State:
    """What is remembered of a cluster between two commands."""

    slot: int
    scope: str
    process: Process | None
    kubernetes: str = ""
    """The minor version of its API server, where that is another one than the project's own."""

    def dump(self) -> str:
        """Write for `load`."""
        held = asdict(self.process) if self.process else None
        kept = {"provider": "native", "slot": self.slot, "scope": self.scope, "kubernetes": self.kubernetes}
        return json.dumps({**kept, "machine": held}, indent=2)

    @classmethod
    def load(cls, text: str) -> "State":
        """Read what `dump` wrote."""
        data = json.loads(text)
        held = Process(**data["machine"]) if data["machine"] else None
        return cls(data["slot"], data["scope"], held, data.get("kubernetes", ""))


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one command at a time work on what is called `name`."""
    path = cache() / "clusters" / f".{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def read_state(paths: ClusterPaths) -> State | None:
    """Return what is remembered of a cluster, if there is one."""
    try:
        return State.load(paths.state.read_text())
    except (FileNotFoundError, KeyError):  # no cluster, or one of another provider
        return None


def write_state(paths: ClusterPaths, state: State) -> None:
    """Remember a cluster."""
    certs.write_private(paths.state, state.dump())


def claim(name: str, scope: str, kubernetes: str = "") -> State:
    """Return the state of a cluster that may be new: then it gets a slot that nobody else has."""
    paths = cluster_paths(name)
    with locked("_slots"):
        if state := read_state(paths):
            if state.kubernetes != kubernetes:  # its etcd holds what the other version has written
                msg = f"cluster {name} has another Kubernetes: remove it first by `hack/cluster down --name {name}`"
                raise StepError(msg)
            return replace(state, scope=max(state.scope, scope, key=SCOPES.index))
        others = [read_state(cluster_paths(other)) for other in cluster_names()]
        routes = [route["dst"] for route in json.loads(machine.run(["ip", "-j", "-4", "route"]))]
        state = State(free_addresses([other.slot for other in others if other], routes).slot, scope, None, kubernetes)
        write_state(paths, state)
        return state
