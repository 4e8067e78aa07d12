"""What the calls are given: the running gateway, and who calls."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from simops_api.auth.caller import Caller
from simops_api.holds import Hold
from simops_api.state import State


async def _state(request: Request) -> State:
    state: State = request.app.state.gateway
    return state


Gateway = Annotated[State, Depends(_state)]


async def _signed_in(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


SignedIn = Annotated[Caller, Depends(_signed_in)]
"""The caller, whom ``auth.gate`` has signed in. Every call of /api/v1 takes it, health apart."""


async def _again(request: Request) -> Callable[[], Awaitable[Caller]]:
    again: Callable[[], Awaitable[Caller]] = request.state.again
    return again


SignInAgain = Annotated[Callable[[], Awaitable[Caller]], Depends(_again)]
"""Signs the same token in again: for an answer that lasts longer than a token may."""


async def _holding(request: Request) -> Hold:
    hold: Hold = request.state.hold
    return hold


Holding = Annotated[Hold, Depends(_holding)]
"""What the answer to the request holds of memory; ``limits.AnswerLimit`` counts it until its last byte is sent."""


async def _downloading(gateway: Gateway, caller: SignedIn) -> AsyncIterator[None]:
    with gateway.downloads.held(caller):
        yield


Downloading = Depends(_downloading)
"""Of a call that reads much of the store: one of the caller's downloads, from before it is looked for until its last byte is sent."""
