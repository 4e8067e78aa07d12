"""One way to an S3 store for all that the sidecar reads and writes: each request alone, tried again until the time is over.

minio-py's own retries know no deadline, and its calls that take several requests give up all of them when one fails. The
multipart calls are protected methods of `Minio`, hence the subclass.

Importing minio costs 0.3 s of CPU; this module is therefore imported when there is something to read or to upload, and by
nobody else.
"""

import random
import re
import ssl
import time
from collections.abc import Callable, Iterator
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

PARALLEL = 2
"""Requests at the same time."""
RETRIED = (MinioException, HTTPError, OSError, ValueError, LookupError, ParseError)
"""What a request is tried again for: also an answer that makes no sense."""
_BLOCK = 1 << 16
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
_MAX_PAUSE = 5.0
TOKEN = "simops-upload"  # noqa: S105 - the name of a metadata entry
_LOST = {"NoSuchUpload", "NoSuchKey", "InvalidPart", "InvalidPartOrder", "EntityTooSmall"}
_HINTS = {
    "AccessDenied": "the policy must allow s3:PutObject, s3:GetObject and s3:AbortMultipartUpload there",
    "InvalidAccessKeyId": "the store does not know this access key; check the Secret",
    "SignatureDoesNotMatch": "the secret key is not that of the access key; check the Secret",
    "NoSuchBucket": "the bucket does not exist; create it or correct the bucket's name",
    "RequestTimeTooSkewed": "the clocks of node and store differ",
}

_QUERY = re.compile(r"\?\S+")

T = TypeVar("T")


class OutOfTimeError(Exception):
    """The time is over; the text is the last obstacle."""


class LostError(Exception):
    """The store has no such upload or object (any more)."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the objects are."""

    endpoint: str
    bucket: str
    region: str
    credentials: str


class Store:
    """Makes requests. `remaining` gives the seconds that are left, `note` is told each obstacle."""

    def __init__(self, target: Target, remaining: Callable[[], float], note: Callable[[str], None]) -> None:
        self.remaining = remaining
        self.note = note
        self._target = target
        self._last_obstacle = "no time was left to try"
        self._http = Http(remaining, _trust(target))
        self._client: Client | None = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.clear()

    def persist(self, what: str, call: Callable[["Client"], T]) -> T:
        """Call until it works or the time is over.

        Raises:
            LostError: the store answers that there is no such upload or object.
            OutOfTimeError: the time is over.
        """
        pause = Pause(self.remaining)
        while True:
            if self.remaining() <= 0:
                raise OutOfTimeError(self._last_obstacle)
            try:
                return call(self.client())
            except RETRIED as error:
                if isinstance(error, S3Error):
                    if error.code in _LOST:
                        raise LostError(f"{what}: {error.code}") from error
                    if error.response.status in (400, 401, 403):
                        self._client = None  # The Secret may have been rotated: read it again.
                self.obstacle(f"{what}: {self.describe(error)}")
            pause()

    def read(self, key: str, take: Callable[[Iterator[bytes]], T]) -> T:
        """Hand an object piece by piece to `take`, again from its start if that fails; ValueError says that it is damaged.

        An object that is not there is waited for: what is read was written before the Pod was made.
        """
        pause = Pause(self.remaining)
        while True:
            try:
                return self.persist(f"read {key}", lambda client: take(client.pieces(key)))
            except LostError as error:
                self.obstacle(str(error))
            pause()

    def find(self, key: str, take: Callable[[Iterator[bytes]], T]) -> T | None:
        """Do the same with an object that may not be there; None if it is not.

        Amazon S3 denies access to what is not there, unless one may list the bucket.
        """

        def once(client: Client) -> T | None:
            try:
                return take(client.pieces(key))
            except S3Error as error:
                if error.code in ("NoSuchKey", "AccessDenied"):
                    return None
                raise

        return self.persist(f"read {key}", once)

    def exists(self, key: str) -> bool:
        """Whether there is an object now. One try; a store that does not answer has none."""
        try:
            self.client().look(key)
        except RETRIED:
            return False
        return True

    def client(self) -> "Client":
        """Return the client, with the keys that the Secret has."""
        self._client = self._client or Client(self._target, self._http)
        return self._client

    def obstacle(self, text: str) -> None:
        """Tell what is in the way, and remember it for the case that it stays there."""
        self._last_obstacle = text
        self.note(text)

    def describe(self, error: Exception) -> str:
        """Say what a person can do about an error."""
        return describe(error, self._target)


