"""What one job costs the API server."""

import pytest
from e2e.cluster import until
from e2e.lab import Lab, job

from simops_crds.names import Reason

JOBS = 10
PATIENT = {Reason.SCHEDULING, Reason.STARTING, Reason.STORING_ARTIFACTS}
"""States that are written when something takes long, on a node that is busy with other things: each is a write more."""
WRITES = ("POST", "PUT", "PATCH", "DELETE")


def writes(lab: Lab) -> dict[str, float]:
    """Return how many writes the operator has made, by verb."""
    (pod,) = lab.cluster.operators()
    found = lab.cluster.metrics(pod["metadata"]["name"])
    calls = {name: count for name, count in found.items() if name.startswith("simops_operator_api_calls_total{")}
    return {verb: sum(n for name, n in calls.items() if f'verb="{verb}"' in name) for verb in WRITES}


@pytest.fixture
def quiet(simops: Lab) -> Lab:
    """The operator with nothing to do."""

    def idle() -> bool:
        (pod,) = simops.cluster.operators()
        found = simops.cluster.metrics(pod["metadata"]["name"])
        return found["simops_operator_leader"] == 1 and found["simops_operator_unfinished_runs"] == 0

    until(idle, "one operator leads and no run is unfinished", within=120)
    return simops


def test_a_job_costs_at_most_five_writes(quiet: Lab) -> None:
    before = writes(quiet)
    runs = quiet.start_all(*(job(f"cheap-{number}", "echo done; sleep 1") for number in range(JOBS)))
    for run in runs.values():
        run.ended("Succeeded", "Completed")
    after = writes(quiet)
    made = {verb: after[verb] - before[verb] for verb in WRITES}
    assert made["DELETE"] == 0
    assert made["PUT"] == 0
    waits = sum(len(PATIENT.intersection(quiet.chronicle.reasons[run.uid])) for run in runs.values())
    assert sum(made.values()) <= 5 * JOBS + waits, made
    assert sum(made.values()) >= 4 * JOBS, "a Job, two states and an Event: else these are not the operator's counters"
    for run in runs.values():
        found = run.find()
        assert found is not None
        assert not {"annotations", "finalizers"} & found["metadata"].keys()
