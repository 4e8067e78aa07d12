"""Every name that SimOps writes into Kubernetes or the store, each with a sentence that says what it means.

Other modules import these; a label, annotation, reason or key that is spelled anywhere else is a mistake.
"""

from enum import StrEnum
from typing import Final

GROUP: Final = "simops.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

LABEL_JOB: Final = f"{GROUP}/job"
"""On Jobs and Pods: the name of the SimulationJob they belong to."""
LABEL_SWEEP: Final = f"{GROUP}/sweep"
"""On Jobs and Pods: the name of the SimulationSweep they belong to."""
LABEL_ROUND: Final = f"{GROUP}/round"
"""On Jobs and Pods of a sweep: the number of the round, from 0."""
LABEL_UID: Final = f"{GROUP}/uid"
"""On Jobs and Pods: the UID of the SimulationJob or SimulationSweep they belong to; the operator's caches go by it."""
LABEL_PACK: Final = "batch.kubernetes.io/job-completion-index"
"""On Pods of a sweep, by Kubernetes: the completion index, which is the number of the pack."""
LABEL_NETWORK: Final = f"{GROUP}/network"
"""On Pods: None, Cluster or Internet; the chart's NetworkPolicies select by it."""
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
"""On Jobs and Pods: always ``simops``."""
LABEL_QUEUE: Final = "kueue.x-k8s.io/queue-name"
"""On Jobs: the Kueue LocalQueue, from ``spec.queueName``."""
MANAGED_BY: Final = "simops"

ANNOTATION_PARAMS: Final = f"{GROUP}/params"
"""On Pods: the parameters as compact JSON; mounted into the containers as a file by the downward API."""
ANNOTATION_SKIP_IDENTITY: Final = "eks.amazonaws.com/skip-containers"
"""On Pods: containers that must not be given the service account's cloud identity."""

ANNOTATION_TRACEPARENT: Final = f"{GROUP}/traceparent"
"""On SimulationJobs and SimulationSweeps: the W3C ``traceparent`` of whoever asked for them; the operator's spans belong to that trace. Copied to
the Pod, whose simulation finds it in ``TRACEPARENT``. The gateway writes it when it traces; anybody may."""

ANNOTATION_IDEMPOTENCY: Final = f"{GROUP}/idempotency"
"""On SimulationJobs and SimulationSweeps that were asked for with an ``Idempotency-Key``: the digest of what was asked. The key is in the object's name,
so a second request with it finds the object, and by this digest whether it asks for the same."""

CONTAINER_SIMULATION: Final = "simulation"
CONTAINER_BUNDLE: Final = "bundle"

FIELD_MANAGER: Final = "simops-operator"
"""The owner of the fields that the operator applies (server-side apply)."""


