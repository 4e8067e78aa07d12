"""What a Pod, or whoever has the keys of its namespace, puts into the store is not read into memory without a limit."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from s3 import Store as Kept
from s3 import store_in_memory

from simops_io.s3 import Address, Bucket, StoreError, TooLargeError
from simops_operator import store as operators
from simops_operator.settings import Settings
from simops_operator.store import Store

LIMIT = 1000


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    async with store_in_memory(tmp_path) as (store, _):
        yield store


@pytest.fixture
def address(kept: Kept, tmp_path: Path) -> Address:
    return Address(kept.endpoint, "simops", "us-east-1", str(tmp_path))


@pytest.fixture
def store(address: Address) -> Iterator[Store]:
    settings = Settings(
        store_endpoint=address.endpoint,
        store_credentials=address.credentials,
        store_bucket=address.bucket,
    )
    out = Store(settings)
    yield out
    out.close()


async def test_an_object_is_read_up_to_the_limit_and_no_byte_of_a_larger_one(kept: Kept, address: Address) -> None:
    bucket = Bucket(address, 1)
    kept.objects |= {"right": b"x" * LIMIT, "large": b"x" * (64 << 20)}
    assert await bucket.get("right", LIMIT) == b"x" * LIMIT
    assert await bucket.get("absent", LIMIT) is None
    kept.reset()
    with pytest.raises(TooLargeError, match="large has 67108864 bytes, more than the 1000"):
        await bucket.get("large", LIMIT)
    await kept.idle.wait()
    assert kept.sent < 32 << 20  # what was under way when the connection was closed
    assert await bucket.get("right", LIMIT) == b"x" * LIMIT, "the connection is good for the next one"
    bucket.close()


async def test_what_a_pod_left_is_taken_as_missing_when_no_pod_leaves_so_much(
    kept: Kept, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operators, "MAX_LEFT", LIMIT)
    kept.objects |= {"right": b"x" * LIMIT, "large": b"x" * (LIMIT + 1)}
    monkeypatch.setattr(operators, "MAX_HEAD", LIMIT)
    assert await store.get_left("right", LIMIT, as_it_is) == b"x" * LIMIT
    assert await store.get_left("right", LIMIT - 1, as_it_is) is None, "nor when its points leave less"
    assert await store.get_left("absent", LIMIT, as_it_is) is None
    assert await store.get_head("large") == b"x" * LIMIT
    assert await store.get_head("absent") is None
    assert await store.get_left("large", 1 << 30, as_it_is) is None
    assert await store.get_text("large") == "x" * (LIMIT + 1)
    kept.refuses = 403
    with pytest.raises(StoreError):
        await store.get_left("right", LIMIT, as_it_is)


async def as_it_is(data: bytes) -> bytes:
    return data


async def test_what_pods_left_is_of_two_of_them_in_memory_until_it_was_looked_through(kept: Kept, store: Store) -> None:
    kept.objects |= {f"{number}": b"x" for number in range(8)}
    under_way, most = 0, 0

    async def read(_: bytes) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1

    await asyncio.gather(*(store.get_left(f"{number}", LIMIT, read) for number in range(8)))
    assert most == 2


async def test_of_keys_below_a_prefix_so_many_are_looked_at_and_no_more(
    kept: Kept, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept.objects |= {f"p/{number:02d}.{end}": b"" for number in range(20) for end in ("json", "zip")}
    monkeypatch.setattr(operators, "MAX_KEYS", 40)
    assert len(await store.list_keys("p/")) == 40
    assert await store.list_keys("p/", ".zip") == [f"p/{number:02d}.zip" for number in range(20)]
    assert not caplog.messages
    monkeypatch.setattr(operators, "MAX_KEYS", 6)
    assert await store.list_keys("p/", ".zip") == ["p/00.zip", "p/01.zip", "p/02.zip"]
    assert caplog.messages == ["more than 6 objects below p/: the rest is passed over"]


async def test_many_that_ask_for_the_bucket_at_once_make_the_keys_known_once(
    kept: Kept, address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        store_endpoint=address.endpoint,
        store_credentials=address.credentials,
        store_bucket=address.bucket,
        store_namespace_keys=str(tmp_path),
    )
    store, under_way, most, times = operators.Store(settings), 0, 0, 0

    def grant() -> None:
        nonlocal under_way, most, times
        under_way += 1
        most, times = max(most, under_way), times + 1
        time.sleep(0.05)  # another thread would come in between
        under_way -= 1
        if times == 1:
            raise ValueError("MinIO is not ready")

    monkeypatch.setattr(store, "_grant", grant)
    ends = await asyncio.gather(*(store.ensure_bucket() for _ in range(8)), return_exceptions=True)
    assert (most, times) == (1, 2), "the second makes up for the first, and nobody else needs to"
    assert [type(end) for end in ends if end is not None] == [StoreError]
    store.close()
