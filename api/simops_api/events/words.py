"""The last event of every stream about a job (pure)."""

import json

from simops_api.jobs.lookup import Found
from simops_api.sse import event

_SAID = ("status", "reason", "message", "exit_code")


def end_of(found: Found, *, deleted: bool) -> bytes:
    """Return the event that says how a job ended."""
    said = {name: found.fields[name] for name in _SAID if name in found.fields}
    if deleted:
        said |= {"reason": "Deleted", "message": "the job was deleted before it had finished"}
    return event(json.dumps(said, ensure_ascii=False, separators=(",", ":")), name="end")