class _Documented(StrEnum):
    """A string enumeration whose members carry a sentence."""

    sentence: str

    def __new__(cls, value: str, sentence: str = "") -> "_Documented":
        """Make a member of a value and the sentence that explains it; with a value alone, find it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member


class Phase(_Documented):
    """Where a run is. ``Succeeded``, ``Failed`` and ``Cancelled`` are final."""

    PENDING = "Pending", "Accepted; its Pod has not started yet."
    QUEUED = "Queued", "Suspended, by the person who owns it or by a queue."
    RUNNING = "Running", "The simulation runs, or its outputs are being stored."
    SUCCEEDED = "Succeeded", "The simulation exited 0 and its bundle is in the store."
    FAILED = "Failed", "It will not succeed; the reason says why."
    CANCELLED = "Cancelled", "Stopped because spec.cancelled was set; what had been written is kept."


FINAL_PHASES: Final = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})


class ConditionType(_Documented):
    """The conditions of both kinds, in the order in which they become true."""

    ACCEPTED = "Accepted", "The spec is valid and allowed; a Kubernetes Job was or will be made for it."
    STARTED = "Started", "The simulation container of the latest attempt has started."
    ARTIFACTS_STORED = "ArtifactsStored", "The bundle, the log and the record of the run are in the store."
    FINISHED = "Finished", "The run has a final phase; nothing will change any more."


class Reason(_Documented):
    """Why a phase or a condition is what it is; also the reason of Events."""

    # The way of a run that goes well.
    VALID = "Valid", "The spec is valid and its image is allowed."
    JOB_CREATED = "JobCreated", "The Kubernetes Job exists; its Pod is being scheduled."
    SCHEDULING = "Scheduling", "The Pod waits for a node."
    STARTING = "Starting", "The Pod is on a node; its image is pulled or its containers are being made."
    SIMULATION_STARTED = "SimulationStarted", "The simulation container runs."
    STORING_ARTIFACTS = "StoringArtifacts", "The simulation has ended; its bundle and log are being stored."
    STORED = "Stored", "The bundle and the log are in the store."
    COMPLETED = "Completed", "The simulation exited 0 and its bundle is in the store."
    RETRYING = "Retrying", "An attempt failed and another one follows, as spec.retries allows."
    DISRUPTED = (
        "Disrupted",
        "The Pod was lost to a drain, a preemption or a node; it runs again and no retry is counted.",
    )
    # Waiting on purpose.
    STORE_UNAVAILABLE = (
        "StoreUnavailable",
        (
            "The store does not answer; what has ended waits for it, and nothing is started whose results could not be kept."
        ),
    )
    SUSPENDED = "Suspended", "spec.suspend is true, or a queue holds the Job."
    EXPANDING = "Expanding", "The points of the sweep's space are being made and stored."
    COLLECTING = "Collecting", "A round of the sweep has ended or is being stopped; its results are being collected."
    # The ways of failing.
    EXIT_CODE = "ExitCode", "The simulation exited with a code other than 0."
    OOM_KILLED = "OOMKilled", "The simulation used more memory than its limit."
    DEADLINE_EXCEEDED = "DeadlineExceeded", "An attempt took longer than spec.timeoutSeconds."
    PENDING_TIMEOUT = "PendingTimeout", "The Pod did not start within spec.pendingTimeoutSeconds."
    IMAGE_NOT_TRUSTED = (
        "ImageNotTrusted",
        "The image matches none of the patterns that this installation allows, or is not named by its digest where that is required.",
    )
    ABOVE_MAXIMUM = (
        "AboveMaximum",
        "The spec asks for more time or resources than this installation allows; nothing was started.",
    )
    IMAGE_PULL_FAILED = "ImagePullFailed", "The image could not be pulled."
    CONTAINER_CANNOT_RUN = (
        "ContainerCannotRun",
        "The container could not be started, for example as its command does not exist.",
    )
    ARTIFACT_UPLOAD_FAILED = "ArtifactUploadFailed", "The simulation ended but its bundle could not be stored."
    EVICTED = "Evicted", "The node evicted the Pod, for example as its outputs outgrew their size limit."
    INVALID_SPEC = "InvalidSpec", "The spec breaks a rule that the API server could not check."
    JOB_REJECTED = (
        "JobRejected",
        "The API server refused the Kubernetes Job, for example by an admission policy or a quota.",
    )
    POD_LOST = "PodLost", "The Pod vanished before it told how it ended."
    INVALID_SPACE = "InvalidSpace", "The parameter space gives no points, or is no extension of what the sweep has run."
    TOO_MANY_POINTS = "TooManyPoints", "The parameter space has more points than this installation allows."
    POINTS_FAILED = "PointsFailed", "Every point has ended and some have failed."
    TOO_MANY_FAILED_POINTS = (
        "TooManyFailedPoints",
        "More points than spec.maxFailedPoints have failed; the rest was not run.",
    )
    # Ended by a person.
    CANCELLED = "Cancelled", "spec.cancelled was set."
    DELETED = "Deleted", "The object was deleted while it ran."
    # Not there (yet).
    NOT_STARTED = "NotStarted", "The simulation has not started."
    IN_PROGRESS = "InProgress", "The run has not ended yet."


def kubernetes_job_name(name: str, uid: str) -> str:
    """Name of the Kubernetes Job of a SimulationJob.

    It contains a part of the UID, so that an object deleted and made again under the same name never meets the Job of its
    predecessor, and a Job that a person made under that name is never taken over.
    """
    return f"{name}-{uid.replace('-', '')[:8]}"


def round_job_name(name: str, uid: str, number: int) -> str:
    """Name of the Kubernetes Job of a round of a SimulationSweep."""
    return f"{kubernetes_job_name(name, uid)}-r{number}"


OWNED_PREFIX: Final = "owned"
"""Store keys ``owned/<namespace>/<name>/<uid>``: artifacts that go when their SimulationJob goes."""
EXPIRY_PREFIX: Final = "expiry"
"""Store keys ``expiry/<seconds since 1970, 12 digits>/<namespace>/<name>/<uid>``: artifacts to remove from that time on."""
ARCHIVE_PREFIX: Final = "archive"
"""Store keys ``archive/<namespace>/<9999999999 - creation time, 10 digits>/<name>/<uid>``: the runs that have a record, latest first.

