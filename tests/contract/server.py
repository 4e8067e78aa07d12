"""The API server as these tests start it and talk to it: objects in, objects or refusals out."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from contract.objects import Manifest
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from simops_crds.kinds import KINDS
from simops_crds.names import GROUP, VERSION

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 120.0
NAME = os.environ.get("SIMOPS_CONTRACT_CLUSTER") or f"contract-{os.getpid()}"

Kubectl = Callable[..., str]
"""Run kubectl with these arguments; `given` is an object for its standard input."""


def hack_cluster(*arguments: str) -> str:
    """Run `hack/cluster`; return the last line that it prints. Where it fails, so does the test."""
    command = [str(ROOT / "hack" / "cluster"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        pytest.fail(f"the contract tests need an API server; {' '.join(command)}: {done.stderr.strip()}", pytrace=False)
    return done.stdout.strip().rpartition("\n")[2]


@contextmanager
def api_server(name: str, kubernetes: str | None) -> Iterator[str]:
    """Start an API server, of another version if one is given; yield its kubeconfig."""
    version = [f"--kubernetes={kubernetes}"] if kubernetes else []
    path = hack_cluster("apiserver", f"--name={name}", *version)
    try:
        yield path
    finally:
        hack_cluster("down", f"--name={name}")


@dataclass(frozen=True)
class Refusal:
    """How the API server refuses an object."""

    code: int
    message: str
    causes: tuple[str, ...]

    def says(self, path: str, words: str) -> bool:
        """Whether one cause names the path and says the words."""
        return any(path in cause and words in cause for cause in self.causes)


def refusal_of(error: ApiException) -> Refusal:
    """Return the refusal with one text for each cause: its field, then its words."""
    body = json.loads(error.body or "{}")
    causes = body.get("details", {}).get("causes", [])
    texts = [f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in causes]
    return Refusal(error.status or 0, body.get("message", ""), (*texts, body.get("message", "")))


class Api:
    """The calls of these tests, on objects as dictionaries."""

    def __init__(self, kubeconfig: str) -> None:
        self.kubeconfig = kubeconfig
        self.client: client.ApiClient = config.new_client_from_config(kubeconfig)  # type: ignore[no-untyped-call]
        # Its answers are annotated as plain objects.
        self._objects: Any = client.CustomObjectsApi(self.client)

    def close(self) -> None:
        self.client.close()  # type: ignore[no-untyped-call]

    @staticmethod
    def _where(manifest: Manifest) -> dict[str, Any]:
        kind = next(kind for kind in KINDS if kind.kind == manifest["kind"])
        namespace = manifest["metadata"].get("namespace", "default")
        return {"group": GROUP, "version": VERSION, "namespace": namespace, "plural": kind.plural}

    def create(self, manifest: Manifest, **options: Any) -> Manifest:
        created: Manifest = self._objects.create_namespaced_custom_object(
            **self._where(manifest), body=manifest, **{"field_validation": "Strict", **options}
        )
        return created

    def items(self, kind: str, namespace: str = "default") -> list[Manifest]:
        """Return all objects of a kind."""
        where = self._where({"kind": kind, "metadata": {"namespace": namespace}})
        found: list[Manifest] = self._objects.list_namespaced_custom_object(**where)["items"]
        return [{"kind": kind, **one} for one in found]

    def read(self, manifest: Manifest) -> Manifest:
        found: Manifest = self._objects.get_namespaced_custom_object(
            **self._where(manifest), name=manifest["metadata"]["name"]
        )
        return found

    def patch(self, manifest: Manifest, change: Manifest, *, status: bool = False) -> Manifest:
        call = self._objects.patch_namespaced_custom_object
        if status:
            call = self._objects.patch_namespaced_custom_object_status
        changed: Manifest = call(**self._where(manifest), name=manifest["metadata"]["name"], body=change)
        return changed

    def delete(self, manifest: Manifest) -> None:
        self._objects.delete_namespaced_custom_object(**self._where(manifest), name=manifest["metadata"]["name"])

    def refusal(self, manifest: Manifest, **options: Any) -> Refusal | None:
        """Try to create an object, without keeping it; return how it was refused."""
        try:
            self.create(manifest, dry_run="All", **options)
        except ApiException as error:
            return refusal_of(error)
        return None

    def until_refused(self, manifest: Manifest, words: str) -> Refusal:
        """Wait until an object is refused with these words: the API server reads kinds and policies in the background."""
        deadline = time.monotonic() + DEADLINE
        refusal = None
        while time.monotonic() < deadline:
            refusal = self.refusal(manifest)
            if refusal is not None and words in refusal.message:
                return refusal
            time.sleep(0.05)
        pytest.fail(f"not refused with {words!r} after {DEADLINE:.0f} s: {refusal}", pytrace=False)

    def patch_refusal(self, manifest: Manifest, change: Manifest) -> Refusal | None:
        """Change an object; return how that was refused."""
        try:
            self.patch(manifest, change)
        except ApiException as error:
            return refusal_of(error)
        return None
