"""What every simulation Pod has, be it the attempt of a job or a pack of a sweep (pure).

``jobs.py`` and ``sweeps/manifest.py`` say what is special to each: the name, what is run, which volumes there are beside those of all.
"""

from collections.abc import Mapping
from typing import Any

from simops_crds.names import (
    ANNOTATION_SKIP_IDENTITY,
    ANNOTATION_TRACEPARENT,
    API_VERSION,
    CONTAINER_BUNDLE,
    CONTAINER_SIMULATION,
    LABEL_QUEUE,
)
from simops_crds.v1alpha1 import RunSpec
from simops_io.traceparent import TraceParent
from simops_operator.core.config import JobConfig

Manifest = dict[str, Any]

OUTPUTS = "/simops/outputs"
STORE = "/simops/store"
STOP_PORT = 50418
"""Where the bundle container hears that the simulation is about to be stopped; out of the way of usual services."""

_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def literal(text: str) -> str:
    """Keep Kubernetes from expanding ``$(NAME)`` and from taking ``$$`` for ``$``: a person's text stays what it is."""
    return text.replace("$", "$$")


def env(**values: str) -> list[Manifest]:
    """Return environment variables as a container has them."""
    return [{"name": name, "value": value} for name, value in values.items()]


def stop_path(uid: str) -> str:
    """Return the path of the stop notice: only who may read the run, or is in its Pod, knows the UID, where no NetworkPolicy closes the port."""
    return f"/stop/{uid}"


