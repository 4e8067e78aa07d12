"""What the API server is asked about callers, and what it answers (pure): TokenReview and SubjectAccessReview, and those that callers ask about
themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simops_api.auth.caller import ANONYMOUS, Caller
from simops_crds.names import GROUP

KubeDict = dict[str, Any]

_AUTHENTICATION = "authentication.k8s.io/v1"
_AUTHORIZATION = "authorization.k8s.io/v1"


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
        who: KubeDict = {"user": self.caller.name, "groups": list(self.caller.groups)}
        if self.caller.uid:
            who["uid"] = self.caller.uid
        if self.caller.extra:
            who["extra"] = {key: list(values) for key, values in self.caller.extra.items()}
        return _review(_AUTHORIZATION, "SubjectAccessReview", {**who, **self._what})

    @property
    def self_body(self) -> KubeDict:
        """The SelfSubjectAccessReview that asks it: the caller is who sends it."""
        return _review(_AUTHORIZATION, "SelfSubjectAccessReview", self._what)

    @property
    def _what(self) -> KubeDict:
        if self.path:
            return {"nonResourceAttributes": {"path": self.path, "verb": self.verb}}
        attributes = {
            "group": GROUP,
            "resource": self.resource,
            "verb": self.verb,
            "namespace": self.namespace,
            "name": self.name,
        }
        return {"resourceAttributes": {key: value for key, value in attributes.items() if value}}


def token_review(token: str, audiences: tuple[str, ...]) -> KubeDict:
    """Return the TokenReview that asks whose token this is."""
    spec: KubeDict = {"token": token} | ({"audiences": list(audiences)} if audiences else {})
    return _review(_AUTHENTICATION, "TokenReview", spec)


def self_review() -> KubeDict:
    """Return the SelfSubjectReview that asks who sends it."""
    return _review(_AUTHENTICATION, "SelfSubjectReview", {})


def _review(version: str, kind: str, spec: KubeDict) -> KubeDict:
    return {"apiVersion": version, "kind": kind} | ({"spec": spec} if spec else {})


def caller_in(answer: Mapping[str, Any], audiences: tuple[str, ...]) -> Caller | None:
    """Return whose token it is, None for nobody's."""
    status = answer.get("status") or {}
    if status.get("authenticated") is not True:
        return None
    # An authenticator that knows nothing of audiences says none: its token may be meant for somebody else.
    if audiences and not set(audiences) & set(status.get("audiences") or ()):
        return None
    return _caller(status.get("user") or {})


def caller_asking(answer: Mapping[str, Any]) -> Caller | None:
    """Return who has sent a SelfSubjectReview, None for nobody that is known."""
    caller = _caller((answer.get("status") or {}).get("userInfo") or {})
    # The API server has not seen the token: something between here and there has taken it away.
    if caller is not None and (caller.name == ANONYMOUS.name or set(caller.groups) & set(ANONYMOUS.groups)):
        return None
    return caller


def _caller(user: Mapping[str, Any]) -> Caller | None:
    if not user.get("username"):
        return None
    return Caller(
        str(user["username"]),
        tuple(map(str, user.get("groups") or ())),
        str(user.get("uid") or ""),
        {str(key): tuple(map(str, values or ())) for key, values in (user.get("extra") or {}).items()},
    )


def is_allowed(answer: Mapping[str, Any]) -> bool:
    """Whether a SubjectAccessReview or SelfSubjectAccessReview says yes."""
    status = answer.get("status") or {}
    return status.get("allowed") is True and status.get("denied") is not True
