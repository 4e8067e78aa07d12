"""The embedded store has a number of places for requests: who lets uploads trickle takes a quarter of them. With a real MinIO."""

import io
import re
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import urllib3
from integration.servers import ACCESS, SECRET, Server, until
from integration.sidecar import Sidecar
from minio import Minio, MinioAdmin, S3Error
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AssumeRoleProvider, StaticProvider
from minio.signer import presign_v4, sign_v4_s3

from simops_operator.grants import Grant, make_known

PLACES = 16
SHARE = PLACES // 4
LAB, OTHER = (
    Grant("lab", "lab-keys-0123", "lab-secret-0123456789"),
    Grant("other", "other-keys-0123", "other-secret-456789"),
)
KEYS, OTHERS, ROOT = (
    Credentials(LAB.access, LAB.secret),
    Credentials(OTHER.access, OTHER.secret),
    Credentials(ACCESS, SECRET),
)
FORGED = tuple(Credentials(keys.access_key, "another-secret-456") for keys in (KEYS, OTHERS, ROOT))
WAYS = ("signed", "streaming", "presigned")

pytestmark = pytest.mark.store


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server("minio", tmp_path_factory.mktemp("places"), MINIO_API_REQUESTS_MAX=str(PLACES))
    server.start()
    admin = MinioAdmin(endpoint=f"127.0.0.1:{server.port}", credentials=StaticProvider(ACCESS, SECRET), secure=False)
    for grant in (LAB, OTHER):
        make_known(admin, server.bucket, grant)
    yield server
    server.close()


