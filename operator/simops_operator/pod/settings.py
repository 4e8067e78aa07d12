"""The environment of the bundle container, see docs/architecture.md."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Environ = Mapping[str, str]


class ConfigurationError(Exception):
    """The Pod was not built as the contract says."""


@dataclass(frozen=True, kw_only=True)
class PackSettings:
    """What a Pod that runs points of a sweep is told beside the rest."""

    sweep: str
    prefix: str
    """Where in the store everything of the sweep lies (no slash at the end)."""
    round: int
    pack: int
    folder: str
    """The volume in which the simulation container finds its points."""
    command: tuple[str, ...]
    params: Mapping[str, Any]
    """Parameters that all points share; a point's own win."""
    batch: bool
    seconds: int
    """How long one point may take."""

    @property
    def of_pack(self) -> str:
        """Where everything of this pack lies."""
        return f"{self.prefix}/rounds/{self.round}/{self.pack}"

    @classmethod
    def from_environ(cls, environ: Environ) -> "PackSettings | None":
        """Read the variables of a pack; None for the Pod of a job."""
        if "SIMOPS_SWEEP_PREFIX" not in environ:
            return None
        batch = _text(environ, "SIMOPS_BATCH") == "true"
        command, params = _json(environ, "SIMOPS_COMMAND"), _json(environ, "SIMOPS_TEMPLATE_PARAMS")
        if not (isinstance(command, list) and all(isinstance(word, str) for word in command) and (command or batch)):
            raise _wrong("SIMOPS_COMMAND")
        if not isinstance(params, dict):
            raise _wrong("SIMOPS_TEMPLATE_PARAMS")
        return cls(
            sweep=_text(environ, "SIMOPS_SWEEP"),
            prefix=_text(environ, "SIMOPS_SWEEP_PREFIX").rstrip("/"),
            round=_integer(environ, "SIMOPS_ROUND"),
            pack=_integer(environ, "JOB_COMPLETION_INDEX"),
            folder=_text(environ, "SIMOPS_POINTS_DIR"),
            command=tuple(command),
            params=params,
            batch=batch,
            seconds=_integer(environ, "SIMOPS_POINT_SECONDS"),
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole of it."""

    outputs: str
    endpoint: str
    bucket: str
    region: str
    credentials: str
    key: str
    """What all objects of this Pod begin with, without the dot."""
    grace: float
    stop: float
    port: int
    stop_path: str
    pack: PackSettings | None = None

    @classmethod
    def from_environ(cls, environ: Environ) -> "Settings":
        """Read all variables or say which one is wrong."""
        pack = PackSettings.from_environ(environ)
        prefix = pack.of_pack if pack else _text(environ, "SIMOPS_KEY_PREFIX").rstrip("/")
        return cls(
            outputs=_text(environ, "SIMOPS_OUTPUTS"),
            endpoint=_text(environ, "SIMOPS_STORE_ENDPOINT"),
            bucket=_text(environ, "SIMOPS_STORE_BUCKET"),
            region=_text(environ, "SIMOPS_STORE_REGION"),
            credentials=environ.get("SIMOPS_STORE_CREDENTIALS", ""),
            key=f"{prefix}/{_text(environ, 'SIMOPS_POD')}",
            grace=_number(environ, "SIMOPS_GRACE_SECONDS"),
            stop=_number(environ, "SIMOPS_STOP_SECONDS"),
            port=_integer(environ, "SIMOPS_STOP_PORT"),
            stop_path=_text(environ, "SIMOPS_STOP_PATH"),
            pack=pack,
        )


def _wrong(name: str) -> ConfigurationError:
    return ConfigurationError(f"the environment variable {name} is missing or wrong")


def _text(environ: Environ, name: str) -> str:
    try:
        return environ[name]
    except KeyError as error:
        raise _wrong(name) from error


def _number(environ: Environ, name: str) -> float:
    try:
        return float(_text(environ, name))
    except ValueError as error:
        raise _wrong(name) from error


def _integer(environ: Environ, name: str) -> int:
    try:
        return int(_text(environ, name))
    except ValueError as error:
        raise _wrong(name) from error


def _json(environ: Environ, name: str) -> Any:
    try:
        return json.loads(_text(environ, name))
    except ValueError as error:
        raise _wrong(name) from error
