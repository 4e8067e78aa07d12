"""The Python client against the real gateway and a real API server: what it sends is taken, and what it is answered is what it says."""

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from clients import all_of, both, done
from contract.objects import Manifest, job, sweep
from contract.server import Api
from s3 import Store, store_in_memory
from stored import zip_of
from unit.test_api_serving import serving, settings_of

from simops_client import (
    AsyncClient,
    Client,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    SimulationFailed,
    Unauthorized,
    integers,
    linspace,
)
from simops_crds.names import key_prefix, kubernetes_job_name

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAT = {"length": 1.0, "time_steps": 200, "method": "ftcs", "quick": True}
FILES = {"metrics.json": b'{"max": 1.5}', "deep/noise.bin": random.Random(1).randbytes(60_000)}
TOKEN = "t" * 20
ENDED = {"startTime": "2026-11-23T16:00:00Z", "completionTime": "2026-11-23T16:00:05Z"}


@dataclass
class World:
    """A gateway, its store and its API server."""

    url: str
    store: Store
    api: Api

    def finish(self, name: str, phase: str = "Succeeded", **status: Any) -> None:
        """Do what the operator does at the end of a run."""
        self.api.patch(job(name), {"status": {"phase": phase, **ENDED, **status}}, status=True)

    def leave(self, name: str) -> tuple[str, str]:
        """Put a result of a job into the store; return the name of its Pod, and the key."""
        meta = self.api.read(job(name))["metadata"]
        pod = f"{kubernetes_job_name(name, meta['uid'])}-abcde"
        key = f"{key_prefix('default', name, meta['uid'])}/{pod}.zip"
        self.store.objects[key] = zip_of(FILES)
        return pod, key

    def print(self, name: str, lines: list[str]) -> None:
        """End a job that has a result and has printed these lines."""
        pod, bundle = self.leave(name)
        log = bundle.replace(".zip", ".log")
        self.store.objects[log] = "".join(f"{line}\n" for line in lines).encode()
        self.finish(name, podName=pod, artifacts={"log": log, "bundle": bundle})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(api: Api, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with store_in_memory(tmp_path_factory.mktemp("store")) as (store, own):
        more = {"default_container_command": ("python", "-m", "simops_sim"), "max_connections": 8}
        async with serving(settings_of(api.kubeconfig, **own, **more)) as session:
            yield World(str(session._base_url), store, api)


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Asking:
    """A client of one kind. The blocking one is asked in a thread, since the gateway runs in this one."""

    def __init__(self, kind: str, url: str, **options: Any) -> None:
        self.kind = kind
        self.client: Any = Client(url, **options) if kind == "sync" else AsyncClient(url, **options)

    async def do(self, call: Callable[[], Any]) -> Any:
        return await (asyncio.to_thread(call) if self.kind == "sync" else done(call()))

    async def all(self, call: Callable[[], Any]) -> list[Any]:
        if self.kind == "sync":
            return await asyncio.to_thread(lambda: list(call()))
        return list(await all_of(call()))


@asynccontextmanager
async def cutting(url: str, after: int) -> AsyncIterator[str]:
    """A way to the gateway on which each connection breaks after so many bytes of answers."""
    host, port = str(urlsplit(url).hostname), urlsplit(url).port

    async def forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter, most: float) -> None:
        with contextlib.suppress(ConnectionError):
            while most > 0 and (data := await source.read(int(min(most, 1 << 16)))):
                most -= len(data)
                sink.write(data)
                await sink.drain()

    open_ones: set[asyncio.Task[Any]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (own := asyncio.current_task()) is not None:
            open_ones.add(own)
            own.add_done_callback(open_ones.discard)
        above, below_ = await asyncio.open_connection(host, port)
        asked = asyncio.create_task(forward(reader, below_, float("inf")))
        try:
            await forward(above, writer, after)
        finally:
            asked.cancel()
            below_.transport.abort()
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for one in list(open_ones):
        one.cancel()
    await asyncio.gather(*open_ones, return_exceptions=True)


@asynccontextmanager
async def asking_of(kind: str, url: str, **options: Any) -> AsyncIterator[Asking]:
    asking = Asking(kind, url, **options)
    try:
        yield asking
    finally:
        await asking.do(asking.client.close)


@pytest_asyncio.fixture(loop_scope="module", params=["sync", "async"])
async def asking(request: pytest.FixtureRequest, world: World) -> AsyncIterator[Asking]:
    async with asking_of(request.param, world.url) as one:
        yield one


@pytest.fixture
def removed(api: Api) -> Iterator[list[Manifest]]:
    """Objects to delete after the test."""
    made: list[Manifest] = []
    yield made
    for manifest in made:
        api.delete(manifest)


async def test_a_run_is_made_found_waited_for_and_its_result_fetched(
    asking: Asking, world: World, removed: list[Manifest], tmp_path: Path
) -> None:
    client, label = asking.client, {"client": asking.kind}
    found = await asking.do(lambda: client.submit("sim:local", params=HEAT, labels=label, env={"A": "1"}, retries=2))
    removed.append(job(found.id))
    spec = world.api.read(job(found.id))["spec"]
    assert (spec["params"], spec["env"], spec["retries"]) == (HEAT, [{"name": "A", "value": "1"}], 2)
    assert [one.id for one in await asking.all(lambda: client.jobs(label=label, status="pending"))] == [found.id]
    assert (await asking.do(client.stats)).by_status["Pending"] >= 1
    with pytest.raises(TimeoutError, match="still Pending"):
        await asking.do(lambda: found.wait(timeout=0.3))
    with pytest.raises(Conflict, match="has a result once it has finished"):
        await asking.do(found.artifacts)

    seen, begun, loop = list[str](), asyncio.Event(), asyncio.get_running_loop()

    def progress(one: Any) -> None:
        seen.append(one.status)
        loop.call_soon_threadsafe(begun.set)

    waiting = asyncio.create_task(asking.do(lambda: found.wait(60, progress=progress, check=True)))
    await begun.wait()
    _, key = world.leave(found.id)
    checksum = hashlib.sha256(world.store.objects[key]).hexdigest()
    world.finish(found.id, artifacts={"bundle": key, "sha256": checksum}, exitCode=0)
    assert (await waiting).succeeded
    assert seen[-1] == "Succeeded"
    assert await asking.do(lambda: found.json("metrics.json")) == {"max": 1.5}
    assert {one.path for one in (await asking.do(found.artifacts)).files} == set(FILES)
    await asking.do(lambda: found.download(tmp_path))
    assert below(tmp_path) == FILES
    with pytest.raises(NotFound):
        await asking.do(lambda: found.file("none.txt"))
    with pytest.raises(Conflict, match="has finished already"):
        await asking.do(found.cancel)


async def test_a_download_goes_on_behind_what_has_arrived(
    asking: Asking, world: World, removed: list[Manifest], tmp_path: Path
) -> None:
    found = await asking.do(lambda: asking.client.submit("sim:local"))
    removed.append(job(found.id))
    _, key = world.leave(found.id)
    world.finish(found.id, artifacts={"bundle": key})
    await asking.do(lambda: found.wait(60))
    content = world.store.objects[key]
    whole = await asking.do(lambda: found.download(tmp_path, unpack=False))
    # As if the connection had been lost after a hundred bytes, of which only the gateway knows the tag.
    tag = f'"{hashlib.md5(content).hexdigest()}"'
    whole.rename(tmp_path / f"{whole.name}.part")
    (tmp_path / f"{whole.name}.part").write_bytes(content[:100])
    (tmp_path / f"{whole.name}.part.tag").write_text(tag)
    world.store.reset()
    assert (await asking.do(lambda: found.download(tmp_path, unpack=False))).read_bytes() == content


async def test_one_key_makes_one_run(asking: Asking, world: World, removed: list[Manifest]) -> None:
    ids = {(await asking.do(lambda: asking.client.submit("sim:local", key=f"key-{asking.kind}"))).id for _ in range(3)}
    assert len(ids) == 1
    removed.append(job(ids.pop()))
    with pytest.raises(Invalid, match="a key is for one request"):
        await asking.do(lambda: asking.client.submit("sim:local", params={"n": 1}, key=f"key-{asking.kind}"))


async def test_many_runs_are_made_or_none(asking: Asking, world: World, removed: list[Manifest]) -> None:
    runs = [{"image": "sim:local", "params": {"n": n}} for n in range(3)]
    made = await asking.do(lambda: asking.client.submit_many(runs))
    removed += [job(one.id) for one in made]
    assert [(await asking.do(one.refresh)).params for one in made] == [{"n": 0}, {"n": 1}, {"n": 2}]
    with pytest.raises(Invalid) as caught:
        await asking.do(lambda: asking.client.submit_many([*runs, {"image": "sim:local", "timeout_seconds": 0}]))
    assert [error.field for error in caught.value.errors] == ["jobs.3.timeout_seconds"]
    assert caught.value.request_id


async def test_a_dry_run_and_a_wrong_one_make_nothing(asking: Asking, world: World) -> None:
    client = asking.client
    before = await asking.do(client.stats)
    plan = await asking.do(lambda: client.submit("sim:local", timeout_seconds=60, dry_run=True))
    assert (plan.points, plan.limit_seconds) == (1, 60)
    space = {"a": linspace(0, 1, 3), "n": integers(1, 4)}
    plan = await asking.do(lambda: client.sweep("sim:local", space=space, where="n > 1", dry_run=True))
    assert (plan.points, plan.points_exact) == (12, False)
    with pytest.raises(Invalid) as caught:
        await asking.do(lambda: client.submit("sim:local", params={"a b": 1}))
    assert caught.value.errors[0].field == "params"
    with pytest.raises(NotFound, match="nobody"):
        await asking.do(lambda: client.job("nobody"))
    assert await asking.do(client.stats) == before


async def test_a_failed_run_is_an_exception_and_a_cancelled_one_says_so(
    asking: Asking, world: World, removed: list[Manifest]
) -> None:
    failed, stopped = [await asking.do(lambda: asking.client.submit("sim:local")) for _ in range(2)]
    removed += [job(failed.id), job(stopped.id)]
    world.finish(failed.id, "Failed", reason="ExitCode", exitCode=3)
    with pytest.raises(SimulationFailed, match="ExitCode"):
        await asking.do(lambda: failed.wait(60, check=True))
    assert (await asking.do(stopped.cancel)).info.cancelled
    assert (await asking.do(stopped.cancel)).info.cancelled


async def test_a_sweep_is_made_looked_at_and_run_again(asking: Asking, world: World, removed: list[Manifest]) -> None:
    client = asking.client
    points = [{"diffusivity": value} for value in (0.1, 0.2, 0.3)]
    found = await asking.do(
        lambda: client.sweep("sim:local", points=points, params=HEAT, parallelism=2, labels={"s": asking.kind})
    )
    removed.append(sweep(found.id))
    assert [one.id for one in await asking.all(lambda: client.sweeps(label={"s": asking.kind}))] == [found.id]
    status = {"phase": "Failed", "succeededPoints": "0-1", "failedPoints": "2"}
    world.api.patch(sweep(found.id), {"status": status}, status=True)
    with pytest.raises(SimulationFailed):
        await asking.do(lambda: found.wait(60, check=True))
    assert found.counts == {"Succeeded": 2, "Failed": 1}
    listed = await asking.all(lambda: found.points(status="failed"))
    assert [(one.index, one.params["diffusivity"]) for one in listed] == [(2, 0.3)]
    assert [one.info.index for one in await asking.all(lambda: client.jobs(sweep=found, oldest_first=True))] == [
        0,
        1,
        2,
    ]
    rows = await asking.do(found.rows)
    assert [row["diffusivity"] for row in rows] == [0.1, 0.2, 0.3]
    frame = await asking.do(found.table)
    assert list(frame.columns) == list(rows[0])
    assert (await asking.do(lambda: found.table(as_="arrow"))).num_rows == 3
    point = await asking.do(lambda: client.job(listed[0].id))
    assert (point.status, point.info.sweep) == ("Failed", found.id)
    with pytest.raises(Conflict):
        await asking.do(lambda: found.plot("seconds", "diffusivity"))
    await asking.do(lambda: found.rerun("2"))
    assert world.api.read(sweep(found.id))["spec"]["rerun"]["points"] == "2"


async def test_a_long_list_of_points_is_uploaded(asking: Asking, world: World, removed: list[Manifest]) -> None:
    points = [{"n": number, "kind": asking.kind} for number in range(10_001)]
    found = await asking.do(lambda: asking.client.sweep("sim:local", points=points))
    removed.append(sweep(found.id))
    assert world.api.read(sweep(found.id))["spec"]["space"]["pointsFrom"]["points"] == 10_001
    assert (await asking.do(found.cancel)).info.cancelled


async def test_the_log_of_a_run_that_is_over_is_read_and_followed(
    asking: Asking, world: World, removed: list[Manifest]
) -> None:
    found = await asking.do(lambda: asking.client.submit("sim:local"))
    removed.append(job(found.id))
    lines = [f"line {number}" for number in range(500)]
    world.print(found.id, lines)
    await asking.do(lambda: found.wait(60))
    assert await asking.all(lambda: found.logs(tail=3)) == lines[-3:]
    assert await asking.all(lambda: found.logs(follow=True)) == lines


@both
async def test_on_a_way_that_breaks_again_and_again_nothing_is_lost_and_nothing_comes_twice(
    kind: str, world: World, removed: list[Manifest], tmp_path: Path
) -> None:
    async with cutting(world.url, 15_000) as url, asking_of(kind, url) as asking:
        found = await asking.do(lambda: asking.client.submit("sim:local"))
        removed.append(job(found.id))
        lines = [f"line {number}" for number in range(400)]
        world.print(found.id, lines)
        await asking.do(lambda: found.wait(60))
        assert await asking.all(lambda: found.logs(follow=True)) == lines
        await asking.do(lambda: found.download(tmp_path))
    assert below(tmp_path) == FILES


@both
async def test_without_a_token_or_a_right_the_gateway_says_so(kind: str, api: Api, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f'{TOKEN},ada,"g"\n')
    settings = settings_of(api.kubeconfig).model_copy(update={"auth_mode": "static", "static_tokens": str(tokens)})
    async with serving(settings) as session:
        url = str(session._base_url)
        async with asking_of(kind, url) as asking:
            with pytest.raises(Unauthorized):
                await asking.do(asking.client.stats)
        async with asking_of(kind, url, token=lambda: TOKEN) as asking:
            with pytest.raises(Forbidden):
                await asking.do(lambda: asking.client.submit("sim:local"))
