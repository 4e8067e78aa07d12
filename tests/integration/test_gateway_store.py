"""What the gateway asks of real stores: ranges, lists in order, URLs for others, and one file out of a large bundle."""

import hashlib
import io
import random
import re
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
import urllib3
from integration.servers import ACCESS, SECRET, Proxy, Server
from unit.test_api_serving import settings_of

from simops_api.artifacts.directory import LOCAL_HEADER_BYTES, TAIL_BYTES
from simops_api.artifacts.member import Bundles
from simops_api.store import Store, StoredObject, StoreError

pytestmark = pytest.mark.store

Connect = Callable[..., Store]


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Connect]:
    """Make the gateway's store: ``connect(endpoint)``."""
    (tmp_path / "access-key").write_text(ACCESS)
    (tmp_path / "secret-key").write_text(SECRET)
    made: list[Store] = []

    def make(endpoint: str, public: str = "") -> Store:
        settings = settings_of(
            "none", store_endpoint=endpoint, store_credentials=str(tmp_path), store_public_endpoint=public
        )
        made.append(Store(settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


async def test_before_the_first_run_there_is_no_bucket_and_so_nothing_in_it(store: Server, tmp_path: Path) -> None:
    (tmp_path / "access-key").write_text(ACCESS)
    (tmp_path / "secret-key").write_text(SECRET)
    gateway = Store(
        settings_of("none", store_endpoint=store.endpoint, store_credentials=str(tmp_path), store_bucket="not-made-yet")
    )
    assert await gateway.stat("jobs/lab/heat/u/record.json") is None
    assert await gateway.get("jobs/lab/heat/u/record.json") is None
    assert await gateway.keys("jobs/lab/heat/") == []
    gateway.close()


def put(server: Server, key: str, content: bytes) -> None:
    server.client.put_object(server.bucket, key, io.BytesIO(content), len(content))


async def read(store: Store, key: str, offset: int = 0, length: int | None = None) -> bytes:
    async with aclosing(store.read(key, offset, length)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_any_part_of_an_object_can_be_read(store: Server, connect: Connect) -> None:
    content = random.Random(1).randbytes(700_000)
    put(store, "gateway/parts", content)
    gateway = connect(store.endpoint)
    for offset, length in ((0, None), (0, 1), (699_999, 1), (123_456, 400_000), (5, 0), (600_000, None)):
        end = None if length is None else offset + length
        assert await read(gateway, "gateway/parts", offset, length) == content[offset:end]
    found = await gateway.stat("gateway/parts")
    assert found is not None
    assert (found.size, bool(found.etag)) == (len(content), True)
    assert '"' not in found.etag
    assert await gateway.stat("gateway/nothing") is None
    assert await gateway.get("gateway/nothing") is None
    with pytest.raises(StoreError):
        await read(gateway, "gateway/nothing")


async def test_keys_come_in_order_and_go_on_after_any_key(store: Server, connect: Connect) -> None:
    keys = sorted(
        f"archive/lab/{second}/{name}/u" for second in ("0000000001", "0000000002") for name in ("a", "a-b", "b")
    )
    for key in reversed(keys):
        put(store, key, b"{}")
    put(store, "archive/lab-2/0000000001/a/u", b"{}")
    gateway = connect(store.endpoint)
    assert [o.key for o in await gateway.keys("archive/lab/")] == keys
    for number, key in enumerate(keys):
        assert [o.key for o in await gateway.keys("archive/lab/", key)] == keys[number + 1 :]
    # Places between keys too, and no more than is asked for.
    assert [o.key for o in await gateway.keys("archive/lab/", "archive/lab/00000000010")] == keys[3:]
    assert [o.key for o in await gateway.keys("archive/lab/", "archive/lab/0000000002/", 2)] == keys[3:5]
    assert await gateway.keys("archive/nothing/") == []


async def test_a_url_for_others_gives_the_object_under_its_name(store: Server, connect: Connect) -> None:
    put(store, "gateway/a.zip", b"PK content")
    gateway = connect(
        "http://127.0.0.1:9", public=store.endpoint
    )  # where the gateway itself reaches it does not matter
    headers = {"Content-Type": "application/zip", "Content-Disposition": 'attachment; filename="heat.zip"'}
    url = await gateway.presigned("gateway/a.zip", 60, headers)
    with urllib3.PoolManager() as http:
        answer = http.request("GET", url)
        assert (answer.status, answer.data) == (200, b"PK content")
        assert answer.headers["Content-Disposition"] == headers["Content-Disposition"]
        assert answer.headers["Content-Type"] == "application/zip"
        assert http.request("GET", url, headers={"Range": "bytes=0-1"}).data == b"PK"
        assert http.request("GET", url.replace("a.zip", "b.zip")).status == 403


async def test_who_leaves_in_the_middle_keeps_no_connection(minio_store: Server, connect: Connect) -> None:
    put(minio_store, "gateway/large", bytes(20 << 20))
    gateway = connect(minio_store.endpoint)
    for _ in range(40):  # more than there are threads and connections
        async with aclosing(gateway.read("gateway/large")) as chunks:
            assert await anext(chunks)
    assert len(await read(gateway, "gateway/large", 0, 1000)) == 1000


SMALL = random.Random(2).randbytes(100_000)
TABLE = b"".join(b"%d,%d\n" % (number, number * number) for number in range(200_000))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of 200 MB with a stored file, a compressed one and 5,000 others."""
    path = tmp_path_factory.mktemp("bundle") / "large.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("first.bin", SMALL)
        with archive.open(zipfile.ZipInfo("field.npy"), "w") as file:
            for _ in range(200):
                file.write(bytes(1_000_000))
        archive.writestr("table.csv", TABLE, zipfile.ZIP_DEFLATED)
        for number in range(5000):
            archive.writestr(f"points/{number:05d}.json", b"{}")
    return path


async def test_a_file_out_of_a_large_bundle_costs_its_own_bytes_and_the_directory(
    minio_store: Server,
    connect: Connect,
    large: Path,
    proxy: Callable[[Server, Callable[[str], str | None]], Proxy],
) -> None:
    minio_store.client.fput_object(minio_store.bucket, "gateway/large.zip", str(large))
    asked: list[int] = []

    def note(head: str) -> None:
        if head.startswith("GET"):
            found = re.search(r"^range: bytes=(\d+)-(\d+)\r$", head, re.IGNORECASE | re.MULTILINE)
            assert found, "a GET without a range"
            asked.append(int(found[2]) - int(found[1]) + 1)

    store = connect(proxy(minio_store, note).endpoint)
    bundle = await store.stat("gateway/large.zip")
    assert bundle is not None
    bundles = Bundles(store)
    with zipfile.ZipFile(large) as archive:
        directory = bundle.size - archive.start_dir
    assert directory > TAIL_BYTES

    members = await bundles.directory(bundle)
    assert len(members) == 5003
    assert sum(asked) == directory
    for path, content in (("first.bin", SMALL), ("table.csv", TABLE), ("points/04321.json", b"{}")):
        asked.clear()
        assert await whole(bundles, bundle, path) == content
        assert asked == [LOCAL_HEADER_BYTES, members[path].packed]
    asked.clear()
    field = members["field.npy"]
    part = b"".join([chunk async for chunk in bundles.read(bundle, field, 150_000_000, 1000)])
    assert (part, asked) == (bytes(1000), [LOCAL_HEADER_BYTES, 1000])


async def test_every_file_of_a_large_bundle_is_what_zipfile_reads(
    minio_store: Server, connect: Connect, large: Path
) -> None:
    minio_store.client.fput_object(minio_store.bucket, "gateway/large.zip", str(large))
    store = connect(minio_store.endpoint)
    bundle = await store.stat("gateway/large.zip")
    assert bundle is not None
    bundles = Bundles(store)
    with zipfile.ZipFile(large) as archive:
        for path in ("field.npy", "first.bin", "table.csv", "points/00000.json"):
            assert await digest(bundles, bundle, path) == hashlib.sha256(archive.read(path)).hexdigest()


async def whole(bundles: Bundles, bundle: StoredObject, path: str) -> bytes:
    member = (await bundles.directory(bundle))[path]
    return b"".join([chunk async for chunk in bundles.read(bundle, member, 0, member.bytes)])


async def digest(bundles: Bundles, bundle: StoredObject, path: str) -> str:
    member = (await bundles.directory(bundle))[path]
    found, largest = hashlib.sha256(), 0
    async for chunk in bundles.read(bundle, member, 0, member.bytes):
        found.update(chunk)
        largest = max(largest, len(chunk))
    assert largest <= 1 << 18
    return found.hexdigest()
