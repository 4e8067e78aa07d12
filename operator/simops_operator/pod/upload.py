"""Bring a stream to an S3 store, as a whole or not at all, through whatever the store does until the time is over.

minio-py's `put_object` gives up a whole multipart upload when one part fails. Here each request is tried again alone
until the deadline, and the stream is read again only if the store has lost the upload. The multipart calls are
protected methods of `Minio`, hence the subclass.

Importing minio costs 0.3 s of CPU; this module is therefore imported when there is something to upload, and by nobody
else.

In memory are at most four parts: the one that is filled, two on their way, and the last one handed over. A part has 8
MiB; after each 1,000 parts the size doubles (a store takes 10,000), so the bound is 32 MiB for bundles below 8 GiB
and about 1/125 of the bundle for larger ones.

No checksum extensions, ACLs, tags or encryption headers: some stores lack them. The store checks each part (SHA-256
in the signature, MD5 under TLS), and size and an identifying metadata entry of the finished object are compared with
what was sent.
"""

import random
import re
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import certifi
import urllib3
from minio import Minio, S3Error
from minio.credentials.providers import IamAwsProvider, Provider, StaticProvider
from minio.datatypes import Part
from minio.error import MinioException
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError

PART_SIZE = 8 << 20
_PARTS_PER_SIZE = 1000
_PARALLEL = 2
_SEND_BLOCK = 1 << 16
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
_MAX_PAUSE = 5.0
_TOKEN = "simops-upload"  # noqa: S105 - the name of a metadata entry
_RETRIED = (MinioException, HTTPError, OSError, ValueError, LookupError, ParseError)
_LOST = {"NoSuchUpload", "InvalidPart", "InvalidPartOrder", "EntityTooSmall"}
_HINTS = {
    "AccessDenied": "the policy must allow s3:PutObject, s3:GetObject and s3:AbortMultipartUpload there",
    "InvalidAccessKeyId": "the store does not know this access key; check the Secret",
    "SignatureDoesNotMatch": "the secret key is not that of the access key; check the Secret",
    "NoSuchBucket": "the bucket does not exist; create it or correct the bucket's name",
    "RequestTimeTooSkewed": "the clocks of node and store differ",
}

_QUERY = re.compile(r"\?\S+")

T = TypeVar("T")


class UploadFailedError(Exception):
    """The time is over; the text is the last obstacle."""


class _LostError(Exception):
    """The store has no such upload or object any more: everything must be sent again."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the objects go."""

    endpoint: str
    bucket: str
    region: str
    credentials: str


