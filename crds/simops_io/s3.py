"""One bucket of the store (S3). minio-py is synchronous: each call runs in a thread of an own, bounded pool."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio, MinioAdmin
from minio.credentials.providers import IamAwsProvider, Provider, StaticProvider
from minio.error import MinioException, S3Error

T = TypeVar("T")

MAX_OBJECT = 256 << 20
"""Bytes of an object that is read as a whole: far more than any has."""
_MISSING = frozenset({"NoSuchKey", "NotFound", "ResourceNotFound"})


class StoreError(Exception):
    """The store did not do what it was asked for; the text says what and why. Worth trying again."""


class TooLargeError(StoreError):
    """An object has more bytes than anything that SimOps writes under such a key; none of it was read."""


@dataclass(frozen=True)
class Address:
    """Where a bucket is, and where the keys to it are."""

    endpoint: str
    """``http(s)://host[:port]``."""
    bucket: str
    region: str
    credentials: str
    """Folder with access-key and secret-key (session-token, ca.crt); without these files: workload identity."""


class Bucket:
    """The connection to one bucket; what operator and gateway each do with it is theirs."""

    def __init__(
        self,
        address: Address,
        threads: int,
        failed: Callable[[], None] = lambda: None,
        called: Callable[[], None] = lambda: None,
    ) -> None:
        """Connect at first use. ``called`` is called for each call, and ``failed`` for each one that failed."""
        self.name = address.bucket
        self._called = called
        self._address = address
        self._failed = failed
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store")
        self._folder = Path(address.credentials)
        ca = self._folder / "ca.crt"
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=5, read=60),
            maxsize=threads,
            retries=urllib3.Retry(
                total=2,
                backoff_factor=0.2,
                status_forcelist=(500, 502, 503, 504),
                raise_on_status=False,
                respect_retry_after_header=False,  # it would be slept in a thread that others need, for as long as the store says
            ),
            ca_certs=str(ca) if ca.exists() else None,
        )
        self._client: Minio | None = None

    def client(self) -> Minio:
        """Return the client."""
        # Made at first use: the Secret may be mounted with new keys after a restart, and a wrong endpoint must not stop the process.
        if self._client is None:
            self._client = self.client_of(self._address.endpoint)
        return self._client

    def client_of(self, endpoint: str) -> Minio:
        """Return a new client for the same bucket by another address, such as the one that the world outside sees."""
        url = urlsplit(endpoint)
        return Minio(
            url.netloc,
            secure=url.scheme == "https",
            region=self._address.region,
            credentials=self._credentials(),
            http_client=self._http,
        )

    def _credentials(self) -> Provider:
        access, secret = self._folder / "access-key", self._folder / "secret-key"
        if not access.exists():
            return IamAwsProvider()
        token = self._folder / "session-token"
        return StaticProvider(
            access.read_text().strip(),
            secret.read_text().strip(),
            token.read_text().strip() if token.exists() else None,
        )

    def admin(self) -> MinioAdmin:
        """Return a client of the store's administration, for a store that is MinIO."""
        url = urlsplit(self._address.endpoint)
        return MinioAdmin(
            endpoint=url.netloc,
            secure=url.scheme == "https",
            region=self._address.region,
            credentials=self._credentials(),
            http_client=self._http,
        )

    async def run(self, what: str, call: Callable[[], T]) -> T:
        """Return what a call gives, made in a thread.

        Raises:
            StoreError: it failed.
        """
        return await self.result(what, self.submit(call))

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Make a call in a thread."""
        self._called()
        return self._pool.submit(call)

    async def result(self, what: str, made: Future[T]) -> T:
        """Return what a call has given.

        Raises:
            StoreError: it failed.
        """
        try:
            return await asyncio.wrap_future(made)
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self._failed()
            self._client = None  # keys may have been changed
            raise StoreError(f"{what}: {error}") from error

    async def get(
        self, key: str, limit: int = MAX_OBJECT, nothing: Callable[[S3Error], bool] | None = None
    ) -> bytes | None:
        """Return a small object, None if there is none, as ``nothing`` says of an error (default: `is_missing`).

        Raises:
            TooLargeError: it has more than ``limit`` bytes. Who has a namespace's keys to the store can put anything there, and it would be held in memory.
            StoreError: the store does not answer, or refuses.
        """

        def read(response: urllib3.BaseHTTPResponse) -> bytes | int:
            size = int(response.headers["Content-Length"])
            return response.read() if size <= limit else size

        found = await self._read(key, read, nothing or is_missing)
        if isinstance(found, int):
            raise TooLargeError(
                f"{key} has {found} bytes, more than the {limit} that SimOps reads of it: it was not written by SimOps"
            )
        return found

    async def head(self, key: str, limit: int) -> bytes | None:
        """Return the first ``limit`` bytes of an object, None if there is none.

        Raises:
            StoreError: the store does not answer, or refuses.
        """
        return await self._read(key, lambda response: response.read(limit), is_missing)

    async def _read(
        self, key: str, read: Callable[[urllib3.BaseHTTPResponse], T], nothing: Callable[[S3Error], bool]
    ) -> T | None:
        def call() -> T | None:
            try:
                response = self.client().get_object(self.name, key)
            except S3Error as error:
                if nothing(error):
                    return None
                raise
            try:
                return read(response)
            finally:
                response.close()
                response.release_conn()

        return await self.run(key, call)

    async def ensure(self, *, may_make: bool) -> None:
        """Make the bucket if it is missing and may be made.

        Raises:
            StoreError: it is missing and may not be made, or the store does not answer.
        """

        def call() -> None:
            minio = self.client()
            if minio.bucket_exists(self.name):
                return
            if not may_make:
                raise ValueError(f"bucket {self.name} is missing and SIMOPS_STORE_CREATE_BUCKET is false; make it")
            try:
                minio.make_bucket(self.name)
            except S3Error as error:
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

        await self.run(f"bucket {self.name}", call)

    def close(self) -> None:
        """Give the connections and threads back."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._http.clear()


def is_missing(error: S3Error) -> bool:
    """Whether an error says that there is no such object."""
    return error.code in _MISSING
