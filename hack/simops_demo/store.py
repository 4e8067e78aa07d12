"""Reads objects of the embedded store from outside the cluster, through a port-forward."""

import base64
import contextlib
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import urllib3
from minio import Minio
from minio.error import MinioException

from localcluster.progress import StepError
from simops_demo.installation import NAMESPACE, RELEASE, Cluster, output

FORWARD_SECONDS = 30


@dataclass(frozen=True)
class Bucket:
    """A bucket of the store."""

    client: Minio
    name: str

    def read(self, key: str) -> bytes:
        """Return an object."""
        try:
            response = self.client.get_object(self.name, key)
            try:
                return response.read()
            finally:
                response.close()
                response.release_conn()
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            msg = f"the store did not give {key}: {error}"
            raise StepError(msg) from error


@contextlib.contextmanager
def forwarded(cluster: Cluster, target: str, port: int) -> Iterator[str]:
    """Give the local address of a Pod's or service's port while the body runs."""
    command = cluster.kubectl("port-forward", f"--namespace={NAMESPACE}", target, f":{port}")
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        alarm = threading.Timer(FORWARD_SECONDS, process.kill)
        alarm.start()
        try:
            said = process.stdout.readline() if process.stdout else ""
            alarm.cancel()
            address = re.search(r"Forwarding from (127\.0\.0\.1:\d+)", said)
            if address is None:
                msg = f"no port-forward to {target}: {said.strip() or 'kubectl said nothing'}"
                raise StepError(msg)
            yield address[1]
        finally:
            alarm.cancel()
            process.kill()


@contextlib.contextmanager
def opened(cluster: Cluster) -> Iterator[Bucket]:
    """Give the embedded store's bucket while the body runs."""
    values = cluster.helm("get", "values", RELEASE, f"--namespace={NAMESPACE}", "--all", "--output=json")
    store = json.loads(output(values))["store"]
    services = cluster.get("services", f"--namespace={NAMESPACE}", "--selector=app.kubernetes.io/component=minio")[
        "items"
    ]
    if not services:
        msg = "this installation has no embedded store; read the bundle from your own store"
        raise StepError(msg)
    secret = cluster.get("secret", store["secretName"], f"--namespace={NAMESPACE}")["data"]
    access, password = (base64.b64decode(secret[name]).decode() for name in ("access-key", "secret-key"))
    service = services[0]
    with forwarded(cluster, f"service/{service['metadata']['name']}", service["spec"]["ports"][0]["port"]) as host:
        client = Minio(host, access_key=access, secret_key=password, secure=False, region=store["region"])
        yield Bucket(client, store["bucket"])
