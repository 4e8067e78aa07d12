"""Every call that the gateway makes to the store (S3). It reads, and writes nothing but lists of points that people upload."""

import asyncio
import contextlib
import io
import logging
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, cast

import urllib3
from minio.datatypes import Object
from minio.error import S3Error

from simops_api import metrics
from simops_api.settings import Settings
from simops_io.s3 import MAX_OBJECT, Address, Bucket, StoreError, is_missing

__all__ = ["Store", "StoreError", "StoredObject"]

log = logging.getLogger(__name__)

_THREADS = 16
_CHUNK = 1 << 18
LIST_KEYS = 1000
"""Keys that a store tells at once."""


@dataclass(frozen=True)
class StoredObject:
    """What the store says of an object without reading it."""

    key: str
    size: int
    etag: str
    modified: float
    """Seconds since 1970."""


class Store:
    """One bucket, in the gateway's words."""

    def __init__(self, settings: Settings) -> None:
        address = Address(
            settings.store_endpoint, settings.store_bucket, settings.store_region, settings.store_credentials
        )
        self._bucket = settings.store_bucket
        self._public = settings.store_public_endpoint
        self._may_make = settings.store_create_bucket
        self._has_bucket = False
        self._connection = Bucket(address, _THREADS, metrics.STORE_ERRORS.inc, metrics.STORE_CALLS.inc)

    async def stat(self, key: str) -> StoredObject | None:
        """Return what is known of an object, None if there is none.

        Raises:
            StoreError: the store does not answer, or refuses.
        """

        def call() -> StoredObject | None:
            try:
                found = self._connection.client().stat_object(self._bucket, key)
            except S3Error as error:
                if _is_nothing(error):
                    return None
                raise
            return _stored(key, found)

        return await self._connection.run(key, call)

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield an object, or ``length`` bytes of it from ``offset`` on, in chunks; one thread is used only while a chunk is waited for.

        Raises:
            StoreError: the store does not answer, has no such object, or breaks off.
        """
        if length == 0:
            return  # to minio-py this means all of it
        opening = self._connection.submit(
            lambda: self._connection.client().get_object(self._bucket, key, offset, length or 0)
        )
        try:
            response = await self._connection.result(key, opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_drop)
            raise

        reading: Future[bytes] | None = None
        try:
            while True:
                reading = self._connection.submit(lambda: response.read(_CHUNK))
                if not (chunk := await self._connection.result(key, reading)):
                    return
                metrics.STORE_BYTES.inc(len(chunk))
                yield chunk
        finally:
            _leave(response, reading)

    async def get(self, key: str, limit: int = MAX_OBJECT) -> bytes | None:
        """Return a small object, None if there is none.

        Raises:
            StoreError: the store does not answer, or refuses, or the object has more than ``limit`` bytes.
        """
        return await self._connection.get(key, limit, _is_nothing)

    async def put(self, key: str, data: bytes) -> None:
        """Store bytes. The bucket is made if it is missing and may be made.

        Raises:
            StoreError: the store does not answer, or refuses.
        """

        def call() -> bool:
            try:
                self._connection.client().put_object(self._bucket, key, io.BytesIO(data), len(data))
            except S3Error as error:
                if error.code != "NoSuchBucket":
                    raise
                return False
            return True

        # Asked before the first one: a store that refuses a long body may end the connection while it is still being sent.
        if self._has_bucket and await self._connection.run(key, call):
            return
        await self._connection.ensure(may_make=self._may_make)
        self._has_bucket = True
        await self._connection.run(key, call)

    async def keys(self, prefix: str, after: str = "", limit: int = LIST_KEYS) -> list[StoredObject]:
        """Return the objects below a prefix in the order of their keys, those that come after ``after``, at most so many.

        Each 1,000 of them are one request.

        Raises:
            StoreError: the store does not answer, or refuses.
        """

        def call() -> list[StoredObject]:
            listed = self._connection.client().list_objects(
                self._bucket, prefix=prefix, recursive=True, start_after=after or None
            )
            try:
                return [_stored(str(o.object_name), o) for o in islice(listed, limit)]
            except S3Error as error:
                if _is_nothing(error):
                    return []
                raise

        return await self._connection.run(prefix, call)

    async def folders(self, prefix: str, limit: int) -> list[str]:
        """Return the folders right below a prefix that ends with a slash, at most so many, without a slash at their ends.

        Raises:
            StoreError: the store does not answer, or refuses.
        """

        def call() -> list[str]:
            listed = self._connection.client().list_objects(self._bucket, prefix=prefix)
            try:
                names = (str(o.object_name) for o in listed if o.is_dir)
                return [name.rstrip("/") for name in islice(names, limit)]
            except S3Error as error:
                if _is_nothing(error):
                    return []
                raise

        return await self._connection.run(prefix, call)

    async def presigned(self, key: str, seconds: int, headers: Mapping[str, str]) -> str:
        """Return a URL by which anybody may GET an object for so many seconds, at the store's public address.

        ``headers`` are those that the answer shall have: Content-Type and Content-Disposition.
        """

        def call() -> str:
            said = {f"response-{name.lower()}": value for name, value in headers.items()}
            # Another client, since the host is part of what is signed. It asks nobody: the region is known.
            client = self._connection.client_of(self._public)
            return client.presigned_get_object(self._bucket, key, timedelta(seconds=seconds), cast(Any, said))

        return await self._connection.run(key, call)

    def close(self) -> None:
        """Give connections and threads back."""
        self._connection.close()


def _drop(opening: Future[urllib3.BaseHTTPResponse]) -> None:
    """Close a response for which nobody has waited."""
    if not opening.cancelled() and opening.exception() is None:
        _leave(opening.result(), None)


def _leave(response: urllib3.BaseHTTPResponse, reading: Future[bytes] | None) -> None:
    """Close a response, at once, or when the thread that still reads it has found its connection ended. It waits for no thread."""

    def close(_: object = None) -> None:
        # Closed, so that who leaves in the middle need not read the rest; what was read to its end has given its connection back.
        response.close()
        response.release_conn()

    if reading is None:
        close()
        return
    if not reading.done():
        with contextlib.suppress(ValueError, RuntimeError, OSError):  # it has come to its end just now
            response.shutdown()
    reading.add_done_callback(close)


def _is_nothing(error: S3Error) -> bool:
    # The operator makes the bucket with the first run that stores something; until then nothing has been stored.
    return is_missing(error) or error.code == "NoSuchBucket"


def _stored(key: str, found: Object) -> StoredObject:
    modified = found.last_modified.timestamp() if found.last_modified else 0.0
    return StoredObject(key, int(found.size or 0), str(found.etag or "").strip('"'), modified)
