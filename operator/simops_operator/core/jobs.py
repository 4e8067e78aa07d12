"""The Kubernetes Job that a SimulationJob stands for (pure)."""

import json
from typing import Any

from simops_crds.names import (
    ANNOTATION_PARAMS,
    ANNOTATION_SKIP_IDENTITY,
    ANNOTATION_TRACEPARENT,
    API_VERSION,
    CONTAINER_BUNDLE,
    CONTAINER_SIMULATION,
    LABEL_JOB,
    LABEL_MANAGED_BY,
    LABEL_NETWORK,
    LABEL_QUEUE,
    LABEL_UID,
    MANAGED_BY,
    key_prefix,
    kubernetes_job_name,
)
from simops_crds.v1alpha1 import SimulationJobSpec
from simops_io.traceparent import TraceParent
from simops_operator.core.config import JobConfig

Manifest = dict[str, Any]

OUTPUTS = "/simops/outputs"
PARAMS_DIR = "/simops/params"
PARAMS = f"{PARAMS_DIR}/params.json"
STORE = "/simops/store"
STOP_PORT = 50418
"""Where the bundle container hears that the simulation is about to be stopped; out of the way of usual services."""

_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


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
    return [_literal(text) for text in out]


def _literal(text: str) -> str:
    """Keep Kubernetes from expanding ``$(NAME)`` and from taking ``$$`` for ``$``: a person's text stays what it is."""
    return text.replace("$", "$$")


def job_for(
    name: str,
    namespace: str,
    uid: str,
    spec: SimulationJobSpec,
    config: JobConfig,
    trace: TraceParent | None = None,
) -> Manifest:
    """Return the Job of a run: one Pod at a time, as many attempts as the spec allows, disruptions not counted (KEP-3329)."""
    labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_JOB: name, LABEL_UID: uid}
    queue = {LABEL_QUEUE: spec.queue_name} if spec.queue_name else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": kubernetes_job_name(name, uid),
            "namespace": namespace,
            "labels": {**labels, **queue},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": "SimulationJob",
                    "name": name,
                    "uid": uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": spec.retries,
            # A queue starts the Job when its quota allows.
            "suspend": spec.suspend or bool(spec.queue_name),
            # A Pod that is going must be gone before its successor starts: both would write the same simulation's state.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": {
                "metadata": {
                    "labels": {**labels, LABEL_NETWORK: spec.network.value},
                    "annotations": {
                        ANNOTATION_PARAMS: json.dumps(spec.params or {}, separators=(",", ":"), ensure_ascii=False),
                        ANNOTATION_SKIP_IDENTITY: CONTAINER_SIMULATION,
                        **({ANNOTATION_TRACEPARENT: str(trace)} if trace else {}),
                    },
                },
                "spec": _pod_spec(name, key_prefix(namespace, name, uid), spec, config, trace),
            },
        },
    }


def _pod_spec(
    name: str, prefix: str, spec: SimulationJobSpec, config: JobConfig, trace: TraceParent | None
) -> Manifest:
    out: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "serviceAccountName": config.service_account,
        "enableServiceLinks": False,
        # The operator stops a simulation that takes too long. Should it be down, the node does; not before the outputs of one
        # that ended in time can be in the store, since its deadline is that of the whole Pod.
        "activeDeadlineSeconds": timeout_of(spec, config) + config.termination_grace_seconds,
        "terminationGracePeriodSeconds": config.termination_grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": config.run_as_user,
            "runAsGroup": config.run_as_user,
            "fsGroup": config.run_as_user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [_bundle_container(prefix, config)],
        "containers": [_simulation_container(name, spec, config, trace)],
        "volumes": _volumes(config),
    }
    if config.image_pull_secrets:
        out["imagePullSecrets"] = [{"name": secret} for secret in config.image_pull_secrets]
    if spec.priority_class_name:
        out["priorityClassName"] = spec.priority_class_name
    if spec.node_selector:
        out["nodeSelector"] = dict(spec.node_selector)
    if spec.tolerations:
        out["tolerations"] = [t.to_dict() for t in spec.tolerations]
    return out


def _volumes(config: JobConfig) -> list[Manifest]:
    params = {"path": "params.json", "fieldRef": {"fieldPath": f"metadata.annotations['{ANNOTATION_PARAMS}']"}}
    volumes: list[Manifest] = [
        {"name": "outputs", "emptyDir": {"sizeLimit": config.outputs_size}},
        {"name": "tmp", "emptyDir": {"sizeLimit": config.tmp_size}},
        {"name": "params", "downwardAPI": {"items": [params]}},
    ]
    if config.store_secret:
        volumes.append({"name": "store", "secret": {"secretName": config.store_secret, "defaultMode": 0o440}})
    return volumes


