"""What can go wrong around an operator, one function each: it makes it go wrong for a while, and ends with everything as it was."""

import itertools
import random
from collections.abc import Callable

from chaos.apiproxy import Mishap, Request, at_random
from chaos.rig import Rig
from e2e.cluster import SYSTEM, Refused, until
from e2e.lab import JOBS, PODS

Fault = Callable[[Rig, random.Random], None]
NOW = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
SYSTEM_PODS = f"/api/v1/namespaces/{SYSTEM}/pods"


def _api(rig: Rig, chance: random.Random, share: float, *statuses: int, only_writes: bool = False) -> None:
    for operator in rig.operators:
        operator.proxy.spoil = at_random(chance, share, *statuses, only_writes=only_writes)
    rig.hold(30)
    # A busy machine may have come to nothing by then.
    until(lambda: any(operator.proxy.mishaps.total() for operator in rig.operators), "something is spoiled", within=180)
    for operator in rig.operators:
        operator.proxy.spoil = None


def conflicts(rig: Rig, chance: random.Random) -> None:
    """Every second write is refused with 409."""
    _api(rig, chance, 0.5, 409, only_writes=True)


def too_many_requests(rig: Rig, chance: random.Random) -> None:
    """Every third call is refused with 429."""
    _api(rig, chance, 0.34, 429)


def server_errors(rig: Rig, chance: random.Random) -> None:
    """Every third call ends with 500 or 503; half of these have had their effect."""
    _api(rig, chance, 0.34, 500, 503)


def watches_go_silent(rig: Rig, _chance: random.Random) -> None:
    """The connections of the watches are cut without a FIN."""
    rig.hold(3)
    rig.operator.proxy.silence_watches()
    rig.hold(5)


def _pause(rig: Rig, program: str, seconds: int) -> None:
    rig.host.pause(program, seconds)
    rig.hold(seconds + 3)


def api_server_stands_still(rig: Rig, _chance: random.Random) -> None:
    """kube-apiserver is stopped for 30 s."""
    _pause(rig, "kube-apiserver", 30)


def etcd_stands_still(rig: Rig, _chance: random.Random) -> None:
    """etcd is stopped for 30 s."""
    _pause(rig, "etcd", 30)


def node_not_ready(rig: Rig, _chance: random.Random) -> None:
    """kubelet is stopped until its node counts as lost, and comes back."""
    _pause(rig, "kubelet", 70)


def operator_killed(rig: Rig, chance: random.Random) -> None:
    """The operator is killed by SIGKILL eight times."""
    for _ in range(8):
        rig.hold(chance.uniform(1, 10))
        rig.operator.kill()


def operators_on_top_of_each_other(rig: Rig, _chance: random.Random) -> None:
    """Two operators work at the same time, as when a Lease fails."""
    rig.another()
    rig.hold(25)


def clock_jumps(rig: Rig, chance: random.Random) -> None:
    """The operator's time of day goes to the next month, back to the last, and comes right again."""
    for days in (30, -30, chance.randrange(-5, 5)):
        rig.operator.shift_clock(days * 86_400)
        rig.hold(8)
    rig.operator.shift_clock(0)


def _store(rig: Rig, spoil: Callable[[str], str | None], seconds: float = 30) -> None:
    before = len(rig.store.mishaps)
    rig.spoil_store = spoil
    rig.hold(seconds)
    until(lambda: len(rig.store.mishaps) > before, "something is spoiled", within=180)
    rig.spoil_store = lambda _head: None


def store_down(rig: Rig, _chance: random.Random) -> None:
    """No connection to the store is taken."""
    _store(rig, lambda _head: "reset")


def store_unavailable(rig: Rig, chance: random.Random) -> None:
    """Two of three calls to the store are answered by 503, or their answer is lost."""
    _store(rig, lambda _head: chance.choice(["503", "lost", None]))


def store_full(rig: Rig, _chance: random.Random) -> None:
    """The store has no room."""
    _store(rig, lambda head: "507" if head.startswith(("PUT", "POST")) else None)


def store_slow(rig: Rig, _chance: random.Random) -> None:
    """What goes to the store trickles, and answers end in their middle now and then."""
    turns = itertools.cycle(["trickle", "trickle", "half"])
    _store(rig, lambda _head: next(turns))


def pods_deleted(rig: Rig, chance: random.Random) -> None:
    """Every third Pod that runs is deleted by hand, in good order."""
    seen: set[str] = set()

    def step() -> None:
        for pod in rig.lab.cluster.items(PODS, labelSelector="app.kubernetes.io/managed-by=simops"):
            name = pod["metadata"]["name"]
            if name in seen or pod["status"].get("phase") != "Running":
                continue
            seen.add(name)
            if chance.random() < 0.34:
                try:
                    rig.lab.cluster.request("DELETE", f"{PODS}/{name}")
                except Refused as refusal:
                    if refusal.status != 404:
                        raise

    rig.hold(20, step)


def jobs_deleted(rig: Rig, chance: random.Random) -> None:
    """Every third Kubernetes Job is deleted by hand while it runs."""
    seen: set[str] = set()

    def step() -> None:
        for found in rig.lab.cluster.items(JOBS, labelSelector="app.kubernetes.io/managed-by=simops"):
            name = found["metadata"]["name"]
            if name in seen or not found["status"].get("active"):
                continue
            seen.add(name)
            if chance.random() < 0.34:
                rig.lab.cluster.request("DELETE", f"{JOBS}/{name}?propagationPolicy=Background")

    rig.hold(20, step)


def everything_at_once(rig: Rig, chance: random.Random) -> None:
    """The operator is killed while API server and store fail now and then."""
    rig.operator.proxy.spoil = at_random(chance, 0.2, 409, 429, 500, 503)
    rig.spoil_store = lambda _head: chance.choice(["503", "lost", "reset", None, None, None])
    for _ in range(6):
        rig.hold(chance.uniform(2, 8))
        rig.operator.kill()
        rig.operator.proxy.silence_watches()
    rig.operator.proxy.spoil = None
    rig.spoil_store = lambda _head: None


def late_statuses(met: Callable[[], bool]) -> Callable[[Request], Mishap | None]:
    """Return what holds up the first status that says Running until something is met."""
    held: list[Request] = []

    def spoil(request: Request) -> Mishap | None:
        if held or not request.path.endswith("/status") or b'"Running"' not in request.body:
            return None
        held.append(request)
        return Mishap(wait=met)

    return spoil


BY_HAND = (pods_deleted, jobs_deleted)
"""What people do to Pods and Jobs of a run: it runs again, or says that it cannot; a Job that is deleted is made anew."""
FEW: tuple[Fault, ...] = (server_errors, watches_go_silent, store_unavailable, clock_jumps)
"""What `make test` tries."""
ALL: tuple[Fault, ...] = (
    *FEW,
    conflicts,
    too_many_requests,
    api_server_stands_still,
    etcd_stands_still,
    node_not_ready,
    operator_killed,
    operators_on_top_of_each_other,
    store_down,
    store_full,
    store_slow,
    pods_deleted,
    jobs_deleted,
    everything_at_once,
)
