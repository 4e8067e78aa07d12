"""Which points run next, and how many of them in a Pod (pure).

A Pod costs the control plane three writes and a node about a third of a second, so short points share Pods. How many may share one is given, or measured: a
few points run first (the probe), and then a Pod is given about a minute's work, as long as every Pod that may run has some.

Points that were lost with their Pod run again in smaller packs, after all others: what killed the Pod may be one of them, and is then found alone.
"""

from math import isqrt

from simops_crds.indexes import Indexes
from simops_operator.core.sweeps.books import NOTHING, Books, Round
from simops_operator.core.sweeps.sweep import Sweep

POD_SECONDS = 60.0
"""How long a Pod of a sweep with ``pointsPerPod: auto`` is to live."""
MAX_PACKS = 100_000
"""Completions of one Indexed Job; beyond that the API server asks for more than is known here."""
MAX_POINTS_PER_POD = 100_000
_PROBE_PODS = 8
_PROBE_BATCH = 16
"""Points of a Pod of the probe in batch mode: one alone would measure the start of the program."""
_MAX_PROBES = 3


def next_round(books: Books, sweep: Sweep, total: int) -> Round | None:
    """Return the round that comes now, None when nothing is left to run."""
    spec = sweep.spec
    pending = books.pending(total, sweep.cancelled_points)
    if spec is None or not pending.ranges:
        return None
    pending = pending - books.held(pending)
    lost_once = books.losses[0] & pending if books.losses else NOTHING
    lost_often = Indexes.of(pair for level in books.losses[1:] for pair in (level & pending).ranges)
    fresh = pending - lost_once - lost_often
    size = spec.points_per_pod
    if size == "auto":
        probe = _probe(books, fresh, spec.parallelism, batch=spec.template.batch)
        if probe is not None:
            return Round(books.rounds, probe[0], probe[1], "probe")
        size = size_for(books.seconds_per_point, len(pending), spec.parallelism)
    if size == 1:
        points = pending
    elif fresh.ranges:
        points = fresh
    elif lost_once.ranges:
        points, size = lost_once, isqrt(size - 1) + 1
    else:
        points, size = lost_often, 1
    points = points.ranks(0, size * MAX_PACKS)
    return Round(books.rounds, points, min(size, len(points)), _reason(books, points))


def size_for(seconds: float | None, count: int, parallelism: int) -> int:
    """Return how many points of so many seconds (None: unknown) a Pod is given, when there are ``count`` of them."""
    if seconds is None:
        return 1
    wanted = int(POD_SECONDS / seconds) if seconds > POD_SECONDS / MAX_POINTS_PER_POD else MAX_POINTS_PER_POD
    return max(1, min(wanted, count // parallelism, MAX_POINTS_PER_POD))


def _probe(books: Books, fresh: Indexes, parallelism: int, *, batch: bool) -> tuple[Indexes, int] | None:
    """Return the points to measure and how many of them share a Pod; None when it is known or when it would change nothing."""
    if books.measured or books.probes >= _MAX_PROBES or len(fresh) < 2 * parallelism:
        return None
    size = _PROBE_BATCH if batch else 1
    pods = min(parallelism, _PROBE_PODS)
    count = min(pods * size, max(1, len(fresh) // 4))
    # Spread over the space: neighbours are alike, also in how long they take.
    step = len(fresh) / count
    points = Indexes.of((i, i) for n in range(count) for i in fresh.ranks(int(n * step), int(n * step) + 1))
    return points, min(size, len(points))


def _reason(books: Books, points: Indexes) -> str:
    if books.ordered.ranges and not (points - books.ordered).ranges:
        return "rerun"
    failed = Indexes.of(pair for level in books.failures for pair in level.ranges)
    lost = Indexes.of(pair for level in books.losses for pair in level.ranges)
    if (points - failed - lost).ranges:
        return "points"
    return "retry" if (points & failed).ranges else "missing"
