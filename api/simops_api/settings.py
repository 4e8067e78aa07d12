"""The gateway's settings: environment → one frozen value, read once when the process starts.

Each variable is ``SIMOPS_`` and the field's name in capitals. Lists are separated by commas.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from simops_io.logs import LogFormat

_PREFIX = "SIMOPS_"


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("at least one is needed, separated by commas")
    return value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Settings(BaseSettings):
    """What an installation decides. Wrong values stop the gateway at its start with a message that names the variable."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, use_attribute_docstrings=True)

    auth_mode: Literal["none"]
    """Who may call. The only value so far is none: everyone who reaches the gateway may do everything that it may. It has no default,
    so that an open gateway is always somebody's decision."""

    namespaces: Annotated[CommaList, AfterValidator(_not_empty)] = ("default",)
    """Namespaces whose objects are served. Ids in the first one need no namespace."""
    default_container_image: str = Field(
        default="", validation_alias=AliasChoices(f"{_PREFIX}DEFAULT_CONTAINER_IMAGE", "DEFAULT_CONTAINER_IMAGE")
    )
    """Image of a job that names none; empty: each must name its own."""
    default_container_command: CommaList = ()
    """Command of the default image, for its sweeps that give none (the entrypoint of an image cannot be read from inside the cluster)."""

    store_endpoint: str = "http://simops-minio:9000"
    """The store as ``http(s)://host[:port]``."""
    store_bucket: str = "simops"
    """Bucket that holds everything."""
    store_region: str = "us-east-1"
    """Region that requests are signed for."""
    store_credentials: str = "/simops/store"
    """Folder with access-key and secret-key; without these files: workload identity."""
    store_public_endpoint: Annotated[str, Field(pattern=r"^(https?://[^/?#@\s]+)?$")] = ""
    """The store as the world outside reaches it, ``http(s)://host[:port]``. If set, whoever asks for a bundle is sent there with a URL that is good for a
    while; empty: bundles come through the gateway."""
    store_url_seconds: Annotated[int, Field(ge=1, le=604_800)] = 900
    """How long such a URL is good."""

    kubeconfig: str = ""
    """Kubeconfig to use; empty: the Pod's own service account, else the usual one."""
    max_connections: Annotated[int, Field(ge=1, le=1000)] = 32
    """Connections to the API server, beside one for each watch."""
    list_page: Annotated[int, Field(ge=1, le=5000)] = 500
    """Objects of one page of a LIST."""
    watch_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """How long one watch request lasts. A connection on which nothing is heard for longer is given up, so it also bounds how long a dead
    one goes unnoticed."""
    request_seconds: Seconds = 15.0
    """How long a request to the API server may take, watches apart."""
    write_wait_seconds: Annotated[float, Field(ge=0, le=60)] = 2.0
    """How long the answer to a write waits for the cache to have seen it."""
    retry_seconds: Seconds = 10.0
    """Longest pause between two attempts to reach the API server."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 1 << 20
    """Bytes of a request's body. etcd takes objects of at most 1.5 MiB."""
    max_page_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Greatest page of a list."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: LogFormat = "json"
    """Log lines as JSON objects, or as text for people: json or text."""

    @property
    def default_namespace(self) -> str:
        """The namespace of jobs that name none."""
        return self.namespaces[0]


class SettingsError(Exception):
    """The environment is not fit to start with; the text names each variable and says what is wrong with it."""


def read_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: a variable is missing or wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(problem) for problem in error.errors(include_url=False))) from error


def _sentence(problem: Any) -> str:
    field = str(problem["loc"][0])
    variable = field if field.isupper() else f"{_PREFIX}{field.upper()}"
    if field == "auth_mode":
        return f"{variable} must be set to none, the only mode so far: everyone who reaches the gateway may then do everything that it may"
    return f"{variable}: {problem['msg']}"
