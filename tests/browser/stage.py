"""What the page is tested against: the real gateway as a process, a real API server, a store in memory. Statuses are written as the operator would."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contract.objects import Manifest, job
from contract.server import Api
from s3 import Store, store_in_memory
from stored import zip_of

from simops_crds.names import key_prefix, kubernetes_job_name

SECONDS = 60.0
STARTED = "2026-11-23T16:00:00Z"
ENDED = {"startTime": STARTED, "completionTime": "2026-11-23T16:00:05Z"}


def until(condition: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Wait for something, with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


@contextmanager
def a_store(folder: Path) -> Iterator[tuple[Store, dict[str, Any]]]:
    """Run a store in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opened = store_in_memory(folder)
    try:
        yield asyncio.run_coroutine_threadsafe(opened.__aenter__(), loop).result(SECONDS)
    finally:
        asyncio.run_coroutine_threadsafe(opened.__aexit__(None, None, None), loop).result(SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)
        loop.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Gateway:
    """The gateway as a process that can be stopped and started again at the same address."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None
        own = {f"SIMOPS_{name.upper()}": str(value) for name, value in settings.items()}
        path = os.pathsep.join(path for path in sys.path if path)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SIMOPS_")}
        self._environ = {
            **kept,
            **own,
            "PYTHONPATH": path,
            "SIMOPS_HTTP_HOST": "127.0.0.1",
            "SIMOPS_HTTP_PORT": str(self.port),
        }

    def start(self) -> None:
        """Start it, and wait until it knows everything."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "simops_api"], env=self._environ, stdout=log, stderr=log
            )
        until(self._is_ready, "the gateway is ready")

    def stop(self) -> None:
        """Stop it as Kubernetes does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(SECONDS)
            self._process = None

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/ready", timeout=5) as response:
            return bool(response.status == 200)
        return False


class Stage:
    """A gateway, its store and its API server."""

    def __init__(self, gateway: Gateway, store: Store, api: Api) -> None:
        self.gateway = gateway
        self.store = store
        self.api = api
        self._made: list[Manifest] = []

    @property
    def url(self) -> str:
        return self.gateway.url

    def make(self, manifest: Manifest, **status: Any) -> Manifest:
        """Create an object, with a status if one is given; it goes after the test."""
        made = self.api.create(manifest)
        self._made.append(manifest)
        if status:
            self.api.patch(manifest, {"status": status}, status=True)
        return made

    def run(self, name: str, **status: Any) -> None:
        """Do what the operator does when a run has begun."""
        self.api.patch(job(name), {"status": {"phase": "Running", "startTime": STARTED, **status}}, status=True)

    def finish(self, name: str, phase: str = "Succeeded", **status: Any) -> None:
        """Do what the operator does at the end of a run."""
        self.api.patch(job(name), {"status": {"phase": phase, **ENDED, **status}}, status=True)

    def leave(self, name: str, files: dict[str, bytes], log: str = "", **status: Any) -> None:
        """End a job that has left these files and printed this."""
        meta = self.api.read(job(name))["metadata"]
        pod = f"{kubernetes_job_name(name, meta['uid'])}-abcde"
        key = f"{key_prefix('default', name, meta['uid'])}/{pod}"
        self.store.objects[f"{key}.zip"] = zip_of(files)
        self.store.objects[f"{key}.log"] = log.encode()
        artifacts = {"log": f"{key}.log", "bundle": f"{key}.zip"}
        self.finish(name, **{"podName": pod, "artifacts": artifacts, "exitCode": 0, "attempts": 1, **status})

    def clear(self) -> None:
        """Delete what was made."""
        for manifest in self._made:
            with contextlib.suppress(Exception):
                self.api.delete(manifest)
        self._made.clear()
        self.store.objects.clear()
