"""The embedded store as the tests read it: from outside the cluster, through a port-forward, which works on every provider."""

import base64
import contextlib
import io
import json
import time
import zipfile
from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar

import urllib3
from minio import Minio
from minio.error import S3Error

from localcluster.progress import StepError
from simops_demo import installation
from simops_demo.store import forwarded

T = TypeVar("T")

BUCKET = "simops"
PATIENCE_SECONDS = 60.0


class Bucket:
    """The bucket. The forward ends when the store's Pod goes; a call then opens another one."""

    def __init__(self, cluster: installation.Cluster) -> None:
        self._cluster = cluster
        self._door = contextlib.ExitStack()
        self._minio: Minio | None = None

    def close(self) -> None:
        self._minio = None
        self._door.close()

    def _open(self) -> Minio:
        if self._minio is None:
            where = f"--namespace={installation.NAMESPACE}"
            secret = self._cluster.get("secret", "simops-store", where)["data"]
            access, key = (base64.b64decode(secret[name]).decode() for name in ("access-key", "secret-key"))
            (service,) = self._cluster.get("services", where, "--selector=app.kubernetes.io/component=minio")["items"]
            address = self._door.enter_context(forwarded(self._cluster, f"service/{service['metadata']['name']}", 9000))
            http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=60), retries=False)
            self._minio = Minio(
                address, access_key=access, secret_key=key, secure=False, region="us-east-1", http_client=http
            )
        return self._minio

    def _call(self, call: Callable[[Minio], T]) -> T:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return call(self._open())
            except (urllib3.exceptions.HTTPError, OSError, StepError):
                self.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def objects(self, prefix: str) -> dict[str, int]:
        """Return the objects below a prefix: the rest of the key → bytes."""
        return self._call(
            lambda minio: {
                str(found.object_name).removeprefix(prefix): found.size or 0
                for found in minio.list_objects(BUCKET, prefix=prefix, recursive=True)
            }
        )

    def read(self, key: str) -> bytes:
        """Return an object."""

        def call(minio: Minio) -> bytes:
            answer = minio.get_object(BUCKET, key)
            try:
                content: bytes = answer.read()
                return content
            finally:
                answer.close()
                answer.release_conn()

        return self._call(call)

    def find(self, key: str) -> bytes | None:
        """Return an object, None if there is none."""
        try:
            return self.read(key)
        except S3Error as error:
            if error.code == "NoSuchKey":
                return None
            raise

    def write(self, key: str, content: bytes) -> None:
        """Store an object."""
        self._call(lambda minio: minio.put_object(BUCKET, key, io.BytesIO(content), len(content)))

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._call(lambda minio: minio.remove_object(BUCKET, key))


def unpacked(content: bytes, checksum: str | None = None) -> dict[str, bytes]:
    """Return the files of a bundle; every one of them is read and its checksum verified."""
    assert checksum is None or sha256(content).hexdigest() == checksum
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def parsed(content: bytes) -> Any:
    return json.loads(content)
