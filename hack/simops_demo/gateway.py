"""Runs one job by REST, as a person with curl would, and follows its log while it runs."""

import contextlib
import json
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from localcluster.progress import StepError, say
from simops_demo.installation import RELEASE, Cluster, output
from simops_demo.store import forwarded

PERSON = "simops-demo"
"""The ServiceAccount by which the demonstration calls the gateway; it may edit its namespace, and so run simulations there."""
SERVICE = f"{RELEASE}-gateway"
_PARAMS = {"length": 1.0, "time_steps": 200, "diffusivity": 0.01, "initial_temp": 100.0}
_SECONDS = 180.0


@dataclass(frozen=True)
class Session:
    """The gateway, with a token for it."""

    client: httpx.Client

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Make a call and print the curl that does the same."""
        data = ["-d", json.dumps(body)] if body is not None else []
        json_type = ["-H", "Content-Type: application/json"] if body is not None else []
        words = [
            "curl",
            *(["-X", method] if method not in ("GET", "POST") else []),
            *json_type,
            *data,
            f"$GATEWAY{path}",
        ]
        say(
            "\n$ "
            + " ".join(w if w.startswith("$") else shlex.quote(w) for w in words)
            + ' -H "Authorization: Bearer $TOKEN"'
        )
        response = self.client.request(method, path, json=body)
        if response.is_error:
            msg = f"{method} {path}: {response.status_code} {response.text}"
            raise StepError(msg)
        return response


def token_for(cluster: Cluster, namespace: str, person: str = PERSON, role: str = "edit") -> str:
    """Return a token of somebody who has one of Kubernetes' own roles in a namespace; with `edit` they may run simulations there."""
    where = f"--namespace={namespace}"
    for command in (
        ["create", "serviceaccount", person, where],
        ["create", "rolebinding", person, f"--clusterrole={role}", f"--serviceaccount={namespace}:{person}", where],
    ):
        manifest = output(cluster.kubectl(*command, "--dry-run=client", "--output=json"))
        path = cluster.kubeconfig.parent / f"demo-{command[1]}.json"
        path.write_text(manifest)
        output(cluster.kubectl("apply", f"--filename={path}"))
    return output(cluster.kubectl("create", "token", person, where, "--duration=1h")).strip()


@contextlib.contextmanager
def opened(cluster: Cluster, namespace: str) -> Iterator[Session]:
    """Give the gateway while the body runs."""
    token = token_for(cluster, namespace)
    with (
        forwarded(cluster, f"service/{SERVICE}", 80) as address,
        httpx.Client(
            base_url=f"http://{address}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        ) as client,
    ):
        _until_permitted(client)
        yield Session(client)


def _until_permitted(client: httpx.Client) -> None:
    # The controller that adds both kinds to the role `edit` may not have come round yet in a cluster that has just begun.
    deadline = time.monotonic() + 60
    while (response := client.get("/api/v1/jobs", params={"size": 1})).status_code != httpx.codes.OK:
        if time.monotonic() > deadline:
            msg = f"the gateway does not let {PERSON} in: {response.status_code} {response.text}"
            raise StepError(msg)
        time.sleep(0.5)


def run(session: Session, out: Path) -> None:
    """Run the sample job by REST, follow its log, and fetch one of its results."""
    body = {"container_image": "sim:local", "params": _PARAMS, "metadata": {"project": "heat-transfer"}}
    (job_id,) = session.call("POST", "/api/v1/jobs", body).json()["jobs"]
    say(f"  {job_id}")
    end = follow(session, job_id)
    if end.get("status") != "Succeeded":
        msg = f"the job is {end.get('status')}: {end.get('reason')}"
        raise StepError(msg)
    files = session.call("GET", f"/api/v1/jobs/{job_id}/artifacts").json()["files"]
    for file in files:
        say(f"  {file['bytes']:>10}  {file['path']}")
    metrics = session.call("GET", f"/api/v1/jobs/{job_id}/artifacts/metrics.json")
    (out / "metrics-by-rest.json").write_bytes(metrics.content)
    say(f"  {metrics.text.strip()}")


def follow(session: Session, job_id: str) -> dict[str, Any]:
    """Print the lines of a log as they come; return how the job ended."""
    path = f"/api/v1/jobs/{job_id}/logs/stream"
    say(f'\n$ curl -N $GATEWAY{path} -H "Authorization: Bearer $TOKEN"')
    deadline = time.monotonic() + _SECONDS
    name = data = ""
    with session.client.stream("GET", path) as stream:
        if stream.is_error:
            msg = f"{path}: {stream.status_code} {stream.read().decode(errors='replace')}"
            raise StepError(msg)
        for line in stream.iter_lines():
            if time.monotonic() > deadline:
                msg = f"job {job_id} has not ended after {_SECONDS:.0f} s"
                raise StepError(msg)
            field, _, value = line.partition(":")
            if field == "event":
                name = value.strip()
            elif field == "data":
                data = value.removeprefix(" ")
            elif not line and name:
                if name == "line":
                    say(f"  {data}")
                elif name == "end":
                    ended: dict[str, Any] = json.loads(data)
                    return ended
                name = data = ""
    msg = f"the log of {job_id} broke off"
    raise StepError(msg)
