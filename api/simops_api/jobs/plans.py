"""What a request would become, in numbers (pure)."""

import math

from simops_api.cluster import KubeDict
from simops_api.jobs.requests import Plan
from simops_crds.kinds import SIMULATION_JOB, Kind
from simops_crds.space import count
from simops_crds.v1alpha1 import SimulationJobSpec, SimulationSweepSpec


def plan_of(kind: Kind, obj: KubeDict, median: float | None) -> Plan:
    """Return the plan of an object that has all its defaults; ``median`` is what one run takes, as far as anybody knows."""
    if kind is SIMULATION_JOB:
        job = SimulationJobSpec.model_validate(obj["spec"])
        return _plan(1, 1, 1, median, job.timeout_seconds * (1 + job.retries))
    sweep = SimulationSweepSpec.model_validate(obj["spec"])
    # How many points `auto` puts into a Pod shows when the first have run; one is the least.
    share = 1 if sweep.points_per_pod == "auto" else sweep.points_per_pod
    return _plan(
        count(sweep.space),
        share,
        sweep.parallelism,
        median,
        sweep.timeout_seconds * (1 + sweep.retries_per_point),
        is_exact=sweep.space.where is None,
    )


def total(plans: list[Plan]) -> Plan:
    """Return the plan of many jobs that have nothing to do with each other."""
    return Plan(
        points=len(plans),
        points_exact=True,
        pods=len(plans),
        parallelism=len(plans),
        estimated_seconds=plans[0].estimated_seconds,
        limit_seconds=max(plan.limit_seconds for plan in plans),
    )


def _plan(
    points: int, share: int, parallelism: int, median: float | None, longest: int, *, is_exact: bool = True
) -> Plan:
    pods = math.ceil(points / share)
    at_once = max(min(parallelism, pods), 1)
    turns = math.ceil(pods / at_once) * min(share, points)
    return Plan(
        points=points,
        points_exact=is_exact,
        pods=pods,
        parallelism=at_once,
        estimated_seconds=None if median is None else round(median * turns, 3),
        limit_seconds=longest * turns,
    )
