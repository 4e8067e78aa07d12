"""The gateway is killed and started again under load, and the API server stands still for half a minute: nobody is told anything wrong, and nothing
is made twice.

The gateway is a process of its own in front of a real API server. A request may be refused by the network while there is no gateway, and told to
come again (503) while it cannot be answered; any other answer must be right.
"""

import asyncio
import itertools
import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from contract.server import Api
from contract.test_api_outages import stopped
from kubernetes import client
from s3 import store_in_memory

from simops_crds.kinds import SIMULATION_JOB
from simops_crds.names import GROUP, VERSION

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

RATE = 200
WRITES = 10
"""Each so many requests is a write."""
KILLS = 3
BETWEEN_SECONDS = 2.0
AT_ONCE = 24
BURST = 1_000_000
"""Added to the numbers of what is made in a burst."""
STOPPED_SECONDS = 30.0
CALM_RATE = 50
WRITERS = 4
YOUNG_SECONDS = 5
ANSWERS = {"GET 200", "GET 503", "POST 201", "POST 503"}
AWAY = {
    "ClientConnectorError",
    "ClientOSError",
    "ServerDisconnectedError",
    "ConnectionResetError",
    "ClientConnectionResetError",
    "ClientPayloadError",
}
"""How the network says that there is nobody any more: refused, reset, ended, in the middle of an answer too."""
JOBS = "/api/v1/jobs"


