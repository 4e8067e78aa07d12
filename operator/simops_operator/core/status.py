"""From what is known of a run to its status (pure).

A status is written only when its phase, its reason or something else that a program would act on has changed; a message that only words the
same thing differently costs no write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from simops_crds.names import FINAL_PHASES, ConditionType, Phase, Reason, key_prefix, kubernetes_job_name
from simops_io.texts import harmless
from simops_operator.core.run import Run
from simops_operator.core.views import PodView, Summary

Status = dict[str, Any]

MESSAGE_LIMIT = 1024


@dataclass(frozen=True)
class Outcome:
    """Where a run is and why, before it is worded as a status."""

    phase: Phase
    reason: Reason
    message: str
    accepted: bool = True
    pod: PodView | None = None
    exit_code: int | None = None
    summary: Summary | None = None
    log_stored: bool = False


def format_time(moment: datetime) -> str:
    """Return an aware datetime as the API writes it: RFC 3339 in UTC, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def shorten(text: str) -> str:
    """Return a message that fits, its end kept where it is longer: that is where the error is.

    A part of it may be what a simulation has printed, and all of it goes to people's terminals: characters that act there are told as "?".
    """
    text = harmless(text.strip())
    return text if len(text) <= MESSAGE_LIMIT else "…" + text[-(MESSAGE_LIMIT - 1) :]


def status_for(run: Run, outcome: Outcome, now: datetime) -> Status:
    """Return the whole status of a run."""
    before = run.status
    final = outcome.phase in FINAL_PHASES
    status: Status = {
        "phase": outcome.phase.value,
        "reason": outcome.reason.value,
        "message": shorten(outcome.message),
        "observedGeneration": run.generation,
        "attempts": _attempts(before, outcome.pod),
        "conditions": [
            transition(before, condition, run.generation, now) for condition in _conditions(run, outcome, final=final)
        ],
    }
    if outcome.accepted:
        status["jobName"] = kubernetes_job_name(run.name, run.uid)
    if outcome.pod is not None:
        status["podName"] = outcome.pod.name
        if outcome.pod.simulation.image_id:
            status["imageId"] = outcome.pod.simulation.image_id
    elif "podName" in before:
        status["podName"] = before["podName"]
    if started := before.get("startTime") or _started_at(outcome.pod):
        status["startTime"] = started
    if outcome.exit_code is not None:
        status["exitCode"] = outcome.exit_code
    if final:
        status["completionTime"] = format_time(now)
        status |= _results(run, outcome, now)
    return status


def differs(before: Mapping[str, Any], after: Status) -> bool:
    """Whether a status is worth a write: anything but the wording has changed."""

    def essence(status: Mapping[str, Any]) -> Status:
        ignored = {"message", "conditions", "completionTime"}
        if status.get("phase") in (Phase.PENDING, Phase.QUEUED):
            ignored.add("podName")  # told when it starts
        kept = {k: v for k, v in status.items() if k not in ignored}
        kept["conditions"] = [(c["type"], c["status"], c["reason"]) for c in status.get("conditions") or []]
        return kept

    return essence(before) != essence(after)


def _started_at(pod: PodView | None) -> str | None:
    if pod is None:
        return None
    state = pod.simulation
    moment = state.running_since or (state.terminated.started_at if state.terminated else None)
    return format_time(moment) if moment else None


def _attempts(before: Mapping[str, Any], pod: PodView | None) -> int:
    count = int(before.get("attempts") or 0)
    counted = pod is None or (pod.name == before.get("podName") and _had_started(before))
    return count if counted or pod is None or not pod.started else count + 1


def _had_started(before: Mapping[str, Any]) -> bool:
    conditions = before.get("conditions") or []
    return any(c["type"] == ConditionType.STARTED and c["status"] == "True" for c in conditions)


