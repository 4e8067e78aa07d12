"""The operator's settings: environment → one frozen value, read once when the process starts.

Each variable is ``SIMOPS_`` and the field's name in capitals. Lists are separated by commas. ``.env.example`` and the chart name them all.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from simops_crds.limits import Maxima, parse_maxima, why_too_large
from simops_crds.v1alpha1.job import Resources
from simops_io.logs import LogFormat
from simops_operator.core.config import JobConfig


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("at least one is needed, separated by commas")
    return value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Seconds = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """What an installation decides. Wrong values stop the operator at its start with a message that names the variable."""

    model_config = SettingsConfigDict(env_prefix="SIMOPS_", frozen=True, use_attribute_docstrings=True)

    namespaces: Annotated[CommaList, AfterValidator(_not_empty)] = ("default",)
    """Namespaces whose objects are reconciled."""
    allowed_images: CommaList = JobConfig.allowed_images
    """Patterns of simulation images that may run; ``*`` stands for any characters."""
    require_digest: bool = JobConfig.require_digest
    """Simulation images must be named by their digest (``name@sha256:…``); a tag is not enough."""
    bundle_image: str = JobConfig.bundle_image
    """Image of the bundle container: the operator's own."""
    image_pull_policy: str = JobConfig.image_pull_policy
    """Pull policy of both containers."""
    image_pull_secrets: CommaList = JobConfig.image_pull_secrets
    """Names of pull Secrets in the simulation namespaces."""

    store_endpoint: str = JobConfig.store_endpoint
    """The store as ``http(s)://host[:port]``."""
    store_bucket: str = JobConfig.store_bucket
    """Bucket that holds everything."""
    store_region: str = JobConfig.store_region
    """Region that requests are signed for."""
    store_secret: str = JobConfig.store_secret
    """Secret in the simulation namespaces with access-key and secret-key; empty: workload identity."""
    store_credentials: str = "/simops/store"
    """Folder in which the operator itself finds these keys."""
    store_namespace_keys: str = ""
    """Folder with ``<namespace>.access-key`` and ``<namespace>.secret-key``, to be made known to an embedded MinIO; empty: there are none."""
    store_create_bucket: bool = True
    """Make the bucket when it is missing."""

    service_account: str = JobConfig.service_account
    """Service account of simulation Pods. Its token is never mounted."""
    run_as_user: Annotated[int, Field(ge=1)] = JobConfig.run_as_user
    """User and group of both containers."""
    runtime_class_name: str = JobConfig.runtime_class_name
    """RuntimeClass of simulation Pods, such as one of gVisor or Kata; empty: the cluster's default runtime."""
    max_timeout_seconds: Seconds = JobConfig.max_timeout_seconds
    """Greatest timeout of an attempt. What asks for more is refused; what had begun before is stopped by then."""
    pending_timeout_seconds: Annotated[int, Field(ge=0)] = JobConfig.pending_timeout_seconds
    """Pending timeout of a job whose spec gives none; 0: wait for ever."""
    image_pull_grace_seconds: Seconds = JobConfig.image_pull_grace_seconds
    """How long a failing image pull is tried."""
    termination_grace_seconds: Annotated[int, Field(ge=10)] = JobConfig.termination_grace_seconds
    """Within this time after its end everything of an attempt must be in the store."""
    stop_seconds: Seconds = JobConfig.stop_seconds
    """How long a simulation may go on after it was told to stop, before its outputs are taken as they are."""
    stop_grace_seconds: Annotated[int, Field(ge=10)] = JobConfig.stop_grace_seconds
    """How long a Pod that is cancelled or takes too long has in all, before it is killed."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] = JobConfig.ttl_seconds_after_finished
    """When a finished object is deleted, if its spec does not say."""
    outputs_size: str = JobConfig.outputs_size
    """Size limit of the outputs of one Pod."""
    tmp_size: str = JobConfig.tmp_size
    """Size limit of /tmp of one Pod."""
    default_cpu_request: str = JobConfig.default_cpu_request
    """CPU that a simulation gets that asks for none."""
    default_memory_request: str = JobConfig.default_memory_request
    """Memory that a simulation gets that asks for none."""
    default_cpu_limit: str = JobConfig.default_cpu_limit
    """CPU limit of a simulation that names neither a limit nor a request."""
    default_memory_limit: str = JobConfig.default_memory_limit
    """Memory limit of a simulation that names neither a limit nor a request."""
    max_resources: Annotated[Maxima, NoDecode, BeforeValidator(parse_maxima)] = JobConfig.max_resources
    """The most that a simulation may ask for, such as ``cpu=64,memory=256Gi,nvidia.com/gpu=8``. What is not named has no maximum."""
    bundle_cpu_request: str = JobConfig.bundle_cpu_request
    """CPU that is set aside for the bundle container."""
    bundle_memory_request: str = JobConfig.bundle_memory_request
    """Memory that is set aside for the bundle container."""
    bundle_memory_limit: str = JobConfig.bundle_memory_limit
    """Memory limit of the bundle container."""

    workers: Annotated[int, Field(ge=1, le=256)] = 16
    """Objects that are reconciled at the same time."""
    sweep_workers: Annotated[int, Field(ge=1, le=64)] = 4
    """Sweeps that are reconciled at the same time."""
    max_sweep_points: Annotated[int, Field(ge=1, le=1_000_000)] = 200_000
    """Points that a sweep may have; one with more is refused before anything runs."""
    max_connections: Annotated[int, Field(ge=1, le=1000)] = 32
    """Connections to the API server."""
    api_queries_per_second: Annotated[float, Field(ge=0)] = 100
    """Calls to the API server that may be made in a second, reads and watches included; 0: any number."""
    api_burst: Annotated[int, Field(ge=1)] = 200
    """Calls that may be made at once after a quiet time."""
    max_starting_jobs: Annotated[int, Field(ge=0)] = 100
    """Kubernetes Jobs of SimulationJobs that may wait for their Pods at once, so that namespaces take turns; 0: any number."""
    resync_seconds: Seconds = 600
    """How often the caches are compared with a LIST; TTL and expiry go by it too."""
    log_limit_bytes: Annotated[int, Field(ge=1 << 20)] = 1 << 30
    """Bytes of one attempt's log that are stored; the rest is cut."""
    lease_namespace: str = ""
    """Namespace of the Lease; empty: no leader election (one replica only)."""
    lease_name: str = "simops-operator"
    """Name of the Lease by which replicas agree on which of them works."""
    pod_name: str = "simops-operator"
    """This replica's name: its identity in the Lease."""
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8081
    """Port of /metrics and /ready; 0: none."""
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = "INFO"
    """Level of the log."""
    log_format: LogFormat = "json"
    """Log lines as JSON objects, or as text for people: json or text."""

    @field_validator("max_resources")
    @classmethod
    def _leaves_room_for_the_defaults(cls, value: Maxima, others: ValidationInfo) -> Maxima:
        # Else what asks for nothing would get more than what asks may have.
        kinds = {"requests": "request", "limits": "limit"}
        defaults = {
            field: {name: others.data.get(f"default_{name}_{kind}", "0") for name in ("cpu", "memory")}
            for field, kind in kinds.items()
        }
        found = why_too_large(Resources.model_validate(defaults), value)
        if found is not None:
            raise ValueError(f"the default {kinds[found[0]]} of a simulation that gives none is above it: {found[1]}")
        return value

    def job_config(self) -> JobConfig:
        """Return what the pure core needs of the settings."""
        return JobConfig(**{name: getattr(self, name) for name in JobConfig.__dataclass_fields__})
