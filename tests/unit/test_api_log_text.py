"""The text of a log by HTTP: from where it is read, how much of it, and what is said when there is none."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from kubelet import ApiServer, api_server, pod_of, uid_of
from s3 import Store, store_in_memory
from unit.test_api_serving import kubeconfig_for, problem_in, serving, settings_of

from simops_crds.names import key_prefix

pytestmark = pytest.mark.asyncio(loop_scope="module")

World = tuple[ApiServer, Store, aiohttp.ClientSession]
LARGE = b"".join(b"step %07d of a log that is long\n" % i for i in range(400_000))
PAST = "2026-03-02T12:00:00Z"


def key_of(name: str, attempt: int = 1) -> str:
    return f"{key_prefix('default', name, uid_of(name))}/{pod_of(name, attempt)}.log"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with api_server() as api, store_in_memory(tmp_path_factory.mktemp("store")) as (store, about):
        api.put("running", attempts=2, pod=pod_of("running", 2))
        api.log(pod_of("running", 2)).print(b"now", b"and \xff then")
        store.objects[key_of("running")] = b"before\n"
        api.put("starting", "Pending")
        api.log(pod_of("starting")).refused = 400
        api.put("pending", "Pending", pod="")
        api.put("done", "Succeeded")
        store.objects[key_of("done")] = b"a\nb\n\nc"
        api.put("large", "Succeeded")
        store.objects[key_of("large")] = LARGE
        api.put("fresh", "Succeeded")
        api.log(pod_of("fresh")).print(b"only in the Pod")
        api.put("lost", "Failed", reason="PodLost")
        api.put("refused", "Failed", pod="", reason="ImageNotTrusted")
        api.put("expired", "Succeeded", artifacts={"expirationTime": PAST})
        api.put("vanished")
        async with serving(settings_of(kubeconfig_for(tmp_path_factory.mktemp("api"), api.url), **about)) as session:
            yield api, store, session


def get(world: World, path: str) -> Any:
    return world[2].get(f"/api/v1/jobs/{path}")


@pytest.mark.parametrize(
    ("path", "text", "source", "attempt"),
    [
        ("running/logs", b"now\nand \xff then\n", "pod", "2"),
        ("running/logs?tail=1", b"and \xff then\n", "pod", "2"),
        ("running/logs?tail=0", b"", "pod", "2"),
        ("running/logs?attempt=1", b"before\n", "store", "1"),
        ("running/logs?attempt=2", b"now\nand \xff then\n", "pod", "2"),
        ("running/logs?timestamps=true&tail=1", b"2026-03-01T12:00:00.142857142Z and \xff then\n", "pod", "2"),
        ("starting/logs", b"", "none-yet", "1"),
        ("pending/logs", b"", "none-yet", None),
        ("pending/logs?attempt=1", b"", "none-yet", None),
        ("done/logs", b"a\nb\n\nc", "store", "1"),
        ("done/logs?tail=2", b"\nc", "store", "1"),
        ("done/logs?tail=0", b"", "store", "1"),
        ("done/logs?tail=100", b"a\nb\n\nc", "store", "1"),
        ("fresh/logs", b"only in the Pod\n", "pod", "1"),
    ],
)
async def test_the_text_is_read_from_where_it_is(
    world: World, path: str, text: bytes, source: str, attempt: str | None
) -> None:
    async with get(world, path) as response:
        assert response.status == 200, await response.text()
        assert await response.read() == text
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert (response.headers["SimOps-Log"], response.headers.get("SimOps-Attempt")) == (source, attempt)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("nothing/logs", 404, "there is no job"),
        ("nothing/logs/stream", 404, "there is no job"),
        ("done/logs?attempt=2", 404, "no log of an attempt 2; attempts: 1"),
        ("done/logs/stream?attempt=2", 404, "no log of an attempt 2"),
        ("lost/logs", 404, "its Pod is gone and the store does not have it"),
        ("refused/logs", 404, "ended without having started"),
        ("expired/logs", 410, "has expired"),
        ("expired/logs/stream", 410, "has expired"),
        ("vanished/logs", 404, "not in the store yet"),
        ("done/logs?timestamps=true", 409, "no timestamps"),
        ("done/logs?tail=-1", 422, "tail"),
        ("done/logs?tail=x", 422, "tail"),
        ("done/logs?attempt=0", 422, "attempt"),
        ("done/logs?tails=1", 422, "tails"),
    ],
)
async def test_what_cannot_be_given_is_said_with_its_reason(world: World, path: str, status: int, words: str) -> None:
    async with get(world, path) as response:
        assert words in (await problem_in(response, status))["detail"]


async def test_the_tail_of_a_large_log_reads_little_of_it(world: World) -> None:
    store = world[1]
    store.reset()
    async with get(world, "large/logs?tail=3") as response:
        assert await response.read() == b"".join(LARGE.splitlines(keepends=True)[-3:])
    assert store.sent <= 1 << 17
    async with get(world, "large/logs") as response:
        assert await response.read() == LARGE


async def test_a_store_that_does_not_answer_is_to_be_asked_again_and_what_runs_is_read_from_its_pod(
    world: World,
) -> None:
    store = world[1]
    store.refuses = 503
    try:
        async with get(world, "done/logs") as response:
            assert "store" in (await problem_in(response, 503))["detail"]
        async with get(world, "running/logs") as response:
            assert await response.read() == b"now\nand \xff then\n"
    finally:
        store.refuses = 0


async def test_a_log_that_breaks_off_is_not_taken_for_the_whole(world: World) -> None:
    store = world[1]
    store.cuts_after = 1_000_000
    try:
        async with get(world, "large/logs") as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
    finally:
        store.cuts_after = None
