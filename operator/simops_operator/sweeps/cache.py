"""What the operator knows of unfinished sweeps, the Jobs of their rounds and their Pods. Fed by watches, compared with a LIST; no calls.

Of the Pods there are only those that run or whose results were not collected yet: memory follows the Pods that are alive, not the points. Of those that are
done with, only the names are kept until their round is over, so that late events about them are dropped.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from simops_operator.cache import Key, is_foreign, is_other
from simops_operator.core.sweeps.sweep import Sweep
from simops_operator.core.sweeps.views import PackPod, RoundJob

_REMEMBERED = 100_000


@dataclass
class Present:
    """What is there of the round that is under way."""

    number: int = 0
    jobs: dict[int, RoundJob] = field(default_factory=dict)
    pods: dict[str, PackPod] = field(default_factory=dict)
    collected: set[str] = field(default_factory=set)


class SweepCache:
    """Views by UID of the sweep. An older version never replaces a newer one, whichever way they arrive."""

    def __init__(self) -> None:
        self.sweeps: dict[str, Sweep] = {}
        self.deleted: dict[str, Sweep] = {}
        self.present: dict[str, Present] = {}
        self.doubtful: set[str] = set()
        """UIDs whose object left the watch or changed under us; the API server is to be asked."""
        self.revisits: set[str] = set()
        """UIDs of finished sweeps that are to be looked at again all the same."""
        self._finished: OrderedDict[str, None] = OrderedDict()

    def is_finished(self, uid: str) -> bool:
        """Whether this sweep is known to be finished and cleaned up: events of its Jobs and Pods mean nothing any more."""
        return uid in self._finished

    def put_sweep(self, sweep: Sweep) -> bool:
        """Take a sweep in, if it is news; return whether it was."""
        known = self.sweeps.get(sweep.uid)
        if known is not None and sweep.version < known.version:
            return False
        self.sweeps[sweep.uid] = sweep
        self._finished.pop(sweep.uid, None)
        if known is None:
            self._drop_foreign(sweep)
        return known is None or sweep.version > known.version

    def of(self, uid: str) -> Present:
        """Return what is there of a sweep's present round."""
        return self.present.setdefault(uid, Present())

    def begin(self, uid: str, number: int) -> None:
        """Go on to a round: what is left of earlier ones does not matter any more."""
        present = self.of(uid)
        if number != present.number:
            present.collected.clear()
        present.number = number
        present.pods = {name: p for name, p in present.pods.items() if p.number >= number}
        present.jobs = {n: job for n, job in present.jobs.items() if n >= number}

    def put_job(self, uid: str, job: RoundJob) -> bool:
        """Take a Job in; return whether a decision may depend on what is new."""
        if self._is_foreign(uid, job.job.namespace):
            return False
        present = self.of(uid)
        if job.number < present.number:
            return False
        known = present.jobs.get(job.number)
        if known is not None and known.job.uid == job.job.uid and job.job.version < known.job.version:
            return False
        present.jobs[job.number] = job
        return known is None or _essence(known) != _essence(job)

    def is_nothing(self, key: Key) -> bool:
        """Whether nothing is to be done: an event came while the sweep was being finished, or of a Job or Pod whose labels name another one."""
        return (self.is_finished(key.uid) and key.uid not in self.revisits) or is_other(self._known(key.uid), key)

    def _is_foreign(self, uid: str, namespace: str) -> bool:
        return is_foreign(self._known(uid), namespace)

    def _known(self, uid: str) -> Sweep | None:
        return self.sweeps.get(uid) or self.deleted.get(uid)

    def _drop_foreign(self, sweep: Sweep) -> None:
        """Forget what came before the sweep itself and is of another namespace."""
        present = self.of(sweep.uid)
        present.jobs = {n: j for n, j in present.jobs.items() if not self._is_foreign(sweep.uid, j.job.namespace)}
        present.pods = {n: p for n, p in present.pods.items() if not self._is_foreign(sweep.uid, p.pod.namespace)}

    def drop(self, uid: str) -> None:
        """Forget Jobs and Pods that name a sweep which is not there."""
        self.present.pop(uid, None)

    def drop_job(self, uid: str, job: RoundJob) -> None:
        """Forget a Job that is gone."""
        known = self.of(uid).jobs.get(job.number)
        if known is not None and known.job.uid == job.job.uid:
            del self.of(uid).jobs[job.number]

    def put_pod(self, uid: str, pod: PackPod) -> bool:
        """Take a Pod in; return whether a decision may depend on what is new."""
        if self._is_foreign(uid, pod.pod.namespace):
            return False
        present, name = self.of(uid), pod.pod.name
        if pod.number < present.number or name in present.collected:
            return False
        known = present.pods.get(name)
        if known is not None and (known.pod.gone or (not pod.pod.gone and pod.pod.version < known.pod.version)):
            return False
        present.pods[name] = pod
        return known is None or known.matters != pod.matters

    def replace_pods(self, uid: str, listed: Iterable[PackPod], known_before: Iterable[str]) -> None:
        """Take a complete LIST of a sweep's Pods in. What was known before the LIST and is not in it is gone."""
        names = set()
        for pod in listed:
            names.add(pod.pod.name)
            self.put_pod(uid, pod)
        pods = self.of(uid).pods
        for name in set(known_before) - names:
            lost = pods.get(name)
            if lost is not None and not lost.pod.gone:
                pods[name] = replace(lost, pod=replace(lost.pod, gone=True))

    def is_collected(self, uid: str, name: str) -> bool:
        """Whether a Pod's results were collected in the present round."""
        present = self.present.get(uid)
        return present is not None and name in present.collected

    def collect(self, uid: str, name: str) -> None:
        """Drop a Pod whose results were collected, and every later event about it."""
        present = self.of(uid)
        present.pods.pop(name, None)
        present.collected.add(name)

    def mark_stopped(self, uid: str, name: str) -> None:
        """Note that a Pod was told to stop, before the watch says so."""
        pod = self.of(uid).pods.get(name)
        if pod is not None:
            self.of(uid).pods[name] = replace(pod, pod=replace(pod.pod, deleting=True))

    def mark_job_deleted(self, uid: str, name: str) -> None:
        """Note that a Job was deleted, before the watch says so."""
        jobs = self.of(uid).jobs
        for number, job in jobs.items():
            if job.job.name == name:
                jobs[number] = replace(job, job=replace(job.job, deleting=True))

    def finish(self, uid: str) -> None:
        """Forget everything of a sweep that is finished and cleaned up, but that it is."""
        for memory in (self.sweeps, self.deleted, self.present):
            memory.pop(uid, None)
        self.doubtful.discard(uid)
        self._finished[uid] = None
        while len(self._finished) > _REMEMBERED:
            self._finished.popitem(last=False)

    def mark_deleted(self, uid: str) -> None:
        """Remember that a sweep's object is gone while its Pods may still have something to give."""
        sweep = self.sweeps.pop(uid, None)
        self.doubtful.discard(uid)
        if sweep is not None:
            self.deleted[uid] = sweep


def _essence(job: RoundJob) -> tuple[object, ...]:
    view = job.job
    return view.uid, view.suspended, view.deleting, view.finished, job.parallelism
