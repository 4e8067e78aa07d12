"""Requests as values, and the fields of those that make something."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict
from urllib.parse import quote

from simops_client.models import Scalar

KEY_HEADER = "Idempotency-Key"
Query = tuple[tuple[str, str], ...]
_NO_PARTS = ("", ".", "..")


@dataclass(frozen=True)
class Request:
    """One request to the gateway; its path is below ``/api/v1``."""

    method: str
    path: str
    query: Query = ()
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    read_seconds: float | None = None
    """How long to wait for the next bytes. Default: the client's timeout."""

    @property
    def repeatable(self) -> bool:
        """Whether it does no harm to send it again without knowing what became of it the first time."""
        return self.method == "GET" or KEY_HEADER in self.headers


class RunFields(TypedDict, total=False):
    """Fields of a run beside its image. They are those of ``POST /api/v1/jobs``; what is left out has the installation's default."""

    name: str
    """What to call it; ``Conflict`` when there is one of that name. Default: a name that is made for it."""
    params: Mapping[str, Scalar]
    """The parameters: each becomes ``--name value``."""
    command: Sequence[str]
    """Replaces the image's entrypoint. A sweep needs it."""
    args: Sequence[str]
    """Arguments before the parameters."""
    env: Mapping[str, str]
    """Environment variables."""
    resources: Mapping[str, Mapping[str, int | str]]
    """``{"requests": {"cpu": 1}, "limits": {"memory": "2Gi"}}``."""
    timeout_seconds: int
    """How long one attempt, or one point, may take."""
    pending_timeout_seconds: int
    """Give up when nothing has started after so long."""
    retries: int
    """How often what failed is tried again."""
    labels: Mapping[str, str]
    """Labels, by which lists can be filtered."""
    metadata: Mapping[str, str]
    """Free-form notes."""
    namespace: str
    """Where to make it."""
    network: Literal["None", "Cluster", "Internet"]
    """What the simulation may reach."""
    node_selector: Mapping[str, str]
    tolerations: Sequence[Mapping[str, Any]]
    priority_class_name: str
    queue_name: str
    """Kueue LocalQueue."""
    suspend: bool
    """Do not run before this is false."""
    ttl_seconds_after_finished: int
    """Delete the object so long after it finished; the store keeps what it left."""
    artifacts: Mapping[str, Any]
    """What becomes of the results: ``{"expireAfterSeconds": …}``."""


class Run(RunFields, total=False):
    """Fields of a run."""

    image: str
    """The simulation image."""


class SweepFields(RunFields, total=False):
    """Fields of a sweep beside its image and points: those of a run, which all points share, and some of its own."""

    parallelism: int
    """Pods that run at once, at most."""
    points_per_pod: int | Literal["auto"]
    """Points that one Pod runs one after another; auto measures a few first."""
    retries_per_point: int
    """The same as ``retries``."""
    max_failed_points: int
    """Stop when more points than this have failed."""
    reuse: bool
    """Take the results of identical points that were run before; the image must be given by its digest."""
    batch: bool
    """The image handles many points in one process."""


def body_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a run as JSON values, those that are None left out."""
    body = {name: plain(value) for name, value in fields.items() if value is not None}
    if isinstance(body.get("env"), dict):
        body["env"] = [{"name": name, "value": str(value)} for name, value in body["env"].items()]
    return body


def plain(value: Any) -> Any:
    """Return a value as JSON has it: numpy's numbers and arrays become Python's."""
    if hasattr(value, "tolist"):  # numpy, without importing it
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(one) for one in value]
    return value


def making(path: str, body: Any, key: str | None, *, dry_run: bool = False) -> Request:
    """Return the request that makes something. With its key it can be sent again: it makes one thing, however often it arrives."""
    query: Query = (("dry_run", "true"),) if dry_run else ()
    return Request("POST", path, query, json=body, headers={KEY_HEADER: key or str(uuid.uuid4())})


def query_of(**filters: Any) -> Query:
    """Return filters as a query: None is left out, a list is given several times, a mapping is ``key=value``."""
    pairs: list[tuple[str, str]] = []
    for name, value in filters.items():
        pairs += [(name, text) for text in _texts(value)]
    return tuple(pairs)


def _texts(value: Any) -> list[str]:
    match value:
        case None:
            return []
        case bool():
            return [str(value).lower()]
        case datetime():
            # One without a zone is this machine's time, as everywhere in Python.
            return [value.astimezone(UTC).isoformat().replace("+00:00", "Z")]
        case Mapping():
            return [f"{key}={one}" for key, one in value.items()]
        case list() | tuple() | set() | frozenset():
            return [str(one) for one in value]
        case _:
            return [str(value)]


def segment(text: str) -> str:
    """Return an id as a part of a path.

    Raises:
        ValueError: it can be none.
    """
    if text in _NO_PARTS:
        raise ValueError(f"{text!r} is no id")
    return quote(text, safe="")


def archive_path(folder: str | Path, identity: str, *, hidden: bool) -> Path:
    """Return where the zip of a job or sweep is put: in the folder, whatever its id is. One that is to stay may be named itself, as ``….zip``."""
    if not hidden and Path(folder).suffix.lower() == ".zip" and not Path(folder).is_dir():
        return Path(folder)
    return Path(folder) / f"{'.' if hidden else ''}{quote(identity, safe='')}.zip"


def file_path(text: str) -> str:
    """Return the path of a file as a part of a path.

    Raises:
        ValueError: it leads elsewhere.
    """
    if any(part in _NO_PARTS for part in text.split("/")):
        raise ValueError(f"{text!r} is no path of a file in a result")
    return quote(text, safe="/")
