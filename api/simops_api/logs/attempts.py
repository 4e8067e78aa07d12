"""The attempts of a run that have a log, in their order."""

import re
from dataclasses import dataclass

from simops_api.jobs.lookup import Found
from simops_api.store import StoredObject
from simops_crds.names import key_prefix

_SUFFIX = ".log"
_POD = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True)
class Attempt:
    """One attempt: a Pod, or what is left of one."""

    pod: str
    number: int
    """1 for the first one."""
    stored: StoredObject | None = None
    """Its log in the store. It is there only when the attempt is over, and is then complete."""


def prefix_of(found: Found) -> str:
    """Return where in the store everything of a run lies, with a slash at the end."""
    return key_prefix(found.namespace, found.name, found.uid) + "/"


def log_key(found: Found, pod: str) -> str:
    """Return the key of the log of an attempt."""
    return f"{prefix_of(found)}{pod}{_SUFFIX}"


def attempts_of(found: Found, objects: list[StoredObject]) -> list[Attempt]:
    """Return the attempts, by what the run says and by what the store has of it (pure).

    Logs are stored when their attempts are over, so their order is that of the attempts.
    """
    prefix = prefix_of(found)
    logs = {
        one.key.removeprefix(prefix).removesuffix(_SUFFIX): one
        for one in sorted(objects, key=lambda one: (one.modified, one.key))
        if one.key.endswith(_SUFFIX)
    }
    pods = [pod for pod in logs if _POD.fullmatch(pod)]
    # A record may have been written by others: what is no name of a Pod must not become part of a path.
    if found.pod and found.pod not in logs and _POD.fullmatch(found.pod):
        pods.append(found.pod)
    return [Attempt(pod, number, logs.get(pod)) for number, pod in enumerate(pods, 1)]


def following(attempts: list[Attempt], pod: str) -> Attempt | None:
    """Return the attempt after one, None when that is the last."""
    pods = [attempt.pod for attempt in attempts]
    if pod not in pods:
        # Its log could not be stored.
        return attempts[-1] if attempts else None
    place = pods.index(pod) + 1
    return attempts[place] if place < len(attempts) else None
