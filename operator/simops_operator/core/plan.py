"""What to do next for one run: ``decide`` (pure).

Level-triggered: it looks at how things are and not at what happened, so that any event, a restart or a lost message leads to the same next
step. An ordered chain of small functions; the first that has something to say wins.

The order of effects is what makes a crash harmless: a log and a record are stored before the status becomes final, and whatever must
be cleaned away is cleaned away after that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simops_crds.images import why_not_trusted
from simops_crds.names import FINAL_PHASES, Phase, Reason
from simops_operator.core import endings
from simops_operator.core.actions import (
    Action,
    ApplyJob,
    ArchiveLog,
    DeleteJob,
    DeleteRun,
    FetchSummary,
    ForbidRetries,
    StopPod,
    SuspendJob,
    WriteRecord,
)
from simops_operator.core.config import JobConfig
from simops_operator.core.jobs import job_for, timeout_of
from simops_operator.core.limits import why_above_maximum
from simops_operator.core.run import Owner, Run
from simops_operator.core.status import Outcome, Status, differs, status_for
from simops_operator.core.views import JobView, PodView, Summary, parse_summary, parse_time

STOPPING_RECHECK_SECONDS = 2.0
STORING_PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True)
class Facts:
    """What was learned beyond the caches."""

    logs: Mapping[str, bool] = field(default_factory=dict)
    """Pod → whether its log is in the store (False: it could not be read any more)."""
    summaries: Mapping[str, Summary | None] = field(default_factory=dict)
    """Pod → what the store has of it."""
    rejected: str = ""
    """Why the API server refused the Job, if it did."""
    store_error: str = ""
    """What the store answered last, if it failed."""


@dataclass(frozen=True)
class Decision:
    """Actions in their order, then the status to write (None: as it is), and when to look again without an event."""

    actions: tuple[Action, ...] = ()
    status: Status | None = None
    recheck: float | None = None


def decide(
    run: Run, job: JobView | None, pods: tuple[PodView, ...], facts: Facts, config: JobConfig, now: datetime
) -> Decision:
    """Return the next step of a run.

    Args:
        run: the SimulationJob.
        job: its Kubernetes Job, None when there is none.
        pods: its Pods, those that are gone but remembered included.
        facts: what earlier steps of this pass learned.
        config: the installation's settings.
        now: the present time, aware.
    """
    if run.finished:
        return _after_the_end(run, job, pods, config, now)
    situation = _Situation(run, job, tuple(sorted(pods, key=lambda p: (p.created, p.name))), facts, config, now)
    for step in (_refuse, _conclude, _cancel, _start, _hold_or_release, _wait, _proceed):
        decision = step(situation)
        if decision is not None:
            return decision
    raise AssertionError("the last step always decides")


@dataclass(frozen=True)
class _Situation:
    run: Run
    job: JobView | None
    pods: tuple[PodView, ...]
    facts: Facts
    config: JobConfig
    now: datetime

    @property
    def latest(self) -> PodView | None:
        return self.pods[-1] if self.pods else None

    @property
    def cancelled(self) -> bool:
        return bool(self.run.spec and self.run.spec.cancelled)

    @property
    def housekeeping(self) -> tuple[Action, ...]:
        """What is due whatever else happens: keep what attempts that have ended or are being stopped leave."""
        out: list[Action] = []
        for pod in self.pods:
            summary = self.facts.summaries.get(pod.name)
            if pod.stopping and pod.name not in self.facts.summaries:
                out.append(FetchSummary(pod.name))
            has_ended = pod.simulation.terminated is not None or (pod.stopping and summary is not None)
            if has_ended and pod.name not in self.facts.logs:
                out.append(ArchiveLog(pod.name))
        return tuple(out)

    def is_settled(self, pod: PodView) -> bool:
        """Whether a Pod that is being stopped has given all that it will give; it may still run for a while."""
        return pod.stopping and self.facts.summaries.get(pod.name) is not None and pod.name in self.facts.logs

    @property
    def recheck(self) -> float | None:
        """When to look again without an event: a Pod that is being stopped tells nothing until all of it has ended."""
        return STOPPING_RECHECK_SECONDS if any(p.stopping for p in self.pods) else None

    def say(self, outcome: Outcome, *actions: Action, recheck: float | None = None) -> Decision:
        """Return the decision to do these and to show this state."""
        status = status_for(self.run, outcome, self.now)
        # The actions first: stopping a simulation must not wait for a store that does not answer.
        return Decision(
            (*actions, *self.housekeeping),
            status if differs(self.run.status, status) else None,
            recheck or self.recheck,
        )

    def finish(self, outcome: Outcome) -> Decision:
        """Return the decision to end: what is missing in the store first, then the record, then the status."""
        if self.facts.store_error:
            message = f"{outcome.message}; waiting for the store to keep log and record: {self.facts.store_error}"
            phase = Phase.RUNNING if outcome.pod is not None and outcome.pod.started else Phase.PENDING
            return self.say(
                Outcome(phase, Reason.STORE_UNAVAILABLE, message, pod=outcome.pod, accepted=outcome.accepted)
            )
        if self.housekeeping:
            return Decision(self.housekeeping)
        status = status_for(self.run, outcome, self.now)
        return Decision((WriteRecord(status),), status)


def _refuse(at: _Situation) -> Decision | None:
    """Runs that must not start."""
    if at.job is not None:
        return None
    if at.facts.rejected:
        rejected = Outcome(Phase.FAILED, Reason.JOB_REJECTED, at.facts.rejected, accepted=False, pod=at.latest)
        return at.finish(rejected)
    if at.pods:
        return None
    spec = at.run.spec
    if spec is None:
        return at.finish(Outcome(Phase.FAILED, Reason.INVALID_SPEC, at.run.invalid, accepted=False))
    why = why_not_trusted(spec.image, at.config.allowed_images, require_digest=at.config.require_digest)
    if why is not None:
        message = f"image {spec.image} {why}"
        return at.finish(Outcome(Phase.FAILED, Reason.IMAGE_NOT_TRUSTED, message, accepted=False))
    if above := why_above_maximum("spec", spec, spec.timeout_seconds, at.config):
        return at.finish(Outcome(Phase.FAILED, Reason.ABOVE_MAXIMUM, above, accepted=False))
    return None


def shows_the_end(job: JobView, pods: tuple[PodView, ...]) -> bool:
    """Whether these Pods explain how a finished Job ended; otherwise they are older than the Job."""
    if job.complete:
        return any(p.phase == "Succeeded" for p in pods)
    failed = sum(p.ended and not p.disrupted for p in pods)
    return all(p.ended for p in pods) and failed >= max(1, job.failed_pods)


def _conclude(at: _Situation) -> Decision | None:
    """Runs that have ended, well or not."""
    succeeded = next((p for p in at.pods if p.phase == "Succeeded"), None)
    finished = at.job is not None and at.job.finished
    if succeeded is None and not finished:
        return None
    is_success = succeeded is not None or (at.job is not None and at.job.complete)
    if is_success:  # never an earlier attempt that failed
        pod = succeeded or next((p for p in reversed(at.pods) if p.phase != "Failed"), None)
    else:
        pod = next((p for p in reversed(at.pods) if p.ended), at.latest)
    return _end(at, pod, is_success=is_success and not (pod is not None and _obeyed(at, pod)))


def _obeyed(at: _Situation, pod: PodView) -> bool:
    """Whether an attempt exited because we stopped it: exit code 0 is then good manners and no success."""
    if at.run.status.get("reason") not in (Reason.CANCELLED, Reason.DEADLINE_EXCEEDED) or pod.told_at is None:
        return False
    ended = pod.simulation.terminated
    return ended is None or ended.finished_at is None or ended.finished_at >= pod.told_at


def _end(at: _Situation, pod: PodView | None, *, is_success: bool) -> Decision:
    """Return the decision to end a run with what one attempt left."""
    name = pod.name if pod is not None else at.run.status.get("podName")
    if pod is None and any(p.name == name for p in at.pods):
        name = None  # the one that counts is not among those that are known
    summary = parse_summary(pod.bundle.terminated.message) if pod is not None and pod.bundle.terminated else None
    if summary is None and name and (is_success or pod is None or pod.started or at.run.status.get("startTime")):
        if name not in at.facts.summaries and not at.facts.store_error:
            return Decision((*at.housekeeping, FetchSummary(name)))
        summary = at.facts.summaries.get(name)
    log_stored = bool(name and at.facts.logs.get(name))
    return at.finish(endings.ending(at.run, at.job, pod, summary, is_success=is_success, log_stored=log_stored))


def _cancel(at: _Situation) -> Decision | None:
    """Runs that a person wants stopped."""
    if not at.cancelled:
        return None
    active = [p for p in at.pods if p.started and not p.ended and not at.is_settled(p)]
    if active:
        stops: list[Action] = [StopPod(p.name, at.config.stop_grace_seconds) for p in active if not p.deleting]
        if at.job is not None and at.job.backoff_limit > 0:
            stops.insert(0, ForbidRetries(at.job.name))
        stopping = Outcome(Phase.RUNNING, Reason.CANCELLED, "being stopped, as spec.cancelled is set", pod=active[-1])
        return at.say(stopping, *stops)
    ran = next((p for p in reversed(at.pods) if p.started), None)
    if ran is not None:
        return _end(at, ran, is_success=False)
    return at.finish(Outcome(Phase.CANCELLED, Reason.CANCELLED, "cancelled before it started", pod=at.latest))


def _start(at: _Situation) -> Decision | None:
    """Runs that have no Kubernetes Job."""
    if at.job is not None or at.run.spec is None:
        return None
    spec = at.run.spec
    if spec.suspend and spec.queue_name:
        return at.say(_suspended(at))
    if at.facts.store_error:
        message = f"not started, as its results could not be kept: {at.facts.store_error}"
        return at.say(Outcome(Phase.PENDING, Reason.STORE_UNAVAILABLE, message))
    job = ApplyJob(job_for(at.run.name, at.run.namespace, at.run.uid, spec, at.config, at.run.trace))
    if spec.suspend or spec.queue_name:
        return at.say(_suspended(at), job)
    return at.say(Outcome(Phase.PENDING, Reason.JOB_CREATED, "waiting for its Pod"), job)


def _suspended(at: _Situation) -> Outcome:
    by_person = at.run.spec is not None and at.run.spec.suspend
    message = "suspended, as spec.suspend is true" if by_person else "waiting in its queue"
    return Outcome(Phase.QUEUED, Reason.SUSPENDED, message, pod=at.latest)


def _hold_or_release(at: _Situation) -> Decision | None:
    """Runs whose suspension is to change, and those that are suspended."""
    job, spec = at.job, at.run.spec
    if job is None or spec is None:
        return None
    if spec.queue_name:
        # The queue owns the Job's suspend: it would start again at once what we suspend. So there is no Job while a person holds the run.
        if spec.suspend:
            return at.say(_suspended(at), *([] if job.deleting or at.housekeeping else [DeleteJob(job.name)]))
        return at.say(_suspended(at)) if job.suspended else None
    if spec.suspend != job.suspended:
        held = (
            _suspended(at)
            if spec.suspend
            else Outcome(Phase.PENDING, Reason.JOB_CREATED, "waiting for its Pod", pod=at.latest)
        )
        return at.say(held, SuspendJob(job.name, suspend=spec.suspend))
    return at.say(_suspended(at)) if job.suspended else None


def _wait(at: _Situation) -> Decision | None:
    """Runs whose latest attempt has not started."""
    pod = at.latest
    if pod is not None and (pod.started or pod.ended):
        return None
    patience = at.run.spec.pending_timeout_seconds if at.run.spec is not None else None
    outcome, gives_up_at = endings.waiting(patience, at.job, pod, at.config, at.now)
    if gives_up_at is not None and at.now >= gives_up_at:
        return at.finish(endings.gave_up(outcome))
    moments = [gives_up_at] if gives_up_at is not None else []
    if pod is not None:
        moments.append((pod.scheduled_at or pod.created) + endings.SCHEDULING_PATIENCE)
    ahead = [(moment - at.now).total_seconds() for moment in moments if moment > at.now]
    return at.say(outcome, recheck=min(ahead, default=None))


def _proceed(at: _Situation) -> Decision | None:
    """Runs whose latest attempt runs, or has ended while the Job goes on."""
    pod = at.latest
    if pod is None:
        raise AssertionError("a run without Pods is decided by an earlier step")
    if pod.ended:
        failures = sum(p.ended and not p.disrupted for p in at.pods)
        if at.run.spec is not None and failures > at.run.spec.retries and not pod.disrupted:
            return Decision(at.housekeeping)  # the Job is about to say that it has failed
        return at.say(endings.between_attempts(at.run, pod))
    if at.facts.store_error and pod.simulation.terminated is not None:
        return at.say(
            Outcome(Phase.RUNNING, Reason.STORE_UNAVAILABLE, f"waiting for the store: {at.facts.store_error}", pod=pod)
        )
    if (storing := _storing(at, pod)) is not None:
        return storing
    running = Outcome(
        Phase.RUNNING, Reason.SIMULATION_STARTED, f"runs on node {pod.node}" if pod.node else "runs", pod=pod
    )
    since, spec = pod.simulation.running_since, at.run.spec
    if since is None or spec is None:
        return at.say(running)
    is_told = at.run.status.get("reason") == Reason.DEADLINE_EXCEEDED
    ends = since + timedelta(seconds=timeout_of(spec, at.config))
    if at.now < ends and not pod.past_deadline:
        return at.say(running, recheck=(ends - at.now).total_seconds())
    if pod.deleting and not is_told:
        return at.say(running)  # drained or deleted by somebody before its time was over
    if at.is_settled(pod) and (at.job is None or at.job.failed_pods >= at.job.backoff_limit):
        return _end(at, pod, is_success=False)
    late = Outcome(Phase.RUNNING, Reason.DEADLINE_EXCEEDED, "takes longer than its timeout; being stopped", pod=pod)
    # Said before it is done: the Pod takes its own account with it.
    is_due = is_told and not pod.deleting and not pod.past_deadline
    stop = [StopPod(pod.name, at.config.stop_grace_seconds)] if is_due else []
    return at.say(late, *stop)


def _storing(at: _Situation, pod: PodView) -> Decision | None:
    """Say that the outputs are being stored, if that takes so long that a person wonders."""
    ended = pod.simulation.terminated.finished_at if pod.simulation.terminated is not None else None
    if ended is None:
        return None
    wait = (ended + STORING_PATIENCE - at.now).total_seconds()
    if wait <= 0:
        return at.say(
            Outcome(Phase.RUNNING, Reason.STORING_ARTIFACTS, "has ended; its outputs are being stored", pod=pod)
        )
    if at.run.status.get("reason") != Reason.SIMULATION_STARTED:
        return None
    return Decision(at.housekeeping, recheck=wait)


def _after_the_end(
    run: Run, job: JobView | None, pods: tuple[PodView, ...], config: JobConfig, now: datetime
) -> Decision:
    """Clean up what a final phase leaves behind, and the object itself when its time has come."""
    actions: list[Action] = []
    # After a success the Job ends by itself, unless it was made again while the Pod that succeeded was still there.
    is_needless = run.status.get("phase") != Phase.SUCCEEDED or any(not p.ended for p in pods)
    if job is not None and not job.finished and not job.deleting and is_needless:
        actions.append(DeleteJob(job.name))
    due = expiry_of(run, config)
    if due is not None and now >= due:
        return Decision((*actions, DeleteRun()))
    return Decision(tuple(actions), recheck=(due - now).total_seconds() if due is not None else None)


def expiry_of(run: Run, config: JobConfig) -> datetime | None:
    """Return when a finished SimulationJob is deleted; None while it is not finished."""
    return due_of(run, run.spec.ttl_seconds_after_finished if run.spec is not None else None, config)


def due_of(run: Owner, ttl: int | None, config: JobConfig) -> datetime | None:
    """Return when a finished object of this time to live (None: the installation's) is deleted; None while it is not finished."""
    finished = parse_time(run.status.get("completionTime"))
    if finished is None or run.status.get("phase") not in FINAL_PHASES:
        return None
    return finished + timedelta(seconds=config.ttl_seconds_after_finished if ttl is None else ttl)


def decide_deleted(run: Run, pods: tuple[PodView, ...], facts: Facts, now: datetime) -> Decision | None:
    """Return the next step for a run whose object was deleted while it was unfinished; None when nothing is left to do.

    Kubernetes takes its Job and Pods away; what they still have to give is kept, unless the spec says otherwise.
    """
    at = _Situation(run, None, pods, facts, JobConfig(), now)
    if at.housekeeping:
        return Decision(at.housekeeping)
    # One that ignores its signal runs until its grace period is over; there is nothing more to come from it.
    if any(not p.ended and not at.is_settled(p) for p in pods):
        return Decision(recheck=at.recheck)
    started = [p for p in pods if p.started]
    if not started or run.finished:
        return None
    pod = max(started, key=lambda p: (p.created, p.name))
    if pod.name not in facts.summaries:
        return Decision((FetchSummary(pod.name),))
    summary = facts.summaries[pod.name]
    outcome = Outcome(
        Phase.CANCELLED,
        Reason.DELETED,
        "deleted while it ran",
        pod=pod,
        summary=summary,
        log_stored=bool(facts.logs.get(pod.name)),
    )
    return Decision((WriteRecord(status_for(run, outcome, now)),))
