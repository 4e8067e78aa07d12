"""What is looked at of the Job and the Pods of a round (pure)."""

from dataclasses import dataclass, field
from datetime import datetime

from simops_crds.indexes import Indexes
from simops_crds.names import LABEL_PACK, LABEL_ROUND
from simops_operator.core.sweeps.books import NOTHING
from simops_operator.core.views import JobView, KubeObject, PodView, job_view, parse_time, pod_view

_COMPLETION_INDEX = LABEL_PACK


@dataclass(frozen=True)
class RoundJob:
    """The Indexed Job of a round."""

    job: JobView
    number: int
    parallelism: int = 0
    created: datetime | None = None
    completed: Indexes = field(default_factory=lambda: NOTHING)
    failed: Indexes = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True)
class PackPod:
    """A Pod of a round."""

    pod: PodView
    number: int
    """The round."""
    pack: int

    @property
    def matters(self) -> tuple[object, ...]:
        """What a decision may depend on: a change of anything else is no news."""
        pod = self.pod
        waits = (pod.simulation.waiting_reason, pod.bundle.waiting_reason)
        return pod.ended, pod.started, pod.deleting, bool(pod.scheduled_at), bool(pod.unschedulable), waits


def _number(labels: dict[str, str], label: str) -> int:
    text = labels.get(label, "")
    return int(text) if text.isdecimal() else -1


def round_job(obj: KubeObject) -> RoundJob:
    """Return the view of a round's Job as the API server gives it."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    return RoundJob(
        job=job_view(obj),
        number=_number(meta.get("labels") or {}, LABEL_ROUND),
        parallelism=int(spec.get("parallelism") or 0),
        created=parse_time(meta.get("creationTimestamp")),
        completed=Indexes.parse(status.get("completedIndexes") or ""),
        failed=Indexes.parse(status.get("failedIndexes") or ""),
    )


def pack_pod(obj: KubeObject, *, gone: bool = False) -> PackPod:
    """Return the view of a round's Pod as the API server gives it."""
    labels = obj["metadata"].get("labels") or {}
    return PackPod(pod_view(obj, gone=gone), _number(labels, LABEL_ROUND), _number(labels, _COMPLETION_INDEX))
