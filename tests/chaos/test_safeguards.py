"""Each safeguard is there for a reason: with it all promises hold in a certain mishap, and without it the check of the promises fails.

Part of `make chaos` only.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
from chaos.apiproxy import Mishap, Request
from chaos.faults import late_statuses
from chaos.invariants import Accepted, await_the_end, broken
from chaos.rig import Rig
from chaos.safeguards import SAFEGUARDS
from e2e.lab import Lab, Run, job

pytestmark = pytest.mark.skipif(
    os.environ.get("SIMOPS_CHAOS") != "all", reason="tries the tests and not SimOps: `make chaos` runs it"
)
WELL = "echo begun > $SIMOPS_OUTPUTS/begun.txt; sleep 3; echo ended"


@dataclass(frozen=True)
class Case:
    """A mishap that a safeguard is there for."""

    arrange: Callable[[Rig, Run], None]
    """Lets it happen; called before the operator starts."""
    ends: tuple[str, ...] = ("Succeeded",)
    says: str = ""
    """What the check says without the safeguard."""


def nothing_special(_rig: Rig, _run: Run) -> None:
    """No mishap at all."""


def two_make_it_at_once(rig: Rig, _run: Run) -> None:
    """Two operators come to make the Job at the same time: neither knows of the other's."""
    rig.another(*rig.operator.safeguards_off)
    came: set[int] = set()

    def spoil(number: int, request: Request) -> Mishap | None:
        if number in came or request.method != "PATCH" or "/jobs/" not in request.path:
            return None
        came.add(number)
        return Mishap(wait=lambda: len(came) == len(rig.operators))

    for number, operator in enumerate(rig.operators):
        operator.proxy.spoil = partial(spoil, number)


def a_status_comes_late(rig: Rig, run: Run) -> None:
    """One of two operators is slow: what it writes comes when the other one has finished the run."""
    rig.another(*rig.operator.safeguards_off)
    rig.operator.proxy.spoil = late_statuses(lambda: run.phases[-1:] == ["Succeeded"])


def no_bundle_is_taken(rig: Rig, _run: Run) -> None:
    """The store refuses the bundle."""
    rig.spoil_store = lambda head: "403" if head.startswith(("PUT", "POST")) and ".zip" in head else None


CASES = {
    "one_name_for_a_job": Case(two_make_it_at_once, says="Kubernetes Jobs were made"),
    "only_what_was_read_is_written_over": Case(a_status_comes_late, says="left a final phase"),
    "logs_before_the_end": Case(nothing_special, says="its log is not in the store"),
    "success_means_stored": Case(no_bundle_is_taken, ("Failed",), says="Succeeded"),
    "the_record_before_the_end": Case(nothing_special, says="its record is not in the store"),
}


def test_every_safeguard_has_its_case() -> None:
    assert set(CASES) == set(SAFEGUARDS)


def tried(name: str, lab: Lab, rig: Rig, *safeguards_off: str) -> list[str]:
    """Return what is broken after a case."""
    case = CASES[name]
    run = lab.start(job(f"{name.replace('_', '-')[:40]}-{'off' if safeguards_off else 'on'}", WELL))
    rig.another(*safeguards_off)
    case.arrange(rig, run)
    accepted = [Accepted.of(run, *case.ends)]
    await_the_end(lab, accepted)
    rig.hold(5)  # what comes late has come
    return broken(lab, accepted)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CASES)
def test_with_it_every_promise_holds(name: str, simops: Lab, rig: Rig) -> None:
    assert tried(name, simops, rig) == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CASES)
def test_without_it_a_promise_is_broken_and_the_check_says_so(name: str, simops: Lab, rig: Rig) -> None:
    assert any(CASES[name].says in sentence for sentence in tried(name, simops, rig, name))
