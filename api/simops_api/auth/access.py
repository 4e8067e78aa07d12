"""What a caller may do: the question, and the answer of a gateway that asks nobody."""

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

    @property
    def reads(self) -> bool:
        """Whether nothing is changed by it."""
        return self in (Verb.GET, Verb.LIST)


class Access(Protocol):
    """Says who somebody is and what they may do."""

    async def sign_in(self, authorization: str | None, *, reads: bool = True) -> Caller:
        """Return who sends this ``Authorization`` header. Who only reads may be known from a while ago.

        Raises:
            ProblemError: 401 for nobody that is known; 503 when that cannot be found out now.
        """

    def asks(self, authorization: str | None) -> bool:
        """Whether to sign in with this header is a question that nobody has asked lately: to the API server, or a guess at a token of the file."""

    def subject(self, authorization: str | None) -> bytes:
        """Return what names the subject that this header's token claims; nothing says that it is theirs. Empty where it claims none."""

    async def require(self, caller: Caller, verb: Verb, kind: Kind, namespace: str, name: str = "") -> None:
        """Let pass who may do this.

        Raises:
            ProblemError: 403 for who may not, whether or not there is such an object; 503 when that cannot be found out now.
        """

    async def require_path(self, caller: Caller, path: str) -> None:
        """Let pass who may read this path, in RBAC a nonResourceURL.

        Raises:
            ProblemError: 403 for who may not; 503 when that cannot be found out now.
        """

    async def namespaces(self, caller: Caller, verb: Verb, kind: Kind) -> frozenset[str]:
        """Return those of the served namespaces in which this may be done.

        Raises:
            ProblemError: 403 when there is none; 503 when that cannot be found out now.
        """


class OpenAccess:
    """Everybody may do everything: ``SIMOPS_AUTH_MODE=none``."""

    def __init__(self, namespaces: tuple[str, ...]) -> None:
        self._namespaces = frozenset(namespaces)

    async def sign_in(self, authorization: str | None, *, reads: bool = True) -> Caller:
        """Return the anonymous caller."""
        del authorization, reads
        return ANONYMOUS

    def asks(self, authorization: str | None) -> bool:
        """Nobody is asked."""
        del authorization
        return False

    def subject(self, authorization: str | None) -> bytes:
        """Nobody is named."""
        del authorization
        return b""

    async def require(self, caller: Caller, verb: Verb, kind: Kind, namespace: str, name: str = "") -> None:
        """Let pass."""

    async def require_path(self, caller: Caller, path: str) -> None:
        """Let pass."""

    async def namespaces(self, caller: Caller, verb: Verb, kind: Kind) -> frozenset[str]:
        """Return all."""
        del caller, verb, kind
        return self._namespaces