def pod_name(variable: str) -> Manifest:
    """Return an environment variable that is the Pod's name."""
    return {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


def job_metadata(
    kind: str, owner: str, uid: str, name: str, namespace: str, labels: Mapping[str, str], spec: RunSpec
) -> Manifest:
    """Return the metadata of a Kubernetes Job: it goes when the object that it is made for goes."""
    queue = {LABEL_QUEUE: spec.queue_name} if spec.queue_name else {}
    return {
        "name": name,
        "namespace": namespace,
        "labels": {**labels, **queue},
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": kind,
                "name": owner,
                "uid": uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


def pod_annotations(trace: TraceParent | None) -> dict[str, str]:
    """Return the annotations of every simulation Pod."""
    return {
        ANNOTATION_SKIP_IDENTITY: CONTAINER_SIMULATION,
        **({ANNOTATION_TRACEPARENT: str(trace)} if trace else {}),
    }


# A Pod that is going must be gone before its successor starts: both would write the same simulation's state. Disruptions do not count (KEP-3329).
JOB_POLICIES: Manifest = {
    "podReplacementPolicy": "Failed",
    "podFailurePolicy": {
        "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
    },
}


def pod_spec(
    spec: RunSpec,
    config: JobConfig,
    *,
    deadline_seconds: int,
    bundle: Manifest,
    simulation: Manifest,
    volumes: list[Manifest],
) -> Manifest:
    """Return the spec of a simulation Pod of two containers and some volumes beside those of every Pod."""
    out: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "serviceAccountName": config.service_account,
        "enableServiceLinks": False,
        "activeDeadlineSeconds": deadline_seconds,
        "terminationGracePeriodSeconds": config.termination_grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": config.run_as_user,
            "runAsGroup": config.run_as_user,
            "fsGroup": config.run_as_user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [bundle],
        "containers": [simulation],
        "volumes": [*_volumes(config), *volumes, *_store_volumes(config)],
    }
    if config.runtime_class_name:
        out["runtimeClassName"] = config.runtime_class_name
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
    return [
        {"name": "outputs", "emptyDir": {"sizeLimit": config.outputs_size}},
        {"name": "tmp", "emptyDir": {"sizeLimit": config.tmp_size}},
    ]


def _store_volumes(config: JobConfig) -> list[Manifest]:
    if not config.store_secret:
        return []
    return [{"name": "store", "secret": {"secretName": config.store_secret, "defaultMode": 0o440}}]


def simulation_container(
    spec: RunSpec,
    config: JobConfig,
    *,
    uid: str,
    trace: TraceParent | None,
    own: Mapping[str, str],
    mounts: list[Manifest],
    command: list[str] | None,
    args: list[str],
) -> Manifest:
    """Return the person's container.

    Args:
        spec: image, environment and resources.
        config: the installation's settings.
        uid: of the run.
        trace: the trace that a simulation may go on with.
        own: the variables that SimOps sets, beside the Pod's name.
        mounts: volumes beside outputs and /tmp.
        command: what is run; None: the image's own entrypoint.
        args: its arguments.
    """
    # A simulation that traces goes on with the trace of who asked for it.
    defaults = {"HOME": "/tmp"} | ({"TRACEPARENT": str(trace)} if trace else {})  # noqa: S108 - its own emptyDir
    out: Manifest = {
        "name": CONTAINER_SIMULATION,
        "image": spec.image,
        "imagePullPolicy": config.image_pull_policy,
        "args": args,
        "env": [
            # One entry a name: the API server refuses to apply a list that names one twice. A person's HOME wins.
            *env(**defaults | {e.name: literal(e.value) for e in spec.env or []}),
            *env(**own),
            pod_name("SIMOPS_ATTEMPT_ID"),
        ],
        "resources": _resources(spec, config),
        "securityContext": _RESTRICTED,
        # The end of the log of a failed attempt goes into status.message.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        # Called only when the simulation is stopped from outside, never when it ends by itself: see docs/architecture.md.
        "lifecycle": {"preStop": {"httpGet": {"path": stop_path(uid), "port": STOP_PORT}}},
        "volumeMounts": [
            {"name": "outputs", "mountPath": OUTPUTS},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - its own emptyDir
            *mounts,
        ],
    }
    if command:
        out["command"] = command
    return out


def _resources(spec: RunSpec, config: JobConfig) -> Manifest:
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


def bundle_container(config: JobConfig, *, uid: str, own: Mapping[str, str], mounts: list[Manifest]) -> Manifest:
    """Return the bundle container.

    Args:
        config: the installation's settings.
        uid: of the run.
        own: variables beside those of every bundle container; they are a person's text or ours, and stay what they are.
        mounts: volumes beside the outputs and the store's credentials.
    """
    store = [{"name": "store", "mountPath": STORE, "readOnly": True}] if config.store_secret else []
    return {
        "name": CONTAINER_BUNDLE,
        "image": config.bundle_image,
        "imagePullPolicy": config.image_pull_policy,
        "restartPolicy": "Always",  # a native sidecar (KEP-753): starts before the simulation, is stopped after it
        # A signal that comes before Python can handle it waits until it can: PID 1 would lose it, and with it the outputs.
        "command": ["env", "--block-signal=TERM", "python", "-m", "simops_operator.pod.bundle"],
        "env": [
            *env(
                SIMOPS_OUTPUTS=OUTPUTS,
                SIMOPS_STORE_ENDPOINT=config.store_endpoint,
                SIMOPS_STORE_BUCKET=config.store_bucket,
                SIMOPS_STORE_REGION=config.store_region,
                SIMOPS_STORE_CREDENTIALS=STORE,
            ),
            *env(**{name: literal(value) for name, value in own.items()}),
            *env(
                SIMOPS_GRACE_SECONDS=str(config.termination_grace_seconds),
                SIMOPS_STOP_SECONDS=str(config.stop_seconds),
                SIMOPS_STOP_PORT=str(STOP_PORT),
                SIMOPS_STOP_PATH=stop_path(uid),
            ),
            pod_name("SIMOPS_POD"),
        ],
        "resources": {
            "requests": {"cpu": config.bundle_cpu_request, "memory": config.bundle_memory_request},
            "limits": {"memory": config.bundle_memory_limit},
        },
        "securityContext": _RESTRICTED,
        "volumeMounts": [{"name": "outputs", "mountPath": OUTPUTS, "readOnly": True}, *mounts, *store],
    }
