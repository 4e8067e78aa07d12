"""The bundle sidecar as a subprocess, started as kubelet would start it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from integration.servers import ACCESS, ROOT, SECRET, Server, until


class Sidecar:
    """One container: its environment, its process and its termination message."""

    def __init__(self, folder: Path, store: Server | None = None, **variables: str) -> None:
        self.outputs = folder / "outputs"
        self.outputs.mkdir(exist_ok=True)
        self.secret = folder / "secret"
        self.secret.mkdir(exist_ok=True)
        (self.secret / "access-key").write_text(ACCESS)
        (self.secret / "secret-key").write_text(SECRET + "\n")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.prefix = f"jobs/lab/heat/{folder.name}"
        self.key = f"{self.prefix}/heat-1-abcde.zip"
        self.log = folder / "log"
        self._message = folder / "termination-log"
        self._message.touch()
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'crds'}",
            "PYTHONWARNINGS": "error",
            "SIMOPS_OUTPUTS": str(self.outputs),
            "SIMOPS_STORE_ENDPOINT": store.endpoint if store else "http://127.0.0.1:9",
            "SIMOPS_STORE_BUCKET": store.bucket if store else "simops",
            "SIMOPS_STORE_REGION": "us-east-1",
            "SIMOPS_STORE_CREDENTIALS": str(self.secret),
            "SIMOPS_KEY_PREFIX": self.prefix,
            "SIMOPS_POD": "heat-1-abcde",
            "SIMOPS_GRACE_SECONDS": "120",
            "SIMOPS_STOP_SECONDS": "0.2",
            "SIMOPS_STOP_PORT": str(self.port),
            "SIMOPS_STOP_PATH": "/stop/6f0c",
            "SIMOPS_TERMINATION_LOG": str(self._message),
            **variables,
        }
        self.program = ["-m", "simops_operator.pod.bundle"]
        self.process: subprocess.Popen[bytes] | None = None
        self.max_rss_mib = 0.0

    def start(self) -> "Sidecar":
        """Start with SIGTERM blocked, as `env --block-signal=TERM` does it."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            with self.log.open("ab") as log:
                command = [sys.executable, *self.program]
                self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self

    def ready(self) -> "Sidecar":
        until(lambda: "waiting" in self.text(), "the sidecar waits")
        return self

    def stop(self) -> "Sidecar":
        self.send(signal.SIGTERM)
        return self

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = 120) -> int:
        """Wait for the end; remember what it needed."""
        assert self.process is not None
        pid, deadline = self.process.pid, time.monotonic() + seconds
        while True:
            self._measure(pid)
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            assert time.monotonic() < deadline, f"still running after {seconds} s: {self.text()}"
            time.sleep(0.01)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.process.returncode

    def _measure(self, pid: int) -> None:
        """Remember the peak of the resident memory (that of rusage counts the parent's from before the exec)."""
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                self.max_rss_mib = max(self.max_rss_mib, int(line.split()[1]) / 1024)

    def finish(self) -> dict[str, Any]:
        """Stop it, expect success and return what it told."""
        self.stop()
        code = self.wait()
        assert code == 0, self.text()
        return self.told()

    def close(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            self.process.wait()

    def notice(self) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client:
            client.sendall(b"GET /stop/6f0c HTTP/1.1\r\nHost: x\r\n\r\n")
            return client.recv(100)

    def told(self) -> dict[str, Any]:
        """The termination message."""
        text = self.message()
        assert len(text) <= 4096
        content = json.loads(text)
        assert isinstance(content, dict)
        return content

    def message(self) -> bytes:
        """The termination message as kubelet reads it."""
        return self._message.read_bytes()

    def text(self) -> str:
        """The log so far."""
        return self.log.read_text() if self.log.exists() else ""

    def cpu_seconds(self) -> float:
        """CPU time of the process so far, to the nanosecond."""
        assert self.process is not None
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9
