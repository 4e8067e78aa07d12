"""What to do next for one sweep: ``decide`` (pure).

Level-triggered, as for jobs: an ordered chain of small functions of how things are; the first that has something to say wins. Of the points there are only
sets of ranges, so a decision costs the same for a hundred points and for a hundred thousand.

The order of effects makes a crash harmless: points before rounds, a round before its Job, results into the table before the books, the books before
the next round, the record before a final status.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from simops_crds.images import why_not_trusted
from simops_crds.names import FINAL_PHASES, Phase, Reason
from simops_operator.core import endings
from simops_operator.core.config import JobConfig
from simops_operator.core.limits import why_above_maximum
from simops_operator.core.plan import due_of
from simops_operator.core.status import Status
from simops_operator.core.sweeps import actions
from simops_operator.core.sweeps.actions import Action
from simops_operator.core.sweeps.books import Books, Why
from simops_operator.core.sweeps.manifest import job_for_round, parallelism_of, problem_with
from simops_operator.core.sweeps.rounds import next_round
from simops_operator.core.sweeps.situation import Situation
from simops_operator.core.sweeps.status import Outcome, Told, differs, remembered, told
from simops_operator.core.sweeps.sweep import Sweep

HOPELESS_PACKS = 10
"""So many Pods may be lost before a single point of the sweep has ended; then its Pods cannot work at all."""
_QUIET_RECHECK_SECONDS = 15.0


@dataclass(frozen=True)
class Decision:
    """Actions in their order, then the status to write (None: as it is), and when to look again without an event."""

    actions: tuple[Action, ...] = ()
    told: Told | None = None
    recheck: float | None = None

    @property
    def status(self) -> Status | None:
        """The status to write."""
        return self.told.status if self.told is not None else None


def decide(at: Situation) -> Decision:
    """Return the next step of a sweep."""
    if at.sweep.is_settled:
        return _after_the_end(at)
    for step in (_refuse, _wait_for_store, _reopen, _stop, _expand, _conclude, _judge, _reuse, _start, _adjust, _wait):
        decision = step(at)
        if decision is not None:
            return decision
    return _proceed(at)


# How a decision is worded
def _collecting(at: Situation) -> tuple[Action, ...]:
    ended = tuple(p.pod.name for p in at.pods if p.pod.ended)
    return (actions.Collect(ended),) if ended else ()


def _say(at: Situation, outcome: Outcome, *steps: Action, recheck: float | None = None) -> Decision:
    """Return the decision to do these and to show this state; what Pods have left is collected whatever else happens."""
    words = told(at, outcome)
    is_news = differs(at.sweep.status, words.status)
    return Decision((*steps, *_collecting(at)), words if is_news else None, recheck)


def _finish(at: Situation, outcome: Outcome) -> Decision:
    """Return the decision to end: what is missing in the store first. The record is written with the final status."""
    if at.facts.round is not None:
        return _end_round(at, counts=False)
    closed = at.facts.books.close(at.total)
    if at.facts.loaded and closed != at.facts.books:
        return Decision((actions.WriteBooks(closed),))
    return Decision((), told(at, outcome))


def _failure(why: Why, *, accepted: bool = True) -> Outcome:
    return Outcome(Phase.FAILED, why.reason, why.message, accepted=accepted)


def _busy(at: Situation, reason: Reason, message: str) -> Outcome:
    """Return the state of a sweep that does something beside waiting for its Pods."""
    phase = Phase.RUNNING if at.started or at.sweep.status.get("startTime") else Phase.PENDING
    return Outcome(phase, reason, message, job_made=at.job is not None)


# The chain
def _refuse(at: Situation) -> Decision | None:
    """Sweeps of which nothing (more) may be started."""
    if at.job is not None or at.live or at.sweep.finished:
        return None
    why = _why_refused(at)
    if why is None:
        return None
    if at.facts.store_error:
        return _wait_for_store(at)
    accepted = bool(at.sweep.status.get("rounds"))
    return _finish(at, _failure(why, accepted=accepted))


def _why_refused(at: Situation) -> Why | None:
    spec = at.sweep.spec
    if spec is None:
        return Why(Reason.INVALID_SPEC, at.sweep.invalid)
    if at.facts.rejected:
        return Why(Reason.JOB_REJECTED, at.facts.rejected)
    image = spec.template.image
    why = why_not_trusted(image, at.config.allowed_images, require_digest=at.config.require_digest)
    if why is not None:
        return Why(Reason.IMAGE_NOT_TRUSTED, f"image {image} {why}")
    above = why_above_maximum("spec.template", spec.template, spec.timeout_seconds, at.config)
    if above and not at.sweep.status.get("rounds"):  # what has begun before the maximum was lowered goes on
        return Why(Reason.ABOVE_MAXIMUM, above)
    if problem := problem_with(spec.template):
        return Why(Reason.INVALID_SPEC, problem)
    if at.facts.refusal is not None and at.facts.points is None:
        return at.facts.refusal
    return None


def _wait_for_store(at: Situation) -> Decision | None:
    """Sweeps of which nothing can be known or kept; to stop them is possible all the same."""
    if at.facts.loaded and not at.facts.store_error:
        return None
    if at.sweep.finished:
        return Decision()
    steps = _stopping(at) if at.sweep.spec is not None and (at.sweep.spec.cancelled or at.sweep.spec.suspend) else ()
    why = at.facts.store_error or "it has not been asked yet"
    outcome = _busy(at, Reason.STORE_UNAVAILABLE, f"waiting for the store: {why}")
    words = told(at, outcome)
    return Decision(steps, words if differs(at.sweep.status, words.status) else None)


def _reopen(at: Situation) -> Decision | None:
    """Finished sweeps whose spec has changed: more points, an order to run some again, or nothing to run."""
    if not at.sweep.finished:
        return None
    spec, facts = at.sweep.spec, at.facts
    if spec is None or spec.cancelled or facts.points is None:
        return _stay(at)
    if facts.points.space != at.sweep.space_digest() and facts.refusal is None:
        return Decision((actions.ExpandPoints(),))
    if spec.rerun is not None and spec.rerun.id != facts.books.rerun:
        return Decision((actions.WriteBooks(facts.books.reopen(spec.rerun.id, spec.rerun.points, at.total)),))
    if not facts.books.pending(at.total, at.sweep.cancelled_points).ranges and facts.round is None:
        closed = facts.books.close(at.total)
        return _stay(at) if closed == facts.books else Decision((actions.WriteBooks(closed),))
    if facts.books.verdict is not None:  # of its last end
        return Decision((actions.WriteBooks(replace(facts.books, verdict=None)),))
    # Said first: from then on it is a sweep that runs, and what went wrong before is not judged again.
    return _say(at, _busy(at, Reason.JOB_CREATED, "there are more points to run"))


def _stay(at: Situation) -> Decision:
    """Return the decision to leave a finished sweep as it is, and to say that its present spec was seen."""
    before = at.sweep.status
    outcome = Outcome(Phase(before["phase"]), Reason(before["reason"]), str(before.get("message") or ""))
    words = told(at, outcome)
    if at.facts.refusal is not None:
        message = f"the space was not extended: {at.facts.refusal.message}"
        refused = replace(outcome, reason=at.facts.refusal.reason, message=message, accepted=False)
        words = told(at, refused)
    return Decision((), words)


def _stopping(at: Situation) -> tuple[Action, ...]:
    """Return what stops a round. Its Pods first: who deletes a Pod first sets its grace period."""
    started = tuple(p.pod.name for p in at.live if p.pod.started and not p.pod.deleting)
    steps: list[Action] = [actions.StopPods(started, at.config.stop_grace_seconds)] if started else []
    if at.job is not None and not at.job.job.finished and not at.job.job.deleting:
        steps.append(actions.DeleteRoundJob(at.job.job.name))
    return tuple(steps)


def _stop(at: Situation) -> Decision | None:
    """Sweeps that are to run nothing: cancelled, given up, or held by a person."""
    spec, verdict = at.sweep.spec, at.facts.books.verdict
    if spec is None or not (spec.cancelled or verdict or spec.suspend):
        return None
    if spec.cancelled:
        final = Outcome(Phase.CANCELLED, Reason.CANCELLED, "cancelled; what had ended by then is kept")
    elif verdict:
        final = _failure(verdict)
    else:
        final = Outcome(Phase.QUEUED, Reason.SUSPENDED, "suspended, as spec.suspend is true")
    is_over = at.job is None or at.job.job.finished
    if not is_over or at.live:
        text = f"{final.message.split(';')[0]}; its Pods are being stopped"
        return _say(at, _busy(at, final.reason, text), *_stopping(at), recheck=_QUIET_RECHECK_SECONDS)
    if at.facts.round is not None and (at.job is not None or at.was_made or final.phase in FINAL_PHASES):
        return _end_round(at, counts=at.job is not None)
    return _finish(at, final) if final.phase in FINAL_PHASES else _say(at, final)


def _expand(at: Situation) -> Decision | None:
    """Sweeps whose points are not in the store."""
    return Decision((actions.ExpandPoints(),)) if at.facts.points is None else None


def _end_round(at: Situation, *, counts: bool) -> Decision:
    """Return the decision to close a round: everything that it has left first, seen or not."""
    this, facts = at.facts.round, at.facts
    if this is None:
        raise AssertionError("only a round can end")
    if collecting := _collecting(at):
        return Decision(collecting)
    if (this.points - facts.results.ended).ranges:
        if not facts.pods_listed:
            return Decision((actions.ListPods(),))
        if not facts.results_listed:
            return Decision((actions.ListResults(),))
    excused = at.sweep.cancelled_points
    books = facts.books.conclude(this, facts.results, retries=at.retries, excused=excused, counts=counts)
    return Decision((actions.WriteBooks(remembered(books, at, this)),))


def _conclude(at: Situation) -> Decision | None:
    """Rounds that are over."""
    if at.facts.round is None:
        return None
    if at.job is not None and at.job.job.finished:
        return _end_round(at, counts=True)
    if at.job is None and at.was_made:
        if at.live:
            waits = _busy(at, Reason.COLLECTING, "the Job of its round is gone; waiting for its Pods")
            return _say(at, waits, recheck=_QUIET_RECHECK_SECONDS)
        return _end_round(at, counts=False)
    return None


def _judge(at: Situation) -> Decision | None:
    """Sweeps of which too much has gone wrong."""
    spec, facts = at.sweep.spec, at.facts
    limit = spec.max_failed_points if spec is not None else None
    if limit is not None and len(at.failed) > limit:
        message = f"{len(at.failed)} points have failed, and spec.maxFailedPoints is {limit}"
        return _give_up(at, Why(Reason.TOO_MANY_FAILED_POINTS, message))
    if facts.lost_packs >= HOPELESS_PACKS and not (at.succeeded | at.failed | facts.results.failed).ranges:
        loss = facts.loss or Why(Reason.POD_LOST, "they vanished before they told how they ended")
        return _give_up(at, Why(loss.reason, f"none of {facts.lost_packs} Pods left a result: {loss.message}"))
    return None


def _give_up(at: Situation, why: Why) -> Decision:
    return Decision((actions.WriteBooks(replace(at.facts.books, verdict=why)),))


def _reuse(at: Situation) -> Decision | None:
    """Sweeps whose points may have been run before, by another run or by themselves."""
    spec, facts = at.sweep.spec, at.facts
    if spec is None or not spec.reuse or facts.points is None or facts.round is not None or at.job is not None:
        return None
    pending = facts.books.pending(at.total, at.sweep.cancelled_points)
    if facts.books.looked != facts.points.digest:  # what was ordered to be run again is to be run
        return Decision((actions.TakeEarlier(pending - facts.books.ordered),))
    waiting = facts.books.twins & pending
    if waiting.ranges and not (pending - waiting).ranges:
        return Decision((actions.TakeEarlier(waiting, own=True),))
    return None


def _start(at: Situation) -> Decision | None:
    """Sweeps between two rounds, and rounds that have no Job yet."""
    spec, books = at.sweep.spec, at.facts.books
    if at.job is not None or spec is None:
        return None
    if at.facts.round is None:
        if (following := next_round(books, at.sweep, at.total)) is not None:
            return Decision((actions.WriteRound(following),))
        if spec.rerun is not None and spec.rerun.id != books.rerun:
            return Decision((actions.WriteBooks(books.reopen(spec.rerun.id, spec.rerun.points, at.total)),))
        return _finish(at, _result(at, books))
    apply = actions.ApplyRoundJob(job_for_round(at.sweep, spec, at.facts.round, at.config))
    message = f"round {books.rounds} ({at.facts.round.reason}): waiting for its Pods"
    return _say(at, replace(_busy(at, Reason.JOB_CREATED, message), job_made=True), apply)


def _result(at: Situation, books: Books) -> Outcome:
    """Return how a sweep ends of which every point has ended."""
    total = at.total
    done, failed = len(books.succeeded), len(books.failed)
    if failed:
        lost = f", of these {len(books.lost)} without a result" if books.lost.ranges else ""
        why = f" ({at.facts.loss.message})" if books.lost.ranges and at.facts.loss is not None else ""
        return Outcome(Phase.FAILED, Reason.POINTS_FAILED, f"{failed} of {total} points failed{lost}{why}")
    if not done:
        return Outcome(Phase.CANCELLED, Reason.CANCELLED, "all points were cancelled")
    rest = f", {total - done} were cancelled" if done < total else ""
    reused = f", {len(books.reused)} of them by earlier results" if books.reused.ranges else ""
    return Outcome(Phase.SUCCEEDED, Reason.COMPLETED, f"{done} points succeeded{reused}{rest}")


def _adjust(at: Situation) -> Decision | None:
    """Rounds that are to be changed while they run: more or fewer Pods, points that are not wanted any more."""
    spec, this, job = at.sweep.spec, at.facts.round, at.job
    if spec is None or this is None or job is None:
        return None
    steps: list[Action] = []
    wanted = parallelism_of(spec, this)
    if job.parallelism != wanted and not spec.template.queue_name:  # a queue may have admitted fewer
        steps.append(actions.SetParallelism(job.job.name, wanted))
    cancelled = at.sweep.cancelled_points
    unwanted = (cancelled & this.points) - at.facts.results.ended
    if unwanted.ranges and at.facts.told != cancelled:
        steps.append(actions.TellCancelled(cancelled))
    if unwanted.ranges and this.points_per_pod == 1:
        # Alone in its Pod: what has started is stopped, what has not is passed over by what it was just told.
        alone = [p for p in at.live if p.pod.started and not p.pod.deleting and p.pack >= 0]
        names = tuple(p.pod.name for p in alone if (this.points_of(p.pack) & unwanted).ranges)
        if names:
            steps.append(actions.StopPods(names, at.config.stop_grace_seconds))
    return _proceed(at, *steps) if steps else None


def _wait(at: Situation) -> Decision | None:
    """Rounds of which nothing has started."""
    spec, job = at.sweep.spec, at.job
    if spec is None or job is None:
        return None
    if job.job.suspended and not at.live:
        return _say(at, Outcome(Phase.QUEUED, Reason.SUSPENDED, "waiting in its queue", job_made=True))
    if at.started:
        return None
    oldest = min(at.live, key=lambda p: (p.pod.created, p.pod.name), default=None)
    patience = spec.template.pending_timeout_seconds
    pod = oldest.pod if oldest is not None else None
    waits, gives_up_at = endings.waiting(patience, job.job, pod, at.config, at.now)
    if gives_up_at is not None and at.now >= gives_up_at:
        over = endings.gave_up(waits)
        return _give_up(at, Why(over.reason, over.message))
    moments = [gives_up_at] if gives_up_at is not None else []
    if pod is not None:
        moments.append((pod.scheduled_at or pod.created) + endings.SCHEDULING_PATIENCE)
    ahead = [(moment - at.now).total_seconds() for moment in moments if moment > at.now]
    phase = Phase.RUNNING if at.sweep.status.get("startTime") else Phase.PENDING
    outcome = Outcome(phase, waits.reason, waits.message, job_made=True)
    return _say(at, outcome, recheck=min(ahead, default=None))


def _proceed(at: Situation, *steps: Action) -> Decision:
    """Rounds that run."""
    done = len(at.succeeded) + len(at.failed)
    failed = f", {len(at.failed)} failed" if at.failed.ranges else ""
    message = f"{done} of {at.total} points have ended{failed}; round {at.facts.books.rounds}"
    started = at.started or bool(at.sweep.status.get("startTime"))
    phase, reason = (Phase.RUNNING, Reason.SIMULATION_STARTED) if started else (Phase.PENDING, Reason.JOB_CREATED)
    return _say(at, Outcome(phase, reason, message, job_made=True), *steps)


# After the end
def expiry_of(sweep: Sweep, config: JobConfig) -> datetime | None:
    """Return when a finished SimulationSweep is deleted; None while it is not finished."""
    return due_of(sweep, sweep.spec.ttl_seconds_after_finished if sweep.spec is not None else None, config)


def _after_the_end(at: Situation) -> Decision:
    """Clean up what a final phase leaves behind, and the object itself when its time has come."""
    steps: list[Action] = []
    if at.job is not None and not at.job.job.finished and not at.job.job.deleting:
        steps.append(actions.DeleteRoundJob(at.job.job.name))
    due = expiry_of(at.sweep, at.config)
    if due is not None and at.now >= due:
        return Decision((*steps, actions.DeleteSweep()))
    return Decision(tuple(steps), recheck=(due - at.now).total_seconds() if due is not None else None)


def decide_deleted(at: Situation) -> Decision | None:
    """Return the next step for a sweep whose object was deleted while it was unfinished; None when nothing is left to do.

    Kubernetes takes its Job and Pods away; what they still give is put into the table, and the record says how far it came.
    """
    if collecting := _collecting(at):
        return Decision(collecting)
    if at.live:
        return Decision(recheck=_QUIET_RECHECK_SECONDS)
    if at.facts.points is None or at.sweep.finished:
        return None
    if at.facts.round is not None:
        return _end_round(at, counts=False)
    return Decision((), told(at, Outcome(Phase.CANCELLED, Reason.DELETED, "deleted while it ran")))
