"""Real S3 servers as subprocesses on loopback, and a proxy that spoils single requests on their way to them."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import urllib3
from minio import Minio, S3Error

ROOT = Path(__file__).resolve().parents[2]
ACCESS, SECRET = "test-access", "test-secret-7531"
KINDS = ("minio", "versitygw")


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for a condition with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def binary(kind: str) -> str:
    """The path of the server: from the environment, or built and cached by the local cluster's tools."""
    given = os.environ.get(f"SIMOPS_{kind.upper()}_BIN")
    if given:
        return given
    command = [sys.executable, str(ROOT / "hack" / "cluster"), "tool", kind]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=1800)
    return done.stdout.split()[-1]


class Server:
    """One server that can be frozen, killed and started again with its data."""

    def __init__(self, kind: str, folder: Path, certificates: Path | None = None, **variables: str) -> None:
        self.kind = kind
        self._variables = variables
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.secure = certificates is not None
        self.endpoint = f"{'https' if self.secure else 'http'}://127.0.0.1:{self.port}"
        self.bucket = "simops"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        data = str(folder / "data")
        (folder / "data" / self.bucket).mkdir(parents=True)
        address = f"127.0.0.1:{self.port}"
        if kind == "minio":
            self._command = [binary(kind), "server", "--quiet", "--address", address]
            self._command += ["--certs-dir", str(certificates)] if certificates else []
            self._command.append(data)
        else:
            (folder / "meta").mkdir()
            self._command = [binary(kind), "--port", address, "posix", "--sidecar", str(folder / "meta"), data]
        self._pool = urllib3.PoolManager(
            retries=urllib3.Retry(total=10, backoff_factor=0.05), timeout=20, cert_reqs="CERT_NONE"
        )
        self.client = Minio(
            f"127.0.0.1:{self.port}", ACCESS, SECRET, secure=self.secure, region="us-east-1", http_client=self._pool
        )

    def start(self) -> None:
        """Start unless it runs, and wait until it answers."""
        if self._process is None:
            environment = os.environ | {
                "MINIO_ROOT_USER": ACCESS,
                "MINIO_ROOT_PASSWORD": SECRET,
                "MINIO_BROWSER": "off",
                "ROOT_ACCESS_KEY": ACCESS,
                "ROOT_SECRET_KEY": SECRET,
                **self._variables,
            }
            with (self._folder / "log").open("ab") as log:
                self._process = subprocess.Popen(self._command, env=environment, stdout=log, stderr=log)
        until(self._answers, f"{self.kind} answers, see {self._folder}/log")
        if not self.client.bucket_exists(self.bucket):
            self.client.make_bucket(self.bucket)

    def kill(self) -> None:
        """SIGKILL, as a node that dies."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._pool.clear()

    def freeze(self) -> None:
        """Let it hang: connections are still accepted by the kernel, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.thaw()
        self.kill()

    def keys(self, prefix: str) -> list[str]:
        return [item.object_name or "" for item in self.client.list_objects(self.bucket, prefix, recursive=True)]

    def get(self, key: str) -> bytes:
        answer = self.client.get_object(self.bucket, key)
        try:
            return answer.read()
        finally:
            answer.close()
            answer.release_conn()

    def unfinished(self, key: str) -> list[str]:
        """Upload ids of the multipart uploads that are neither completed nor aborted."""
        listed = self.client._list_multipart_uploads(self.bucket, prefix=key)
        return [upload.upload_id or "" for upload in listed.uploads if upload.object_name == key]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.kind} ended; see {self._folder}/log"
        with contextlib.suppress(S3Error, urllib3.exceptions.HTTPError, OSError):
            self.client.list_buckets()
            return True
        return False


_ANSWERS = {
    "503": (b"503 Slow Down", b""),
    "403": (b"403 Forbidden", b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"),
    "507": (
        b"507 Insufficient Storage",
        b"<Error><Code>XMinioStorageFull</Code><Message>Storage backend has reached its minimum free drive threshold."
        b"</Message></Error>",
    ),
}


class Proxy:
    """Forwards requests one by one; `spoil(head)` may name a mishap for one of them.

    `reset`: the connection is reset before the store sees anything. `503`: the proxy answers. `cut`: the store gets half
    of the body. `lost`: the store does it and the answer is lost. `half`: the answer ends in its middle. `trickle`: the
    body goes through slowly. `403`: the proxy answers that access is denied. `507`: that the store is full.
    """

    def __init__(self, target: tuple[str, int], spoil: Callable[[str], str | None], address: str = "127.0.0.1") -> None:
        """``target``: where the store is; ``address``: where to listen."""
        self._target = target
        self._spoil = spoil
        self._listener = socket.create_server((address, 0))
        self.endpoint = f"http://{address}:{self._listener.getsockname()[1]}"
        self.mishaps: list[str] = []
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    def close(self) -> None:
        for sock in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for sock in [self._listener, *self._open]:
            sock.close()

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            self._open.add(client)
            self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), client, client.makefile("rb") as stream:
            while self._one(client, stream):
                pass

    def _one(self, client: socket.socket, stream: BinaryIO) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return False
            head += line
        length = _length(head)
        mishap = self._spoil(head.decode())
        if mishap:
            self.mishaps.append(mishap)
        if mishap == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if mishap in _ANSWERS:
            stream.read(length)
            status, body = _ANSWERS[mishap]
            client.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n" % (status, len(body)))
            client.sendall(b"Content-Type: application/xml\r\n\r\n" + body)
            return False
        with socket.create_connection(self._target) as server, server.makefile("rb") as answers:
            server.sendall(head)
            wanted = length // 2 if mishap == "cut" else length
            for block in _blocks(stream, wanted, 1 << 14 if mishap == "trickle" else 1 << 20):
                server.sendall(block)
                if mishap == "trickle":
                    time.sleep(0.005)
            if mishap == "cut":
                return False
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += answers.readline() or b"\r\n\r\n"
            without_body = head.startswith(b"HEAD") or b" 204 " in answer[:20]
            body = b"" if without_body else answers.read(_length(answer))
            if mishap == "lost":
                return False
            if mishap == "half":
                client.sendall(answer + body[: len(body) // 2])
                return False
            client.sendall(answer + body)
        return True


def _blocks(stream: BinaryIO, length: int, size: int) -> Iterator[bytes]:
    while length > 0:
        block = stream.read(min(size, length))
        if not block:
            return
        length -= len(block)
        yield block


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0
