"""What the cache keeps of a SimulationJob: a slim frozen record (pure).

The answer to who asks for the job is encoded once, when the object changes, and not each time that somebody reads it: a page of
fifty is fifty byte strings put together.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from simops_crds.names import FINAL_PHASES, Phase

Label = tuple[str, str]
Key = tuple[int, str]
"""Order of records: creation time in whole seconds since 1970 (Kubernetes keeps no more), then id."""


@dataclass(frozen=True, slots=True)
class Record:
    """One SimulationJob."""

    id: str
    namespace: str
    version: int
    """Its resourceVersion, which API servers since Kubernetes 1.35 promise to be comparable as an integer."""
    created: int
    phase: str
    labels: tuple[Label, ...] = ()
    started: float | None = None
    completed: float | None = None
    uid: str = ""
    pod: str = ""
    """Name of the Pod of the latest attempt; empty when there has been none."""
    document: bytes = b"{}"
    """The job as JSON, as it is answered."""

    @property
    def key(self) -> Key:
        """Where it stands among the others."""
        return (self.created, self.id)

    @property
    def finished(self) -> bool:
        """Whether its phase is final."""
        return self.phase in FINAL_PHASES

    @property
    def seconds(self) -> float | None:
        """How long it took from the start of its simulation to its end; None when it has not ended, or never started."""
        if not self.finished or self.started is None or self.completed is None:
            return None
        return max(0.0, self.completed - self.started)


def record_of(obj: Mapping[str, Any], job_id: str, *, archived: bool = False) -> Record:
    """Return the record of an API object, one that is there or one that is ``archived``."""
    meta, status = obj["metadata"], obj.get("status") or {}
    labels = tuple((sys.intern(k), sys.intern(v)) for k, v in (meta.get("labels") or {}).items())
    document = json.dumps(document_of(obj, job_id, archived=archived), ensure_ascii=False, separators=(",", ":"))
    return Record(
        id=job_id,
        namespace=sys.intern(meta["namespace"]),
        version=int(meta["resourceVersion"]),
        created=int(seconds_of(meta.get("creationTimestamp")) or 0),
        phase=phase_of(obj),
        labels=labels,
        started=seconds_of(status.get("startTime")),
        completed=seconds_of(status.get("completionTime")),
        uid=str(meta.get("uid") or ""),
        pod=str(status.get("podName") or ""),
        document=document.encode(errors="replace"),
    )


def phase_of(obj: Mapping[str, Any]) -> str:
    """Return the phase of an object; one that the operator has not seen yet is pending."""
    return sys.intern(str((obj.get("status") or {}).get("phase") or Phase.PENDING.value))


def document_of(obj: Mapping[str, Any], job_id: str, *, archived: bool = False) -> dict[str, Any]:
    """Return a SimulationJob as the gateway answers it, without the fields that have no value; ``jobs.models.Job`` is its schema."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    whole = {
        "id": job_id,
        "name": meta["name"],
        "namespace": meta["namespace"],
        "uid": meta.get("uid"),
        "status": phase_of(obj),
        "reason": status.get("reason"),
        "message": status.get("message"),
        "image": spec.get("image"),
        "command": spec.get("command"),
        "args": spec.get("args"),
        "params": spec.get("params") or {},
        **how_of(spec),
        "timeout_seconds": spec.get("timeoutSeconds"),
        "retries": spec.get("retries"),
        "ttl_seconds_after_finished": spec.get("ttlSecondsAfterFinished"),
        "labels": meta.get("labels"),
        "cancelled": bool(spec.get("cancelled")),
        "suspended": bool(spec.get("suspend")),
        "archived": archived,
        "created_at": meta.get("creationTimestamp"),
        "started_at": status.get("startTime"),
        "completed_at": status.get("completionTime"),
        "exit_code": status.get("exitCode"),
        "attempts": status.get("attempts"),
        "metrics": status.get("metrics"),
        "artifacts": status.get("artifacts"),
    }
    return {name: value for name, value in whole.items() if value is not None}


def how_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return where and with what a run, or each point of a sweep, is run, in the words of a request."""
    return {
        "env": run.get("env") or None,
        "resources": run.get("resources"),
        "network": run.get("network"),
        "priority_class_name": run.get("priorityClassName"),
        "node_selector": run.get("nodeSelector") or None,
        "tolerations": run.get("tolerations") or None,
        "queue_name": run.get("queueName"),
        "pending_timeout_seconds": run.get("pendingTimeoutSeconds"),
        "metadata": run.get("metadata"),
    }


def seconds_of(text: Any) -> float | None:
    """Return a time of Kubernetes in seconds since 1970; None for none, and for what is no time."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
