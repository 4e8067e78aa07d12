"""How attempts wait, end and follow one another: Pods worded as outcomes (pure)."""

from dataclasses import replace
from datetime import datetime, timedelta

from simops_crds.names import CONTAINER_BUNDLE, CONTAINER_SIMULATION, Phase, Reason
from simops_operator.core.config import JobConfig
from simops_operator.core.run import Run
from simops_operator.core.status import Outcome, with_message
from simops_operator.core.views import ContainerView, JobView, PodView, Summary

SCHEDULING_PATIENCE = timedelta(seconds=20)
"""A Pod that waits shorter than this for a node, or for its containers, is nothing to tell: in a burst most of them do."""

_PULL_FAILURES = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
_HOPELESS_PULLS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
START_FAILURES = frozenset(
    {"StartError", "ContainerCannotRun", "RunContainerError", "CreateContainerError", "CreateContainerConfigError"}
)


def waiting(
    patience: int | None, job: JobView | None, pod: PodView | None, config: JobConfig, now: datetime
) -> tuple[Outcome, datetime | None]:
    """Return the state of an attempt that has not started, and when to give it up (None: never).

    Args:
        patience: the spec's pending timeout in seconds, None for the installation's.
        job: its Kubernetes Job.
        pod: the attempt.
        config: the installation's settings.
        now: the present time, aware.
    """
    limit = patience or config.pending_timeout_seconds or None
    begin = pod.created if pod is not None else (job.started_at if job is not None else None)
    gives_up_at = begin + timedelta(seconds=limit) if limit and begin else None
    if pod is None:
        message = "waiting for its Pod" + (f"; if none comes, see the Events of Job {job.name}" if job else "")
        return Outcome(Phase.PENDING, Reason.JOB_CREATED, message), gives_up_at
    for name, container in ((CONTAINER_BUNDLE, pod.bundle), (CONTAINER_SIMULATION, pod.simulation)):
        if container.waiting_reason in _PULL_FAILURES:
            grace = 0 if container.waiting_reason in _HOPELESS_PULLS else config.image_pull_grace_seconds
            pull_ends = (pod.scheduled_at or pod.created) + timedelta(seconds=grace)
            ends = min(pull_ends, gives_up_at) if gives_up_at else pull_ends
            return Outcome(Phase.PENDING, Reason.IMAGE_PULL_FAILED, _waiting_message(name, container), pod=pod), ends
        if container.waiting_reason in START_FAILURES:
            message = (
                f"the {name} container cannot be started ({container.waiting_reason}): {container.waiting_message}"
            )
            return Outcome(Phase.PENDING, Reason.CONTAINER_CANNOT_RUN, message, pod=pod), gives_up_at
    if pod.unschedulable:
        reason = Reason.SCHEDULING if now >= pod.created + SCHEDULING_PATIENCE else Reason.JOB_CREATED
        return Outcome(Phase.PENDING, reason, f"no node takes it yet: {pod.unschedulable}", pod=pod), gives_up_at
    if pod.scheduled_at is not None:
        # Large images take their time; a volume that cannot be mounted looks the same from here.
        reason = Reason.STARTING if now >= pod.scheduled_at + SCHEDULING_PATIENCE else Reason.JOB_CREATED
        message = f"being started on node {pod.node}; if that takes long, see the Events of Pod {pod.name}"
        return Outcome(Phase.PENDING, reason, message, pod=pod), gives_up_at
    return Outcome(Phase.PENDING, Reason.JOB_CREATED, "waiting for a node", pod=pod), gives_up_at


def _waiting_message(name: str, container: ContainerView) -> str:
    owner = "the simulation's image" if name == CONTAINER_SIMULATION else f"the image of the {name} container"
    return f"{owner} cannot be pulled ({container.waiting_reason}): {container.waiting_message}"


def gave_up(outcome: Outcome) -> Outcome:
    """Return the failure of an attempt that never started."""
    if outcome.reason is Reason.IMAGE_PULL_FAILED:
        return replace(outcome, phase=Phase.FAILED)
    return Outcome(
        Phase.FAILED,
        Reason.PENDING_TIMEOUT,
        f"did not start within its pending timeout: {outcome.message}",
        pod=outcome.pod,
    )


