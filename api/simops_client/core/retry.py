"""When a request is sent again, and after how long."""

import ssl
import sys
from collections.abc import Callable
from typing import TypeVar, cast

import httpx
from tenacity import DoAttempt, DoSleep, RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from simops_client.core.flow import Flow, Sleep
from simops_client.core.requests import Request
from simops_client.errors import SimOpsError, Unavailable

T = TypeVar("T")

_TOO_MANY = 429
_PASSING = frozenset({408, 500, 502, 503, 504})
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_HOPELESS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_FIRST_SECONDS, _LONGEST_SECONDS = 0.5, 20.0
_MOST_PATIENCE = 300.0
"""Who is told to come again after longer than this is better told so."""
PAUSE = wait_random_exponential(multiplier=_FIRST_SECONDS, max=_LONGEST_SECONDS)
"""Exponential back-off with full jitter, so that clients that failed together do not come back together."""


def is_worth_repeating(request: Request, error: BaseException) -> bool:
    """Return whether a request may be sent again after this error.

    A write that has no key is so only if it cannot have been carried out: then the connection was not made, or it was one too many.
    """
    if not isinstance(error, SimOpsError):
        return False
    if (error.retry_after or 0) > _MOST_PATIENCE:
        return False
    if error.status is None:
        cause = error.__cause__
        if not isinstance(cause, httpx.TransportError) or isinstance(cause, _HOPELESS) or _is_untrusted(cause):
            return False
        return request.repeatable or isinstance(cause, _NOT_SENT)
    return error.status == _TOO_MANY or (error.status in _PASSING and request.repeatable)


def _is_untrusted(error: BaseException | None) -> bool:
    # Another try finds the same certificate.
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def retried(request: Request, attempt: Callable[[], Flow[T]], retries: int) -> Flow[T]:
    """Make an attempt, and others after it as long as that is worth it.

    Raises:
        SimOpsError: that of the last attempt.
    """
    policy = Retrying(
        stop=stop_after_attempt(retries + 1),
        wait=_pause,
        retry=retry_if_exception(lambda error: is_worth_repeating(request, error)),
        reraise=True,
    )
    policy.begin()
    state = RetryCallState(policy, None, (), {})
    # As tenacity's own two loops, but for the sleep: here it is told, and somebody else does it.
    while True:
        step = policy.iter(state)
        if isinstance(step, DoSleep):
            state.prepare_for_next_attempt()
            yield Sleep(float(step))
        elif isinstance(step, DoAttempt):
            try:
                result = yield from attempt()
            except SimOpsError:
                state.set_exception(sys.exc_info())  # type: ignore[arg-type]
            else:
                state.set_result(result)
        else:
            return cast(T, step)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, SimOpsError) else None
    return max(PAUSE(state), asked or 0.0)


def unreached(error: httpx.HTTPError) -> Unavailable:
    """Return the exception of a request that got no answer."""
    words = str(error) or type(error).__name__
    return Unavailable(f"the gateway did not answer: {words}")
