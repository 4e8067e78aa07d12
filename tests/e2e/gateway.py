"""The gateway: of this checkout, run on this machine against the cluster and its store; or the one that the chart has installed."""

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any

from e2e.cluster import SYSTEM, Cluster, Object, until
from e2e.lab import NAMESPACE

from simops_demo import installation
from simops_demo.store import forwarded
from simops_images.catalogue import ROOT

PREFIX = "/api/v1"
PODS = f"/api/v1/namespaces/{SYSTEM}/pods"


@dataclass(frozen=True)
class Answer:
    """What the gateway said."""

    status: int
    headers: Message
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Gateway:
    """A gateway that runs."""

    url: str
    pid: int = 0

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Make a request below ``/api/v1``; errors are answers, and redirects are not followed."""
        data = None if body is None else json.dumps(body).encode()
        said = {"Content-Type": "application/json"} | dict(headers or {})
        request = urllib.request.Request(self.url + PREFIX + path, data, said, method=method)
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, headers=headers)


@contextmanager
def running_gateway(cluster: Cluster, folder: Path, **settings: str) -> Iterator[Gateway]:
    """Run a gateway; settings are variables without their prefix, such as ``STORE_BUCKET``."""
    installed = installation.Cluster(cluster.name, cluster.kubeconfig)
    where = f"--namespace={installation.NAMESPACE}"
    secret = installed.get("secret", "simops-store", where)["data"]
    for name in ("access-key", "secret-key"):
        (folder / name).write_bytes(base64.b64decode(secret[name]))
    (service,) = installed.get("services", where, "--selector=app.kubernetes.io/component=minio")["items"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ExitStack() as stack:
        store = stack.enter_context(forwarded(installed, f"service/{service['metadata']['name']}", 9000))
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("SIMOPS_", "OTEL_"))}
        given = {
            "AUTH_MODE": "none",
            "NAMESPACES": NAMESPACE,
            "KUBECONFIG": str(cluster.kubeconfig),
            "STORE_ENDPOINT": f"http://{store}",
            "STORE_CREDENTIALS": str(folder),
        } | settings
        environ |= {f"SIMOPS_{name}": value for name, value in given.items()}
        environ["PYTHONPATH"] = os.pathsep.join(str(ROOT / part) for part in ("api", "crds"))
        log = stack.enter_context((folder / "gateway.log").open("wb"))
        command = [sys.executable, "-m", "uvicorn", "simops_api.app:app", f"--port={port}"]
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        try:
            gateway = Gateway(f"http://127.0.0.1:{port}", process.pid)

            def ready() -> bool:
                assert process.poll() is None, (folder / "gateway.log").read_text()
                try:
                    return gateway.get("/ready").status == 200
                except OSError:
                    return False

            until(ready, "the gateway knows all jobs", within=120)
            yield gateway
        finally:
            process.terminate()
            process.wait(30)


def gateway_pods(cluster: Cluster) -> list[Object]:
    """Return the Pods of the installed gateway, those on their way out too."""
    selector = f"app.kubernetes.io/component=gateway,app.kubernetes.io/instance={installation.RELEASE}"
    return cluster.items(PODS, labelSelector=selector)


def _serves(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return "deletionTimestamp" not in pod["metadata"] and ("Ready", "True") in [
        (c["type"], c["status"]) for c in conditions
    ]


def _forward_to(pod: str, cluster: Cluster, port: int, out: IO[bytes], ended: threading.Event) -> None:
    """Forward a port to a Pod until it is gone. kubectl may hang then instead of ending."""
    kubectl = installation.Cluster(cluster.name, cluster.kubeconfig).kubectl
    command = kubectl("port-forward", f"--namespace={installation.NAMESPACE}", f"pod/{pod}", f"{port}:8000")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out) as process:
        try:
            while process.poll() is None and cluster.find(f"{PODS}/{pod}") and not ended.wait(0.2):
                pass
        finally:
            process.kill()


def _forward(cluster: Cluster, port: int, log: Path, ended: threading.Event) -> None:
    """Forward a port to one Pod of the gateway after the other."""
    with log.open("wb") as out:
        while not ended.wait(0.2):
            with contextlib.suppress(OSError):  # the API server is asked again
                for pod in filter(_serves, gateway_pods(cluster)):
                    _forward_to(pod["metadata"]["name"], cluster, port, out, ended)


@contextmanager
def installed_gateway(cluster: Cluster, folder: Path) -> Iterator[Gateway]:
    """Give the installed gateway at an address that stays while its Pods go and come."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log, ended = folder / "forward.log", threading.Event()
    forwarding = threading.Thread(target=_forward, args=(cluster, port, log, ended))
    forwarding.start()
    try:
        found = Gateway(f"http://127.0.0.1:{port}")

        def ready() -> bool:
            try:
                return found.get("/ready").status == 200
            except OSError:
                return False

        until(ready, lambda: f"the gateway is ready: {log.read_text()}", within=120)
        yield found
    finally:
        ended.set()
        forwarding.join()
