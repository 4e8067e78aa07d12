"""What a token says of itself, read without its key (pure): nothing of it is believed. It says which tokens are not worth a question to the API server,
and whose they would be."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from simops_io.untrusted import finite, parse

_LEEWAY_SECONDS = 3600.0
"""So long ago a token must have ended: the clock of the API server counts, and this one may be wrong."""


def is_hopeless(token: str, now: float) -> bool:
    """Whether no API server takes this: a JWT that cannot be read, or that has ended. Of other tokens nobody can say."""
    if not _looks_like_jwt(token):
        return False
    claims = _claims(token)
    if claims is None:
        return True
    end = finite(claims.get("exp"))
    return end is not None and end + _LEEWAY_SECONDS < now


def subject_of(token: str) -> bytes:
    """Return what names the subject that a token claims; empty where it claims none."""
    claims = _claims(token) if _looks_like_jwt(token) else None
    who = [claims.get(name) for name in ("iss", "sub")] if claims else []
    if not who or not all(isinstance(part, str) and part for part in who):
        return b""
    return hashlib.sha256(repr(who).encode()).digest()


def _looks_like_jwt(token: str) -> bool:
    return token.startswith("eyJ") and token.count(".") == 2


def _claims(token: str) -> Mapping[str, Any] | None:
    try:
        head, claims, _ = (_decoded(part) for part in token.split("."))
        head, claims = parse(head), parse(claims)
    except ValueError:
        return None
    return claims if isinstance(head, dict) and isinstance(claims, dict) else None


def _decoded(part: str) -> bytes:
    if not part:
        raise ValueError("there is nothing")
    return base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True)
