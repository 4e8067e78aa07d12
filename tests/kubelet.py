"""An API server in memory with SimulationJobs and the logs of their Pods, which misbehaves as a kubelet does when a test wants it.

That a real kubelet behaves so was tried (1.35) and is tried again by the end-to-end tests.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from nosweeps import no_sweeps

RUNS = "/apis/simops.dev/v1alpha1/namespaces/default/simulationjobs"
CREATED = "2026-03-01T12:00:00Z"
NANO = 1_000_000_000
FIRST = 1_772_366_400 * NANO


def uid_of(name: str) -> str:
    return f"0c0ffee0-0000-4000-8000-{abs(hash(name)) % 10**12:012d}"


def pod_of(name: str, attempt: int = 1) -> str:
    return f"{name}-0c0ffee0-pod{attempt:02d}"


def stamp(time: int) -> bytes:
    return f"{datetime.fromtimestamp(time // NANO, UTC):%Y-%m-%dT%H:%M:%S}.{time % NANO:09d}Z ".encode()


@dataclass
class Log:
    """The log of one container."""

    lines: list[tuple[int, bytes]] = field(default_factory=list)
    ended: bool = False
    refused: int = 0
    """Status with which it is refused: 400 while the container has not started, 404 when the Pod is gone; 0: it is given."""
    cuts: list[int] = field(default_factory=list)
    """For each of the next requests that follow: after how many bytes the connection is closed, as if that were the end."""
    fault: bytes = b""
    """What the kubelet says at the end of whoever follows, in place of following."""
    rotated: int = 0
    """Lines that are in an older file."""
    asked: list[dict[str, str]] = field(default_factory=list)
    open: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def print(self, *texts: bytes, step: int = NANO // 7) -> None:
        for text in texts:
            time = self.lines[-1][0] + step if self.lines else FIRST
            self.lines.append((time, text))
        self._tell()

    def end(self) -> None:
        self.ended = True
        self._tell()

    def _tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    @property
    def raw(self) -> bytes:
        return b"".join(text + b"\n" for _, text in self.lines)

    async def send(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.asked.append(query)
        if self.refused:
            return web.json_response({"message": "no log", "code": self.refused}, status=self.refused)
        response = web.StreamResponse()
        await response.prepare(request)
        left = self.cuts.pop(0) if self.cuts and "follow" in query else None
        self.open += 1
        try:
            await self._send(response, query, left)
        finally:
            self.open -= 1
        return response

    async def _send(self, response: web.StreamResponse, query: dict[str, str], left: int | None) -> None:
        since = datetime.fromisoformat(query["sinceTime"]).timestamp() * NANO if "sinceTime" in query else 0
        place = self.rotated
        if "tailLines" in query:
            place = max(place, len(self.lines) - int(query["tailLines"]))
        while True:
            changed = self.changed
            new, place = self.lines[place:], len(self.lines)
            shown = [(stamp(t) if "timestamps" in query else b"") + x + b"\n" for t, x in new if t >= since]
            data = b"".join(shown)
            if left is not None:
                await response.write(data[:left])
                left -= len(data)
                if left <= 0:
                    return
            elif data:
                await response.write(data)
            if "follow" not in query:
                return
            if self.fault:
                await response.write(self.fault)
                return
            if self.ended:
                return
            await changed.wait()


@dataclass
class ApiServer:
    """The whole of it."""

    logs: dict[str, Log] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    version: int = 5
    url: str = ""
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, name: str, phase: str = "Running", *, pod: str | None = None, **status: Any) -> None:
        """Make or change a run; its Pod is the first attempt's unless another is named."""
        kind = "MODIFIED" if name in self.runs else "ADDED"
        pod = pod_of(name) if pod is None else pod
        status = {"phase": phase} | ({"podName": pod, "attempts": 1} if pod else {}) | status
        meta = {"name": name, "namespace": "default", "uid": uid_of(name), "creationTimestamp": CREATED}
        self._say(kind, {"metadata": meta, "spec": {"image": "sim:local", "params": {}}, "status": status})

    def delete(self, name: str) -> None:
        self._say("DELETED", self.runs[name])
        del self.runs[name]

    def _say(self, kind: str, obj: dict[str, Any]) -> None:
        self.version += 1
        obj = obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self.version)}}
        self.runs[obj["metadata"]["name"]] = obj
        self.events.append((self.version, {"type": kind, "object": obj}))
        self.changed.set()
        self.changed = asyncio.Event()

    def log(self, pod: str) -> Log:
        return self.logs.setdefault(pod, Log())

    async def list(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            items = list(self.runs.values())
            return web.json_response({"items": items, "metadata": {"resourceVersion": str(self.version)}})
        response = web.StreamResponse()
        await response.prepare(request)
        seen = int(request.query["resourceVersion"])
        while True:
            changed = self.changed
            for version, event in [one for one in self.events if one[0] > seen]:
                await response.write(json.dumps(event).encode() + b"\n")
                seen = version
            await changed.wait()

    async def send_log(self, request: web.Request) -> web.StreamResponse:
        assert request.query["container"] == "simulation"
        pod = request.match_info["pod"]
        if pod not in self.logs:
            return web.json_response({"message": f'pods "{pod}" not found', "code": 404}, status=404)
        return await self.logs[pod].send(request)


@asynccontextmanager
async def api_server() -> AsyncIterator[ApiServer]:
    """Run it."""
    api = ApiServer()
    app = web.Application()
    app.add_routes(
        [web.get(RUNS, api.list), web.get("/api/v1/namespaces/default/pods/{pod}/log", api.send_log), *no_sweeps()]
    )
    # A handler is cancelled when its client leaves, so that `open` counts who is there.
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await asyncio.wait_for(runner.cleanup(), 20)
