"""Nodes that only say that they run Pods (KWOK), so that many Pods can be had on one machine: what is measured is the control plane and the operator.

A Pod there runs as soon as it is scheduled and succeeds at once. That of a sweep says in its bundle container's termination message what a real one
would: every point of its pack has succeeded. Nothing is put into the store for it.
"""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localcluster.golang import tool
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


def node(number: int) -> dict[str, Any]:
    """Return a node with room for a thousand Pods."""
    room = {"cpu": "2000", "memory": "8Ti", "ephemeral-storage": "100Ti", "pods": "1000"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"{MARK}-{number}",
            "labels": {MARK: "true", "kubernetes.io/os": "linux"},
            "annotations": {MARK: "true"},
        },
        "spec": {"taints": [{"key": MARK, "value": "true", "effect": "NoSchedule"}]},
        "status": {"allocatable": room, "capacity": room},
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
def running(cluster: Cluster, nodes: int, points_per_pod: int, total: int) -> Iterator[None]:
    """Have so many nodes while the body runs."""
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": [node(number) for number in range(nodes)]})
    with tempfile.TemporaryDirectory() as folder:
        file, log = Path(folder) / "stages.yaml", Path(folder) / "kwok.log"
        file.write_text("\n---\n".join(json.dumps(stage) for stage in stages(points_per_pod, total)))
        command = [
            str(tool("kwok")),
            f"--kubeconfig={cluster.kubeconfig}",
            f"--config={file}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-annotation-selector={MARK}=true",
            "--node-lease-duration-seconds=40",
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
