"""Who calls is told what they may do, and of nobody else's namespaces."""

from collections import Counter

import pytest

from simops_api.auth.access import OpenAccess, Verb
from simops_api.auth.caller import ANONYMOUS, Caller
from simops_api.errors import ProblemError
from simops_api.me.service import who
from simops_crds.kinds import SIMULATION_JOB, SIMULATION_SWEEP, Kind

SERVED = ("first", "lab", "secret")
NOTHING = {"get": False, "list": False, "create": False, "patch": False}


class Rules(OpenAccess):
    """Permits what is in it."""

    def __init__(self, *rules: tuple[Verb, Kind, str]) -> None:
        super().__init__(SERVED)
        self._rules = rules
        self.asked: Counter[tuple[Verb, str]] = Counter()
        self.status = 403

    async def namespaces(self, caller: Caller, verb: Verb, kind: Kind) -> frozenset[str]:
        self.asked[verb, kind.plural] += 1
        found = frozenset(where for can, what, where in self._rules if (can, what) == (verb, kind))
        if not found:
            raise ProblemError(self.status, "nowhere")
        return found


@pytest.mark.parametrize("verb", list(Verb))
@pytest.mark.parametrize("kind", [SIMULATION_JOB, SIMULATION_SWEEP])
async def test_a_namespace_is_named_to_who_may_do_something_there(verb: Verb, kind: Kind) -> None:
    (found,) = (await who(Rules((verb, kind, "lab")), Caller("ann"), SERVED)).model_dump()["namespaces"]
    one = {**NOTHING, verb.value: True}
    of_jobs, of_sweeps = (one, NOTHING) if kind is SIMULATION_JOB else (NOTHING, one)
    assert found == {"namespace": "lab", "jobs": of_jobs, "sweeps": of_sweeps}


async def test_who_may_do_nothing_is_told_of_no_namespace() -> None:
    found = await who(Rules(), Caller("stranger"), SERVED)
    assert (found.name, found.namespaces) == ("stranger", [])


async def test_each_question_is_asked_once_for_all_namespaces() -> None:
    rules = Rules((Verb.GET, SIMULATION_JOB, "lab"))
    await who(rules, Caller("ann"), SERVED)
    assert (len(rules.asked), set(rules.asked.values())) == (8, {1})


async def test_what_cannot_be_found_out_is_not_taken_for_no() -> None:
    rules = Rules()
    rules.status = 503
    with pytest.raises(ProblemError):
        await who(rules, Caller("ann"), SERVED)


async def test_where_nobody_is_asked_all_are_named_in_their_order() -> None:
    found = await who(OpenAccess(SERVED), ANONYMOUS, SERVED)
    assert [one.namespace for one in found.namespaces] == list(SERVED)
