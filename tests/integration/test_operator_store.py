"""What the operator asks of a real store: to remove whatever keys a Pod has made."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.servers import ACCESS, SECRET, Server

from simops_operator.settings import Settings
from simops_operator.store import Store

pytestmark = pytest.mark.store

STRANGE = ("w\x01y", "w\ty", "w\ry", "w\ufffey", "ünï/cödé", "a b+c%20&<>'\"", "record.json")


@pytest.fixture
async def operator_store(minio_store: Server, tmp_path: Path) -> AsyncIterator[Store]:
    (tmp_path / "access-key").write_text(ACCESS)
    (tmp_path / "secret-key").write_text(SECRET)
    made = Store(Settings(store_endpoint=minio_store.endpoint, store_credentials=str(tmp_path)))
    yield made
    made.close()


async def test_everything_below_a_prefix_is_removed_whatever_a_pod_has_called_it(
    minio_store: Server, operator_store: Store
) -> None:
    store, prefix = minio_store, "jobs/lab/own/u"
    for key in (*(f"{prefix}/{name}" for name in STRANGE), f"{prefix}2"):
        store.client.put_object(store.bucket, key, io.BytesIO(b"x"), 1)
    assert await operator_store.list_keys(f"{prefix}/") == sorted(f"{prefix}/{name}" for name in STRANGE)
    await operator_store.delete_prefix(prefix, keep=f"{prefix}/record.json")
    assert await operator_store.list_keys(prefix) == [f"{prefix}/record.json", f"{prefix}2"]
