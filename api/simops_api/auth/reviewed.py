"""Access that the cluster decides: RBAC says what a caller may do, TokenReview or a file of tokens says who they are."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from simops_api import audit, metrics
from simops_api.auth.access import Verb
from simops_api.auth.caller import Caller
from simops_api.auth.remembered import NoAnswerError, Remembered, Times
from simops_api.auth.reviews import Question, caller_in, is_allowed, token_review
from simops_api.auth.tokens import TokenFile, digest_of
from simops_api.cluster import ApiError, UnreachableError
from simops_api.errors import ProblemError, unavailable
from simops_crds.kinds import Kind
from simops_crds.names import GROUP

log = logging.getLogger(__name__)

_BEARER = re.compile(r"bearer +([\x21-\x7e]{1,16384}) *", re.ASCII | re.IGNORECASE)
_REVIEW_SECONDS = 3.0
"""Longer than this nobody waits for a review: that is less than a client's patience, and reads go on without."""
_MAX_TOKENS = 5_000
_MAX_ANSWERS = 50_000


class Reviewer(Protocol):
    """What answers reviews: the part of ``Cluster`` that is needed here."""

    async def review(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a review with its answer."""


class Identities(Protocol):
    """Says whose a token is."""

    async def find(self, token: str, *, stale: bool) -> Caller | None:
        """Return whose it is, None for nobody's.

        Raises:
            NoAnswerError: that cannot be found out now.
        """

    def knows(self, token: str) -> bool:
        """Whether it was somebody's lately."""


class FileIdentities:
    """The tokens of a file."""

    def __init__(self, file: TokenFile) -> None:
        self._file = file

    async def find(self, token: str, *, stale: bool) -> Caller | None:
        """Return whose it is, None for nobody's."""
        del stale
        return self._file.find(token)

    def knows(self, token: str) -> bool:
        """Whether it is somebody's."""
        return self._file.find(token) is not None


class ReviewedIdentities:
    """The tokens that the API server takes: of service accounts, of OIDC, of whatever it is configured for."""

    def __init__(self, reviewer: Reviewer, audiences: tuple[str, ...], times: Times) -> None:
        self._reviewer = reviewer
        self._audiences = audiences
        self._answers = Remembered[bytes, Caller | None](times, lambda caller: caller is not None, _MAX_TOKENS)

    async def find(self, token: str, *, stale: bool) -> Caller | None:
        """Return whose it is, None for nobody's; raise NoAnswerError when the API server does not say."""

        async def ask() -> Caller | None:
            answer = await _answer(self._reviewer.review(token_review(token, self._audiences)), "token")
            caller = caller_in(answer, self._audiences)
            metrics.REVIEWS.labels(kind="token", result="allowed" if caller else "denied").inc()
            return caller

        return await self._answers.get(digest_of(token), ask, stale=stale)

    def knows(self, token: str) -> bool:
        """Whether it was somebody's lately."""
        return self._answers.known(digest_of(token)) is not None


class ReviewedAccess:
    """Signs in by bearer token, and permits what RBAC permits (``access.Access``)."""

    def __init__(self, reviewer: Reviewer, identities: Identities, namespaces: tuple[str, ...], times: Times) -> None:
        self._reviewer = reviewer
        self._identities = identities
        self._namespaces = namespaces
        self._answers = Remembered[Question, bool](times, bool, _MAX_ANSWERS)

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
            raise _unknown("this token is not known, not meant for SimOps, or expired", 'Bearer error="invalid_token"')
        return caller

    def knows(self, authorization: str | None) -> bool:
        """Whether this header's token was somebody's lately."""
        token = _token_in(authorization or "")
        return bool(token) and self._identities.knows(token)

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
        async def ask() -> bool:
            allowed = is_allowed(await _answer(self._reviewer.review(question.body), "access"))
            metrics.REVIEWS.labels(kind="access", result="allowed" if allowed else "denied").inc()
            return allowed

        try:
            return await self._answers.get(question, ask, stale=reads)
        except NoAnswerError as error:
            raise unavailable("the API server does not answer: what you may do cannot be found out") from error


def _token_in(authorization: str) -> str:
    found = _BEARER.fullmatch(authorization)
    return found[1] if found else ""


def _unknown(detail: str, challenge: str) -> ProblemError:
    return ProblemError(401, detail, headers={"WWW-Authenticate": challenge})


async def _answer(review: Awaitable[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    try:
        async with asyncio.timeout(_REVIEW_SECONDS):
            return await review
    except ApiError as error:
        # Whatever it is, it is about the gateway, not about who calls: most often the right to ask is missing.
        log.error("the API server refuses a review: %s", error)  # noqa: TRY400
        metrics.REVIEWS.labels(kind=kind, result="failed").inc()
        raise NoAnswerError from error
    except (UnreachableError, TimeoutError) as error:
        log.warning("no answer to a review: %s", error or type(error).__name__)
        metrics.REVIEWS.labels(kind=kind, result="failed").inc()
        raise NoAnswerError from error
