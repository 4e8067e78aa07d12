"""Which changes of a status deserve an Event (pure)."""

from collections.abc import Mapping
from typing import Any

from simops_crds.names import FINAL_PHASES, Phase, Reason
from simops_operator.core.status import Status


def event_for(before: Mapping[str, Any], after: Status) -> tuple[str, str, str] | None:
    """Return (type, reason, message) of the Event that a change of status deserves; None for an ordinary step."""
    phase, reason = after["phase"], after["reason"]
    if (before.get("phase"), before.get("reason")) == (phase, reason):
        return None
    if phase in FINAL_PHASES:
        kind = "Warning" if phase == Phase.FAILED else "Normal"
        return kind, reason, after["message"] or phase
    worth_telling = {
        Reason.RETRYING: "Warning",
        Reason.DISRUPTED: "Warning",
        Reason.IMAGE_PULL_FAILED: "Warning",
        Reason.SCHEDULING: "Warning",
        Reason.STORE_UNAVAILABLE: "Warning",
        Reason.SUSPENDED: "Normal",
        Reason.COLLECTING: "Warning",
    }
    kind = worth_telling.get(Reason(reason), "")
    return (kind, reason, after["message"]) if kind else None
