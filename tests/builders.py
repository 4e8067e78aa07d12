"""Objects as the API server gives them, with defaults, so that a test shows only what matters to it."""

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from simops_crds.names import LABEL_JOB, LABEL_MANAGED_BY, LABEL_UID, MANAGED_BY
from simops_operator.core.config import JobConfig
from simops_operator.core.run import Run, run_of
from simops_operator.core.status import format_time
from simops_operator.core.views import JobView, PodView, job_view, pod_view

Object = dict[str, Any]

T0 = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
NAMESPACE = "lab"
NAME = "heat"
UID = "6f0c1234-0000-4000-8000-000000000001"
JOB = f"{NAME}-6f0c1234"
PREFIX = f"jobs/{NAMESPACE}/{NAME}/{UID}"
CONFIG = JobConfig(allowed_images=("sim:*",))


def at(seconds: float) -> datetime:
    """Return the moment so many seconds after the run was created."""
    return T0 + timedelta(seconds=seconds)


def time_of(seconds: float) -> str:
    """Return that moment as the API server writes it."""
    return format_time(at(seconds))


def labels() -> dict[str, str]:
    """Return the labels by which a Job or a Pod belongs to the run."""
    return {LABEL_MANAGED_BY: MANAGED_BY, LABEL_JOB: NAME, LABEL_UID: UID}


def run_object(
    *, status: Object | None = None, version: int = 1, uid: str = UID, name: str = NAME, **spec: Any
) -> Object:
    """Return a SimulationJob; keywords are fields of its spec by their outside names."""
    out: Object = {
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": uid,
            "creationTimestamp": time_of(0),
            "generation": 1,
            "resourceVersion": str(version),
        },
        "spec": {"image": "sim:local"} | spec,
    }
    return out | ({"status": status} if status is not None else {})


def run(*, status: Object | None = None, version: int = 1, uid: str = UID, **spec: Any) -> Run:
    """Return a SimulationJob as the core sees it."""
    return run_of(run_object(status=status, version=version, uid=uid, **spec))


def job_object(
    *,
    complete: bool = False,
    failed: str = "",
    failed_pods: int = 0,
    suspend: bool = False,
    backoff_limit: int = 0,
    deleting: bool = False,
    version: int = 1,
    uid: str = "job-1",
) -> Object:
    """Return a Kubernetes Job."""
    conditions = [{"type": "Complete", "status": "True"}] if complete else []
    if failed:
        conditions.append({"type": "Failed", "status": "True", "reason": failed, "message": f"Job: {failed}"})
    meta: Object = {
        "name": JOB,
        "namespace": NAMESPACE,
        "uid": uid,
        "resourceVersion": str(version),
        "labels": labels(),
    }
    meta["ownerReferences"] = [{"uid": UID, "controller": True}]
    if deleting:
        meta["deletionTimestamp"] = time_of(0)
    return {
        "metadata": meta,
        "spec": {"suspend": suspend, "backoffLimit": backoff_limit},
        "status": {"conditions": conditions, "failed": failed_pods},
    }


def job(**changes: Any) -> JobView:
    """Return a Kubernetes Job as the core sees it."""
    return job_view(job_object(**changes))


def waiting(reason: str = "ContainerCreating", message: str = "") -> Object:
    """Return the state of a container that has not started."""
    return {"waiting": {"reason": reason, "message": message}}


def running(since: float = 20) -> Object:
    """Return the state of a container that runs."""
    return {"running": {"startedAt": time_of(since)}}


def ended(code: int = 0, *, reason: str = "", message: str = "", since: float = 20, until: float = 30) -> Object:
    """Return the state of a container that has ended."""
    reason = reason or ("Completed" if code == 0 else "Error")
    times = {"startedAt": time_of(since), "finishedAt": time_of(until)}
    return {"terminated": {"exitCode": code, "reason": reason, "message": message, **times}}


def bundle_message(pod: str = "p1", **changes: Any) -> str:
    """Return the termination message of a bundle container that has stored everything."""
    summary = {
        "bundle": f"{PREFIX}/{pod}.zip",
        "files": 5,
        "bytes": 812345,
        "size": 301234,
        "sha256": "ab" * 32,
        "metrics": {"max_temperature": 300.0},
        "partial": False,
        "skipped": 0,
        "seconds": 0.2,
        "error": None,
    }
    return json.dumps(summary | changes)


def pod_object(
    name: str = "p1",
    *,
    phase: str = "Pending",
    simulation: Object | None = None,
    bundle: Object | None = None,
    created: float = 10,
    scheduled: float | None = 12,
    unschedulable: str = "",
    reason: str = "",
    message: str = "",
    deleting: bool = False,
    told: float = 0,
    disrupted: bool = False,
    being_stopped: bool = False,
    version: int = 1,
) -> Object:
    """Return a Pod of the run."""
    conditions: list[Object] = []
    if unschedulable:
        conditions.append({"type": "PodScheduled", "status": "False", "message": unschedulable})
    elif scheduled is not None:
        conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": time_of(scheduled)})
    if disrupted:
        conditions.append({"type": "DisruptionTarget", "status": "True"})
    if being_stopped:
        conditions.append({"type": "Ready", "status": "False", "reason": "PodFailed"})
    meta: Object = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "labels": labels()}
    meta |= {"creationTimestamp": time_of(created), "resourceVersion": str(version)}
    if deleting:
        meta |= {"deletionTimestamp": time_of(told + 120), "deletionGracePeriodSeconds": 120}
    statuses: Object = {}
    if simulation is not None:
        image = {} if "waiting" in simulation else {"imageID": "sim@sha256:1"}
        statuses["containerStatuses"] = [{"name": "simulation", "state": simulation, **image}]
    if bundle is not None:
        statuses["initContainerStatuses"] = [{"name": "bundle", "state": bundle}]
    return {
        "metadata": meta,
        "spec": {"nodeName": "node-1"},
        "status": {"phase": phase, "reason": reason, "message": message, "conditions": conditions, **statuses},
    }


def pod(name: str = "p1", *, gone: bool = False, **changes: Any) -> PodView:
    """Return a Pod that waits for its start, as the core sees it."""
    return pod_view(pod_object(name, **changes), gone=gone)


def running_pod(name: str = "p1", **changes: Any) -> PodView:
    """Return an attempt whose simulation runs."""
    return pod(name, **{"phase": "Running", "simulation": running(), "bundle": running(15)} | changes)


def uploading_pod(name: str = "p1", code: int = 0, **changes: Any) -> PodView:
    """Return an attempt whose simulation has ended and whose outputs are being stored."""
    return running_pod(name, **{"simulation": ended(code)} | changes)


def succeeded_pod(name: str = "p1", **changes: Any) -> PodView:
    """Return an attempt that ended well."""
    stored = ended(0, message=bundle_message(name))
    return pod(name, **{"phase": "Succeeded", "simulation": ended(0), "bundle": stored} | changes)


def failed_pod(name: str = "p1", code: int = 3, **changes: Any) -> PodView:
    """Return an attempt that failed; what it had written is stored."""
    stored = ended(0, message=bundle_message(name))
    return pod(name, **{"phase": "Failed", "simulation": ended(code, message="boom"), "bundle": stored} | changes)


def copied(obj: Object) -> Object:
    """Return an object that shares nothing with the given one."""
    return copy.deepcopy(obj)
