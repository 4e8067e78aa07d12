"""Access that the cluster decides: RBAC says what a caller may do, the API server or a file of tokens says who they are."""

import asyncio
import re
import time
from collections.abc import Hashable
from typing import Protocol

from simops_api import audit, metrics
from simops_api.auth.access import Verb
from simops_api.auth.asking import Reviews
from simops_api.auth.caller import Caller
from simops_api.auth.claims import is_hopeless, subject_of
from simops_api.auth.remembered import NoAnswerError, Remembered, Times
from simops_api.auth.reviews import Question
from simops_api.auth.tokens import TokenFile, digest_of
from simops_api.errors import ProblemError, unavailable
from simops_crds.kinds import Kind
from simops_crds.names import GROUP

_BEARER = re.compile(r"bearer +([\x21-\x7e]{1,16384}) *", re.ASCII | re.IGNORECASE)
_MAX_TOKENS = 5_000
_MAX_ANSWERS = 50_000


class Identities(Protocol):
    """Says whose a token is."""

    async def find(self, token: str, *, stale: bool) -> Caller | None:
        """Return whose it is, None for nobody's.

        Raises:
            NoAnswerError: that cannot be found out now.
        """

    def asks(self, token: str) -> bool:
        """Whether to find that is a question that nobody has asked lately."""


class FileIdentities:
    """The tokens of a file."""

    def __init__(self, file: TokenFile) -> None:
        self._file = file

    async def find(self, token: str, *, stale: bool) -> Caller | None:
        """Return whose it is, None for nobody's."""
        del stale
        return self._file.find(token)

    def asks(self, token: str) -> bool:
        """Whether it is a guess."""
        return self._file.find(token) is None


class ReviewedIdentities:
    """The tokens that the API server takes: of service accounts, of OIDC, of whatever it is configured for."""

    def __init__(self, reviews: Reviews, times: Times) -> None:
        self._reviews = reviews
        self._answers = Remembered[bytes, Caller | None](times, lambda caller: caller is not None, _MAX_TOKENS)

    async def find(self, token: str, *, stale: bool) -> Caller | None:
        """Return whose it is, None for nobody's; raise NoAnswerError when the API server does not say."""
        if is_hopeless(token, time.time()):
            return None

        async def ask() -> Caller | None:
            caller = await self._reviews.whose(token)
            metrics.REVIEWS.labels(kind="token", result="allowed" if caller else "denied").inc()
            return caller

        return await self._answers.get(digest_of(token), ask, stale=stale)

    def asks(self, token: str) -> bool:
        """Whether the API server is asked for it that was not asked lately."""
        return not is_hopeless(token, time.time()) and not self._answers.has(digest_of(token))


class ReviewedAccess:
    """Signs in by bearer token, and permits what RBAC permits (``access.Access``)."""

    def __init__(self, reviews: Reviews, identities: Identities, namespaces: tuple[str, ...], times: Times) -> None:
        self._reviews = reviews
        self._identities = identities
        self._namespaces = namespaces
        self._answers = Remembered[Hashable, bool | None](times, bool, _MAX_ANSWERS)

    async def sign_in(self, authorization: str | None, *, reads: bool = True) -> Caller:
        """Return whose token this header has."""
        if not authorization:
            raise _unknown("a bearer token is needed: Authorization: Bearer TOKEN", "Bearer")
        token = _token_in(authorization)
        try:
            caller = await self._identities.find(token, stale=reads) if token else None
        except NoAnswerError as error:
            raise unavailable("the API server does not answer: who you are cannot be found out") from error
        if caller is None:
            raise _invalid()
        return self._reviews.signed(caller, token)

    def asks(self, authorization: str | None) -> bool:
        """Whether this header's token is one that nobody has asked about lately."""
        token = _token_in(authorization or "")
        return bool(token) and self._identities.asks(token)

    def subject(self, authorization: str | None) -> bytes:
        """Return whom this header's token claims to be of."""
        return subject_of(_token_in(authorization or ""))

    async def require(self, caller: Caller, verb: Verb, kind: Kind, namespace: str, name: str = "") -> None:
        """Let pass whom a rule for the namespace permits this, or else one for the object (``resourceNames``)."""
        wide = Question(caller, verb, kind.plural, namespace)
        if await self._may(wide, reads=verb.reads):
            return
        if name and await self._may(Question(caller, verb, kind.plural, namespace, name), reads=verb.reads):
            return
        if not verb.reads:
            audit.note(kind.kind, namespace, name, audit.FORBIDDEN)
        one = f" {name!r}" if name else ""
        raise ProblemError(
            403,
            f"{caller.name!r} may not {verb.value} {kind.plural}.{GROUP}{one} in namespace {namespace!r}",
        )

    async def require_path(self, caller: Caller, path: str) -> None:
        """Let pass whom a rule for this nonResourceURL permits ``get``."""
        if not await self._may(Question(caller, "get", path=path), reads=True):
            raise ProblemError(403, f"{caller.name!r} may not get the path {path!r}")

    async def namespaces(self, caller: Caller, verb: Verb, kind: Kind) -> frozenset[str]:
        """Return the served namespaces in which a rule permits this."""
        questions = [Question(caller, verb, kind.plural, namespace) for namespace in self._namespaces]
        answers = await asyncio.gather(*(self._may(question, reads=verb.reads) for question in questions))
        allowed = frozenset(name for name, yes in zip(self._namespaces, answers, strict=True) if yes)
        if not allowed:
            places = "that namespace" if len(self._namespaces) == 1 else "any namespace"
            raise ProblemError(
                403, f"{caller.name!r} may not {verb.value} {kind.plural}.{GROUP} in {places} that is served here"
            )
        return allowed

    async def _may(self, question: Question, *, reads: bool) -> bool:
        async def ask() -> bool | None:
            allowed = await self._reviews.may(question)
            metrics.REVIEWS.labels(kind="access", result="allowed" if allowed else "denied").inc()
            return allowed

        try:
            allowed = await self._answers.get(self._reviews.key(question), ask, stale=reads)
        except NoAnswerError as error:
            raise unavailable("the API server does not answer: what you may do cannot be found out") from error
        if allowed is None:
            raise _invalid()
        return allowed


def _token_in(authorization: str) -> str:
    found = _BEARER.fullmatch(authorization)
    return found[1] if found else ""


def _invalid() -> ProblemError:
    return _unknown("this token is not known, not meant for SimOps, or expired", 'Bearer error="invalid_token"')


def _unknown(detail: str, challenge: str) -> ProblemError:
    return ProblemError(401, detail, headers={"WWW-Authenticate": challenge})
