"""One object that is like none that was thought of must not keep all others from being looked after."""

import logging
from collections.abc import Callable
from typing import TypeVar

from simops_io.kube import KubeDict

log = logging.getLogger(__name__)

T = TypeVar("T")


def view_or_none(view: Callable[[KubeDict], T], obj: KubeDict) -> T | None:
    """Return the view of an object that somebody may have made by hand; None, and a line in the log, when there is none of it."""
    try:
        return view(obj)
    except Exception:
        meta = obj.get("metadata") or {}
        log.exception("%s/%s is passed over: it cannot be read", meta.get("namespace"), meta.get("name"))
        return None
