"""Reads objects of the embedded store from outside the cluster: a port-forward and a signed request, no client library."""

import base64
import contextlib
import hashlib
import hmac
import json
import re
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from localcluster.progress import StepError
from simops_demo.installation import NAMESPACE, RELEASE, Cluster, output

SIGNATURE = "AWS4-HMAC-SHA256"
FORWARD_SECONDS = 30
READ_SECONDS = 60
EXPIRES_SECONDS = 300


@dataclass(frozen=True)
class Bucket:
    """A bucket at an address, and the keys to it."""

    host: str
    bucket: str
    region: str
    access_key: str
    secret_key: str

    def url(self, key: str, now: datetime) -> str:
        """Return an address that reads an object (AWS Signature Version 4, in the query)."""
        day, moment = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{day}/{self.region}/s3/aws4_request"
        query = {
            "X-Amz-Algorithm": SIGNATURE,
            "X-Amz-Credential": f"{self.access_key}/{scope}",
            "X-Amz-Date": moment,
            "X-Amz-Expires": str(EXPIRES_SECONDS),
            "X-Amz-SignedHeaders": "host",
        }
        path, arguments = (
            f"/{quote(f'{self.bucket}/{key}')}",
            urlencode(sorted(query.items()), quote_via=quote, safe=""),
        )
        request = f"GET\n{path}\n{arguments}\nhost:{self.host}\n\nhost\nUNSIGNED-PAYLOAD"
        text = f"{SIGNATURE}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signing = f"AWS4{self.secret_key}".encode()
        for part in (day, self.region, "s3", "aws4_request"):
            signing = hmac.digest(signing, part.encode(), "sha256")
        return f"http://{self.host}{path}?{arguments}&X-Amz-Signature={hmac.digest(signing, text.encode(), 'sha256').hex()}"

    def read(self, key: str) -> bytes:
        """Return an object."""
        try:
            with urllib.request.urlopen(self.url(key, datetime.now(UTC)), timeout=READ_SECONDS) as answer:  # noqa: S310
                content: bytes = answer.read()
        except (urllib.error.URLError, OSError) as error:
            msg = f"the store did not give {key}: {error}"
            raise StepError(msg) from error
        return content


@contextlib.contextmanager
def forwarded(cluster: Cluster, service: str, port: int) -> Iterator[str]:
    """Give the local address of a service's port while the body runs."""
    command = cluster.kubectl("port-forward", f"--namespace={NAMESPACE}", f"service/{service}", f":{port}")
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
                msg = f"no port-forward to {service}: {said.strip() or 'kubectl said nothing'}"
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
    keys = [base64.b64decode(secret[name]).decode() for name in ("access-key", "secret-key")]
    service = services[0]
    with forwarded(cluster, service["metadata"]["name"], service["spec"]["ports"][0]["port"]) as host:
        yield Bucket(host, store["bucket"], store["region"], *keys)
