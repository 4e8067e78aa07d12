"""Ids of jobs and sweeps (pure)."""

import re

_NAME = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_ID = re.compile(rf"(?:(?P<namespace>{_NAME})\.)?(?P<name>{_NAME})")


def is_name(text: str) -> bool:
    """Whether an object can be called so, if it is not too long for its kind."""
    return re.fullmatch(_NAME, text) is not None


def id_of(namespace: str, name: str, default_namespace: str) -> str:
    """Return the id of an object."""
    return name if namespace == default_namespace else f"{namespace}.{name}"


def parse_id(text: str, default_namespace: str) -> tuple[str, str] | None:
    """Return namespace and name, None for what cannot be an id."""
    found = _ID.fullmatch(text)
    if found is None:
        return None
    return found["namespace"] or default_namespace, found["name"]


def sibling_id(object_id: str, name: str) -> str:
    """Return the id of another object of the same namespace. ``name`` may be that of a point, which is longer than those of objects."""
    namespace, dot, _ = object_id.rpartition(".")
    return f"{namespace}{dot}{name}"


def point_id(sweep_id: str, index: int) -> str:
    """Return the id of a point of a sweep."""
    return f"{sweep_id}-{index}"
