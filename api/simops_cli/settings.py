"""Where the command finds its gateway or cluster: options, then the environment, then what `simops login` has saved."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from platformdirs import user_config_path

from simops_cli.core.inputs import InputError


@dataclass(frozen=True)
class Saved:
    """What `simops login` keeps."""

    server: str = ""
    token: str = ""
    token_file: str = ""
    ca: str = ""


@dataclass(frozen=True)
class Options:
    """What was said on the command line; None where nothing was."""

    server: str | None = None
    token_file: str | None = None
    namespace: str | None = None
    ca: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    direct: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Target:
    """What to talk to."""

    server: str | None
    """A gateway; None: Kubernetes itself."""
    token: str | Path | None = None
    ca: str | None = None
    namespace: str | None = None


def path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file of what is saved."""
    given = environment.get("SIMOPS_CONFIG")
    return Path(given) if given else user_config_path("simops", appauthor=False) / "login.json"


def load(file: Path) -> Saved:
    """Return what is saved.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        return Saved(**{name: str(raw.get(name) or "") for name in asdict(Saved())})
    except FileNotFoundError:
        return Saved()
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{file} cannot be read ({error}): simops login writes it anew") from error


def save(file: Path, saved: Saved) -> None:
    """Keep it, for nobody else to read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as sink:
        json.dump({name: value for name, value in asdict(saved).items() if value}, sink)
    part.replace(file)


def forget(file: Path) -> bool:
    """Remove what is saved; say whether there was something."""
    existed = file.exists()
    file.unlink(missing_ok=True)
    return existed


def target(options: Options, saved: Saved, environment: Mapping[str, str] = os.environ) -> Target:
    """Return what to talk to. A token that was saved is sent to the gateway that it was saved for, and to no other.

    Raises:
        InputError: there is no file of the token.
    """
    namespace = options.namespace or environment.get("SIMOPS_NAMESPACE")
    if options.direct:
        return Target(None, namespace=namespace)
    server = options.server or environment.get("SIMOPS_SERVER") or environment.get("SIMOPS_URL") or saved.server
    if not server:
        return Target(None, namespace=namespace)
    is_saved = server.rstrip("/") == saved.server.rstrip("/")
    file = options.token_file or environment.get("SIMOPS_TOKEN_FILE")
    if file and not Path(file).exists():
        raise InputError(f"there is no file {file}, which is to have the token")
    token: str | Path | None = Path(file) if file else environment.get("SIMOPS_TOKEN")
    if token is None and is_saved:
        token = Path(saved.token_file) if saved.token_file else saved.token or None
    return Target(server, token, options.ca or (saved.ca if is_saved else "") or None, namespace)