def ending(
    run: Run, job: JobView | None, pod: PodView | None, summary: Summary | None, *, is_success: bool, log_stored: bool
) -> Outcome:
    """Return the final outcome of a run whose Job has ended.

    ``Succeeded`` means that the simulation exited 0 and its bundle is in the store.
    """
    terminated = pod.simulation.terminated if pod is not None else None
    exit_code = terminated.exit_code if terminated is not None else (0 if is_success else None)
    # A summary with a bundle and an error, or a partial one: only the outputs of an earlier moment are stored.
    stored = summary is not None and summary.bundle is not None and not summary.error
    is_whole = stored and summary is not None and not summary.partial
    error = (summary.error if summary is not None else "") or (
        "they were taken before it ended, and the bundle container did not come back"
        if stored
        else "the bundle container left no summary"
    )
    if is_success and is_whole:
        phase, reason, message = Phase.SUCCEEDED, Reason.COMPLETED, _success_message(summary)
    elif is_success:
        phase, reason = Phase.FAILED, Reason.ARTIFACT_UPLOAD_FAILED
        message = f"the simulation exited 0 but its outputs could not be stored: {error}"
    elif run.spec is not None and run.spec.cancelled:
        phase, reason, message = Phase.CANCELLED, Reason.CANCELLED, "cancelled"
    else:
        phase = Phase.FAILED
        reason, message = failure(run, job, pod)
    outcome = Outcome(phase, reason, message, pod=pod, exit_code=exit_code, summary=summary, log_stored=log_stored)
    if not is_success and pod is not None and pod.started and not stored:
        outcome = with_message(outcome, f"its outputs could not be stored: {error}")
    for note in _notes(pod, summary, log_stored=log_stored):
        outcome = with_message(outcome, note)
    return outcome


def _notes(pod: PodView | None, summary: Summary | None, *, log_stored: bool) -> list[str]:
    """Return what a person should know of results that are not all there."""
    notes = []
    if summary is not None and summary.skipped:
        notes.append(f"{summary.skipped} left out of the bundle, see its manifest")
    if summary is not None and summary.metrics_note:
        notes.append(summary.metrics_note)
    if pod is not None and pod.started and not log_stored:
        notes.append("its log could not be read any more")
    return notes


def _success_message(summary: Summary | None) -> str:
    if summary is None:
        return "completed"
    return f"{summary.files} file{'' if summary.files == 1 else 's'}, {summary.bytes} bytes"


def failure(run: Run, job: JobView | None, pod: PodView | None) -> tuple[Reason, str]:
    """Return why an attempt failed, as a reason and a sentence with the end of its log."""
    known = run.status.get("reason")
    terminated = pod.simulation.terminated if pod is not None else None
    if (pod is not None and pod.past_deadline) or known == Reason.DEADLINE_EXCEEDED:
        limit = run.spec.timeout_seconds if run.spec is not None else 0
        return Reason.DEADLINE_EXCEEDED, f"took longer than its timeout of {limit} s"
    if terminated is not None and terminated.reason == "OOMKilled":
        return Reason.OOM_KILLED, "used more memory than its limit; raise resources.limits.memory"
    if pod is not None and pod.reason == "Evicted":
        return Reason.EVICTED, f"its node evicted it: {pod.message}"
    if terminated is not None and terminated.reason in START_FAILURES:
        return Reason.CONTAINER_CANNOT_RUN, f"could not be started: {terminated.message}"
    if terminated is not None and terminated.exit_code != 0:
        lines = [line for line in terminated.message.splitlines() if line.strip()]
        deleted = "its Pod was deleted; it " if pod is not None and pod.deleting and not pod.disrupted else ""
        tail = f": {lines[-1].strip()}" if lines else ""
        return Reason.EXIT_CODE, f"{deleted}exited with code {terminated.exit_code}{tail}"
    detail = (pod.message or pod.reason if pod is not None else "") or (job.failed_message if job is not None else "")
    return Reason.POD_LOST, "its Pod vanished before it told how it ended" + (f": {detail}" if detail else "")


def between_attempts(run: Run, pod: PodView) -> Outcome:
    """Return the state of a run whose latest attempt has ended while its Job goes on."""
    if pod.disrupted:
        return Outcome(
            Phase.PENDING,
            Reason.DISRUPTED,
            "lost its Pod to a disruption and runs again" + (f": {why}" if (why := pod.message or pod.reason) else ""),
            pod=pod,
        )
    if pod.gone and pod.simulation.terminated is None:
        return Outcome(Phase.PENDING, Reason.DISRUPTED, "its Pod was deleted; another one follows", pod=pod)
    _, message = failure(run, None, pod)
    return Outcome(Phase.PENDING, Reason.RETRYING, f"{message}; another attempt follows", pod=pod)
