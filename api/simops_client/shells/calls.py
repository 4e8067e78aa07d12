"""What both shells need to send a request."""

import ssl
from pathlib import Path
from typing import Any

import httpx

from simops_client.core.requests import Request
from simops_client.core.session import Session

Verify = bool | str | Path | ssl.SSLContext
"""Whether the gateway's certificate is looked at; or the file of certificates, or the context, that it is held to."""

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)
"""Each job that is waited for has a connection of its own; with httpx's own limit the hundred-and-first would keep all other calls waiting."""


def arguments_of(session: Session[Any, Any], request: Request) -> dict[str, Any]:
    """Return how httpx is told a request."""
    return {
        "method": request.method,
        "url": request.path,
        "params": request.query or None,
        "json": request.json,
        "content": request.content,
        "headers": session.headers_of(request),
        "timeout": session.timeout_of(request),
    }


def follows(request: Request) -> bool:
    """Whether the answer may be somewhere else. httpx takes the token off what goes to another host, such as the store."""
    return request.method == "GET"


def verified(verify: Verify) -> bool | ssl.SSLContext:
    """Return what httpx takes.

    Raises:
        OSError: there is no such file, or it has no certificates.
    """
    return ssl.create_default_context(cafile=str(verify)) if isinstance(verify, str | Path) else verify
