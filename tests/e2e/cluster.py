"""The cluster under test: kubectl, helm and plain requests to its API server."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from localcluster.golang import tool
from simops_demo import installation

T = TypeVar("T")
Object = dict[str, Any]

SYSTEM = installation.NAMESPACE
COMMAND_SECONDS = 300.0


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


def until(
    probe: Callable[[], T | None], what: str | Callable[[], str], *, within: float = 120, every: float = 0.4
) -> T:
    """Return what ``probe`` returns as soon as that is neither None nor False; fail, saying what was awaited, after so many seconds."""
    deadline = time.monotonic() + within
    while True:
        found = probe()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(every)


@dataclass(frozen=True)
class Cluster:
    """A running cluster. ``session`` is signed in to its API server at ``url``."""

    name: str
    kubeconfig: Path
    session: Any
    url: str

    def kubectl(self, *arguments: str, given: Any = None, timeout: float = COMMAND_SECONDS) -> str:
        """Run kubectl and return what it prints; ``given`` is an object for its standard input."""
        return self._run([str(tool("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments], given, timeout)

    def helm(self, *arguments: str, timeout: float = COMMAND_SECONDS) -> str:
        """Run helm and return what it prints."""
        return self._run([str(tool("helm")), f"--kubeconfig={self.kubeconfig}", *arguments], None, timeout)

    @staticmethod
    def _run(command: list[str], given: Any, timeout: float) -> str:
        text = None if given is None else json.dumps(given)
        stdin = {"input": text} if text is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **stdin)
        if done.returncode:
            raise AssertionError(f"{Path(command[0]).name} {' '.join(command[2:])}: {done.stderr.strip()}")
        return str(done.stdout)

    def request(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Any:
        """Send one request to the API server.

        Raises:
            Refused: the answer is an error; the message is the server's own.
        """
        data = None if body is None else json.dumps(body)
        answer = self.session.request(
            method, self.url + path, data=data, headers={"Content-Type": content_type}, timeout=30
        )
        if answer.status_code >= 400:
            try:
                message = answer.json()["message"]
            except (ValueError, KeyError):
                message = answer.text
            raise Refused(answer.status_code, message)
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text

    def find(self, path: str) -> Object | None:
        """Return an object, None if there is none."""
        try:
            found: Object = self.request("GET", path)
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise
        return found

    def items(self, path: str, **selectors: str) -> list[Object]:
        """Return the objects of a list."""
        query = "&".join(f"{key}={value}" for key, value in selectors.items())
        found: list[Object] = self.request("GET", f"{path}?{query}")["items"]
        return found

    def merge(self, path: str, change: Object) -> Object:
        """Change fields of an object."""
        changed: Object = self.request("PATCH", path, change, content_type="application/merge-patch+json")
        return changed

    def watch(self, path: str, version: str) -> Iterator[Object]:
        """Yield what happens to the objects of a list from a version on, for a minute at most."""
        query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds=60&resourceVersion={version}"
        with self.session.get(f"{self.url}{path}?{query}", stream=True, timeout=(10, 75)) as answer:
            if answer.status_code != 200:
                raise Refused(answer.status_code, answer.text)
            for line in answer.iter_lines():
                yield json.loads(line)

    # What is installed
    def operators(self) -> list[Object]:
        """Return the operator's Pods that are not on their way out."""
        selector = f"app.kubernetes.io/component=operator,app.kubernetes.io/instance={installation.RELEASE}"
        pods = self.items(f"/api/v1/namespaces/{SYSTEM}/pods", labelSelector=selector)
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def metrics(self, pod: str) -> dict[str, float]:
        """Return the operator's metrics: name with labels → value."""
        text: str = self.request("GET", f"/api/v1/namespaces/{SYSTEM}/pods/{pod}:8081/proxy/metrics")
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def deployment(self, component: str) -> str:
        """Return the path of one of the release's Deployments."""
        selector = f"app.kubernetes.io/component={component},app.kubernetes.io/instance={installation.RELEASE}"
        (found,) = self.items(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments", labelSelector=selector)
        return f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/{found['metadata']['name']}"

    def scale(self, component: str, replicas: int, *, within: float = 180) -> None:
        """Set the number of Pods of one of the release's Deployments and wait until that is how many there are."""
        path = self.deployment(component)
        self.merge(path, {"spec": {"replicas": replicas}})
        selector = f"app.kubernetes.io/component={component},app.kubernetes.io/instance={installation.RELEASE}"

        def settled() -> bool:
            ready = (self.request("GET", path).get("status") or {}).get("readyReplicas", 0)
            pods = self.items(f"/api/v1/namespaces/{SYSTEM}/pods", labelSelector=selector)
            return bool(ready == replicas == len(pods))

        until(settled, f"{replicas} Pods of {component}", within=within)