class Process:
    """A gateway that can be killed and started again at the same address."""

    def __init__(self, kubeconfig: str, folder: Path, store: dict[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        own = {k: v for k, v in os.environ.items() if not k.startswith(("SIMOPS_", "OTEL_"))}
        settings = {
            "AUTH_MODE": "none",
            "KUBECONFIG": kubeconfig,
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(self.port),
            "DEFAULT_CONTAINER_IMAGE": "sim:local",
            "LOG_LEVEL": "WARNING",
        } | {name.upper(): value for name, value in store.items()}
        self._environ = own | {f"SIMOPS_{name}": value for name, value in settings.items()}
        self._log = folder / "gateway.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "simops_api", env=self._environ, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    @property
    def said(self) -> str:
        return self._log.read_text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(api: Api, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    async with store_in_memory(tmp_path_factory.mktemp("store")) as (_, store):
        process = Process(api.kubeconfig, tmp_path_factory.mktemp("gateway"), store)
        await process.start()
        yield process
        await process.kill()


@pytest.fixture
def cleared(api: Api) -> Iterator[None]:
    yield
    custom = client.CustomObjectsApi(api.client)
    custom.delete_collection_namespaced_custom_object(GROUP, VERSION, "default", SIMULATION_JOB.plural)


@dataclass
class Ledger:
    """What was asked and answered."""

    made: dict[str, int] = field(default_factory=dict)
    """Id → the parameter that it was made with, of what the gateway has acknowledged."""
    asked: list[int] = field(default_factory=list)
    """The parameters of all that was to be made."""
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    ages: list[int] = field(default_factory=list)
    """How old the answers to reads said that they may be, in seconds, in the order in which they came."""


@asynccontextmanager
async def answer_to(
    session: aiohttp.ClientSession, ledger: Ledger, method: str, path: str, **more: Any
) -> AsyncIterator[Any]:
    """Give the answer of a request; None where the network refused it or it is to be sent again."""
    try:
        async with session.request(method, path, **more) as response:
            body = await response.json(content_type=None)
            ledger.answers[f"{method} {response.status}"] += 1
            if response.status == 503:
                if not response.headers.get("Retry-After"):
                    ledger.wrong.append(f"{method} {path}: 503 that does not say when to come again: {body}")
                found = None
            elif response.status in (200, 201):
                found = body
                if "Age" in response.headers:
                    ledger.ages.append(int(response.headers["Age"]))
            else:
                ledger.wrong.append(f"{method} {path}: {response.status} {body}")
                found = None
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:  # refused, or cut off in the middle
        ledger.answers[type(error).__name__] += 1
        found = None
    yield found


async def make(session: aiohttp.ClientSession, ledger: Ledger, number: int) -> None:
    """Make a job, as one does who wants it once: with a key, again and again until there is an answer."""
    ledger.asked.append(number)
    while True:
        headers = {"Idempotency-Key": f"kill-{number}"}
        async with answer_to(session, ledger, "POST", JOBS, json={"params": {"x": number}}, headers=headers) as answer:
            if answer is not None:
                ledger.made[answer["jobs"][0]] = number
                return
        await asyncio.sleep(0.1)


async def read(session: aiohttp.ClientSession, ledger: Ledger, number: int) -> None:
    """Read something that is known, and compare."""
    known = dict(ledger.made)
    if number % 3 == 0 or not known:
        async with answer_to(session, ledger, "GET", f"{JOBS}?size=1") as answer:
            if answer is not None and not len(known) <= answer["total"]:
                ledger.wrong.append(f"{answer['total']} jobs, though {len(known)} had been acknowledged")
    elif number % 3 == 1:
        async with answer_to(session, ledger, "GET", f"{JOBS}/stats") as answer:
            if answer is not None and not len(known) <= answer["total"] == sum(answer["by_status"].values()):
                ledger.wrong.append(f"stats {answer}, though {len(known)} had been acknowledged")
    else:
        job_id, x = list(known.items())[number % len(known)]
        async with answer_to(session, ledger, "GET", f"{JOBS}/{job_id}") as answer:
            if answer is not None and (answer["id"], answer["params"]) != (job_id, {"x": x}):
                ledger.wrong.append(f"{job_id}: {answer}, though it was made with x = {x}")


@asynccontextmanager
async def client_of(gateway: Process) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{gateway.port}",
        connector=aiohttp.TCPConnector(limit=64),
        timeout=aiohttp.ClientTimeout(total=60),
    ) as session:
        yield session


async def by_the_clock(rate: float, numbers: Iterator[int], over: asyncio.Event, begin: Callable[[int], Any]) -> None:
    """Begin so many things a second, however long each takes: who waits for answers asks less when they are slow."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    for count in itertools.count():
        if over.is_set():
            return
        begin(next(numbers))
        await asyncio.sleep(max(0.0, started + (count + 1) / rate - loop.time()))


async def until_answered(ledger: Ledger) -> None:
    """Wait until ten more reads are answered."""
    before = ledger.answers["GET 200"]
    async with asyncio.timeout(60):
        while ledger.answers["GET 200"] < before + 10:  # noqa: ASYNC110 - the requests are sent by other tasks
            await asyncio.sleep(0.02)


def there(api: Api) -> dict[str, int]:
    """Return name → parameter of all jobs, as the API server has them."""
    custom: Any = client.CustomObjectsApi(api.client)
    listed = custom.list_namespaced_custom_object(GROUP, VERSION, "default", SIMULATION_JOB.plural)
    return {item["metadata"]["name"]: item["spec"]["params"]["x"] for item in listed["items"]}


async def test_a_gateway_that_is_killed_tells_nothing_wrong_and_makes_nothing_twice(
    gateway: Process, api: Api, cleared: None
) -> None:
    ledger, numbers, over = Ledger(), itertools.count(), asyncio.Event()
    async with client_of(gateway) as session, asyncio.TaskGroup() as tasks:

        def begin(number: int) -> None:
            tasks.create_task((read if number % WRITES else make)(session, ledger, number))

        tasks.create_task(by_the_clock(RATE, numbers, over, begin))
        for _ in range(KILLS):
            await until_answered(ledger)
            await asyncio.sleep(BETWEEN_SECONDS)  # under load, for that is what is tried
            # It dies while it has made what it has not told yet.
            burst = [tasks.create_task(make(session, ledger, BURST + next(numbers))) for _ in range(AT_ONCE)]
            await asyncio.wait(burst, return_when=asyncio.FIRST_COMPLETED)
            await gateway.kill()
            await gateway.start()
        await until_answered(ledger)
        over.set()

    assert not ledger.wrong, ledger.wrong[:5]
    assert set(ledger.answers) <= ANSWERS | AWAY, ledger.answers
    assert set(ledger.answers) & AWAY, "it was never away"
    assert there(api) == ledger.made
    assert sorted(ledger.made.values()) == sorted(ledger.asked)
    assert "Traceback" not in gateway.said


async def test_an_api_server_that_stands_still_for_half_a_minute_costs_no_read_and_is_told_to_writers(
    gateway: Process, api: Api, cleared: None
) -> None:
    ledger, over = Ledger(), asyncio.Event()
    loop = asyncio.get_running_loop()
    async with client_of(gateway) as session, asyncio.TaskGroup() as tasks:
        await asyncio.gather(*(make(session, ledger, 1000 + number) for number in range(6)))
        ledger.answers.clear()
        tasks.create_task(
            by_the_clock(
                CALM_RATE, itertools.count(), over, lambda number: tasks.create_task(read(session, ledger, number))
            )
        )
        await until_answered(ledger)
        with stopped(api.kubeconfig):
            began = loop.time()
            writers = [asyncio.create_task(make(session, ledger, 2000 + number)) for number in range(WRITERS)]
            await asyncio.sleep(STOPPED_SECONDS)  # it is what is tried
            refused, read_meanwhile = ledger.answers["POST 503"], ledger.answers["GET 200"]
            ages, lasted = list(ledger.ages), loop.time() - began
        async with asyncio.timeout(60):
            await asyncio.gather(*writers)
        # The cache is as young as its oldest part: that of sweeps, of which nobody writes any, must be watched again too.
        async with asyncio.timeout(60):
            while ledger.ages[-1] > YOUNG_SECONDS:  # noqa: ASYNC110 - the requests are sent by other tasks
                await asyncio.sleep(0.05)
        over.set()

    assert not ledger.wrong, ledger.wrong[:5]
    assert refused >= WRITERS, ledger.answers
    assert read_meanwhile >= lasted, "less than one read a second was answered"
    assert set(ledger.answers) <= {"GET 200", "POST 201", "POST 503"}, ledger.answers
    assert max(ages) >= STOPPED_SECONDS - 3
    assert there(api) == ledger.made
    assert len(ledger.made) == 6 + WRITERS