def _results(run: Run, outcome: Outcome, now: datetime) -> Status:
    out: Status = {}
    artifacts: Status = {}
    summary = outcome.summary
    if summary is not None and summary.bundle:
        artifacts |= {
            "bundle": summary.bundle,
            "files": summary.files,
            "bytes": summary.bytes,
            "size": summary.size,
            "sha256": summary.sha256,
        }
        if summary.skipped:
            artifacts["skipped"] = summary.skipped
        if summary.partial:
            artifacts["partial"] = True
    if outcome.log_stored and outcome.pod is not None:
        artifacts["log"] = f"{key_prefix(run.namespace, run.name, run.uid)}/{outcome.pod.name}.log"
    if run.spec is not None and run.spec.artifacts.expire_after_seconds and artifacts:
        artifacts["expirationTime"] = format_time(now + timedelta(seconds=run.spec.artifacts.expire_after_seconds))
    if artifacts:
        out["artifacts"] = artifacts
    if summary is not None and summary.metrics:
        out["metrics"] = dict(summary.metrics)
    return out


@dataclass(frozen=True)
class Condition:
    """A condition before it is worded as one of a status."""

    type: ConditionType
    status: bool
    reason: Reason
    message: str = ""


def _conditions(run: Run, outcome: Outcome, *, final: bool) -> list[Condition]:
    pod = outcome.pod
    # kubelet's last word on an evicted Pod knows of no start; ours was said of the same Pod.
    started = (pod is not None and pod.started) or (
        (pod is None or pod.name == run.status.get("podName")) and _had_started(run.status)
    )
    accepted = (
        Condition(ConditionType.ACCEPTED, True, Reason.VALID)
        if outcome.accepted
        else Condition(ConditionType.ACCEPTED, False, outcome.reason, outcome.message)
    )
    if started:
        start = Condition(ConditionType.STARTED, True, Reason.SIMULATION_STARTED)
    else:
        reason = Reason.NOT_STARTED if final else outcome.reason
        start = Condition(ConditionType.STARTED, False, reason, "" if final else outcome.message)
    end = (
        Condition(ConditionType.FINISHED, True, outcome.reason, outcome.message)
        if final
        else Condition(ConditionType.FINISHED, False, Reason.IN_PROGRESS)
    )
    return [accepted, start, _artifacts_condition(outcome, started=started, final=final), end]


def _artifacts_condition(outcome: Outcome, *, started: bool, final: bool) -> Condition:
    kind = ConditionType.ARTIFACTS_STORED
    if not final:
        if outcome.reason in (Reason.STORING_ARTIFACTS, Reason.STORE_UNAVAILABLE):
            return Condition(kind, False, outcome.reason, outcome.message)
        return Condition(kind, False, Reason.IN_PROGRESS)
    if outcome.summary is not None and outcome.summary.bundle and not outcome.summary.error:
        note = "the outputs were taken while the simulation still ran" if outcome.summary.partial else ""
        return Condition(kind, True, Reason.STORED, note)
    if not started:
        return Condition(kind, False, Reason.NOT_STARTED)
    error = outcome.summary.error if outcome.summary is not None else "the bundle container left no summary"
    return Condition(kind, False, Reason.ARTIFACT_UPLOAD_FAILED, error)


def transition(before: Mapping[str, Any], condition: Condition, generation: int, now: datetime) -> Status:
    """Return a condition as a status has it; its time is kept where its value is that of ``before``."""
    status = "True" if condition.status else "False"
    previous = next((c for c in before.get("conditions") or [] if c.get("type") == condition.type.value), None)
    same = previous is not None and previous.get("status") == status
    return {
        "type": condition.type.value,
        "status": status,
        "reason": condition.reason.value,
        "message": shorten(condition.message),
        "lastTransitionTime": previous["lastTransitionTime"] if same and previous else format_time(now),
        "observedGeneration": generation,
    }


def with_message(outcome: Outcome, addition: str) -> Outcome:
    """Return the outcome with a sentence added to its message."""
    return replace(outcome, message=f"{outcome.message}; {addition}" if outcome.message else addition)
