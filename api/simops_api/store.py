"""Every call that the gateway makes to the store (S3). It only reads."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from minio.error import S3Error

from simops_api.settings import Settings
from simops_io.s3 import Address, Bucket, StoreError, is_missing

__all__ = ["Store", "StoreError", "StoredObject"]

log = logging.getLogger(__name__)

_THREADS = 16
_CHUNK = 1 << 18


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
        self._connection = Bucket(address, _THREADS)

    async def stat(self, key: str) -> StoredObject | None:
        """Return what is known of an object, None if there is none.

        Raises:
            StoreError: the store does not answer, or refuses.
        """

        def call() -> StoredObject | None:
            try:
                found = self._connection.client().stat_object(self._bucket, key)
            except S3Error as error:
                if is_missing(error):
                    return None
                raise
            modified = found.last_modified.timestamp() if found.last_modified else 0.0
            return StoredObject(key, int(found.size or 0), str(found.etag or ""), modified)

        return await self._connection.run(key, call)

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield an object, or ``length`` bytes of it from ``offset`` on, in chunks; one thread is used only while a chunk is waited for.

        Raises:
            StoreError: the store does not answer, has no such object, or breaks off.
        """
        response = await self._connection.run(
            key, lambda: self._connection.client().get_object(self._bucket, key, offset, length or 0)
        )
        try:
            while chunk := await self._connection.run(key, lambda: response.read(_CHUNK)):
                yield chunk
        finally:
            # Not waited for: who leaves in the middle must not have to read the rest.
            await asyncio.shield(self._connection.run(key, response.close))
            response.release_conn()

    async def get(self, key: str) -> bytes | None:
        """Return a small object, None if there is none.

        Raises:
            StoreError: the store does not answer, or refuses.
        """

        def call() -> bytes | None:
            try:
                response = self._connection.client().get_object(self._bucket, key)
            except S3Error as error:
                if is_missing(error):
                    return None
                raise
            try:
                return response.read()
            finally:
                response.close()
                response.release_conn()

        return await self._connection.run(key, call)

    def close(self) -> None:
        """Give connections and threads back."""
        self._connection.close()
