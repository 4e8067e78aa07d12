"""Whatever goes wrong around the operator, everything that was accepted comes to a right end, once, with its results.

`make test` tries a few faults, SIMOPS_CHAOS=all (`make chaos`) all of them. A failure prints the seed that repeats its choices.
"""

import os
import random

import pytest
from chaos import faults
from chaos.faults import Fault
from chaos.invariants import Accepted, await_the_end, broken
from chaos.rig import Rig
from e2e.lab import HELD, Lab, job, sweep
from e2e.test_sweep_crash import seeded

IS_WHOLE = os.environ.get("SIMOPS_CHAOS") == "all"
WELL = "echo begun > $SIMOPS_OUTPUTS/begun.txt; sleep {seconds}; echo ended"
BAD = "echo begun > $SIMOPS_OUTPUTS/begun.txt; sleep 2; exit 3"
POINTS = 'test "$x" -ne 5'


def submit(lab: Lab, name: str, chance: random.Random) -> list[Accepted]:
    """Start one of everything: runs that go well, fail, fail twice, are cancelled, are deleted, and a sweep of which a point fails."""
    wells = [job(f"{name}-well-{i}", WELL.format(seconds=chance.randrange(1, 20))) for i in range(3)]
    out = [Accepted.of(run, "Succeeded") for run in map(lab.start, wells)]
    out.append(Accepted.of(lab.start(job(f"{name}-bad", BAD)), "Failed"))
    out.append(Accepted.of(lab.start(job(f"{name}-twice", BAD, retries=1)), "Failed"))
    held = lab.start(job(f"{name}-cancelled", HELD))
    held.patch(cancelled=True)
    out.append(Accepted.of(held, "Cancelled"))
    gone = lab.start(job(f"{name}-deleted", WELL.format(seconds=10)))
    gone.delete()
    out.append(Accepted(gone, frozenset(), deleted=True))
    made = lab.sweep(sweep(f"{name}-sweep", POINTS, points=8, pointsPerPod=4, parallelism=2))
    out.append(Accepted.of(made, "Failed"))
    return out


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("fault", faults.ALL if IS_WHOLE else faults.FEW, ids=lambda fault: fault.__name__)
def test_everything_that_was_accepted_comes_to_a_right_end(fault: Fault, simops: Lab, rig: Rig) -> None:
    chance = seeded()
    rig.another()
    accepted = submit(simops, fault.__name__.replace("_", "-"), chance)
    if fault in faults.BY_HAND:
        accepted = [one.may_also("Failed", jobs_deleted=fault is faults.jobs_deleted) for one in accepted]
    fault(rig, chance)
    await_the_end(simops, accepted)
    found = broken(simops, accepted)
    assert found == []
