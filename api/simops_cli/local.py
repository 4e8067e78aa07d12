"""One simulation on this machine, under the contract that it has in the cluster."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from simops_operator.pod.archive import Archive
from simops_operator.pod.summary import Metrics, read_metrics

STOP_SECONDS = 30.0
"""How long a simulation may go on after SIGTERM."""


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
        self, command: Sequence[str], environment: Mapping[str, str], *, log: Path, stopper: Sequence[str] = ()
    ) -> None:
        """Take what to run.

        Args:
            command: program and arguments.
            environment: of the process, whole.
            log: where what it prints is kept beside being shown.
            stopper: what sends SIGTERM to it, where a signal to the process would not arrive (a container).
        """
        self._command, self._environment, self._log, self._stopper = (
            list(command),
            dict(environment),
            log,
            list(stopper),
        )

    def go(self, timeout: float | None) -> Ended:
        """Run it; show what it prints.

        Raises:
            OSError: it cannot be started.
        """
        process = subprocess.Popen(  # noqa: S603 - what the person asked for
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        shown = threading.Thread(target=self._show, args=(process,))
        shown.start()
        timed_out = interrupted = killed = False
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            timed_out, killed = True, self._stop(process)
        except KeyboardInterrupt:
            interrupted, killed = True, self._stop(process)
        _signal(process, signal.SIGKILL)  # what it has left in the background
        shown.join()
        return Ended(process.returncode, timed_out, interrupted, killed)

    def _show(self, process: "subprocess.Popen[bytes]") -> None:
        if process.stdout is None:
            raise AssertionError("its output is a pipe")
        with self._log.open("wb") as log:
            while chunk := os.read(process.stdout.fileno(), 65_536):
                log.write(chunk)
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
        process.stdout.close()

    def _stop(self, process: "subprocess.Popen[bytes]") -> bool:
        """Tell it to stop, and end it if it does not; return whether it had to be ended."""
        if self._stopper:
            subprocess.run(self._stopper, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        else:
            _signal(process, signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            _signal(process, signal.SIGKILL)
            process.wait()
            return True
        return False


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
