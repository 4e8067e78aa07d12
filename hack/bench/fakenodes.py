"""Nodes that only say that they run Pods (KWOK), so that many Pods can be had on one machine: what is measured is the control plane and the operator.

A Pod there runs as soon as it is scheduled and succeeds at once. That of a sweep says in its bundle container's termination message what a real one
would: every point of its pack has succeeded. Nothing is put into the store for it. With a kubelet (KWOK's own, of the native cluster only) the logs of
these Pods can be read, as the operator does with those of runs.
"""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcluster import certs
from localcluster.golang import tool
from localcluster.native import spec_for
from localcluster.paths import cluster_paths
from localcluster.progress import StepError
from localcluster.state import read_state
from simops_demo.installation import Cluster, output

MARK = "simops-bench-fake"
"""Label, annotation and taint of the nodes, and what Pods for them select and tolerate."""
_STOP_SECONDS = 20
_CONDITIONS = "".join(
    f"- {{type: {kind}, status: 'True', lastTransitionTime: {{{{ Now | Quote }}}}}}\n"
    for kind in ("Initialized", "Ready", "ContainersReady")
)
_CONTAINERS = """
{kind}ContainerStatuses:
{{{{ range .spec.{kind_of_spec} }}}}
- name: {{{{ .name | Quote }}}}
  image: {{{{ .image | Quote }}}}
  ready: {ready}
  started: {ready}
  restartCount: 0
  state: {state}
{{{{ end }}}}
"""
_RUNNING = "{running: {startedAt: {{ $now | Quote }}}}"
_ENDED = "{terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}"
_TOLD = (
    "{terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}, "
    "message: {{ $message | Quote }}}}"
)


def placement() -> dict[str, Any]:
    """Return what puts a Pod on these nodes, as in a Pod's spec and in that of a SimulationJob."""
    return {"nodeSelector": {MARK: "true"}, "tolerations": [{"key": MARK, "operator": "Exists"}]}


@dataclass(frozen=True)
class Kubelet:
    """Where the API server reads the logs of these Pods, and what it knows that place by."""

    address: str
    port: int
    certificate: Path
    """Without .crt and .key."""


def kubelet_of(cluster: Cluster, folder: Path) -> Kubelet:
    """Return a place on this machine that the API server of a native cluster reaches and trusts.

    Raises:
        StepError: the cluster is of another kind.
    """
    paths = cluster_paths(cluster.name)
    state = read_state(paths)
    if state is None:
        msg = f"logs of Pods that are none need a native cluster: the API server of {cluster.name} would have to reach this machine"
        raise StepError(msg)
    address = spec_for(cluster.name, state.slot, Path("/")).addresses.host
    with socket.create_server((address, 0)) as free:
        port = free.getsockname()[1]
    (folder / certs.CONFIG).write_text(certs.EMPTY_CONFIG)
    signed = certs.Certificate("fake-kubelet", MARK, serves=(f"IP:{address}",))
    for name in ("ca.crt", "ca.key"):
        shutil.copy(paths.pki / name, folder)
    certs.sign(folder, signed)
    return Kubelet(address, port, folder / signed.file)


def node(number: int, kubelet: Kubelet | None = None) -> dict[str, Any]:
    """Return a node with room for a thousand Pods."""
    room = {"cpu": "2000", "memory": "8Ti", "ephemeral-storage": "100Ti", "pods": "1000"}
    status: dict[str, Any] = {"allocatable": room, "capacity": room}
    if kubelet is not None:
        status["addresses"] = [{"type": "InternalIP", "address": kubelet.address}]
        status["daemonEndpoints"] = {"kubeletEndpoint": {"Port": kubelet.port}}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"{MARK}-{number}",
            "labels": {MARK: "true", "kubernetes.io/os": "linux"},
            "annotations": {MARK: "true"},
        },
        "spec": {"taints": [{"key": MARK, "value": "true", "effect": "NoSchedule"}]},
        "status": status,
    }


def logs_of(file: Path) -> dict[str, Any]:
    """Return what KWOK answers when it is asked for the log of any container."""
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": "all"},
        "spec": {"logs": [{"logsFile": str(file), "follow": False}]},
    }


def _stage(name: str, kind: str, conditions: list[dict[str, Any]], following: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": conditions},
            "next": following,
        },
    }