class Store:
    """Uploads objects. `remaining` gives the seconds that are left, `note` is told each obstacle."""

    def __init__(self, target: Target, remaining: Callable[[], float], note: Callable[[str], None]) -> None:
        self._target = target
        self._remaining = remaining
        self._note = note
        self._last_obstacle = "no time was left to try"
        self._http = _Http(remaining, _trust(target))
        self._client: _Client | None = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.clear()

    def put(self, key: str, stream: Callable[[], Iterable[bytes]], content_type: str) -> None:
        """Upload what `stream()` yields; it is called again if the store loses the upload."""
        pause = _Pause(self._remaining)
        while True:
            token = f"{time.time_ns():x}-{random.getrandbits(64):016x}"
            try:
                size = self._send(key, stream(), token, content_type)
                self._verify(key, size, token)
            except _LostError as obstacle:
                self._obstacle(f"{obstacle}; sending everything again")
                pause()
            else:
                return

    def exists(self, key: str) -> bool:
        """Whether there is an object now. One try; a store that does not answer has none."""
        try:
            client = self._client = self._client or _Client(self._target, self._http)
            client.look(key)
        except _RETRIED:
            return False
        return True

    def _send(self, key: str, stream: Iterable[bytes], token: str, content_type: str) -> int:
        headers = {"Content-Type": content_type, f"x-amz-meta-{_TOKEN}": token}
        parts = _parts(stream)
        first = next(parts, bytearray())
        if len(first) < PART_SIZE:
            self._persist(f"put {key}", lambda client: client.put_one(key, first, headers))
            return len(first)

        def start(client: _Client) -> str:
            self._abort_leftovers(key)  # Also what a try has begun whose answer was lost.
            return client.start(key, headers)

        upload = self._persist(f"start {key}", start)
        try:
            done, size = self._send_parts(key, upload, first, parts)
            self._persist(f"complete {key}", lambda client: client.complete(key, upload, done, token))
        except BaseException:
            self._abort(key, upload)
            raise
        return size

    def _send_parts(self, key: str, upload: str, first: bytearray, rest: Iterator[bytearray]) -> tuple[list[Part], int]:
        done: list[Part] = []
        pending: deque[Future[Part]] = deque()
        size, data, number = 0, first, 1
        with ThreadPoolExecutor(_PARALLEL, "part") as pool:
            while data:
                if len(pending) == _PARALLEL:
                    done.append(pending.popleft().result())
                pending.append(pool.submit(self._part, key, upload, number, data))
                size += len(data)
                number += 1
                data = next(rest, bytearray())
            done.extend(future.result() for future in pending)
        return done, size

    def _part(self, key: str, upload: str, number: int, data: bytearray) -> Part:
        etag = self._persist(f"part {number} of {key}", lambda client: client.put_part(key, upload, number, data))
        return Part(number, etag)

    def _verify(self, key: str, size: int, token: str) -> None:
        try:
            there = self._persist(f"look at {key}", lambda client: client.look(key))
        except _LostError as error:
            raise _LostError(f"the store took {key} but does not have it") from error
        if there != (size, token):
            raise _LostError(f"the store has {there[0]} bytes of {key} instead of {size}, or another upload's")

    def _persist(self, what: str, call: Callable[["_Client"], T]) -> T:
        """Call until it works or the time is over."""
        pause = _Pause(self._remaining)
        while True:
            if self._remaining() <= 0:
                raise UploadFailedError(self._last_obstacle)
            try:
                if self._client is None:
                    self._client = _Client(self._target, self._http)
                return call(self._client)
            except _RETRIED as error:
                if isinstance(error, S3Error):
                    if error.code in _LOST or error.code == "NoSuchKey":
                        raise _LostError(f"{what}: {error.code}") from error
                    if error.response.status in (400, 401, 403):
                        self._client = None  # The Secret may have been rotated: read it again.
                self._obstacle(f"{what}: {describe(error, self._target)}")
            pause()

    def _obstacle(self, text: str) -> None:
        self._last_obstacle = text
        self._note(text)

    def _abort_leftovers(self, key: str) -> None:
        """Abort what a killed container has left under this key. Best effort: not every policy allows to list."""
        try:
            client = self._client = self._client or _Client(self._target, self._http)
            for upload in client.unfinished(key):
                client.abort(key, upload)
        except _RETRIED:
            pass

    def _abort(self, key: str, upload: str) -> None:
        """Leave no parts behind. One try, also when the time is over: the reserve is for this."""
        try:
            if self._client:
                self._client.abort(key, upload)
        except _RETRIED as error:
            self._note(f"abort {key}: {describe(error, self._target)}")


class _Client(Minio):
    """The S3 calls used here, one request each and without retries."""

    def __init__(self, target: Target, http: "_Http") -> None:
        url = urlsplit(target.endpoint)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise UploadFailedError(f"the store's endpoint {target.endpoint!r} is no http:// or https:// URL")
        super().__init__(
            url.netloc,
            secure=url.scheme == "https",
            region=target.region,
            http_client=http,
            credentials=_credentials(target.credentials, http),
        )
        self._base_url.virtual_style_flag = False
        self._bucket = target.bucket

    def put_one(self, key: str, data: bytearray, headers: dict[str, str]) -> None:
        self._put_object(self._bucket, key, cast(bytes, data), dict(headers))

    def start(self, key: str, headers: dict[str, str]) -> str:
        return self._create_multipart_upload(self._bucket, key, dict(headers))

    def put_part(self, key: str, upload: str, number: int, data: bytearray) -> str:
        return self._upload_part(self._bucket, key, cast(bytes, data), None, upload, number)

    def complete(self, key: str, upload: str, parts: list[Part], token: str) -> None:
        try:
            self._complete_multipart_upload(self._bucket, key, upload, parts)
        except S3Error as error:
            # The answer to an earlier try may have been lost on its way; then the object is there and is this one.
            if error.code != "NoSuchUpload" or self.look(key)[1] != token:
                raise

    def look(self, key: str) -> tuple[int, str]:
        found = self.stat_object(self._bucket, key)
        metadata = found.metadata or {}
        return found.size or 0, str(metadata.get(f"x-amz-meta-{_TOKEN}", ""))

    def unfinished(self, key: str) -> list[str]:
        listed = self._list_multipart_uploads(self._bucket, prefix=key)
        return [upload.upload_id for upload in listed.uploads if upload.object_name == key and upload.upload_id]

    def abort(self, key: str, upload: str) -> None:
        self._abort_multipart_upload(self._bucket, key, upload)


