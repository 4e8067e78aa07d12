"""What an installation decides about the Pods of simulations, as a plain value for the pure core."""

from dataclasses import dataclass

from simops_crds.limits import Maxima


@dataclass(frozen=True)
class JobConfig:
    """The part of the settings that shapes Jobs and decisions; ``settings.Settings`` says what each field means."""

    allowed_images: tuple[str, ...] = ("*",)
    require_digest: bool = False
    bundle_image: str = "localhost/simops-operator:dev"
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    store_endpoint: str = "http://localhost:9000"
    store_bucket: str = "simops"
    store_region: str = "us-east-1"
    store_secret: str = "simops-store"  # noqa: S105 - a name
    service_account: str = "simops-simulation"
    run_as_user: int = 10001
    runtime_class_name: str = ""
    max_timeout_seconds: int = 604_800
    pending_timeout_seconds: int = 0
    image_pull_grace_seconds: int = 300
    termination_grace_seconds: int = 600
    stop_seconds: int = 30
    stop_grace_seconds: int = 120
    ttl_seconds_after_finished: int = 604_800
    outputs_size: str = "10Gi"
    tmp_size: str = "1Gi"
    default_cpu_request: str = "500m"
    default_memory_request: str = "256Mi"
    default_cpu_limit: str = "2"
    default_memory_limit: str = "2Gi"
    max_resources: Maxima = ()
    bundle_cpu_request: str = "10m"
    bundle_memory_request: str = "64Mi"
    bundle_memory_limit: str = "256Mi"