def _containers(state: str, init_state: str, ready: str) -> str:
    main = _CONTAINERS.format(kind="", kind_of_spec="containers", ready=ready, state=state).replace(
        "ContainerStatuses", "containerStatuses", 1
    )
    first = _CONTAINERS.format(kind="init", kind_of_spec="initContainers", ready=ready, state=init_state)
    return main + "{{ if .spec.initContainers }}" + first + "{{ end }}"


def stages(points_per_pod: int, total: int) -> list[dict[str, Any]]:
    """Return what KWOK does with nodes and Pods. ``total``: points of the sweep, whose last pack may be smaller."""
    alive = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}
    now = "{{ $now := Now }}"
    message = (
        '{{ $index := index .metadata.labels "batch.kubernetes.io/job-completion-index" | default "0" | int }}'
        f"{{{{ $first := mul $index {points_per_pod} }}}}{{{{ $last := min (add $first {points_per_pod - 1}) {total - 1} }}}}"
        '{{ $message := printf `{"bundle":"fake.zip","succeeded":"%d-%d","failed":"","missing":""}` $first $last }}'
    )
    ready = '.status.conditions.[] | select( .type == "Ready" ) | .status'
    node_ready = (
        now
        + "conditions:\n- {type: Ready, status: 'True', reason: KubeletReady, lastHeartbeatTime: {{ $now | Quote }}, "
        + "lastTransitionTime: {{ $now | Quote }}}\n"
    )
    begun = now + f"conditions:\n{_CONDITIONS}" + _containers(_RUNNING, _RUNNING, "true")
    over = now + message + _containers(_ENDED, _TOLD, "false")
    return [
        _stage(
            "node", "Node", [{"key": ready, "operator": "NotIn", "values": ["True"]}], {"statusTemplate": node_ready}
        ),
        _stage(
            "runs",
            "Pod",
            [alive, {"key": ".status.phase", "operator": "In", "values": ["Pending"]}],
            {"statusTemplate": f"{begun}phase: Running\nstartTime: {{{{ $now | Quote }}}}\n"},
        ),
        _stage(
            "ends",
            "Pod",
            [alive, {"key": ".status.phase", "operator": "In", "values": ["Running"]}],
            {"statusTemplate": f"{over}phase: Succeeded\n"},
        ),
        _stage("goes", "Pod", [{"key": ".metadata.deletionTimestamp", "operator": "Exists"}], {"delete": True}),
    ]


@contextlib.contextmanager
def running(cluster: Cluster, nodes: int, points_per_pod: int, total: int, *, has_logs: bool = False) -> Iterator[None]:
    """Have so many nodes while the body runs."""
    with tempfile.TemporaryDirectory() as folder:
        file, log, said = Path(folder) / "stages.yaml", Path(folder) / "kwok.log", Path(folder) / "said.log"
        config = stages(points_per_pod, total)
        kubelet, serving = None, []
        if has_logs:
            said.write_text("2026-01-01T00:00:00Z stdout F fake\n")
            config.append(logs_of(said))
            kubelet = kubelet_of(cluster, Path(folder))
            serving = [
                f"--server-address={kubelet.address}:{kubelet.port}",
                f"--node-ip={kubelet.address}",
                f"--node-port={kubelet.port}",
                f"--tls-cert-file={kubelet.certificate}.crt",
                f"--tls-private-key-file={kubelet.certificate}.key",
            ]
        items = [node(number, kubelet) for number in range(nodes)]
        manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        file.write_text("\n---\n".join(json.dumps(entry) for entry in config))
        command = [
            str(tool("kwok")),
            f"--kubeconfig={cluster.kubeconfig}",
            f"--config={file}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-annotation-selector={MARK}=true",
            "--node-lease-duration-seconds=40",
            *serving,
        ]
        with log.open("w") as stream, subprocess.Popen(command, stdout=stream, stderr=stream) as kwok:
            try:
                subprocess.run(
                    cluster.kubectl("apply", "-f", "-"), input=manifest, text=True, check=True, capture_output=True
                )
                output(cluster.kubectl("wait", "--for=condition=Ready", "node", f"--selector={MARK}", "--timeout=60s"))
                yield
            except BaseException:
                print(log.read_text()[-2000:])
                raise
            finally:
                output(cluster.kubectl("delete", "node", f"--selector={MARK}", "--wait=false"))
                kwok.terminate()
                try:
                    kwok.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    kwok.kill()
