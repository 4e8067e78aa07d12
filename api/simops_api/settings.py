"""The gateway's settings: environment → one frozen value, read once when the process starts.

Each variable is ``SIMOPS_`` and the field's name in capitals. Lists are separated by commas.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from simops_crds.limits import Maxima, parse_maxima
from simops_io.logs import LogFormat

_PREFIX = "SIMOPS_"
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:_-]+")


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("at least one is needed, separated by commas")
    return value


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        # Not *: a page of anybody's could then use what its reader's browser can reach.
        if not _ORIGIN.fullmatch(one):
            raise ValueError(f"{one!r} is no origin: write https://host or https://host:port")
    return value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Rate = Annotated[float, Field(ge=0, le=1_000_000)]
Burst = Annotated[int, Field(ge=1, le=10_000_000)]


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _either(name: str, other: str) -> AliasChoices:
    return AliasChoices(f"{_PREFIX}{name}", other)


class Settings(BaseSettings):
    """What an installation decides. Wrong values stop the gateway at its start with a message that names the variable."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, use_attribute_docstrings=True)

    auth_mode: Literal["kubernetes", "static", "none"]
    """Who may call. kubernetes: who has a bearer token that the API server takes (service accounts, OIDC). static: who has one of the tokens of
    a file. In both, RBAC of the cluster says what they may do. none: everyone who reaches the gateway may do everything that it may. It has no
    default, so that an open gateway is always somebody's decision."""
    auth_audiences: CommaList = ()
    """Mode kubernetes: audiences of which a token must be meant for one; empty: the API server's own."""
    auth_reviews: Literal["own", "caller"] = "own"
    """Mode kubernetes: with whose rights the API server is asked about a caller. own: the gateway's, which need a ClusterRole. caller: their own, by
    their token, which needs none; there are no audiences then."""
    static_tokens: str = ""
    """Mode static: file of lines ``token,user,"group1,group2"``, read again when it changes."""
    auth_cache_seconds: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """How long the API server's answer about a token or a permission is used again. So long a right that was taken away may still serve."""
    auth_stale_seconds: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """How old such an answer may be for reads while the API server gives none. Writes never use an old one."""
    rate_reads: Rate = 200.0
    """Reads that each caller may make a second, in each replica; 0: any number. In mode none nobody is known, and nobody is limited."""
    rate_reads_burst: Burst = 1000
    """Reads that they may make at once."""
    rate_writes: Rate = 50.0
    """Writes that each caller may make a second; 0: any number."""
    rate_writes_burst: Burst = 500
    """Writes that they may make at once."""
    rate_sign_ins: Rate = 20.0
    """Tokens a second that were not shown here lately, good ones or bad ones, from one address (IPv6: one network of 64 bits); 0: any number."""
    rate_sign_ins_burst: Burst = 200
    """Such tokens that may come at once."""
    cors_origins: Annotated[CommaList, AfterValidator(_origins)] = ()
    """Origins (``https://host[:port]``) whose pages may call the gateway from a browser; empty: none."""
    allowed_hosts: CommaList = ()
    """Names (``host``, ``host:port`` or ``*.domain``) that a request may give as its Host; empty: any. Probes are always answered."""
    docs_assets: Annotated[str, Field(pattern=r"^((https?:/)?/[^\s'\";,]+)?$")] = (
        "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5"
    )
    """Folder from which the page /docs loads swagger-ui-bundle.js and swagger-ui.css in the reader's browser; empty: there is no such page."""

    ui: bool = True
    """Serve the page for people at /ui."""

    namespaces: Annotated[CommaList, AfterValidator(_not_empty)] = ("default",)
    """Namespaces whose objects are served. Ids in the first one need no namespace."""
    default_container_image: str = Field(
        default="", validation_alias=_either("DEFAULT_CONTAINER_IMAGE", "DEFAULT_CONTAINER_IMAGE")
    )
    """Image of a job that names none; empty: each must name its own."""
    default_container_command: CommaList = ()
    """Command of the default image, for its sweeps that give none (the entrypoint of an image cannot be read from inside the cluster)."""

    allowed_images: CommaList = ("*",)
    """Patterns of the images that may run; ``*`` stands for any characters. The operator has the same setting."""
    require_digest: bool = False
    """Images must be named by their digest (``name@sha256:…``). The operator has the same setting."""
    max_timeout_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = Field(
        default=604_800, validation_alias=_either("MAX_TIMEOUT_SECONDS", "MAX_JOB_TIMEOUT")
    )
    """Greatest timeout that a job may ask for, in seconds. A job that asks for none gets this if the usual 3600 are more. The operator has the same setting."""
    max_resources: Annotated[Maxima, NoDecode, BeforeValidator(parse_maxima)] = ()
    """The most that a simulation may ask for, such as ``cpu=64,memory=256Gi,nvidia.com/gpu=8``. The operator has the same setting."""
    max_sweep_points: Annotated[int, Field(ge=1, le=1_000_000)] = 200_000
    """Points that a sweep may have. The operator has the same setting."""

    store_endpoint: str = "http://simops-minio:9000"
    """The store as ``http(s)://host[:port]``."""
    store_bucket: str = "simops"
    """Bucket that holds everything."""
    store_region: str = "us-east-1"
    """Region that requests are signed for."""
    store_credentials: str = "/simops/store"
    """Folder with access-key and secret-key; without these files: workload identity."""
    store_create_bucket: bool = True
    """Make the bucket for the first list of points that is uploaded, if the operator has not made it yet."""
    store_public_endpoint: Annotated[str, Field(pattern=r"^(https?://[^/?#@\s]+)?$")] = ""
    """The store as the world outside reaches it, ``http(s)://host[:port]``. If set, whoever asks for a bundle is sent there with a URL that is good for a
    while; empty: bundles come through the gateway."""
    store_url_seconds: Annotated[int, Field(ge=1, le=604_800)] = 900
    """How long such a URL is good."""

    http_host: str = "0.0.0.0"  # noqa: S104 - a Pod is reached by its address
    """Address to listen at."""
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen at; 0: any that is free."""
    shutdown_seconds: Annotated[int, Field(ge=1, le=3600)] = 20
    """How long requests that are being answered may take after the process was told to stop. Streams end at once: they are taken up elsewhere."""

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
    max_bulk_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 8 << 20
    """Bytes of the body of a request for many jobs at once."""
    max_upload_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 16 << 20
    """Bytes of an uploaded list of points. It is held in memory while it is read, several times over."""
    max_streams: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Logs and event streams that are sent at once; who comes then is told to come again."""
    heartbeat_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 15.0
    """After how long without an event a stream is sent a comment, so that nothing between here and the client takes it for dead."""
    log_window_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 30)] = 1 << 20
    """How much of the end of a followed log is kept in memory, once for all who follow it."""
    max_page_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Greatest page of a list."""
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = Field(
        default="INFO", validation_alias=_either("LOG_LEVEL", "LOG_LEVEL")
    )
    """From which level on lines are logged: DEBUG, INFO, WARNING or ERROR."""
    debug: bool = Field(default=False, validation_alias=_either("DEBUG", "DEBUG"))
    """Log everything, whatever the level is."""
    log_format: LogFormat = "json"
    """Log lines as JSON objects, or as text for people: json or text."""

    @model_validator(mode="after")
    def _has_tokens(self) -> Self:
        if (self.auth_mode == "static") != bool(self.static_tokens):
            raise ValueError(
                f"{_PREFIX}STATIC_TOKENS names the file of tokens when {_PREFIX}AUTH_MODE is static, and only then"
            )
        return self

    @model_validator(mode="after")
    def _may_ask(self) -> Self:
        if self.auth_reviews == "caller" and self.auth_mode == "static":
            raise ValueError(
                f"{_PREFIX}AUTH_REVIEWS must be own when {_PREFIX}AUTH_MODE is static: the API server knows nothing of these tokens"
            )
        if self.auth_reviews == "caller" and self.auth_audiences:
            raise ValueError(
                f"{_PREFIX}AUTH_AUDIENCES must be empty when {_PREFIX}AUTH_REVIEWS is caller: the API server is asked with the token, which it takes "
                "only if it is meant for itself"
            )
        return self

    @property
    def logged_level(self) -> str:
        """From which level on lines are logged."""
        return "DEBUG" if self.debug else self.log_level

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
    if not problem["loc"]:
        return str(problem["msg"]).removeprefix("Value error, ")
    field = str(problem["loc"][0])
    variable = field if field.isupper() else f"{_PREFIX}{field.upper()}"
    if field == "auth_mode":
        return (
            f"{variable} must be set: to kubernetes (tokens that the API server takes), to static (a file of tokens), or to none: everyone who "
            "reaches the gateway may then do everything that it may"
        )
    return f"{variable}: {problem['msg']}"
