"""Packs of points that a real shell runs: the runner as it is in a Pod, with folders of its own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcluster import packages
from simops_operator.pod import stage

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash"], "bash-posix": ["bash", "--posix"]}
RUNNER = Path(stage.__file__).with_name("run.sh")


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


class Pack:
    """Points to run, and what has become of them."""

    def __init__(self, folder: Path, shell: str, limit: int = 600) -> None:
        packages.ensure_packages(packages.missing_shells)
        self.shell = SHELLS[shell]
        self.points = folder / "points"
        self.outputs = folder / "outputs"
        self.scratch = folder / "scratch"
        for path in (self.points / "cancelled", self.outputs, self.scratch):
            path.mkdir(parents=True)
        shutil.copy(RUNNER, self.points)
        self.script = [stage.line("pack", str(self.outputs), str(self.scratch), "heat", str(limit))]
        self.environment = os.environ | {"SIMOPS_KILL_SECONDS": "1"}
        self.process: subprocess.Popen[bytes] | None = None

    def add(self, index: int, *command: str) -> "Pack":
        self.script.append(stage.line("folders", str(index)))
        self.script.append(stage.line("point", str(index), *command))
        return self

    def start(self, *before: str) -> "Pack":
        (self.points / "pack.sh").write_bytes(b"".join(self.script))
        command = [*before, *self.shell, str(self.points / "run.sh")]
        # Its standard input is never at its end, as a simulation that reads it must not wait for it.
        self.process = subprocess.Popen(
            command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return self

    def wait(self, seconds: float = 60) -> tuple[int, bytes]:
        """Exit code and the log of the Pod."""
        assert self.process is not None
        assert self.process.stdout is not None
        log = self.process.stdout.read()
        self.process.wait(seconds)
        self.close()
        return self.process.returncode, log

    def run(self, *before: str) -> bytes:
        code, log = self.start(*before).wait()
        assert code == 0, log
        return log

    def close(self) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.outputs / "results.jsonl").read_text().splitlines()]

    def results(self) -> list[dict[str, Any]]:
        """The lines so far, of a pack that may not even have begun."""
        return self.lines() if (self.outputs / "results.jsonl").exists() else []

    def codes(self) -> dict[int, int]:
        return {line["index"]: line["exitCode"] for line in self.lines() if "index" in line}

    def log(self, index: int) -> bytes:
        return (self.outputs / str(index) / "log.txt").read_bytes()
