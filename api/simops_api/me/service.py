"""Asks for each verb and kind what RBAC says; the answers are those of all other calls, remembered as long as theirs."""

import asyncio

from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import ANONYMOUS, Caller
from simops_api.errors import ProblemError
from simops_api.me.models import KindRights, Me, NamespaceRights
from simops_crds.kinds import SIMULATION_JOB, SIMULATION_SWEEP, Kind


async def _where(access: Access, caller: Caller, verb: Verb, kind: Kind) -> frozenset[str]:
    try:
        return await access.namespaces(caller, verb, kind)
    except ProblemError as problem:
        if problem.status != 403:
            raise
        return frozenset()


async def who(access: Access, caller: Caller, served: tuple[str, ...]) -> Me:
    """Return who calls and what they may do in the served namespaces. Those in which they may do nothing are not named: they may be somebody else's.

    Raises:
        ProblemError: 503, it cannot be found out now.
    """
    asked = [(kind, verb) for kind in (SIMULATION_JOB, SIMULATION_SWEEP) for verb in Verb]
    answers = await asyncio.gather(*(_where(access, caller, verb, kind) for kind, verb in asked))
    may = dict(zip(asked, answers, strict=True))

    def rights(kind: Kind, namespace: str) -> KindRights:
        return KindRights(**{verb.value: namespace in may[kind, verb] for verb in Verb})

    return Me(
        name=caller.name,
        anonymous=caller == ANONYMOUS,
        namespaces=[
            NamespaceRights(namespace=n, jobs=rights(SIMULATION_JOB, n), sweeps=rights(SIMULATION_SWEEP, n))
            for n in served
            if any(n in namespaces for namespaces in answers)
        ],
    )
