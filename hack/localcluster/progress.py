"""Say what is being done and for how long, and keep the output of long commands in a log whose tail explains a failure.

On a terminal the line is updated in place; elsewhere a line every 15 seconds shows that the step is alive.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

QUIET_SECONDS = 15.0
TTY_SECONDS = 0.5


class StepError(RuntimeError):
    """A step failed; the message is meant for a person."""


def elapsed(seconds: float) -> str:
    """Write a duration as a person would: `6.5 s`, `4 min 20 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def tail(path: Path, lines: int = 20, *, chars: int = 8000) -> str:
    """Return the last lines of a file, indented, without reading all of it."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - chars))
            text = stream.read().decode(errors="replace")
    except OSError as error:
        return f"    ({error})"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def say(message: str, stream: TextIO | None = None) -> None:
    """Print one line for a person; standard output stays free for what a program reads."""
    print(message, file=stream or sys.stderr, flush=True)


@contextlib.contextmanager
def step(title: str, stream: TextIO | None = None) -> Iterator[None]:
    """Show `title` while the body runs, then how long it took."""
    out = stream or sys.stderr
    tty = out.isatty() and os.environ.get("TERM") != "dumb"
    start = time.monotonic()
    done = threading.Event()

    def show() -> None:
        while not done.wait(TTY_SECONDS if tty else QUIET_SECONDS):
            line = f"{title} … {elapsed(time.monotonic() - start)}"
            print(f"\r\033[K{line}" if tty else line, end="" if tty else "\n", file=out, flush=True)

    shower = threading.Thread(target=show, daemon=True)
    shower.start()
    outcome = "failed after"
    try:
        yield
        outcome = "done in"
    finally:
        done.set()
        shower.join()
        clear = "\r\033[K" if tty else ""
        say(f"{clear}{title}: {outcome} {elapsed(time.monotonic() - start)}", out)


def run_logged(
    title: str,
    command: Sequence[str | Path],
    log: Path,
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a long command as a step; its output goes to `log`, and its tail into the error when it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        output.write(f"$ {' '.join(map(str, command))}\n".encode())
        output.flush()
        try:
            with step(title):
                subprocess.run(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=timeout,
                    check=True,
                    env={**os.environ, **(env or {})},
                    cwd=cwd,
                )
        except FileNotFoundError as error:
            msg = f"{title}: {command[0]} is not installed"
            raise StepError(msg) from error
        except subprocess.SubprocessError as error:
            why = (
                f"exit code {error.returncode}"
                if isinstance(error, subprocess.CalledProcessError)
                else f"not finished after {elapsed(timeout)}"
            )
            msg = f"{title}: {why}; the end of {log}:\n{tail(log)}"
            raise StepError(msg) from error


def wait_until(what: str, ready: Callable[[], bool], *, timeout: float, every: float = 0.1) -> None:
    """Poll `ready` until it says yes; a deadline that passes is a `StepError` which names `what`."""
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            msg = f"{what}: not after {elapsed(timeout)}"
            raise StepError(msg)
        time.sleep(every)
