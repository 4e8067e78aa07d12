"""What the operator needs to know of Jobs and Pods: small frozen views of the API's objects (pure).

The caches hold these and not the objects, so that memory follows what is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simops_crds.names import CONTAINER_BUNDLE, CONTAINER_SIMULATION, GROUP, LABEL_MANAGED_BY, LABEL_PACK
from simops_io.untrusted import finite, parse

KubeObject = Mapping[str, Any]


def parse_time(text: str | None) -> datetime | None:
    """Return an API timestamp (RFC 3339) as an aware datetime; None stays None."""
    return datetime.fromisoformat(text) if text else None


def version_of(obj: KubeObject) -> int:
    """Return the resourceVersion as a number; of two versions of an object the greater is the newer (KEP-5504)."""
    text = obj["metadata"].get("resourceVersion", "")
    return int(text) if text.isdigit() else 0


def slim_page(page: dict[str, Any]) -> dict[str, Any]:
    """Return a page of a LIST, of whose Jobs and Pods only that is left which is looked at: whoever makes some may have put a megabyte into the rest."""
    if page.get("kind") in ("JobList", "PodList"):
        page["items"] = [_slim(item) for item in page.get("items") or []]
    return page


def _slim(obj: KubeObject) -> dict[str, Any]:
    meta: dict[str, Any] = {key: value for key, value in obj["metadata"].items() if isinstance(value, str | int)}
    labels = (obj["metadata"].get("labels") or {}).items()
    meta["labels"] = {k: v for k, v in labels if k.startswith(f"{GROUP}/") or k in (LABEL_MANAGED_BY, LABEL_PACK)}
    spec = {key: value for key, value in (obj.get("spec") or {}).items() if isinstance(value, str | int)}
    return {"metadata": meta, "spec": spec, "status": obj.get("status") or {}}


@dataclass(frozen=True)
class Terminated:
    """How a container ended."""

    exit_code: int
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class ContainerView:
    """State of one container: at most one of waiting, running and terminated is set."""

    waiting_reason: str = ""
    waiting_message: str = ""
    running_since: datetime | None = None
    terminated: Terminated | None = None
    image_id: str = ""

    @property
    def started(self) -> bool:
        """Whether the process has run, now or before."""
        return self.running_since is not None or (
            self.terminated is not None and self.terminated.started_at is not None
        )


@dataclass(frozen=True)
class PodView:
    """One attempt."""

    name: str
    uid: str
    created: datetime
    version: int = 0
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    deleting: bool = False
    told_at: datetime | None = None
    """When its deletion was asked for."""
    past_deadline: bool = False
    """Its node is stopping it, or has stopped it, for taking longer than its deadline."""
    disrupted: bool = False
    node: str = ""
    scheduled_at: datetime | None = None
    unschedulable: str = ""
    simulation: ContainerView = field(default_factory=ContainerView)
    bundle: ContainerView = field(default_factory=ContainerView)
    gone: bool = False
    """The API server has it no more; this is the last that was seen of it."""
    namespace: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.gone or self.phase in ("Succeeded", "Failed")

    @property
    def started(self) -> bool:
        """Whether its simulation has run."""
        return self.simulation.started

    @property
    def stopping(self) -> bool:
        """Whether its simulation was told to stop. While that lasts kubelet does not tell which containers have ended."""
        return self.started and not self.ended and (self.deleting or self.past_deadline)


@dataclass(frozen=True)
class JobView:
    """The Kubernetes Job of one run."""

    name: str
    uid: str
    version: int = 0
    started_at: datetime | None = None
    suspended: bool = False
    deleting: bool = False
    complete: bool = False
    failed_reason: str = ""
    failed_message: str = ""
    failed_pods: int = 0
    backoff_limit: int = 0
    namespace: str = ""

    @property
    def finished(self) -> bool:
        """Whether Kubernetes makes no further Pod for it."""
        return self.complete or bool(self.failed_reason)


def _container(statuses: list[KubeObject], name: str) -> ContainerView:
    status = next((s for s in statuses if s.get("name") == name), None)
    if status is None:
        return ContainerView()
    state = status.get("state") or {}
    waiting, running, ended = state.get("waiting") or {}, state.get("running"), state.get("terminated")
    return ContainerView(
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        running_since=parse_time(running.get("startedAt")) if running else None,
        terminated=_terminated(ended) if ended else None,
        image_id=status.get("imageID", ""),
    )


def _terminated(state: KubeObject) -> Terminated:
    return Terminated(
        exit_code=int(state.get("exitCode", -1)),
        reason=state.get("reason", ""),
        message=state.get("message", ""),
        started_at=_real_time(state.get("startedAt")),
        finished_at=_real_time(state.get("finishedAt")),
    )


def _real_time(text: str | None) -> datetime | None:
    """Return a time; None for the zero time that the runtime gives a process that never ran."""
    moment = parse_time(text)
    return moment if moment is not None and moment.timestamp() > 0 else None


def _condition(obj: KubeObject, kind: str) -> KubeObject:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((c for c in conditions if c.get("type") == kind), {})


def _is_past_deadline(pod: KubeObject) -> bool:
    # kubelet reports the phase and its reason only when all containers have ended; until then the Ready condition alone tells.
    status = pod.get("status") or {}
    is_being_stopped = status.get("phase") == "Running" and _condition(pod, "Ready").get("reason") == "PodFailed"
    return status.get("reason") == "DeadlineExceeded" or is_being_stopped


def _told_at(meta: KubeObject) -> datetime | None:
    ends = parse_time(meta.get("deletionTimestamp"))  # that is when the grace period is over
    try:
        return ends - timedelta(seconds=meta.get("deletionGracePeriodSeconds") or 0) if ends is not None else None
    except OverflowError:  # a Pod that somebody gave a grace period of thousands of years
        return ends


def pod_view(pod: KubeObject, *, gone: bool = False) -> PodView:
    """Return the view of a Pod as the API server gives it."""
    meta, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    scheduled = _condition(pod, "PodScheduled")
    created = parse_time(meta["creationTimestamp"])
    if created is None:
        raise ValueError(f"Pod {meta['name']} has no creation time")
    return PodView(
        name=meta["name"],
        namespace=meta.get("namespace", ""),
        uid=meta["uid"],
        created=created,
        version=version_of(pod),
        phase=status.get("phase", "Pending"),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        deleting="deletionTimestamp" in meta,
        told_at=_told_at(meta),
        past_deadline=_is_past_deadline(pod),
        disrupted=_condition(pod, "DisruptionTarget").get("status") == "True",
        node=spec.get("nodeName", ""),
        scheduled_at=parse_time(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "True" else None,
        unschedulable=scheduled.get("message", "") if scheduled.get("status") == "False" else "",
        simulation=_container(status.get("containerStatuses") or [], CONTAINER_SIMULATION),
        bundle=_container(status.get("initContainerStatuses") or [], CONTAINER_BUNDLE),
        gone=gone,
    )


def job_view(job: KubeObject) -> JobView:
    """Return the view of a Job as the API server gives it."""
    meta, spec, status = job["metadata"], job.get("spec") or {}, job.get("status") or {}
    failed = _condition(job, "Failed")
    has_failed = failed.get("status") == "True"
    return JobView(
        name=meta["name"],
        uid=meta["uid"],
        version=version_of(job),
        started_at=parse_time(status.get("startTime")),
        suspended=bool(spec.get("suspend")),
        deleting="deletionTimestamp" in meta,
        complete=_condition(job, "Complete").get("status") == "True",
        failed_reason=(failed.get("reason") or "Failed") if has_failed else "",
        failed_message=failed.get("message", "") if has_failed else "",
        failed_pods=int(status.get("failed") or 0),
        backoff_limit=int(spec.get("backoffLimit") or 0),
        namespace=meta.get("namespace", ""),
    )


@dataclass(frozen=True)
class Summary:
    """What the bundle container says of an attempt's outputs."""

    bundle: str | None
    files: int = 0
    bytes: int = 0
    size: int = 0
    sha256: str = ""
    partial: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    skipped: int = 0
    metrics_note: str = ""
    """What became of metrics that are not all here."""


