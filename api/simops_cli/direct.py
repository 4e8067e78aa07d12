"""The adapter for Kubernetes itself: a kubeconfig, with the rights of whoever it is of. What only the gateway has (results, tables, plots) it refuses."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import urllib3
from kubernetes import client, config, watch
from kubernetes.client import ApiException
from kubernetes.config import ConfigException

from simops_cli import clusterchecks, hints, podlogs
from simops_cli.core import objects, times
from simops_cli.core.inputs import InputError, NoClusterError
from simops_cli.core.manifests import manifest_of
from simops_cli.ports import Check, Filters, Info, Manifest, Order, Picture, Tell
from simops_client.errors import Conflict, Forbidden, Invalid, NotFound, SimOpsError, Unauthorized, Unavailable
from simops_client.models import JobInfo, Plan, Point, Stats, SweepInfo
from simops_crds.kinds import SIMULATION_JOB, SIMULATION_SWEEP, Kind
from simops_crds.names import GROUP, VERSION

T = TypeVar("T")
_PAGE = 500
_WATCH_SECONDS = 60
_PATIENCE_SECONDS = 600.0
_TRIES, _PAUSE_SECONDS = 4, 1.0
_KINDS: dict[int, type[SimOpsError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
    400: Invalid,
}
NEEDS_GATEWAY = (
    "{what} comes from a gateway, and this goes straight to Kubernetes. For one in the cluster:\n"
    f"  {hints.PORT_FORWARD} &\n"
    "  export SIMOPS_TOKEN=$(kubectl create token NAME)   # NAME: a service account that may read runs\n"
    "  simops --server http://127.0.0.1:8000 …"
)


def error_of(error: ApiException) -> SimOpsError:
    """Return what the API server has refused as the client's exception."""
    kind = Unavailable if (error.status or 500) >= 500 or error.status == 429 else _KINDS.get(error.status, SimOpsError)
    return kind(clusterchecks.message_of(error), status=error.status)


def called(function: Callable[[], T]) -> T:
    """Call the API server.

    Raises:
        SimOpsError: it refuses, or does not answer.
    """
    try:
        return function()
    except ApiException as error:
        raise error_of(error) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(f"the API server does not answer: {error}") from error


def _check_files(kubeconfig: str | None) -> None:
    """See that there is a kubeconfig: the library does not say which file it has looked for.

    Raises:
        NoClusterError: none of the files is there.
    """
    named = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    files = [file for file in named.split(os.pathsep) if file]
    if not any(Path(file).expanduser().exists() for file in files):
        by = "--kubeconfig" if kubeconfig else "KUBECONFIG" if os.environ.get("KUBECONFIG") else "the default"
        raise NoClusterError(f"there is no file {' or '.join(files) or named} ({by})")


