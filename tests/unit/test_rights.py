"""The comparison of what is granted with what is used sees both kinds of difference."""

import json
from typing import Any

from rights import Right, asked, granted, user_of


def role(kind: str, name: str, *rules: tuple[str, str, str], namespace: str = "") -> dict[str, Any]:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "kind": kind,
        "metadata": meta,
        "rules": [{"apiGroups": [group], "resources": [r], "verbs": verb.split()} for group, r, verb in rules],
    }


def binding(kind: str, name: str, account: str, namespace: str = "") -> dict[str, Any]:
    return {
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
        "roleRef": {"kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "namespace": "system", "name": account}],
    }


def event(user: str, verb: str, decision: str = "allow", **ref: str) -> str:
    annotations = {"authorization.k8s.io/decision": decision}
    return json.dumps({"user": {"username": user}, "verb": verb, "objectRef": ref, "annotations": annotations})


def test_rights_come_from_roles_of_the_namespace_and_of_the_cluster_that_are_bound_to_the_account() -> None:
    roles = [
        role("Role", "a", ("batch", "jobs", "get list"), namespace="lab"),
        role("Role", "a", ("", "secrets", "get"), namespace="other"),
        role("ClusterRole", "a", ("", "nodes", "list")),
    ]
    bindings = [
        binding("Role", "a", "operator", namespace="lab"),
        binding("ClusterRole", "a", "operator"),
        binding("Role", "a", "gateway", namespace="other"),
    ]
    found = granted(roles, bindings, "system", "operator")
    assert {str(right) for right in found} == {"get jobs.batch", "list jobs.batch", "list nodes"}


def test_what_was_asked_for_is_told_with_the_answer_and_others_are_left_out() -> None:
    me = user_of("system", "operator")
    lines = [
        event(me, "get", resource="pods", subresource="log"),
        event(me, "get", "forbid", resource="secrets"),
        event("somebody", "list", resource="pods"),
        json.dumps({"user": {"username": me}, "verb": "get", "requestURI": "/api"}),
        event(me, "list", resource="pods")[:20],
    ]
    assert list(asked(lines, me)) == [(Right("", "pods/log", "get"), True), (Right("", "secrets", "get"), False)]


def test_an_apply_that_makes_an_object_uses_the_right_to_create_it() -> None:
    me = user_of("system", "operator")
    line = json.loads(event(me, "patch", resource="jobs", apiGroup="batch")) | {"responseStatus": {"code": 201}}
    assert {str(right) for right, _ in asked([json.dumps(line)], me)} == {"patch jobs.batch", "create jobs.batch"}
