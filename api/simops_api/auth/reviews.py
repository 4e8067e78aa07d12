"""What the API server is asked about callers, and what it answers (pure): TokenReview and SubjectAccessReview."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simops_api.auth.caller import Caller
from simops_crds.names import GROUP

KubeDict = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """May this caller do this? Either with a resource of SimOps, or with a path."""

    caller: Caller
    verb: str
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def body(self) -> KubeDict:
        """The SubjectAccessReview that asks it."""
        what: KubeDict
        if self.path:
            what = {"nonResourceAttributes": {"path": self.path, "verb": self.verb}}
        else:
            attributes = {
                "group": GROUP,
                "resource": self.resource,
                "verb": self.verb,
                "namespace": self.namespace,
                "name": self.name,
            }
            what = {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
        who: KubeDict = {"user": self.caller.name, "groups": list(self.caller.groups)}
        if self.caller.uid:
            who["uid"] = self.caller.uid
        if self.caller.extra:
            who["extra"] = {key: list(values) for key, values in self.caller.extra.items()}
        return _review("authorization.k8s.io/v1", "SubjectAccessReview", {**who, **what})


def token_review(token: str, audiences: tuple[str, ...]) -> KubeDict:
    """Return the TokenReview that asks whose token this is."""
    spec: KubeDict = {"token": token} | ({"audiences": list(audiences)} if audiences else {})
    return _review("authentication.k8s.io/v1", "TokenReview", spec)


def _review(version: str, kind: str, spec: KubeDict) -> KubeDict:
    return {"apiVersion": version, "kind": kind, "spec": spec}


def caller_in(answer: Mapping[str, Any], audiences: tuple[str, ...]) -> Caller | None:
    """Return whose token it is, None for nobody's."""
    status = answer.get("status") or {}
    user = status.get("user") or {}
    if status.get("authenticated") is not True or not user.get("username"):
        return None
    # An authenticator that knows nothing of audiences says none: its token may be meant for somebody else.
    if audiences and not set(audiences) & set(status.get("audiences") or ()):
        return None
    return Caller(
        str(user["username"]),
        tuple(map(str, user.get("groups") or ())),
        str(user.get("uid") or ""),
        {str(key): tuple(map(str, values or ())) for key, values in (user.get("extra") or {}).items()},
    )


def is_allowed(answer: Mapping[str, Any]) -> bool:
    """Whether a SubjectAccessReview says yes."""
    status = answer.get("status") or {}
    return status.get("allowed") is True and status.get("denied") is not True
