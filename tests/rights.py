"""Which rights RBAC grants to a service account, and which of them it has used, by the API server's audit log (pure)."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

Object = dict[str, Any]
_CREATED = 201
_DECISION = "authorization.k8s.io/decision"


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one kind of object."""

    group: str
    resource: str
    """With its subresource, if any."""
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}"


def user_of(namespace: str, account: str) -> str:
    """Return what a service account is called when it asks."""
    return f"system:serviceaccount:{namespace}:{account}"


def _is_bound(binding: Object, namespace: str, account: str) -> bool:
    wanted = ("ServiceAccount", namespace, account)
    return any((s["kind"], s.get("namespace"), s["name"]) == wanted for s in binding.get("subjects") or [])


def granted(roles: Iterable[Object], bindings: Iterable[Object], namespace: str, account: str) -> set[Right]:
    """Return what roles, of a namespace or of the cluster, grant to a service account by their bindings."""
    named = {(role["kind"], role["metadata"].get("namespace", ""), role["metadata"]["name"]): role for role in roles}
    out: set[Right] = set()
    for binding in bindings:
        if not _is_bound(binding, namespace, account):
            continue
        ref = binding["roleRef"]
        place = binding["metadata"].get("namespace", "") if ref["kind"] == "Role" else ""
        for rule in named[ref["kind"], place, ref["name"]]["rules"]:
            out |= {Right(g, r, v) for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}
    return out


def asked(lines: Iterable[str], user: str) -> Iterator[tuple[Right, bool]]:
    """Yield what somebody has asked for, and whether it was allowed, for each request to objects in an audit log.

    A line that is not whole yet is left out.
    """
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        ref = event.get("objectRef") or {}
        if event["user"]["username"] != user or not ref.get("resource"):
            continue
        sub = f"/{ref['subresource']}" if ref.get("subresource") else ""
        right = Right(ref.get("apiGroup", ""), ref["resource"] + sub, event["verb"])
        yield right, (event.get("annotations") or {}).get(_DECISION) == "allow"
        if right.verb == "patch" and (event.get("responseStatus") or {}).get("code") == _CREATED:
            # A server-side apply that makes an object needs the right to create it, which the API server asks for without a line of its own.
            yield replace(right, verb="create"), True
