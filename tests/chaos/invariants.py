"""What must be true of everything that was accepted once all of it has ended, whatever has happened meanwhile. One function says so: ``broken``."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from e2e.bucket import unpacked
from e2e.cluster import until
from e2e.lab import JOBS, NAMESPACE, PODS, RUNS, SWEEPS, Lab, Run, Sweep

from simops_crds.names import FINAL_PHASES, LABEL_MANAGED_BY, LABEL_UID, MANAGED_BY, archive_key
from simops_operator.core.views import parse_time

CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
OURS = {"labelSelector": f"{LABEL_MANAGED_BY}={MANAGED_BY}"}


@dataclass(frozen=True)
class Accepted:
    """An object that the API server took, and how it may end."""

    run: Run
    phases: frozenset[str]
    deleted: bool = False
    """Whether somebody has deleted it."""
    jobs_deleted: bool = False
    """Whether somebody has deleted its Kubernetes Jobs, which are made anew then."""

    @classmethod
    def of(cls, run: Run, *phases: str) -> "Accepted":
        return cls(run, frozenset(phases))

    def may_also(self, phase: str, *, jobs_deleted: bool) -> "Accepted":
        """Return the same with one more end that is right."""
        return replace(self, phases=self.phases | {phase}, jobs_deleted=jobs_deleted)


def await_the_end(lab: Lab, accepted: Iterable[Accepted], *, within: float = 300) -> None:
    """Wait until all have ended and nothing of them runs any more."""
    for one in accepted:
        if not one.deleted:
            one.run.finished(within=within)
    until(
        lambda: not [pod for pod in lab.cluster.items(PODS, **OURS) if pod["status"].get("phase") == "Running"],
        "no Pod of SimOps runs any more",
        within=within,
    )


def broken(lab: Lab, accepted: Iterable[Accepted]) -> list[str]:
    """Return what is not as it must be, a sentence each. To be called when all have ended (``await_the_end``)."""
    accepted = list(accepted)
    out: list[str] = []
    for one in accepted:
        name = f"{one.run.kind}/{one.run.name}"
        check = _sweep if isinstance(one.run, Sweep) else _run
        out += [f"{name}: {sentence}" for sentence in (*_object(lab, one), *check(lab, one))]
    return [*out, *_orphans(lab)]


def _object(lab: Lab, one: Accepted) -> Iterator[str]:
    """A right final state, which stays, and the record and archive of it."""
    run = one.run
    seen = run.phases
    finals = [phase for phase in seen if phase in FINAL_PHASES]
    if len(finals) > 1 or (finals and not isinstance(run, Sweep) and seen[-1] not in FINAL_PHASES):
        yield f"it has left a final phase: {seen}"
    if one.deleted:
        return
    status = run.status
    if status.get("phase") not in one.phases:
        yield f"it is {status.get('phase')} ({status.get('reason')}: {status.get('message')}), and not {sorted(one.phases)}"
    records = [name for name in run.objects() if name == "record.json"]
    if not records:
        yield "its record is not in the store"
    elif run.record()["status"] != status:
        yield "its record says something else than its status"


def _run(lab: Lab, one: Accepted) -> Iterator[str]:
    """One Kubernetes Job, and of a run that has succeeded exactly one bundle, whole, and its log."""
    run = one.run
    if len(run.kubernetes_jobs) > 1 and not one.jobs_deleted:
        yield f"{len(run.kubernetes_jobs)} Kubernetes Jobs were made for it"
    if one.deleted:
        return
    status, objects = run.status, run.objects()
    made = (run.find() or {})["metadata"]["creationTimestamp"]
    mark = archive_key(NAMESPACE, _seconds(made), run.name, run.uid)
    if lab.bucket.find(mark) is None:
        yield "the archive does not list it"
    if status.get("phase") != "Succeeded":
        return
    pod, artifacts = status["podName"], status.get("artifacts") or {}
    if artifacts.get("bundle") != f"{run.prefix}{pod}.zip" or f"{pod}.zip" not in objects:
        yield f"it has succeeded and its bundle is not there: {artifacts.get('bundle')}"
        return
    is_alone = [name for name in objects if name.endswith(".zip")] == [f"{pod}.zip"]
    # What the Pod of a Job that was taken away has left stays beside it.
    if not is_alone and status.get("attempts", 1) == 1 and not one.jobs_deleted:
        yield f"it has more than one bundle: {sorted(objects)}"
    summary = json.loads(lab.bucket.read(f"{run.prefix}{pod}.json"))
    checksum = sha256(lab.bucket.read(artifacts["bundle"])).hexdigest()
    if {artifacts["sha256"], summary["sha256"]} != {checksum}:
        yield f"its bundle has the checksum {checksum}, its status says {artifacts['sha256']}"
    if artifacts.get("log") is None or lab.bucket.find(artifacts["log"]) is None:
        yield "its log is not in the store"


def _seconds(timestamp: str) -> int:
    moment = parse_time(timestamp)
    assert moment is not None
    return int(moment.timestamp())


def _sweep(lab: Lab, one: Accepted) -> Iterator[str]:
    """One Kubernetes Job a round; each point in one state, once in the table, its files in the bundle that the table names."""
    if one.deleted:
        return
    run = one.run
    assert isinstance(run, Sweep)
    if len(run.kubernetes_jobs) > len(run.rounds) and not one.jobs_deleted:
        yield f"{len(run.kubernetes_jobs)} Kubernetes Jobs were made for {len(run.rounds)} rounds"
    try:
        run.whole()
        table = run.table()
    except AssertionError as error:
        yield str(error)
        return
    bundles: dict[str, dict[str, bytes]] = {}
    for index in (i for i, line in table.items() if line["exitCode"] == 0):
        key = table[index]["bundle"]
        if key not in bundles:
            bundles[key] = _files(lab, key)
        if f"{index}/log.txt" not in bundles[key]:
            yield f"point {index} has succeeded and its files are not in {key}"


def _files(lab: Lab, key: str) -> dict[str, bytes]:
    content = lab.bucket.find(key)
    return unpacked(content) if content is not None else {}


def _orphans(lab: Lab) -> Iterator[str]:
    """No Job, Pod or ConfigMap of SimOps whose owner is gone, none of a run that has ended that still runs."""
    alive = {obj["metadata"]["uid"]: obj for path in (RUNS, SWEEPS) for obj in lab.cluster.items(path)}
    jobs = {job["metadata"]["uid"] for job in lab.cluster.items(JOBS, **OURS)}

    def strays(path: str) -> list[dict[str, Any]]:
        return [obj for obj in lab.cluster.items(path, **OURS) if obj["metadata"]["labels"].get(LABEL_UID) not in alive]

    # Kubernetes' garbage collector takes them some time after their owner.
    for path in (JOBS, PODS, CONFIG_MAPS):
        try:
            until(lambda path=path: not strays(path), "", within=90)  # type: ignore[misc]
        except AssertionError:
            yield f"left behind: {path.rpartition('/')[2]} {[obj['metadata']['name'] for obj in strays(path)]}"
    for pod in lab.cluster.items(PODS, **OURS):
        owners = {ref["uid"] for ref in pod["metadata"].get("ownerReferences") or []}
        if not owners & jobs:
            yield f"left behind: Pod {pod['metadata']['name']}, whose Job is gone"
