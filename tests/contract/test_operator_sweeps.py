"""What the operator writes about sweeps is what a real API server takes and keeps."""

from typing import Any

import pytest
from contract.objects import Manifest, axes, axis, lost, sweep
from contract.server import Api

from simops_crds.indexes import Indexes
from simops_crds.names import Phase, Reason
from simops_operator.cluster import SWEEPS_PLURAL, Cluster
from simops_operator.core.config import JobConfig
from simops_operator.core.sweeps.books import Results, Round
from simops_operator.core.sweeps.manifest import job_for_round
from simops_operator.core.sweeps.rounds import MAX_PACKS
from simops_operator.core.sweeps.situation import Facts, Points, Situation
from simops_operator.core.sweeps.status import Outcome, differs, told
from simops_operator.core.sweeps.sweep import Sweep, sweep_of
from simops_operator.core.sweeps.views import round_job

pytestmark = pytest.mark.versions

CONFIG = JobConfig()


def made_of(obj: Manifest) -> Sweep:
    found = sweep_of(obj)
    assert found.spec is not None, found.invalid
    return found


async def apply(cluster: Cluster, whole: Sweep, this: Round) -> dict[str, Any]:
    """Make the Job of a round and take it away again."""
    assert whole.spec is not None
    manifest = job_for_round(whole, whole.spec, this, CONFIG)
    job = await cluster.apply_job(manifest)
    again = await cluster.apply_job(manifest)
    assert again["metadata"]["resourceVersion"] == job["metadata"]["resourceVersion"], "the second time changes nothing"
    await cluster.delete_job("default", job["metadata"]["name"])
    assert lost(manifest, job) == []
    return job


async def test_the_greatest_round_of_the_longest_name_is_taken(cluster: Cluster, api: Api, made: Any) -> None:
    manifest = sweep("s" * 43, parallelism=10_000)
    whole = made_of(made(manifest))
    job = await apply(cluster, whole, Round(999, Indexes.up_to(MAX_PACKS)))
    assert (job["spec"]["completions"], job["spec"]["parallelism"]) == (MAX_PACKS, 10_000)
    view = round_job(job)
    assert (view.number, view.parallelism) == (999, 10_000)


@pytest.mark.parametrize(
    "template",
    [
        {"batch": True, "command": None},
        {"params": {"text": "ä$(HOME) $$ '\"\n\t🚀"}},
        {"queueName": "team", "nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]},
        {"env": [{"name": "HOME", "value": "/home"}], "resources": {"limits": {"memory": "1Gi"}}},
    ],
    ids=str,
)
async def test_any_template_makes_a_job(cluster: Cluster, made: Any, template: Manifest) -> None:
    whole = made_of(made(sweep(template=template, timeoutSeconds=31_536_000)))
    job = await apply(cluster, whole, Round(0, Indexes.up_to(2_000_000), 100_000))
    pod = job["spec"]["template"]["spec"]
    (bundle,) = pod["initContainers"]
    assert bundle["lifecycle"]["postStart"]["exec"]["command"][0] == "sh"
    assert job["spec"]["backoffLimitPerIndex"] == 0


async def test_a_status_is_kept_as_it_was_written(cluster: Cluster, made: Any) -> None:
    whole = made_of(made(sweep(space=axes(axis(integers={"low": 0, "high": 999})))))
    facts = Facts(
        points=Points(1000, "a" * 64, "b"),
        round=Round(0, Indexes.up_to(1000), 10),
        results=Results(Indexes.parse("0-9,15"), Indexes.parse("10"), 5.0, 11),
        per_second=3.21987,
    )
    at = Situation(whole, None, (), facts, CONFIG, whole.created)
    words = told(at, Outcome(Phase.RUNNING, Reason.SIMULATION_STARTED, "runs", job_made=True))
    kept = await cluster.write_status("default", whole.name, whole.version, whole.uid, words.status, SWEEPS_PLURAL)
    assert kept["status"] == words.status
    assert not differs(kept["status"], words.status)
    assert kept["status"]["points"] == {"total": 1000, "active": 0, "succeeded": 11, "failed": 1, "cancelled": 0}
    assert kept["status"]["pointsPerSecond"] == 3.22