class _Http(urllib3.PoolManager):
    """Sends bodies in blocks, so that a time-out is that of a block and not of a part; ends no request too late."""

    def __init__(self, remaining: Callable[[], float], trust: ssl.SSLContext | None) -> None:
        super().__init__(maxsize=_PARALLEL + 1, ssl_context=trust)
        self._seconds_left = remaining

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = False, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        """Send one request. Redirects and retries are left to the caller, who must sign again."""
        if options.get("body"):
            options["body"] = self._blocks(options["body"])
        left = max(0.5, self._seconds_left())
        timeout = urllib3.Timeout(connect=min(_CONNECT_SECONDS, left), read=min(_ANSWER_SECONDS, left))
        return super().urlopen(method, url, redirect=redirect, **options | {"retries": False, "timeout": timeout})

    def _blocks(self, body: bytes) -> Iterator[memoryview]:
        view = memoryview(body)
        for at in range(0, len(view), _SEND_BLOCK):
            if self._seconds_left() <= 0:
                raise HTTPTimeoutError("the time for the upload is over")
            yield view[at : at + _SEND_BLOCK]


class _Pause:
    """Waits longer from time to time, never longer than there is time, and not all Pods at the same moment."""

    def __init__(self, remaining: Callable[[], float]) -> None:
        self._remaining = remaining
        self._seconds = 0.2

    def __call__(self) -> None:
        seconds = self._seconds * (0.5 + random.random())  # noqa: S311 - spreads load
        time.sleep(max(0.0, min(seconds, self._remaining())))
        self._seconds = min(2 * self._seconds, _MAX_PAUSE)


def _parts(stream: Iterable[bytes]) -> Iterator[bytearray]:
    """Cut the stream into parts of equal sizes; the last one may be smaller."""
    number, wanted, part = 1, PART_SIZE, bytearray()
    for chunk in stream:
        rest = memoryview(chunk)
        while rest:
            taken = rest[: wanted - len(part)]
            part += taken
            rest = rest[len(taken) :]
            if len(part) == wanted:
                yield part
                part = bytearray()
                number += 1
                wanted = PART_SIZE << (number - 1) // _PARTS_PER_SIZE
    if part:
        yield part


def _credentials(folder: str, http: urllib3.PoolManager) -> Provider:
    """The Secret's keys, or the identity that the cluster gives to the Pod's service account."""
    secret = (
        {path.name: path.read_text().strip() for path in Path(folder).glob("*") if path.is_file()} if folder else {}
    )
    if not secret.get("access-key"):
        return IamAwsProvider(http_client=http)
    return StaticProvider(secret["access-key"], secret.get("secret-key", ""), secret.get("session-token") or None)


def _trust(target: Target) -> ssl.SSLContext | None:
    """The Secret's CA besides those of the system; the certificates that come with minio where the image has none."""
    if not target.endpoint.startswith("https:"):
        return None
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(certifi.where())
    own = Path(target.credentials, "ca.crt")
    if target.credentials and own.is_file():
        try:
            context.load_verify_locations(own)
        except OSError as error:
            raise UploadFailedError(f"ca.crt of the Secret is no certificate in PEM form: {error}") from error
    return context


def describe(error: Exception, target: Target) -> str:
    """What a person can do about it, without anything secret (a token may be part of an address)."""
    where = f"{target.endpoint}, bucket {target.bucket}"
    if isinstance(error, S3Error):
        hint = _HINTS.get(error.code or "", error.message)
        return f"{where}: {error.code}: {hint}"
    if isinstance(error, NameResolutionError):
        return f"{where}: the name of the store cannot be resolved"
    if isinstance(error, NewConnectionError):
        return f"{where}: no connection ({str(error).rpartition(': ')[2]})"
    if isinstance(error, SSLError):
        return f"{where}: TLS failed ({error}); the Secret's key ca.crt may name another CA"
    if isinstance(error, HTTPTimeoutError):
        return f"{where}: no answer in time"
    return f"{where}: {_QUERY.sub('?…', str(error)) or type(error).__name__}"
