"""What the calls are given: the running gateway, and who calls."""

from typing import Annotated

from fastapi import Depends, Request

from simops_api.auth.caller import Caller
from simops_api.state import State
from simops_io import logs


async def _state(request: Request) -> State:
    state: State = request.app.state.gateway
    return state


Gateway = Annotated[State, Depends(_state)]


async def _signed_in(request: Request, gateway: Gateway) -> Caller:
    caller = await gateway.access.sign_in(request.headers.get("Authorization"))
    request.state.caller = caller
    logs.tell(caller=caller.name)
    return caller


SignedIn = Annotated[Caller, Depends(_signed_in)]
"""The caller. Every call of /api/v1 takes it, health apart."""
