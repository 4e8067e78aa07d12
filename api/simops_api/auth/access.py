"""What a caller may do: asked of the API server, answered here."""

from enum import StrEnum
from typing import Protocol

from simops_api.auth.caller import ANONYMOUS, Caller
from simops_crds.kinds import Kind


class Verb(StrEnum):
    """What is done to an object, in RBAC's words."""

    GET = "get"
    """Read one: its state, log, events, results."""
    LIST = "list"
    """Read many: lists and statistics."""
    CREATE = "create"
    PATCH = "patch"
    """Cancel, run again."""


class Access(Protocol):
    """Says who somebody is and what they may do."""

    async def sign_in(self, authorization: str | None) -> Caller:
        """Return who sends this ``Authorization`` header.

        Raises:
            ProblemError: 401 for nobody that is known.
        """

    async def require(self, caller: Caller, verb: Verb, kind: Kind, namespace: str, name: str = "") -> None:
        """Let pass who may do this.

        Raises:
            ProblemError: 403 for who may not, whether or not there is such an object.
        """

    async def namespaces(self, caller: Caller, verb: Verb, kind: Kind) -> frozenset[str]:
        """Return those of the served namespaces in which this may be done.

        Raises:
            ProblemError: 403 when there is none.
        """


class OpenAccess:
    """Everybody may do everything: ``SIMOPS_AUTH_MODE=none``."""

    def __init__(self, namespaces: tuple[str, ...]) -> None:
        self._namespaces = frozenset(namespaces)

    async def sign_in(self, authorization: str | None) -> Caller:
        """Return the anonymous caller."""
        del authorization
        return ANONYMOUS

    async def require(self, caller: Caller, verb: Verb, kind: Kind, namespace: str, name: str = "") -> None:
        """Let pass."""

    async def namespaces(self, caller: Caller, verb: Verb, kind: Kind) -> frozenset[str]:
        """Return all."""
        del caller, verb, kind
        return self._namespaces
