"""What the calls are given: the running gateway, and who calls."""

from typing import Annotated

from fastapi import Depends, Request

from simops_api.auth.caller import Caller
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
