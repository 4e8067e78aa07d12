"""The gateway while the API server cannot be reached, says nothing, or has forgotten: reads go on, writes say so, all of it heals."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml
from contract.objects import Manifest, job
from contract.server import Api
from unit.test_api_serving import problem_in, serving, settings_of

from localcluster import machine
from localcluster.paths import cluster_paths
from localcluster.state import read_state
from simops_api.cache import WatchCache
from simops_api.cluster import Cluster, Objects
from simops_api.index import Query
from simops_api.records import record_of
from simops_crds.kinds import SIMULATION_JOB
from simops_io.kube import load_client

JOBS = "/api/v1/jobs"
ATTEMPTS = 40
Make = Callable[[Manifest], Manifest]


class Wire:
    """What lies between the gateway and the API server: a TCP relay that can be cut, or fall silent."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open = asyncio.Event()
        self._open.set()
        self._cut = False
        self._links: set[asyncio.Task[None]] = set()
        self._dead: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def cut(self) -> None:
        """Close every connection, and every new one at once."""
        self._cut = True
        self.close()

    def mend(self) -> None:
        self._cut = False

    def deaden(self) -> None:
        """Carry nothing more over the connections that there are, and leave them open. New ones work."""
        self._dead |= self._links

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._cut:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        own = {writer, there_writer}
        self._writers |= own
        self._links.add(task)
        try:
            with contextlib.suppress(OSError):
                await asyncio.gather(self._carry(reader, there_writer, task), self._carry(there_reader, writer, task))
        finally:
            self._links.discard(task)
            self._dead.discard(task)
            self._writers -= own
            for one in own:
                one.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: asyncio.Task[None]
    ) -> None:
        while data := await reader.read(1 << 16):
            if link not in self._dead:
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


def _parsed(kubeconfig: str) -> Any:
    return yaml.safe_load(Path(kubeconfig).read_text())


@asynccontextmanager
async def wire_to(kubeconfig: str, folder: Path) -> AsyncIterator[tuple[Wire, Path]]:
    """A relay to the API server, and a kubeconfig that goes through it."""
    config = _parsed(kubeconfig)
    cluster = config["clusters"][0]["cluster"]
    address = urlsplit(cluster["server"])
    assert address.hostname
    wire = Wire(address.hostname, address.port or 443)
    server = await wire.start()
    cluster |= {"server": f"https://127.0.0.1:{wire.port}", "tls-server-name": address.hostname}
    path = folder / "through-the-wire"
    path.write_text(json.dumps(config))
    try:
        yield wire, path
    finally:
        server.close()
        wire.close()
        await server.wait_closed()


@asynccontextmanager
async def gateway_of(kubeconfig: str | Path) -> AsyncIterator[aiohttp.ClientSession]:
    # A write waits long for the cache, so that its answer says: the watch works again.
    settings = settings_of(kubeconfig, watch_seconds=1, request_seconds=1.0, retry_seconds=0.2, write_wait_seconds=60.0)
    async with serving(settings) as session:
        yield session


async def read(gateway: aiohttp.ClientSession, path: str) -> tuple[int, Any]:
    async with gateway.get(path) as response:
        return response.status, await response.json()


async def write(gateway: aiohttp.ClientSession, made: list[str]) -> int:
    async with gateway.post(JOBS, json={}) as response:
        if response.status == 201:
            made.extend((await response.json())["jobs"])
        else:
            await problem_in(response, 503)
            assert int(response.headers["Retry-After"]) > 0
        return response.status


@pytest.fixture
def made_by_rest(api: Api) -> Iterator[list[str]]:
    made: list[str] = []
    yield made
    for name in made:
        api.delete(job(name))


