"""The Kubernetes Job that a SimulationJob stands for (pure)."""

import json

from simops_crds.names import (
    ANNOTATION_PARAMS,
    LABEL_JOB,
    LABEL_MANAGED_BY,
    LABEL_NETWORK,
    LABEL_UID,
    MANAGED_BY,
    key_prefix,
    kubernetes_job_name,
)
from simops_crds.v1alpha1 import SimulationJobSpec
from simops_io.traceparent import TraceParent
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

PARAMS_DIR = "/simops/params"
PARAMS = f"{PARAMS_DIR}/params.json"


def timeout_of(spec: SimulationJobSpec, config: JobConfig) -> int:
    """Return how many seconds the simulation of one attempt may run."""
    return min(spec.timeout_seconds, config.max_timeout_seconds)


def arguments(spec: SimulationJobSpec) -> list[str]:
    """Return the simulation's arguments: args, then ``--name value`` for each parameter.

    Numbers are written as JSON writes them, booleans as true and false.
    """
    out = list(spec.args or [])
    for name, value in (spec.params or {}).items():
        out += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
    return [literal(text) for text in out]


def job_for(
    name: str,
    namespace: str,
    uid: str,
    spec: SimulationJobSpec,
    config: JobConfig,
    trace: TraceParent | None = None,
) -> Manifest:
    """Return the Job of a run: one Pod at a time, as many attempts as the spec allows, disruptions not counted."""
    labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_JOB: name, LABEL_UID: uid}
    params = json.dumps(spec.params or {}, separators=(",", ":"), ensure_ascii=False)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": job_metadata("SimulationJob", name, uid, kubernetes_job_name(name, uid), namespace, labels, spec),
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": spec.retries,
            # A queue starts the Job when its quota allows.
            "suspend": spec.suspend or bool(spec.queue_name),
            **JOB_POLICIES,
            "template": {
                "metadata": {
                    "labels": {**labels, LABEL_NETWORK: spec.network.value},
                    "annotations": {ANNOTATION_PARAMS: params, **pod_annotations(trace)},
                },
                "spec": _pod_spec(name, uid, key_prefix(namespace, name, uid), spec, config, trace),
            },
        },
    }


def _pod_spec(
    name: str, uid: str, prefix: str, spec: SimulationJobSpec, config: JobConfig, trace: TraceParent | None
) -> Manifest:
    params = {"path": "params.json", "fieldRef": {"fieldPath": f"metadata.annotations['{ANNOTATION_PARAMS}']"}}
    mount = {"name": "params", "mountPath": PARAMS_DIR, "readOnly": True}
    return pod_spec(
        spec,
        config,
        # The operator stops a simulation that takes too long. Should it be down, the node does; not before the outputs of one
        # that ended in time can be in the store, since its deadline is that of the whole Pod.
        deadline_seconds=timeout_of(spec, config) + config.termination_grace_seconds,
        bundle=bundle_container(config, uid=uid, own={"SIMOPS_KEY_PREFIX": prefix}, mounts=[mount]),
        simulation=simulation_container(
            spec,
            config,
            uid=uid,
            trace=trace,
            own={"SIMOPS_OUTPUTS": OUTPUTS, "SIMOPS_PARAMS": PARAMS, "SIMOPS_JOB": name},
            mounts=[mount],
            command=[literal(text) for text in spec.command] if spec.command else None,
            args=arguments(spec),
        ),
        volumes=[{"name": "params", "downwardAPI": {"items": [params]}}],
    )
