"""One caller has a part of what all have: of downloads, and so of the connections and threads to the store."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, aclosing
from pathlib import Path

import pytest
import pytest_asyncio
from s3 import Store as Kept
from s3 import store_in_memory
from unit.test_api_gate import SECRET, ann, lab
from unit.test_api_results import obj
from unit.test_api_serving import kubeconfig_for, problem_in, settings_of

from simops_api import state, store
from simops_api.auth.caller import ANONYMOUS, Caller
from simops_api.errors import ProblemError
from simops_api.shares import Shares
from simops_api.store import Store, StoreError

ANN, BOB = Caller("ann"), Caller("bob")
MIB = 1 << 20


def test_a_caller_has_a_quarter_and_all_together_the_whole() -> None:
    places = Shares(8, "things")
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(places.held(ANN))
        with pytest.raises(ProblemError, match="2 things") as refused:
            held.enter_context(places.held(ANN))
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "5"})
        held.enter_context(places.held(BOB))
        for _ in range(5):
            held.enter_context(places.held(ANONYMOUS))
        with pytest.raises(ProblemError, match="8 things") as full:
            places.check(BOB)
        assert full.value.status == 503
    assert len(places) == 0
    places.check(ANN)


def test_what_is_counted_is_given_back_also_when_it_was_too_much() -> None:
    held = Shares(16, "bytes")
    assert held.take(ANN, 4)
    assert not held.take(ANN, 1)
    assert held.take(BOB, 4)
    held.give_back(ANN, 5)
    assert held.take(ANN, 4)
    assert len(held) == 8


async def test_who_reads_slowly_has_a_part_of_all_downloads_and_keeps_nobody_else_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "DOWNLOADS", 8)
    big = io.BytesIO()
    with zipfile.ZipFile(big, "w") as archive:
        archive.writestr("field.npy", bytes(64 * MIB))
    paths = [f"/api/v1/jobs/heat/{rest}" for rest in ("result", "artifacts/field.npy", "artifacts")]
    async with store_in_memory(tmp_path) as (kept, own), AsyncExitStack() as stack:
        run = obj("heat")
        kept.objects[run["status"]["artifacts"]["bundle"]] = big.getvalue()
        cluster, gateway = await stack.enter_async_context(lab(tmp_path, [run], **own))
        cluster.tokens["token-of-bob-of-the-lab"] = "bob"
        cluster.rules |= {(name, "get", "simulationjobs", "default") for name in ("ann", "bob")}
        slow = [await gateway.get(path, headers=ann()) for path in paths[:2]]
        assert [response.status for response in slow] == [200, 200]
        for path in paths:
            async with gateway.get(path, headers=ann()) as response:
                assert "2 downloads" in (await problem_in(response, 429))["detail"]
                assert response.headers["Retry-After"] == "5"
        async with gateway.get(paths[1], headers=ann("token-of-bob-of-the-lab")) as response:
            assert len(await response.read()) == 64 * MIB
        for response in slow:
            response.close()
        async with asyncio.timeout(60):
            while (await _status(gateway.get(paths[2], headers=ann(SECRET)))) == 429:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def _status(asked) -> int:  # type: ignore[no-untyped-def]
    async with asked as response:
        return int(response.status)


# The threads to the store
@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[tuple[Kept, Store]]:
    async with store_in_memory(tmp_path) as (held, own):
        settings = settings_of(kubeconfig_for(tmp_path, "http://127.0.0.1:1"), **own)
        made = Store(settings)
        yield held, made
        made.close()


async def test_who_leaves_waits_for_no_read_and_a_read_that_nobody_waits_for_holds_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_THREADS", 1)
    async with store_in_memory(tmp_path) as (held, own):
        bucket = Store(settings_of(kubeconfig_for(tmp_path, "http://127.0.0.1:1"), **own))
        held.objects |= {"large": bytes(4 * MIB), "small": b"x"}
        held.stalls_after = MIB
        async with aclosing(bucket.read("large")) as left, aclosing(bucket.read("large")) as waited:
            await anext(left)

            async def rest() -> None:
                async for _ in waited:
                    pass

            stuck = asyncio.create_task(rest())
            while held.sending < 2 or held.sent < 2 * MIB:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await asyncio.wait_for(left.aclose(), 30)
            assert not stuck.done(), "it still has the one thread"
            stuck.cancel()
            await asyncio.wait_for(asyncio.gather(stuck, return_exceptions=True), 30)
            assert await asyncio.wait_for(bucket.get("small"), 30) == b"x"
        await asyncio.wait_for(held.idle.wait(), 30)
        bucket.close()


async def test_a_store_that_says_when_to_come_again_makes_no_thread_sleep_so_long(
    kept: tuple[Kept, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, bucket = kept
    slept: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", slept.append)
    held.refuses, held.patience = 503, "3600"
    with pytest.raises(StoreError):
        await bucket.get("heat")
    assert len(held.asked) == 3, "it was tried again"
    assert max(slept, default=0.0) <= 1
