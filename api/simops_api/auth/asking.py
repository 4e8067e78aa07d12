"""How the API server is asked about callers (``SIMOPS_AUTH_REVIEWS``): by the gateway, which needs a right of the whole cluster for it, or with the
token of each caller, as everybody may ask about themselves."""

import asyncio
import logging
from collections.abc import Awaitable, Hashable, Mapping
from dataclasses import replace
from typing import Any, NoReturn, Protocol

from simops_api import metrics
from simops_api.auth.caller import ANONYMOUS, Caller
from simops_api.auth.remembered import NoAnswerError, RefusedError
from simops_api.auth.reviews import Question, caller_asking, caller_in, is_allowed, self_review, token_review
from simops_api.auth.tokens import digest_of
from simops_api.cluster import ApiError, UnreachableError

log = logging.getLogger(__name__)

_REVIEW_SECONDS = 3.0
"""Longer than this nobody waits for a review: that is less than a client's patience, and reads go on without."""


class Reviewer(Protocol):
    """What answers the gateway's reviews: the part of ``Cluster`` that is needed here."""

    async def review(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a review with its answer."""


class SelfReviewer(Protocol):
    """What answers reviews of callers: ``cluster.Callers``."""

    async def review(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        """Return a review with its answer to who has this token."""


class Reviews(Protocol):
    """Asks the API server; remembers nothing."""

    async def whose(self, token: str) -> Caller | None:
        """Return whose a token is, None for nobody's.

        Raises:
            NoAnswerError: the API server does not say.
        """

    def signed(self, caller: Caller, token: str) -> Caller:
        """Return a caller who has signed in by this token, with what later questions need."""

    def key(self, question: Question) -> Hashable:
        """Return what the answer to a question holds for. The token is not in it."""

    async def may(self, question: Question) -> bool | None:
        """Return whether this is permitted, None when the token is nobody's any more.

        Raises:
            NoAnswerError: the API server does not say.
        """


class OwnReviews:
    """The gateway asks, by TokenReview and SubjectAccessReview."""

    def __init__(self, reviewer: Reviewer, audiences: tuple[str, ...] = ()) -> None:
        self._reviewer = reviewer
        self._audiences = audiences

    async def whose(self, token: str) -> Caller | None:
        """Return whose a token is."""
        return caller_in(await self._answer(token_review(token, self._audiences), "token"), self._audiences)

    def signed(self, caller: Caller, token: str) -> Caller:
        """Return the caller: what they are called is all that is asked about."""
        del token
        return caller

    def key(self, question: Question) -> Hashable:
        """Return the question: it holds for whoever is called so, in all respects."""
        return question

    async def may(self, question: Question) -> bool | None:
        """Return whether this is permitted."""
        return is_allowed(await self._answer(question.body, "access"))

    async def _answer(self, body: dict[str, Any], kind: str) -> Mapping[str, Any]:
        try:
            return await _in_time(self._reviewer.review(body), kind)
        except ApiError as error:
            # Whatever it is, it is about the gateway, not about who calls: most often the right to ask is missing.
            _no_answer(error, kind, NoAnswerError)


class CallerReviews:
    """Each caller asks, by SelfSubjectReview and SelfSubjectAccessReview: the gateway has no part in it but to carry their token."""

    def __init__(self, reviewer: SelfReviewer) -> None:
        self._reviewer = reviewer

    async def whose(self, token: str) -> Caller | None:
        """Return whose a token is: who the API server says that they are."""
        answer = await self._answer(self_review(), token, "token")
        return None if answer is None else caller_asking(answer)

    def signed(self, caller: Caller, token: str) -> Caller:
        """Return the caller with the token, for as long as the request."""
        return replace(caller, token=token)

    def key(self, question: Question) -> Hashable:
        """Return the digest of the token and what is asked: an answer to one token is none to another, whoever has them."""
        return digest_of(question.caller.token), replace(question, caller=ANONYMOUS)

    async def may(self, question: Question) -> bool | None:
        """Return whether this is permitted."""
        answer = await self._answer(question.self_body, question.caller.token, "access")
        return None if answer is None else is_allowed(answer)

    async def _answer(self, body: dict[str, Any], token: str, kind: str) -> Mapping[str, Any] | None:
        try:
            return await _in_time(self._reviewer.review(body, token), kind)
        except ApiError as error:
            if error.status == 401:
                return None
            # One caller may be refused (they ask too often, or may not even ask) while the others are answered.
            _no_answer(error, kind, NoAnswerError if error.status >= 500 else RefusedError)


async def _in_time(review: Awaitable[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    try:
        async with asyncio.timeout(_REVIEW_SECONDS):
            return await review
    except (UnreachableError, TimeoutError) as error:
        log.warning("no answer to a review: %s", error or type(error).__name__)
        metrics.REVIEWS.labels(kind=kind, result="failed").inc()
        raise NoAnswerError from error


def _no_answer(error: ApiError, kind: str, raised: type[NoAnswerError]) -> NoReturn:
    log.error("the API server refuses a review: %s", error)
    metrics.REVIEWS.labels(kind=kind, result="failed").inc()
    raise raised from error