A LIST of the store is in the order of keys, so a part of one is a page of history. The time is that of creation: it is known from the
start, so the key of a run is always the same, however often its record is written.
"""
_LAST_SECOND: Final = 9_999_999_999


SWEEP_OWNED_PREFIX: Final = "sweep-owned"
SWEEP_EXPIRY_PREFIX: Final = "sweep-expiry"
SWEEP_ARCHIVE_PREFIX: Final = "sweep-archive"
"""The same three for SimulationSweeps."""


UPLOADS_PREFIX: Final = "uploads"
"""Store keys ``uploads/<namespace>/<64 hexadecimal digits>``: lists of points that sweeps of the namespace may take, by the SHA-256 of their bytes."""


def upload_key(namespace: str, digest: str) -> str:
    """Return the key of an uploaded list of points; ``digest`` as a spec has it, ``sha256:…``."""
    return f"{UPLOADS_PREFIX}/{namespace}/{digest.removeprefix('sha256:')}"


REUSE_PREFIX: Final = "reuse"
"""Store keys below ``reuse/<namespace>/<digest of image, command, args and env>/``: the finished runs whose results may serve for identical ones."""


def reuse_prefix(namespace: str, family: str) -> str:
    """Return where finished runs of one program are listed (no slash at the end)."""
    return f"{REUSE_PREFIX}/{namespace}/{family}"


def reusable_sweep_key(namespace: str, family: str, created: int, name: str, uid: str) -> str:
    """Return the key that lists a finished sweep, latest first; ``created`` is in whole seconds since 1970."""
    return f"{reuse_prefix(namespace, family)}/sweeps/{_LAST_SECOND - created:010d}/{name}/{uid}"


def reusable_job_key(namespace: str, family: str, params: str, name: str, uid: str) -> str:
    """Return the key that lists a job that has succeeded by the digest of its parameters."""
    return f"{reuse_prefix(namespace, family)}/jobs/{params}/{name}/{uid}"


def archive_prefix(namespace: str, created: int, kind: str = ARCHIVE_PREFIX) -> str:
    """Return how the archive's keys of the runs of one second begin (no slash at the end)."""
    return f"{kind}/{namespace}/{_LAST_SECOND - created:010d}"


def archive_key(namespace: str, created: int, name: str, uid: str, kind: str = ARCHIVE_PREFIX) -> str:
    """Return the key that lists a run in the archive; ``created`` is in whole seconds since 1970."""
    return f"{archive_prefix(namespace, created, kind)}/{name}/{uid}"


def created_of(archive_second: str) -> int:
    """Return the creation time that a key of the archive has."""
    return _LAST_SECOND - int(archive_second)


def key_prefix(namespace: str, name: str, uid: str) -> str:
    """Where in the store everything of one SimulationJob lies (no slash at the end)."""
    return f"jobs/{namespace}/{name}/{uid}"


def sweep_prefix(namespace: str, name: str, uid: str) -> str:
    """Where in the store everything of one SimulationSweep lies (no slash at the end)."""
    return f"sweeps/{namespace}/{name}/{uid}"