class Client(Minio):
    """The S3 calls used here, one request each and without retries."""

    def __init__(self, target: Target, http: "Http") -> None:
        url = urlsplit(target.endpoint)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise OutOfTimeError(f"the store's endpoint {target.endpoint!r} is no http:// or https:// URL")
        super().__init__(
            url.netloc,
            secure=url.scheme == "https",
            region=target.region,
            http_client=http,
            credentials=_credentials(target.credentials, http),
        )
        self._base_url.virtual_style_flag = False
        self._bucket = target.bucket

    def pieces(self, key: str) -> Iterator[bytes]:
        """Yield an object piece by piece."""
        answer = self.get_object(self._bucket, key)
        try:
            yield from answer.stream(_BLOCK)
        finally:
            answer.close()

    def put_one(self, key: str, data: bytearray, headers: dict[str, str]) -> None:
        """Upload a whole object."""
        self._put_object(self._bucket, key, cast(bytes, data), dict(headers))

    def start(self, key: str, headers: dict[str, str]) -> str:
        """Begin an upload of several parts; its id."""
        return self._create_multipart_upload(self._bucket, key, dict(headers))

    def put_part(self, key: str, upload: str, number: int, data: bytearray) -> str:
        """Upload a part; its ETag."""
        return self._upload_part(self._bucket, key, cast(bytes, data), None, upload, number)

    def complete(self, key: str, upload: str, parts: list[Part], token: str) -> None:
        """Make an object of the parts."""
        try:
            self._complete_multipart_upload(self._bucket, key, upload, parts)
        except S3Error as error:
            # The answer to an earlier try may have been lost on its way; then the object is there and is this one.
            if error.code != "NoSuchUpload" or self.look(key)[1] != token:
                raise

    def look(self, key: str) -> tuple[int, str]:
        """Size of an object, and whose upload it is."""
        found = self.stat_object(self._bucket, key)
        metadata = found.metadata or {}
        return found.size or 0, str(metadata.get(f"x-amz-meta-{TOKEN}", ""))

    def abort(self, key: str, upload: str) -> None:
        """Drop an upload with its parts."""
        self._abort_multipart_upload(self._bucket, key, upload)


class Http(urllib3.PoolManager):
    """Sends bodies in blocks, so that a time-out is that of a block and not of a part; ends no request too late."""

    def __init__(self, remaining: Callable[[], float], trust: ssl.SSLContext | None) -> None:
        super().__init__(maxsize=PARALLEL + 1, ssl_context=trust)
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
        for at in range(0, len(view), _BLOCK):
            if self._seconds_left() <= 0:
                raise HTTPTimeoutError("the time is over")
            yield view[at : at + _BLOCK]


class Pause:
    """Waits longer from time to time, never longer than there is time, and not all Pods at the same moment."""

    def __init__(self, remaining: Callable[[], float]) -> None:
        self._remaining = remaining
        self._seconds = 0.2

    def __call__(self) -> None:
        """Wait."""
        seconds = self._seconds * (0.5 + random.random())  # noqa: S311 - spreads load
        time.sleep(max(0.0, min(seconds, self._remaining())))
        self._seconds = min(2 * self._seconds, _MAX_PAUSE)


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
            raise OutOfTimeError(f"ca.crt of the Secret is no certificate in PEM form: {error}") from error
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
