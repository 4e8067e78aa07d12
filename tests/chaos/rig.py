"""An operator on this machine in place of the installed one, with a proxy before the API server and one before the store, through which Pods go too."""

import base64
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from chaos.apiproxy import ApiProxy
from e2e.cluster import SYSTEM
from e2e.host import Host
from e2e.lab import NAMESPACE, Lab
from integration.servers import Proxy

from localcluster import packages
from localcluster.native import spec_for
from localcluster.paths import cluster_paths
from localcluster.state import read_state
from simops_images.catalogue import ROOT

_PARTS = ("operator", "crds", "tests")
_FAKETIME = "libfaketime.so.1"
POLICY = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"


def faketime() -> Path:
    """Return the library that lets a process see another time of day; it is installed when it is missing."""

    def found() -> Path | None:
        return next(Path("/usr/lib").glob(f"*/faketime/{_FAKETIME}"), None)

    packages.ensure_packages(lambda: [] if found() else ["libfaketime"])
    path = found()
    assert path is not None
    return path


class Operator:
    """One process, started again half a second after it has ended, as a Pod's is."""

    def __init__(self, environ: dict[str, str], folder: Path, proxy: ApiProxy, safeguards_off: tuple[str, ...]) -> None:
        self.proxy = proxy
        self.folder = folder
        self.safeguards_off = safeguards_off
        self.starts = 0
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    @property
    def log(self) -> Path:
        return self.folder / "operator.log"

    def start(self) -> None:
        self._thread.start()

    def _keep(self) -> None:
        command = [sys.executable, "-m", "chaos.process", *self.safeguards_off]
        with self.log.open("ab") as log:
            while not self._over.is_set():
                self.starts += 1
                self._process = subprocess.Popen(command, env=self._environ, stdout=log, stderr=log, cwd=self.folder)
                self._process.wait()
                self._over.wait(0.5)

    def kill(self) -> None:
        """SIGKILL, as a node that dies."""
        if self._process is not None:
            self._process.kill()

    def shift_clock(self, seconds: int) -> None:
        """Let its time of day jump."""
        part = self.folder / "clock.part"
        part.write_text(f"{seconds:+d}s\n")
        part.replace(self.folder / "clock")

    def close(self) -> None:
        self._over.set()
        while self._thread.is_alive():
            self.kill()  # it may just have been started
            self._thread.join(0.5)
        self.proxy.close()


@dataclass
class Rig:
    """Everything that a fault can get at."""

    lab: Lab
    host: Host
    store: Proxy
    folder: Path
    address: str
    environ: dict[str, str]
    operators: list[Operator] = field(default_factory=list)
    spoil_store: Callable[[str], str | None] = lambda _head: None

    @property
    def operator(self) -> Operator:
        return self.operators[0]

    def another(self, *safeguards_off: str) -> Operator:
        """Start an operator, with a proxy of its own."""
        folder = self.folder / f"operator-{len(self.operators)}"
        folder.mkdir()
        proxy = ApiProxy(self.lab.cluster.kubeconfig)
        proxy.write_kubeconfig(folder / "kubeconfig")
        environ = self.environ | {
            "KUBECONFIG": str(folder / "kubeconfig"),
            "LD_PRELOAD": str(faketime()),
            "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "SIMOPS_POD_NAME": folder.name,
        }
        operator = Operator(environ, folder, proxy, safeguards_off)
        operator.shift_clock(0)
        self.operators.append(operator)
        operator.start()
        return operator

    def hold(self, seconds: float, step: Callable[[], None] = lambda: None) -> None:
        """Let a fault last, and do something about twice a second meanwhile."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            step()
            time.sleep(0.5)

    def said(self) -> str:
        """Return the end of what the operators have logged."""
        return "\n".join(f"{o.log}:\n{o.log.read_text()[-6000:]}" for o in self.operators)


def _address(lab: Lab) -> str:
    state = read_state(cluster_paths(lab.cluster.name))
    if state is None:
        pytest.skip(
            "the proxies need an address of this machine that Pods reach, which is known of the native cluster only"
        )
    return spec_for(lab.cluster.name, state.slot, Path("/")).addresses.host


def _environ(lab: Lab, folder: Path, endpoint: str) -> dict[str, str]:
    """Return what the installed operator has, but for the ways to the API server and the store."""
    (container,) = lab.cluster.request("GET", lab.cluster.deployment("operator"))["spec"]["template"]["spec"][
        "containers"
    ]
    given = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    keys = folder / "namespaces"
    keys.mkdir()
    for secret, place in (("simops-store", folder), ("simops-store-namespaces", keys)):
        found = lab.cluster.request("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/{secret}")["data"]
        for name, value in found.items():
            (place / name).write_bytes(base64.b64decode(value))
    changes = {
        "SIMOPS_STORE_ENDPOINT": endpoint,
        "SIMOPS_STORE_CREDENTIALS": str(folder),
        "SIMOPS_STORE_NAMESPACE_KEYS": str(keys),  # the installed operator may not have made them known yet
        "SIMOPS_LEASE_NAMESPACE": "",  # a process that is killed comes back at once, as a Pod of one replica would after its Lease
        "SIMOPS_HTTP_PORT": "0",
        "SIMOPS_RESYNC_SECONDS": "600",  # what a watch has lost must not come by the way of a LIST a moment later
        "SIMOPS_LOG_FORMAT": "text",
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in _PARTS),
    }
    own = {k: v for k, v in os.environ.items() if not k.startswith(("SIMOPS_", "OTEL_", "COV_"))}
    return own | given | changes


def _policy(address: str) -> dict[str, object]:
    """Let Pods reach the store's proxy where the network enforces policies."""
    rule = {"to": [{"ipBlock": {"cidr": f"{address}/32"}}]}
    selector = {"matchLabels": {"app.kubernetes.io/managed-by": "simops"}}
    spec = {"podSelector": selector, "policyTypes": ["Egress"], "egress": [rule]}
    return {"metadata": {"name": "chaos"}, "spec": spec}


@contextmanager
def rigged(lab: Lab, host: Host, folder: Path) -> Iterator[Rig]:
    """Have a rig without operators while the body runs; the installed operator stands aside."""
    address = _address(lab)
    (service,) = lab.cluster.items(
        f"/api/v1/namespaces/{SYSTEM}/services", labelSelector="app.kubernetes.io/component=minio"
    )

    def spoil(head: str) -> str | None:
        return rig.spoil_store(head)

    with ExitStack() as stack:
        store = Proxy((service["spec"]["clusterIP"], 9000), spoil, address)
        stack.callback(store.close)
        rig = Rig(lab, host, store, folder, address, _environ(lab, folder, store.endpoint))
        if lab.cluster.find(f"{POLICY}/chaos"):  # of a session that was killed
            lab.cluster.request("DELETE", f"{POLICY}/chaos")
        lab.cluster.request("POST", POLICY, _policy(address))
        stack.callback(lab.cluster.request, "DELETE", f"{POLICY}/chaos")
        lab.cluster.scale("operator", 0)
        stack.callback(lab.cluster.scale, "operator", 1)

        def close_all() -> None:
            for operator in rig.operators:
                operator.close()

        stack.callback(close_all)
        yield rig
