"""What both shells need to send a request, and to name a call."""

import ssl
from collections.abc import Callable
from functools import WRAPPER_ASSIGNMENTS, update_wrapper
from inspect import Signature, signature
from pathlib import Path
from typing import Any, TypeVar

import httpx

from simops_client.core.requests import Request
from simops_client.core.session import Session

Verify = bool | str | Path | ssl.SSLContext
"""Whether the gateway's certificate is looked at; or the file of certificates, or the context, that it is held to."""

F = TypeVar("F", bound=Callable[..., Any])
K = TypeVar("K", bound=type)

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


def as_method(method: F, flow: Callable[..., Any]) -> F:
    """Give a method the words and the parameters of the flow that it does, for ``help()`` and for who completes names."""
    update_wrapper(method, flow, assigned=[name for name in WRAPPER_ASSIGNMENTS if name != "__annotations__"])
    found = signature(flow)
    first, *others = found.parameters.values()
    own = first.replace(name="self", annotation=Signature.empty)
    # What a flow returns is what is to be done, which is nobody's business outside.
    vars(method)["__signature__"] = found.replace(parameters=[own, *others], return_annotation=Signature.empty)
    return method


def named(kind: K) -> K:
    """Let the methods of a class know what they are called there."""
    for name, method in vars(kind).items():
        if hasattr(method, "__wrapped__"):
            method.__name__, method.__qualname__, method.__module__ = name, f"{kind.__name__}.{name}", kind.__module__
    return kind
