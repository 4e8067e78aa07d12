"""The Indexed Job of one round of a sweep (pure). What its Pods do: docs/architecture.md."""

import json

from simops_crds.names import (
    LABEL_MANAGED_BY,
    LABEL_NETWORK,
    LABEL_ROUND,
    LABEL_SWEEP,
    LABEL_UID,
    MANAGED_BY,
    round_job_name,
)
from simops_crds.v1alpha1 import SimulationSweepSpec, SweepTemplate
from simops_operator.core.config import JobConfig
from simops_operator.core.pods import (
    JOB_POLICIES,
    OUTPUTS,
    Manifest,
    bundle_container,
    job_metadata,
    literal,
    pod_annotations,
    pod_spec,
    simulation_container,
)
from simops_operator.core.sweeps.books import Round
from simops_operator.core.sweeps.sweep import Sweep, timeout_of

POINTS = "/simops/points"
RESULTS = f"{OUTPUTS}/results.jsonl"
JOB_TTL_SECONDS = 600
"""How long Kubernetes keeps the Job of a round, and its Pods, after its end. All that counts is in the store by then."""
MAX_VARIABLE_BYTES = 120_000
"""Linux gives one environment variable 128 KiB."""
_MAX_DEADLINE = 2**31 - 1

# Holds the simulation back until its points are there: kubelet starts the next container when this hook has returned.
_READY = ["sh", "-c", f"until [ -e {POINTS}/ready ]; do sleep 0.05; done"]


def command_of(template: SweepTemplate) -> str:
    """Return what runs a point, without its parameters, as a JSON list."""
    return json.dumps([*(template.command or []), *(template.args or [])], separators=(",", ":"), ensure_ascii=False)


def params_of(template: SweepTemplate) -> str:
    """Return the parameters that all points share, as a JSON object."""
    return json.dumps(template.params or {}, separators=(",", ":"), ensure_ascii=False)


def problem_with(template: SweepTemplate) -> str:
    """Return why the Pods of this template could not be started; empty when they can."""
    for what, text in (("command and args", command_of(template)), ("params", params_of(template))):
        size = len(text.encode())
        if size > MAX_VARIABLE_BYTES:
            return f"spec.template: {what} are {size} bytes as JSON, and at most {MAX_VARIABLE_BYTES} can be given to a Pod; put long texts into the image"
    return ""


def parallelism_of(spec: SimulationSweepSpec, this: Round) -> int:
    """Return how many Pods of a round run at once."""
    return min(spec.parallelism, this.packs)


def job_for_round(sweep: Sweep, spec: SimulationSweepSpec, this: Round, config: JobConfig) -> Manifest:
    """Return the Job of a round: one Pod a pack and no second one for a pack that failed, disruptions not counted."""
    labels = {
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_SWEEP: sweep.name,
        LABEL_UID: sweep.uid,
        LABEL_ROUND: str(this.number),
    }
    name = round_job_name(sweep.name, sweep.uid, this.number)
    template = spec.template
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": job_metadata("SimulationSweep", sweep.name, sweep.uid, name, sweep.namespace, labels, template),
        "spec": {
            "completionMode": "Indexed",
            "completions": this.packs,
            "parallelism": parallelism_of(spec, this),
            # What failed or was lost goes into the next round: a second Pod of this pack would run again what has succeeded.
            "backoffLimitPerIndex": 0,
            "suspend": bool(template.queue_name),  # a queue starts the Job when its quota allows
            "ttlSecondsAfterFinished": JOB_TTL_SECONDS,
            **JOB_POLICIES,
            "template": {
                "metadata": {
                    "labels": {**labels, LABEL_NETWORK: template.network.value},
                    "annotations": pod_annotations(sweep.trace),
                },
                "spec": _pod_spec(sweep, spec, this, config),
            },
        },
    }


def deadline_of(spec: SimulationSweepSpec, this: Round, config: JobConfig) -> int:
    """Return how long a Pod may live, in seconds: its points one after another, and what is before and after them."""
    points = timeout_of(spec, config) * this.points_per_pod
    return min(points + config.termination_grace_seconds + config.image_pull_grace_seconds, _MAX_DEADLINE)


def _pod_spec(sweep: Sweep, spec: SimulationSweepSpec, this: Round, config: JobConfig) -> Manifest:
    template = spec.template
    own = {
        "SIMOPS_SWEEP_PREFIX": sweep.prefix,
        "SIMOPS_SWEEP": sweep.name,
        "SIMOPS_ROUND": str(this.number),
        "SIMOPS_POINTS_DIR": POINTS,
        "SIMOPS_COMMAND": command_of(template),
        "SIMOPS_TEMPLATE_PARAMS": params_of(template),
        "SIMOPS_BATCH": "true" if template.batch else "false",
        "SIMOPS_POINT_SECONDS": str(timeout_of(spec, config)),
    }
    bundle = bundle_container(config, uid=sweep.uid, own=own, mounts=[{"name": "points", "mountPath": POINTS}])
    bundle["lifecycle"] = {"postStart": {"exec": {"command": _READY}}}
    return pod_spec(
        template,
        config,
        deadline_seconds=deadline_of(spec, this, config),
        bundle=bundle,
        simulation=_simulation(sweep, template, config),
        volumes=[{"name": "points", "emptyDir": {"sizeLimit": config.outputs_size}}],
    )


def _simulation(sweep: Sweep, template: SweepTemplate, config: JobConfig) -> Manifest:
    own = {"SIMOPS_OUTPUTS": OUTPUTS, "SIMOPS_JOB": sweep.name}
    if template.batch:
        own |= {"SIMOPS_POINTS": f"{POINTS}/points.jsonl", "SIMOPS_RESULTS": RESULTS}
        command = [literal(text) for text in template.command] if template.command else None
        args = [literal(text) for text in template.args or []]
    else:
        command, args = ["/bin/sh", f"{POINTS}/run.sh"], []
    return simulation_container(
        template,
        config,
        uid=sweep.uid,
        trace=sweep.trace,
        own=own,
        mounts=[{"name": "points", "mountPath": POINTS, "readOnly": True}],
        command=command,
        args=args,
    )
