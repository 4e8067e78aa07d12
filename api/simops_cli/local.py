"""One simulation on this machine, under the contract that it has in the cluster."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from simops_operator.pod.archive import Archive
from simops_operator.pod.fitting import Metrics
from simops_operator.pod.summary import read_metrics

STOP_SECONDS = 30.0
"""How long a simulation may go on after SIGTERM."""
_LAST_WORDS_SECONDS = 5.0


@dataclass(frozen=True)
class Ended:
    """How it ended."""

    code: int
    timed_out: bool = False
    interrupted: bool = False
    killed: bool = False
    """Whether it went on after SIGTERM, and was ended by SIGKILL."""


@dataclass(frozen=True)
class Left:
    """What it has left."""

    files: int
    bytes: int
    skipped: tuple[tuple[str, str], ...]
    """Names that a bundle would leave out, and why."""
    metrics: Metrics
    metrics_error: str | None


class Run:
    """A process and everything that it starts."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        log: Path,
        engine: Sequence[str] = (),
        name: str = "",
    ) -> None:
        """Take what to run.

        Args:
            command: program and arguments.
            environment: of the process, whole.
            log: where what it prints is kept beside being shown.
            engine: what runs it in a container, to which a signal to the process would not arrive.
            name: of that container.
        """
        self._command, self._environment, self._log = list(command), dict(environment), log
        self._engine, self._name = list(engine), name

    def go(self, timeout: float | None) -> Ended:
        """Run it; show what it prints.

        Raises:
            OSError: it cannot be started, or its log cannot be kept.
        """
        with self._log.open("xb", buffering=0) as log:
            process = subprocess.Popen(  # noqa: S603 - what the person asked for
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            shown = threading.Thread(target=_show, args=(process, log), daemon=True)
            ended = self._waited(process, shown, timeout)
            _signal(process, signal.SIGKILL)  # what it has left in the background
            if shown.ident is not None:
                shown.join(_LAST_WORDS_SECONDS)  # what left its session may hold the pipe for ever
            elif process.stdout is not None:
                process.stdout.close()
        return ended

    def _waited(self, process: "subprocess.Popen[bytes]", shown: threading.Thread, timeout: float | None) -> Ended:
        timed_out = interrupted = killed = False
        try:
            # Within: who sees the first line may interrupt before there is anything else to wait for.
            shown.start()
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            timed_out, killed = True, self._stop(process)
        except KeyboardInterrupt:
            interrupted, killed = True, self._stop(process)
        return Ended(process.returncode, timed_out, interrupted, killed)

    def _stop(self, process: "subprocess.Popen[bytes]") -> bool:
        """Tell it to stop, and end it if it does not; return whether it had to be ended."""
        self._tell(process, signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._tell(process, signal.SIGKILL)
            process.wait()
            return True
        return False

    def _tell(self, process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
        """Send a signal. A container goes on without the program that has started it, so it is told by its engine."""
        if self._engine:
            words = [*self._engine, "kill", "--signal", number.name.removeprefix("SIG"), self._name]
            subprocess.run(words, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        if not self._engine or number is signal.SIGKILL:
            _signal(process, number)


def _show(process: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    """Show and keep what it prints. Where nobody looks any more (``| head``), it is kept all the same, as it must not wait for a reader."""
    if process.stdout is None:
        raise AssertionError("its output is a pipe")
    is_shown = True
    while chunk := os.read(process.stdout.fileno(), 65_536):
        with contextlib.suppress(
            ValueError, OSError
        ):  # closed: these are later words than the last that are waited for; or a full disk
            log.write(chunk)
        if is_shown:
            try:
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
            except OSError:
                is_shown = False
    process.stdout.close()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def left_in(outputs: Path) -> Left:
    """Return what a bundle of these outputs would have: read by the code that makes it in the cluster."""
    archive = Archive(str(outputs))
    for _ in archive.chunks():
        pass
    metrics, error = read_metrics(str(outputs))
    return Left(archive.files, archive.bytes, tuple(archive.skipped), metrics, error)