def _env(**values: str) -> list[Manifest]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _pod_name(variable: str) -> Manifest:
    return {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


def _simulation_container(name: str, spec: SimulationJobSpec, config: JobConfig, trace: TraceParent | None) -> Manifest:
    # A simulation that traces goes on with the trace of who asked for it.
    defaults = {"HOME": "/tmp"} | ({"TRACEPARENT": str(trace)} if trace else {})  # noqa: S108 - its own emptyDir
    out: Manifest = {
        "name": CONTAINER_SIMULATION,
        "image": spec.image,
        "imagePullPolicy": config.image_pull_policy,
        "args": arguments(spec),
        "env": [
            # One entry a name: the API server refuses to apply a list that names one twice. A person's HOME wins.
            *_env(**defaults | {e.name: _literal(e.value) for e in spec.env or []}),
            *_env(SIMOPS_OUTPUTS=OUTPUTS, SIMOPS_PARAMS=PARAMS, SIMOPS_JOB=name),
            _pod_name("SIMOPS_ATTEMPT_ID"),
        ],
        "resources": _resources(spec, config),
        "securityContext": _RESTRICTED,
        # The end of the log of a failed attempt goes into status.message.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        # Called only when the simulation is stopped from outside, never when it ends by itself: see docs/architecture.md.
        "lifecycle": {"preStop": {"httpGet": {"path": "/stop", "port": STOP_PORT}}},
        "volumeMounts": [
            {"name": "outputs", "mountPath": OUTPUTS},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - its own emptyDir
            {"name": "params", "mountPath": PARAMS_DIR, "readOnly": True},
        ],
    }
    if spec.command:
        out["command"] = [_literal(text) for text in spec.command]
    return out


def _resources(spec: SimulationJobSpec, config: JobConfig) -> Manifest:
    """Return requests and limits; a default gives way where it would contradict what the person wrote."""
    given_requests = dict((spec.resources and spec.resources.requests) or {})
    given_limits = dict((spec.resources and spec.resources.limits) or {})
    defaults = {
        "cpu": (config.default_cpu_request, config.default_cpu_limit),
        "memory": (config.default_memory_request, config.default_memory_limit),
    }
    requests, limits = dict(given_requests), dict(given_limits)
    for resource, (request, limit) in defaults.items():
        # A limit alone: Kubernetes takes it as the request. A request alone is the limit too.
        if resource not in given_limits:
            limits[resource] = given_requests.get(resource, limit) if resource in given_requests else limit
        if resource not in given_requests and resource not in given_limits:
            requests[resource] = request
    return {"requests": requests, "limits": limits}


def _bundle_container(prefix: str, config: JobConfig) -> Manifest:
    mounts: list[Manifest] = [
        {"name": "outputs", "mountPath": OUTPUTS, "readOnly": True},
        {"name": "params", "mountPath": PARAMS_DIR, "readOnly": True},
    ]
    if config.store_secret:
        mounts.append({"name": "store", "mountPath": STORE, "readOnly": True})
    return {
        "name": CONTAINER_BUNDLE,
        "image": config.bundle_image,
        "imagePullPolicy": config.image_pull_policy,
        "restartPolicy": "Always",  # a native sidecar (KEP-753): starts before the simulation, is stopped after it
        # A signal that comes before Python can handle it waits until it can: PID 1 would lose it, and with it the outputs.
        "command": ["env", "--block-signal=TERM", "python", "-m", "simops_operator.pod.bundle"],
        "env": [
            *_env(
                SIMOPS_OUTPUTS=OUTPUTS,
                SIMOPS_STORE_ENDPOINT=config.store_endpoint,
                SIMOPS_STORE_BUCKET=config.store_bucket,
                SIMOPS_STORE_REGION=config.store_region,
                SIMOPS_STORE_CREDENTIALS=STORE,
                SIMOPS_KEY_PREFIX=prefix,
                SIMOPS_GRACE_SECONDS=str(config.termination_grace_seconds),
                SIMOPS_STOP_SECONDS=str(config.stop_seconds),
                SIMOPS_STOP_PORT=str(STOP_PORT),
            ),
            _pod_name("SIMOPS_POD"),
        ],
        "resources": {
            "requests": {"cpu": config.bundle_cpu_request, "memory": config.bundle_memory_request},
            "limits": {"memory": config.bundle_memory_limit},
        },
        "securityContext": _RESTRICTED,
        "volumeMounts": mounts,
    }