class Held:
    """Requests of which the store got the head and one byte of a hundred megabytes."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stack = ExitStack()
        self.sockets: list[socket.socket] = []

    def close(self) -> None:
        self._stack.close()
        self.sockets.clear()

    def begin(self, keys: Credentials | None, way: str, target: str = "", method: str = "PUT") -> None:
        """Begin an upload, or another request with a body."""
        target = target or f"jobs/lab/a/slow-{len(self.sockets)}"
        url = urlsplit(f"{self._server.endpoint}/{self._server.bucket}/{target}")
        now = datetime.now(UTC)
        headers: dict[str, str | list[str] | tuple[str]] = {
            "Host": url.netloc,
            "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
        }
        payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" if way == "streaming" else "UNSIGNED-PAYLOAD"
        headers["x-amz-content-sha256"] = payload
        if way == "streaming":
            headers["x-amz-decoded-content-length"] = "90000000"
        if method == "POST":
            headers["content-md5"] = "1B2M2Y8AsgTpgAmY7PhCfg=="
        if keys and keys.session_token:
            headers["X-Amz-Security-Token"] = keys.session_token
        if keys and way == "presigned":
            headers = {"Host": url.netloc}
            url = presign_v4(method=method, url=url, region="us-east-1", credentials=keys, date=now, expires=600)
        elif keys:
            sign_v4_s3(
                method=method,
                url=url,
                region="us-east-1",
                headers=headers,
                credentials=keys,
                content_sha256=payload,
                date=now,
            )
        lines = [f"{method} {url.path}?{url.query} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        one = self._stack.enter_context(socket.create_connection(("127.0.0.1", self._server.port), timeout=20))
        one.sendall("\r\n".join([*lines, "Content-Length: 100000000", "", "1"]).encode())
        self.sockets.append(one)

    def answers(self) -> list[int]:
        """The statuses of those that are answered by now."""
        answered = select.select(self.sockets, [], [], 0)[0]
        statuses = (re.match(rb"HTTP/1.1 (\d+)", one.recv(100, socket.MSG_PEEK)) for one in answered)
        return sorted(int(status[1]) for status in statuses if status)


@pytest.fixture
def held(server: Server) -> Iterator[Held]:
    held = Held(server)
    yield held
    held.close()
    pool = urllib3.PoolManager(retries=False, timeout=20)

    def free() -> bool:
        return pool.request("GET", f"{server.endpoint}/{server.bucket}").headers["X-RateLimit-Remaining"] == str(PLACES)

    until(free, "the places are free again")


def put(server: Server, keys: Credentials, name: str) -> str | None:
    """Try once to store something; why it is refused."""
    client = Minio(
        f"127.0.0.1:{server.port}",
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        secure=False,
        region="us-east-1",
        http_client=urllib3.PoolManager(retries=False, timeout=20),
    )
    try:
        client.put_object(server.bucket, f"jobs/{name}", io.BytesIO(b"x"), 1)
    except S3Error as error:
        return error.code
    return None


def others_store(server: Server) -> None:
    for number in range(5):
        assert put(server, OTHERS, f"other/a/{number}") is None
        assert put(server, ROOT, f"x/{number}") is None


def test_uploads_that_trickle_take_a_quarter_of_the_places(
    server: Server, held: Held, sidecar: Callable[..., Sidecar]
) -> None:
    provider = AssumeRoleProvider(
        sts_endpoint=server.endpoint, access_key=LAB.access, secret_key=LAB.secret, duration_seconds=3600
    )
    for number in range(2 * PLACES):
        # Keys that it makes for itself count as its own.
        keys = provider.retrieve() if number % 4 == 3 else KEYS
        held.begin(keys, "signed" if keys is not KEYS else WAYS[number % 4])
    until(lambda: len(held.answers()) >= 2 * PLACES - SHARE, "the others are answered at once", 20)
    assert held.answers() == [429] * (2 * PLACES - SHARE)
    others_store(server)
    assert put(server, KEYS, "lab/a/b") == "TooManyRequests"
    bundle = sidecar(server)
    (bundle.secret / "access-key").write_text(LAB.access)
    (bundle.secret / "secret-key").write_text(LAB.secret)
    (bundle.outputs / "a").write_text("a")
    bundle.start().stop()
    until(lambda: "TooManyRequests" in bundle.text(), "the bundle's container is refused")
    held.close()
    assert bundle.wait() == 0, bundle.text()
    assert bundle.key in server.keys(bundle.prefix)


@pytest.mark.parametrize("way", WAYS)
def test_who_names_a_key_without_its_secret_is_refused_before_the_body_comes(
    server: Server, held: Held, way: str
) -> None:
    for keys in FORGED:
        held.begin(keys, way)
    until(lambda: len(held.answers()) == len(FORGED), "all are answered", 20)
    assert held.answers() == [403] * len(FORGED)


def test_what_is_read_before_its_signature_is_looked_at_counts_as_nobodys(server: Server, held: Held) -> None:
    for number in range(2 * PLACES):
        keys = [*FORGED, None, Credentials(f"nobody-{number}", "no-secret-0123")][number % 5]
        held.begin(keys, "signed", "?delete=", "POST")
    until(lambda: len(held.answers()) >= 2 * PLACES - SHARE, "the others are answered at once", 20)
    assert len(held.answers()) == 2 * PLACES - SHARE
    others_store(server)
    assert put(server, KEYS, "lab/a/b") is None


def test_root_leaves_places_too(server: Server, held: Held) -> None:
    for _ in range(2 * PLACES):
        held.begin(ROOT, "signed")
    until(lambda: len(held.answers()) >= 2 * PLACES - 3 * SHARE, "the others are answered at once", 20)
    assert held.answers() == [429] * (2 * PLACES - 3 * SHARE)
    assert put(server, OTHERS, "other/a/b") is None


def test_an_upload_that_trickles_is_ended(held: Held) -> None:
    held.begin(KEYS, "presigned")

    def ended() -> bool:
        # Waits for the answer, and for what the trickle waits for.
        if not select.select(held.sockets, [], [], 0.5)[0]:
            held.sockets[0].sendall(b"x")
        return bool(held.answers())

    until(ended, "it is answered", 90)
    assert held.answers() == [400]
