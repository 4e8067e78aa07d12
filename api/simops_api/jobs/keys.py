"""Idempotency keys (pure): the name of what a key makes, and the digest by which a repetition is told from another request.

The name of the object is made of the key, so that etcd sees to it that there is one: whichever replica is asked, however often, and at
whatever moment it died the time before.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Header

from simops_api.errors import ProblemError, mistake
from simops_api.jobs.requests import JobRequest

KEY_HEADER = "Idempotency-Key"
REPLAY_HEADER = "Idempotent-Replay"

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=KEY_HEADER,
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        description="Names this request: however often it is sent with the same key, it makes one job or sweep and has the same answer, with "
        f"`{REPLAY_HEADER}: true` from the second time on. A key belongs to its caller and a namespace, and to one body: another one is refused. "
        "It is known as long as the object, or its record in the store, is there.",
        examples=["3f1c9a5e-2b0d-4c7e-9a51-7d1f0a6b8c22"],
    ),
]
"""The header as calls take it."""

# No vowels, so that no words come about.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LENGTH = 20
"""27^20 names are about 2^95."""


def name_of(caller: str, namespace: str, key: str, index: int = 0) -> str:
    """Return the name of what a key of a caller makes in a namespace, whatever that is; ``index`` is for one of many."""
    number = int.from_bytes(hashlib.sha256(_json([caller, namespace, key, index])).digest())
    letters = []
    for _ in range(_LENGTH):
        number, rest = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return f"run-{''.join(letters)}"


def digest_of(request: JobRequest) -> str:
    """Return the digest of a request: the same for what says the same in another order or way of writing."""
    return hashlib.sha256(_json(_said(request))).hexdigest()


def named_digest(caller: str, key: str, request: JobRequest) -> str:
    """Return the digest of a request that names what it makes: the name says nothing of caller and key then."""
    return hashlib.sha256(_json([caller, key, _said(request)])).hexdigest()


def bulk_digests(requests: Sequence[JobRequest]) -> list[str]:
    """Return the digest of each of many requests; a change of any of them changes all."""
    whole = hashlib.sha256(_json([_said(request) for request in requests])).hexdigest()
    return [hashlib.sha256(_json([whole, index])).hexdigest() for index in range(len(requests))]


def used_otherwise(detail: str) -> ProblemError:
    """Return the problem of a key that has made something else."""
    return mistake(KEY_HEADER, f"{detail}; a key is for one request and its repetitions", "header")


def _said(request: JobRequest) -> dict[str, Any]:
    return request.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