class Direct:
    """A cluster."""

    def __init__(self, *, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
        """Take the kubeconfig, as kubectl would find it.

        Raises:
            NoClusterError: there is none, or it has no such context.
        """
        kube: Any = config
        _check_files(kubeconfig)
        try:
            self._api = kube.new_client_from_config(config_file=kubeconfig, context=context)
            listed, active = kube.list_kube_config_contexts(config_file=kubeconfig)
            contexts = {c["name"]: c for c in listed}
        except (ConfigException, TypeError, OSError) as error:
            raise NoClusterError(str(error)) from error
        chosen = contexts.get(context) if context else active
        self.namespace = namespace or ((chosen or {}).get("context") or {}).get("namespace") or "default"
        self._objects: Any = client.CustomObjectsApi(self._api)
        self._core: Any = client.CoreV1Api(self._api)
        self.where = f"cluster {self._api.configuration.host}, namespace {self.namespace}"

    def close(self) -> None:
        self._api.close()

    # Making
    def submit(self, order: Order) -> Info:
        kind, manifest = manifest_of(order, self.namespace)
        for left in range(_TRIES, -1, -1):
            try:
                return sweep_or_job(kind, self._created(kind, manifest, dry_run=False))
            except Unavailable:
                if not left:
                    raise
                time.sleep(_PAUSE_SECONDS)
            except Conflict:
                if left == _TRIES and order.name:  # somebody else's
                    raise
                return sweep_or_job(kind, self._read(kind, manifest["metadata"]["name"]))
        raise AssertionError("the last try returns or raises")

    def plan(self, order: Order) -> Plan | None:
        kind, manifest = manifest_of(order, self.namespace)
        self._created(kind, manifest, dry_run=True)
        return None

    def _created(self, kind: Kind, manifest: Manifest, *, dry_run: bool) -> Manifest:
        options = {"dry_run": "All"} if dry_run else {}
        where = manifest["metadata"]["namespace"]

        def call() -> Any:
            return self._objects.create_namespaced_custom_object(
                GROUP,
                VERSION,
                where,
                kind.plural,
                manifest,
                field_manager="simops-cli",
                field_validation="Strict",
                **options,
            )

        return dict(called(call))

    # Looking
    def jobs(self, filters: Filters) -> Iterator[JobInfo]:
        if filters.sweep:
            self._refuse("the list of a sweep's points")
        yield from _chosen((objects.job_info(obj) for obj in self._listed(SIMULATION_JOB, filters)), filters)

    def sweeps(self, filters: Filters) -> Iterator[SweepInfo]:
        yield from _chosen((objects.sweep_info(obj) for obj in self._listed(SIMULATION_SWEEP, filters)), filters)

    def _listed(self, kind: Kind, filters: Filters) -> list[Manifest]:
        if filters.archived:
            self._refuse("what is left of runs whose objects are gone")
        found: list[Manifest] = []
        more: str | None = None
        while more != "":
            page = called(
                lambda more=more: self._objects.list_namespaced_custom_object(  # type: ignore[misc]
                    GROUP,
                    VERSION,
                    self.namespace,
                    kind.plural,
                    label_selector=",".join(filters.labels),
                    limit=_PAGE,
                    _continue=more,
                )
            )
            found += page["items"]
            more = page["metadata"].get("continue") or ""
        newest_first = not filters.oldest_first
        return sorted(
            found, key=lambda o: (o["metadata"]["creationTimestamp"], o["metadata"]["name"]), reverse=newest_first
        )

    def count(self, filters: Filters, *, sweeps: bool) -> int | None:
        all_of = replace(filters, limit=None)
        return sum(1 for _ in (self.sweeps(all_of) if sweeps else self.jobs(all_of)))

    def failed_point(self, sweep: SweepInfo) -> Point | None:  # noqa: ARG002 - the port's
        return None  # an object has the indexes of its points, and not why they have failed

    def get(self, identity: str) -> Info:
        kind, obj = self._found(identity)
        return sweep_or_job(kind, obj)

    def _found(self, identity: str) -> tuple[Kind, Manifest]:
        for kind in (SIMULATION_SWEEP, SIMULATION_JOB):
            try:
                return kind, self._read(kind, identity)
            except NotFound:
                continue
        raise NotFound(f"there is no run or sweep {identity!r} in namespace {self.namespace}", status=404)

    def _read(self, kind: Kind, name: str) -> Manifest:
        get = self._objects.get_namespaced_custom_object
        return dict(called(lambda: get(GROUP, VERSION, self.namespace, kind.plural, name)))

    def stats(self) -> Stats:
        return objects.counted([objects.job_info(obj) for obj in self._listed(SIMULATION_JOB, Filters())])

    # Waiting
    def wait(self, identity: str, *, timeout: float | None, tell: Tell) -> Info:
        end = None if timeout is None else time.monotonic() + timeout
        kind, obj = self._found(identity)
        lost_since: float | None = None
        while True:
            tell(sweep_or_job(kind, obj))
            if objects.is_over(obj):
                return sweep_or_job(kind, obj)
            left = _WATCH_SECONDS if end is None else min(end - time.monotonic(), _WATCH_SECONDS)
            if left <= 0:
                raise TimeoutError(f"{identity} is still {sweep_or_job(kind, obj).status} after {timeout:g} s")
            try:
                obj = self._next(kind, obj, left)
                lost_since = None
            except Unavailable:
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > _PATIENCE_SECONDS:
                    raise
                time.sleep(min(2.0, left))

    def _next(self, kind: Kind, obj: Manifest, seconds: float) -> Manifest:
        """Return the next state of an object, or the one there is when nothing has changed for so long."""
        meta, watching = obj["metadata"], cast(Any, watch)
        watcher = watching.Watch()
        since = meta["resourceVersion"]

        def look() -> Manifest:
            events = watcher.stream(
                self._objects.list_namespaced_custom_object,
                GROUP,
                VERSION,
                self.namespace,
                kind.plural,
                field_selector=f"metadata.name={meta['name']}",
                resource_version=since,
                timeout_seconds=max(int(seconds), 1),
                _request_timeout=(10, seconds + 15),
            )
            for event in events:
                watcher.stop()
                if event["type"] == "DELETED":
                    raise NotFound(f"{meta['name']} was deleted while it was waited for", status=404)
                return dict(event["object"])
            return self._read(kind, meta["name"])

        try:
            return called(look)
        except SimOpsError as error:
            if error.status == 410:  # that version is forgotten
                return self._read(kind, meta["name"])
            raise

    def logs(
        self, identity: str, *, follow: bool, tail: int | None, attempt: int | None, timestamps: bool
    ) -> Iterator[str]:
        if attempt is not None:
            self._refuse("the log of another attempt")
        kind, obj = self._found(identity)
        if kind is SIMULATION_SWEEP:
            raise InputError(
                f"{identity} is a sweep: its points have logs, which a gateway has: simops --server URL logs {identity}-0"
            )
        gone = NEEDS_GATEWAY.format(what=f"the log of {identity}, whose Pod is gone,")
        reader = podlogs.Reader(self._core, self.namespace, called, lambda: self._read(SIMULATION_JOB, identity), gone)
        yield from reader.lines(obj, follow=follow, tail=tail, timestamps=timestamps)

    # Changing
    def cancel(self, identity: str) -> Info:
        kind, obj = self._found(identity)
        if objects.is_over(obj):
            raise Conflict(f"{identity} has finished already: {(obj.get('status') or {}).get('phase')}", status=409)
        return self._patched(kind, identity, {"cancelled": True})

    def rerun(self, identity: str, points: str) -> Info:
        self._read(SIMULATION_SWEEP, identity)
        return self._patched(SIMULATION_SWEEP, identity, {"rerun": {"points": points, "id": f"cli-{time.time_ns()}"}})

    def _patched(self, kind: Kind, name: str, spec: dict[str, Any]) -> Info:
        patch = self._objects.patch_namespaced_custom_object
        body = {"spec": spec}
        return sweep_or_job(kind, dict(called(lambda: patch(GROUP, VERSION, self.namespace, kind.plural, name, body))))

    # What only a gateway has
    def _refuse(self, what: str) -> NoReturn:
        raise InputError(NEEDS_GATEWAY.format(what=what))

    def result(self, identity: str, folder: Path, *, unpack: bool) -> Path:  # noqa: ARG002 - the port's
        self._refuse("a result")

    def files(self, identity: str) -> list[tuple[str, int]]:  # noqa: ARG002 - the port's
        self._refuse("the list of a result's files")

    def table(self, identity: str, form: str) -> bytes:  # noqa: ARG002 - the port's
        self._refuse("a table")

    def rows(self, identity: str) -> list[dict[str, Any]]:  # noqa: ARG002 - the port's
        self._refuse("a plot")

    def plot(self, identity: str, picture: Picture) -> bytes:  # noqa: ARG002 - the port's
        self._refuse("a plot")

    def checks(self) -> Iterator[Check]:
        yield from clusterchecks.checks(self._api, self.namespace)


def sweep_or_job(kind: Kind, obj: Manifest) -> Info:
    """Return what an object says."""
    return objects.sweep_info(obj) if kind is SIMULATION_SWEEP else objects.job_info(obj)


InfoT = TypeVar("InfoT", JobInfo, SweepInfo)


def _chosen(found: Iterator[InfoT], filters: Filters) -> Iterator[InfoT]:
    wanted = {status.lower() for status in filters.status}
    since = times.moment(filters.since) if filters.since else None
    number = 0
    for one in found:
        if wanted and one.status.lower() not in wanted:
            continue
        if since and one.created_at and one.created_at < since:
            continue
        if filters.limit is not None and number >= filters.limit:
            return
        number += 1
        yield one
