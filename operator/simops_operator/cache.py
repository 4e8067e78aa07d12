"""What the operator knows of unfinished runs, their Jobs and Pods. Fed by watches, compared with a LIST from time to time; no calls.

Everything goes by the UID of the SimulationJob, so that an object made again under an old name never meets what is left of the old one.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from simops_operator.core.run import Run
from simops_operator.core.views import JobView, PodView

_REMEMBERED = 100_000


@dataclass(frozen=True)
class Key:
    """One SimulationJob."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Named(Protocol):
    """A run or a sweep."""

    @property
    def namespace(self) -> str:
        """Where it is."""

    @property
    def name(self) -> str:
        """What it is called there."""


def is_other(known: Named | None, key: Key) -> bool:
    """Whether what is known under the UID of a key is another one: a label with a UID can be written by anybody, in any namespace."""
    return known is not None and (known.namespace, known.name) != (key.namespace, key.name)


def is_foreign(known: Named | None, namespace: str) -> bool:
    """Whether an object of a namespace cannot belong to what is known."""
    return known is not None and bool(namespace) and known.namespace != namespace


class Cache:
    """Views by UID. An older version never replaces a newer one, whichever way they arrive."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.deleted: dict[str, Run] = {}
        self.jobs: dict[str, JobView] = {}
        self.pods: dict[str, dict[str, PodView]] = {}
        self.doubtful: set[str] = set()
        """UIDs whose object left the watch: finished by us or deleted by somebody; the API server is to be asked."""
        self.revisits: set[str] = set()
        """UIDs of finished runs that are to be looked at again all the same: their time to live is about to end, or something is left of them."""
        self._finished: OrderedDict[str, None] = OrderedDict()

    def is_finished(self, uid: str) -> bool:
        """Whether this run is known to be finished and cleaned up: events about it mean nothing any more."""
        return uid in self._finished

    def put_run(self, run: Run) -> None:
        """Take a run in, if it is news."""
        known = self.runs.get(run.uid)
        if known is None or run.version >= known.version:
            self.runs[run.uid] = run
            self._finished.pop(run.uid, None)
            if known is None:
                self._drop_foreign(run)

    def put_job(self, uid: str, job: JobView) -> None:
        """Take a Job in, if it is news."""
        if self._is_foreign(uid, job.namespace):
            return
        known = self.jobs.get(uid)
        if known is None or known.uid != job.uid or job.version >= known.version:
            self.jobs[uid] = job

    def is_nothing(self, key: Key) -> bool:
        """Whether nothing is to be done: an event came while the run was being finished, or of a Job or Pod whose labels name another one."""
        return (self.is_finished(key.uid) and key.uid not in self.revisits) or is_other(self._known(key.uid), key)

    def _is_foreign(self, uid: str, namespace: str) -> bool:
        return is_foreign(self._known(uid), namespace)

    def _known(self, uid: str) -> Run | None:
        return self.runs.get(uid) or self.deleted.get(uid)

    def _drop_foreign(self, run: Run) -> None:
        """Forget what came before the run itself and is of another namespace."""
        if (job := self.jobs.get(run.uid)) is not None and self._is_foreign(run.uid, job.namespace):
            del self.jobs[run.uid]
        pods = self.pods.get(run.uid, {})
        for name in [name for name, pod in pods.items() if self._is_foreign(run.uid, pod.namespace)]:
            del pods[name]

    def drop(self, uid: str) -> None:
        """Forget Jobs and Pods that name a run which is not there."""
        self.jobs.pop(uid, None)
        self.pods.pop(uid, None)

    def drop_job(self, uid: str, job_uid: str) -> None:
        """Forget a Job that is gone."""
        if uid in self.jobs and self.jobs[uid].uid == job_uid:
            del self.jobs[uid]

    def put_pod(self, uid: str, pod: PodView) -> None:
        """Take a Pod in, if it is news. One that is gone stays known until its run is finished: it may have told how it ended."""
        if self._is_foreign(uid, pod.namespace):
            return
        pods = self.pods.setdefault(uid, {})
        known = pods.get(pod.name)
        if known is None or pod.gone or (pod.version >= known.version and not known.gone):
            pods[pod.name] = pod

    def pods_of(self, uid: str) -> tuple[PodView, ...]:
        """Return the Pods of a run, those that are gone included."""
        return tuple(self.pods.get(uid, {}).values())

    def replace_pods(self, uid: str, present: Iterable[PodView], known_before: Iterable[str]) -> None:
        """Take a complete LIST of a run's Pods in. What was known before the LIST and is not in it is gone."""
        names = set()
        for pod in present:
            names.add(pod.name)
            self.put_pod(uid, pod)
        for name in set(known_before) - names:
            lost = self.pods.get(uid, {}).get(name)
            if lost is not None and not lost.gone:
                self.pods[uid][name] = replace(lost, gone=True)

    def finish(self, uid: str) -> None:
        """Forget everything of a run that is finished and cleaned up, but that it is."""
        for memory in (self.runs, self.deleted, self.jobs, self.pods):
            memory.pop(uid, None)
        self.doubtful.discard(uid)
        self._finished[uid] = None
        while len(self._finished) > _REMEMBERED:
            self._finished.popitem(last=False)

    def mark_deleted(self, uid: str) -> None:
        """Remember that a run's object is gone while its Pods may still have something to give."""
        run = self.runs.pop(uid, None)
        self.doubtful.discard(uid)
        if run is not None:
            self.deleted[uid] = run
