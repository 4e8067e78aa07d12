"""Every call that the operator makes to the object store (S3)."""

import asyncio
import io
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from minio.deleteobjects import DeleteObject
from minio.error import MinioAdminException, S3Error

from simops_io.s3 import MAX_OBJECT, Address, Bucket, StoreError, TooLargeError, is_missing
from simops_operator import metrics
from simops_operator.grants import forget_others, grants_in, make_known
from simops_operator.settings import Settings

__all__ = ["Store", "StoreError", "TooLargeError"]

MAX_LEFT = 32 << 20
"""Bytes of the results of the points of one Pod: its metrics have 16 MiB together, the rest of 100,000 lines no more than that."""
MAX_HEAD = 4 << 20
"""Bytes of a manifest in which its summary is: its metrics have 1 MiB in their file."""
MAX_KEYS = 1_000_000
"""Keys below one prefix that are looked at: three for each of 100,000 Pods of a round, and many rounds."""
T = TypeVar("T")
log = logging.getLogger(__name__)
_PART_BYTES = 5 << 20
_THREADS = 8
_GRANT_SECONDS = 60.0


class Store:
    """One bucket, in the operator's words."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bucket = settings.store_bucket
        address = Address(
            settings.store_endpoint, settings.store_bucket, settings.store_region, settings.store_credentials
        )
        self._connection = Bucket(address, _THREADS, metrics.STORE_ERRORS.inc, metrics.STORE_CALLS.inc)
        self._minio = self._connection.client
        self._run = self._connection.run
        self._few = asyncio.Semaphore(2)
        self._granted_at = -_GRANT_SECONDS
        self._granting = asyncio.Lock()

    async def ensure_bucket(self) -> None:
        """Make the bucket if it is missing and may be made, and the keys of the namespaces known if the store is to know them.

        Raises:
            StoreError: it is missing and may not be made, or the store does not answer.
        """
        await self._connection.ensure(may_make=self._settings.store_create_bucket)
        # This is asked at the start and after each failure: a store that lost the bucket has lost the keys, too.
        if self._settings.store_namespace_keys:
            async with self._granting:  # at the start many runs ask for it at once
                if time.monotonic() - self._granted_at > _GRANT_SECONDS:
                    await self._run("keys of the namespaces", self._grant)
                    self._granted_at = time.monotonic()

    def _grant(self) -> None:
        grants = list(grants_in(Path(self._settings.store_namespace_keys)))
        admin = self._connection.admin()
        try:
            for grant in grants:
                make_known(admin, self._bucket, grant)
            forget_others(admin, grants)
        except MinioAdminException as error:
            raise ValueError(str(error)) from error

    async def exists(self, key: str) -> bool:
        """Whether there is an object under this key."""

        def call() -> bool:
            try:
                self._minio().stat_object(self._bucket, key)
            except S3Error as error:
                if is_missing(error):
                    return False
                raise
            return True

        return await self._run(key, call)

    async def get_text(self, key: str, limit: int = MAX_OBJECT) -> str | None:
        """Return a small object that operator or gateway wrote as text, None if there is none.

        Raises:
            TooLargeError: it has more bytes than that.
            StoreError: the store does not answer.
        """
        data = await self._connection.get(key, limit)
        return None if data is None else data.decode(errors="replace")

    async def get_bytes(self, key: str, limit: int) -> bytes | None:
        """Return an object, None if there is none.

        Raises:
            TooLargeError: it has more bytes than that.
            StoreError: the store does not answer.
        """
        return await self._connection.get(key, limit)

    async def get_left(self, key: str, limit: int, read: Callable[[bytes], Awaitable[T]]) -> T | None:
        """Return what ``read`` makes of what a Pod left; None if it left nothing, or more than ``limit`` or a Pod of SimOps leaves.

        Until ``read`` has ended the bytes are in memory, so few are read at once.
        """
        async with self._few:
            try:
                data = await self._connection.get(key, min(limit, MAX_LEFT))
            except TooLargeError as error:
                log.warning("taken as missing: %s", error)
                return None
            return await read(data) if data is not None else None

    async def get_head(self, key: str) -> bytes | None:
        """Return the beginning of what a Pod left; None if it left nothing."""
        return await self._connection.head(key, MAX_HEAD)

    async def put_json(self, key: str, value: Any) -> None:
        """Store a value as JSON."""
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        await self.put_bytes(key, data, "application/json")

    async def put_bytes(self, key: str, data: bytes, content_type: str = "application/jsonl") -> None:
        """Store bytes."""
        await self._run(
            key,
            lambda: self._minio().put_object(self._bucket, key, io.BytesIO(data), len(data), content_type=content_type),
        )

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], limit: int) -> int:
        """Store a stream of unknown length, at most ``limit`` bytes of it; return the bytes stored. Holds one part in memory."""
        reader = _Reader(chunks, asyncio.get_running_loop(), limit)
        await self._run(
            key,
            lambda: self._minio().put_object(
                self._bucket,
                key,
                cast(BinaryIO, reader),
                -1,
                part_size=_PART_BYTES,
                content_type="text/plain; charset=utf-8",
                num_parallel_uploads=1,
            ),
        )
        return reader.count

    async def delete_prefix(self, prefix: str, keep: str = "") -> None:
        """Remove everything below a prefix except the key ``keep``."""

        def call() -> None:
            minio = self._minio()
            listed = minio.list_objects(self._bucket, prefix=f"{prefix}/", recursive=True)
            doomed = [o.object_name for o in listed if o.object_name and o.object_name != keep]
            many = [DeleteObject(key) for key in doomed if not _UNSAID.search(key)]
            for error in minio.remove_objects(self._bucket, many):
                raise ValueError(f"{error.name}: {error.message}")
            for key in filter(_UNSAID.search, doomed):
                minio.remove_object(self._bucket, key)

        await self._run(prefix, call)

    async def list_keys(self, prefix: str, suffix: str = "") -> list[str]:
        """Return the keys below a prefix that end like this, in order, of the first ``MAX_KEYS`` that there are."""

        def call() -> list[str]:
            listed = iter(self._minio().list_objects(self._bucket, prefix=prefix, recursive=True))
            keys = [o.object_name for o in islice(listed, MAX_KEYS) if o.object_name and o.object_name.endswith(suffix)]
            if next(listed, None) is not None:
                log.warning("more than %d objects below %s: the rest is passed over", MAX_KEYS, prefix)
            return keys

        return await self._run(prefix, call)

    async def list_older(self, prefix: str, before: datetime) -> list[str]:
        """Return the keys below a prefix of what was last written before a moment."""

        def call() -> list[str]:
            listed = self._minio().list_objects(self._bucket, prefix=prefix, recursive=True)
            return [o.object_name for o in listed if o.object_name and o.last_modified and o.last_modified < before]

        return await self._run(prefix, call)

    async def delete(self, key: str) -> None:
        """Remove one object; one that is not there is fine."""
        await self._run(key, lambda: self._minio().remove_object(self._bucket, key))

    def close(self) -> None:
        """Give the connections and threads back."""
        self._connection.close()


_UNSAID = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML, and so a request to delete many objects, cannot say of a key, or not exactly."""


class _Reader(io.RawIOBase):
    """A file-like view, for a thread, of chunks that arrive in the event loop."""

    def __init__(self, chunks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop, limit: int) -> None:
        super().__init__()
        self._chunks = chunks
        self._loop = loop
        self._left = limit
        self._buffer = bytearray()
        self._ended = False
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        """Return ``size`` bytes, fewer only at the end."""
        while not self._ended and (size < 0 or len(self._buffer) < size):
            chunk = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            if not chunk or self._left <= 0:
                self._ended = True
                break
            chunk = chunk[: self._left]
            self._left -= len(chunk)
            self._buffer += chunk
        end = len(self._buffer) if size < 0 else size
        out = bytes(self._buffer[:end])
        del self._buffer[:end]
        self.count += len(out)
        return out

    async def _next(self) -> bytes:
        return await anext(self._chunks, b"")
