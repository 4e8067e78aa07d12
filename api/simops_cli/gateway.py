"""The adapter for a gateway: the Python client, which does what is hard (retries, resuming, checksums)."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from simops_cli import hints
from simops_cli.core.inputs import InputError
from simops_cli.ports import Check, Filters, Info, Order, Picture, Tell
from simops_client import Client, Job, NotFound, SimOpsError, Sweep, Unauthorized, Unavailable
from simops_client.core.config import Token
from simops_client.models import JobInfo, Plan, Point, Stats, SweepInfo

T = TypeVar("T")


class Gateway:
    """A gateway."""

    def __init__(
        self, url: str, token: Token | None, *, namespace: str | None = None, verify: bool | str = True
    ) -> None:
        """Take where it is and who asks.

        Raises:
            ValueError: the address is none.
        """
        self._client = Client(url, token=token, verify=verify)
        self._root = self._client.url.removesuffix("/api/v1/")
        self._namespace = namespace
        self.where = f"gateway {url}"

    def close(self) -> None:
        self._client.close()

    # Making
    def submit(self, order: Order) -> Info:
        body = self._body(order)
        if not order.is_sweep:
            job: Job = self._client.submit(key=order.key, **body)
            return job.info
        sweep: Sweep = self._client.sweep(key=order.key, **_sweep_fields(body))
        return sweep.info

    def _body(self, order: Order) -> dict[str, Any]:
        elsewhere = {"namespace": self._namespace} if self._namespace else {}
        named = {"name": order.name} if order.name else {}
        return {**elsewhere, **named, **order.body}

    def plan(self, order: Order) -> Plan | None:
        body = self._body(order)
        if not order.is_sweep:
            return self._client.submit(dry_run=True, **body)
        return self._client.sweep(dry_run=True, **_sweep_fields(body))

    # Looking
    def jobs(self, filters: Filters) -> Iterator[JobInfo]:
        found = self._client.jobs(sweep=filters.sweep, **self._filters(filters))
        yield from _some((job.info for job in found), filters.limit)

    def sweeps(self, filters: Filters) -> Iterator[SweepInfo]:
        yield from _some((sweep.info for sweep in self._client.sweeps(**self._filters(filters))), filters.limit)

    def _filters(self, filters: Filters) -> dict[str, Any]:
        return {**self._which(filters), "archived": filters.archived, "oldest_first": filters.oldest_first}

    def _which(self, filters: Filters) -> dict[str, Any]:
        return {
            "status": filters.status or None,
            "label": filters.labels or None,
            "since": filters.since,
            "namespace": self._namespace,
        }

    def count(self, filters: Filters, *, sweeps: bool) -> int | None:
        if filters.archived:
            return None
        if sweeps:
            return self._client.count_sweeps(**self._which(filters))
        return self._client.count_jobs(sweep=filters.sweep, **self._which(filters))

    def failed_point(self, sweep: SweepInfo) -> Point | None:
        return next(Sweep(self._client, sweep).points(status="Failed", page_size=1), None)

    def get(self, identity: str) -> Info:
        return self._either(identity).info

    def _either(self, identity: str) -> Job | Sweep:
        """Sweeps are asked for first: a name that both have means the sweep, whose points are jobs."""
        try:
            return self._client.get_sweep(identity)
        except NotFound:
            try:
                return self._client.job(identity)
            except NotFound as error:
                raise _neither(identity, error) from error

    def _sweep(self, identity: str) -> Sweep:
        try:
            return self._client.get_sweep(identity)
        except NotFound as error:
            try:
                self._client.job(identity)
            except NotFound:
                raise error from None
            raise InputError(f"{identity} is a run, and this is for sweeps: simops get {identity} shows it") from error

    def _is_sweep(self, identity: str) -> bool:
        try:
            self._client.get_sweep(identity)
        except SimOpsError:
            return False
        return True

    def stats(self) -> Stats:
        return self._client.stats(namespace=self._namespace)

    def wait(self, identity: str, *, timeout: float | None, tell: Tell) -> Info:
        one = self._either(identity)
        return one.wait(timeout, progress=lambda handle: tell(handle.info)).info

    def logs(
        self, identity: str, *, follow: bool, tail: int | None, attempt: int | None, timestamps: bool
    ) -> Iterator[str]:
        try:
            job = self._client.job(identity)
        except NotFound as error:
            if self._is_sweep(identity):
                raise InputError(
                    f"{identity} is a sweep, whose points have the logs: simops logs {identity}-0"
                ) from error
            raise _neither(identity, error) from error
        yield from job.logs(follow=follow, tail=tail, attempt=attempt, timestamps=timestamps)

    # Changing
    def cancel(self, identity: str) -> Info:
        one = self._either(identity)
        return one.cancel().info

    def rerun(self, identity: str, points: str) -> Info:
        sweep = self._sweep(identity)
        sweep.rerun(points)
        return sweep.info

    # Results
    def result(self, identity: str, folder: Path, *, unpack: bool) -> Path:
        one = self._either(identity)
        return one.result(folder, unpack=unpack) if isinstance(one, Sweep) else one.download(folder, unpack=unpack)

    def files(self, identity: str) -> list[tuple[str, int]]:
        return [(one.path, one.bytes) for one in self._client.job(identity).artifacts().files]

    def table(self, identity: str, form: str) -> bytes:
        return self._sweep(identity).table_file(form)  # type: ignore[arg-type]

    def rows(self, identity: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.table(identity, "json"))
        return rows

    def plot(self, identity: str, picture: Picture) -> bytes:
        asked = {"y": picture.y, "group": picture.group, "kind": picture.kind, "scale": picture.scale}
        return self._sweep(identity).plot(picture.metric, picture.x, format=picture.format, **asked)  # type: ignore[arg-type]

    # What can be wrong
    def checks(self) -> Iterator[Check]:
        yield self._answers()
        yield self._ready()
        yield self._reads("jobs", lambda: next(self._client.jobs(namespace=self._namespace), None))
        yield self._reads("sweeps", lambda: next(self._client.sweeps(namespace=self._namespace), None))

    def _answers(self) -> Check:
        try:
            answer = self._client.http.get(f"{self._root}/live")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is told
            remedy = f"is the address right, and the Ingress or port-forward there ({hints.PORT_FORWARD})? simops login --server URL sets another address"
            return Check("gateway", ok=False, found=f"{self.where} does not answer: {error}", remedy=remedy)
        found = f"{self.where} answers {answer.status_code}"
        return Check(
            "gateway", ok=answer.is_success, found=found, remedy="" if answer.is_success else "is this SimOps' gateway?"
        )

    def _ready(self) -> Check:
        try:
            answer = self._client.http.get(f"{self._root}/ready")
            problems = answer.json() if not answer.is_success else {}
        except Exception as error:  # noqa: BLE001
            return Check("gateway is ready", ok=None, found=f"could not be asked: {error}")
        if answer.is_success:
            return Check("gateway is ready", ok=True, found="its memory of the cluster is whole, and the store answers")
        remedy = "kubectl -n simops-system logs -l app.kubernetes.io/component=gateway says more"
        return Check("gateway is ready", ok=False, found=str(problems.get("detail") or problems), remedy=remedy)

    def _reads(self, what: str, look: Callable[[], object]) -> Check:
        try:
            look()
        except Unauthorized as error:
            remedy = "simops login --server URL --token-file FILE; a token is made by kubectl create token NAME"
            return Check(f"you may list {what}", ok=False, found=error.detail, remedy=remedy)
        except Unavailable as error:
            return Check(f"you may list {what}", ok=None, found=error.detail)
        except SimOpsError as error:
            remedy = "ask for a role with list on simulationjobs and simulationsweeps (docs/authentication.md)"
            return Check(f"you may list {what}", ok=False, found=error.detail, remedy=remedy)
        return Check(f"you may list {what}", ok=True)


def _neither(identity: str, error: NotFound) -> NotFound:
    """Return the error of an id by which runs and sweeps were looked for; the gateway's speaks of one of them. What is gone stays so."""
    if error.status != 404:
        return error
    words = f"there is no run or sweep {identity!r}"
    return NotFound(words, status=404, title=error.title, request_id=error.request_id)


def _some(found: Iterator[T], limit: int | None) -> Iterator[T]:
    for number, one in enumerate(found):
        if limit is not None and number >= limit:
            return
        yield one


def _sweep_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields as the client takes them: points that are written out are ``points`` there."""
    if "sweep" in body and "space" in body:
        raise InputError("give sweep (the points) or space, not both")
    return (
        {**{name: value for name, value in body.items() if name != "sweep"}, "points": body["sweep"]}
        if "sweep" in body
        else body
    )