async def test_an_api_server_that_is_gone_for_a_while_costs_no_read_and_no_list(
    api: Api, made: Make, made_by_rest: list[str], tmp_path: Path
) -> None:
    made(job("before"))
    async with wire_to(api.kubeconfig, tmp_path) as (wire, kubeconfig), gateway_of(kubeconfig) as gateway:
        wire.cut()
        made(job("meanwhile"))
        assert await write(gateway, made_by_rest) == 503
        for path in (f"{JOBS}/before", JOBS, f"{JOBS}/stats", "/ready", "/live"):
            assert (await read(gateway, path))[0] == 200
        async with gateway.get(f"{JOBS}/meanwhile") as response:
            assert "does not answer" in (await problem_in(response, 503))["detail"]
        async with gateway.delete(f"{JOBS}/before") as response:
            await problem_in(response, 503)
        wire.mend()
        assert await write(gateway, made_by_rest) == 201
        for name in ("before", "meanwhile", *made_by_rest):
            assert (await read(gateway, f"{JOBS}/{name}"))[0] == 200
        assert (await read(gateway, "/health"))[1]["relists"] == 2  # one of each kind


async def test_a_connection_that_is_open_but_dead_is_noticed(
    api: Api, made: Make, made_by_rest: list[str], tmp_path: Path
) -> None:
    made(job("before"))
    async with wire_to(api.kubeconfig, tmp_path) as (wire, kubeconfig), gateway_of(kubeconfig) as gateway:
        wire.deaden()
        api.patch(job("before"), {"status": {"phase": "Running"}}, status=True)
        assert (await read(gateway, f"{JOBS}/before"))[1]["status"] == "Pending"
        # Connections that were kept for the next request are dead too; each is given up once.
        for _ in range(ATTEMPTS):
            if await write(gateway, made_by_rest) == 201:
                break
        assert len(made_by_rest) == 1
        assert (await read(gateway, f"{JOBS}/before"))[1]["status"] == "Running"
        assert (await read(gateway, "/health"))[1]["relists"] == 2  # one of each kind


@contextmanager
def stopped(kubeconfig: str) -> Iterator[None]:
    """Stop the process of the API server, and let it go on afterwards."""
    state = read_state(cluster_paths(Path(kubeconfig).parent.name))
    if state is None or state.process is None:
        pytest.skip("the API server is no process of this machine")
    (number,) = [pid for pid, program in machine.members(state.process) if program == "kube-apiserver"]
    os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(number, signal.SIGCONT)


async def cancel(gateway: aiohttp.ClientSession, name: str) -> int:
    async with gateway.delete(f"{JOBS}/{name}") as response:
        if response.status != 202:
            await problem_in(response, 503)
        return response.status


async def test_an_api_server_whose_process_is_stopped_is_waited_for(api: Api, made: Make) -> None:
    made(job("before"))
    async with gateway_of(api.kubeconfig) as gateway:
        with stopped(api.kubeconfig):
            # Seven refusals, of a second each, are longer than a silent watch is kept. To cancel begins with a read: what the
            # API server still finds to do when it goes on changes nothing.
            assert [await cancel(gateway, "before") for _ in range(7)] == [503] * 7
            async with gateway.get(JOBS) as response:
                assert response.status == 200
                assert "before" in [one["id"] for one in (await response.json())["items"]]
                assert int(response.headers["Age"]) >= 5
            assert (await read(gateway, "/ready"))[0] == 200
        answers = [await cancel(gateway, "before")]
        while answers[-1] != 202:
            assert len(answers) < ATTEMPTS
            answers.append(await cancel(gateway, "before"))
        assert (await read(gateway, f"{JOBS}/before"))[1]["cancelled"] is True
        assert (await read(gateway, "/health"))[1]["relists"] == 2  # one of each kind


async def test_a_place_that_the_real_api_server_has_forgotten_leads_to_a_list(api: Api, made: Make) -> None:
    version = made(job("before"))["metadata"]["resourceVersion"]
    client = await load_client(8, api.kubeconfig)
    cache = WatchCache(
        Objects(Cluster(client), SIMULATION_JOB),
        ("default",),
        lambda obj: record_of(obj, obj["metadata"]["name"]),
        page=1,
    )
    cache._places["default"].version = "1"
    cache.index.change([record_of(job("ghost") | {"metadata": made(job("other"))["metadata"]}, "ghost")])
    following = asyncio.create_task(cache.run())
    try:
        assert await cache.wait_for("default", version, 30)
        ids = {record.id for record in cache.index.page(Query(), 0, 1000).records}
        assert {"before", "other"} <= ids
        assert "ghost" not in ids
        assert cache.relists == 1
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await client.close()  # type: ignore[no-untyped-call]