_MAX_KEY, _MAX_ERROR = 1024, 1000
_MAX_METRICS, _NUMBER = 256 << 10, 24
"""Bytes of metrics in a status, and what is counted for each beside its name: its number and its quotes."""
_CUT = "not all metrics fit into the status, the manifest has them"


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


_ENTRIES = b',"entries":['
"""Within a string of JSON its quotes would be escaped."""


def parse_summary(text: str) -> Summary | None:
    """Return the summary in a termination message or in ``<pod>.json``; None when there is none or it is not one."""
    try:
        raw = parse(text)
    except ValueError:
        return None
    bundle = raw.get("bundle", 0) if isinstance(raw, dict) else 0
    if bundle is not None and not (isinstance(bundle, str) and len(bundle) <= _MAX_KEY):
        return None
    metrics, is_cut = _metrics_in(raw.get("metrics"))
    return Summary(
        bundle=bundle,
        files=_count(raw.get("files")),
        bytes=_count(raw.get("bytes")),
        size=_count(raw.get("size")),
        sha256=str(raw.get("sha256") or "")[:64],
        partial=bool(raw.get("partial")),
        metrics=metrics,
        error=str(raw.get("error") or "")[:_MAX_ERROR],
        skipped=_count(raw.get("skipped")),
        metrics_note=_CUT if is_cut else _metrics_note(raw),
    )


def summary_in(manifest: bytes) -> Summary | None:
    """Return the summary that a manifest begins with, of which the end may be missing; None when it is not one.

    The list of files that follows is not looked at: it may be long, and whoever holds the keys of the namespace may have written it.
    """
    head, has_entries, _ = manifest.partition(_ENTRIES)
    return parse_summary((head + b"}" if has_entries else head).decode(errors="replace"))


def _metrics_in(found: Any) -> tuple[dict[str, float], bool]:
    """Return as many metrics as a status has room for, and whether these are not all. They are kept until the run is finished."""
    out: dict[str, float] = {}
    room = _MAX_METRICS
    for name, value in found.items() if isinstance(found, dict) else ():
        if (number := finite(value)) is None:
            continue
        room -= len(name.encode()) + _NUMBER
        if room < 0:
            return out, True
        out[name] = number
    return out, False


def _metrics_note(raw: Mapping[str, Any]) -> str:
    return _CUT if raw.get("metricsCut") else str(raw.get("metricsError") or "")[:_MAX_ERROR]
