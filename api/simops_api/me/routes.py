"""The call for who calls."""

from fastapi import APIRouter

from simops_api.deps import Gateway, SignedIn
from simops_api.errors import RESPONSES
from simops_api.me.models import Me
from simops_api.me.service import who

router = APIRouter(prefix="/me", tags=["access"], responses=RESPONSES)


@router.get("")
async def me(gateway: Gateway, caller: SignedIn) -> Me:
    """Say who calls, and what they may do in which namespace."""
    return await who(gateway.access, caller, gateway.settings.namespaces)
