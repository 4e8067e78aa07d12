"""What can be asked of a gateway, beside making something."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from simops_client.core.flow import Flow, Items
from simops_client.core.handles import JobHandle, SweepHandle
from simops_client.core.listing import count_of, items_of
from simops_client.core.requests import Query, Request, Run, body_of, making, query_of, segment
from simops_client.core.session import J, S, Session, parsed
from simops_client.models import Created, JobInfo, Stats, SweepInfo

Status = str | Iterable[str]
Label = str | Mapping[str, str] | Iterable[str]
Moment = str | date | datetime


def job(client: Session[J, S], job_id: str) -> Flow[J]:
    """Return a job, or a point of a sweep, by its id. One whose object is gone is as the store remembers it (``info.archived``).

    Raises:
        NotFound: there is none.
        SimOpsError: it could not be read.
    """
    info = yield from client.read(JobInfo, Request("GET", f"jobs/{segment(job_id)}"))
    return client.job_type(client, info)


def get_sweep(client: Session[J, S], sweep_id: str) -> Flow[S]:
    """Return a sweep by its id.

    Raises:
        NotFound: there is none.
        SimOpsError: it could not be read.
    """
    info = yield from client.read(SweepInfo, Request("GET", f"sweeps/{segment(sweep_id)}"))
    return client.sweep_type(client, info)


def jobs(
    client: Session[J, S],
    *,
    status: Status | None = None,
    label: Label | None = None,
    since: Moment | None = None,
    sweep: str | SweepHandle | None = None,
    namespace: str | None = None,
    archived: bool = False,
    oldest_first: bool = False,
) -> Items[J]:
    """Give jobs and points of sweeps, newest first; pages are fetched as they are needed.

    ``status``: one or several, in any case. ``label``: ``"project=heat"`` or ``{"project": "heat"}``; all must be there. ``since``: made at this time or
    later. ``archived``: those whose objects are gone instead.

    Raises:
        Invalid: there can be no such status or label.
        SimOpsError: they could not be read.
    """
    query = _filters(status, label, since, namespace, archived=archived, oldest_first=oldest_first)
    query += _of_sweep(sweep)
    yield from items_of(client, JobInfo, "jobs", query, lambda info: client.job_type(client, info))


def sweeps(
    client: Session[J, S],
    *,
    status: Status | None = None,
    label: Label | None = None,
    since: Moment | None = None,
    namespace: str | None = None,
    archived: bool = False,
    oldest_first: bool = False,
) -> Items[S]:
    """Give sweeps, newest first; filters as for ``jobs``.

    Raises:
        Invalid: there can be no such status or label.
        SimOpsError: they could not be read.
    """
    query = _filters(status, label, since, namespace, archived=archived, oldest_first=oldest_first)
    yield from items_of(client, SweepInfo, "sweeps", query, lambda info: client.sweep_type(client, info))


def count_jobs(
    client: Session[J, S],
    *,
    status: Status | None = None,
    label: Label | None = None,
    since: Moment | None = None,
    sweep: str | SweepHandle | None = None,
    namespace: str | None = None,
) -> Flow[int]:
    """Return how many jobs and points of sweeps there are; filters as for ``jobs``.

    Raises:
        SimOpsError: it could not be read.
    """
    query = _filters(status, label, since, namespace, archived=False, oldest_first=False)
    query += _of_sweep(sweep)
    return (yield from count_of(client, JobInfo, "jobs", query))


def count_sweeps(
    client: Session[J, S],
    *,
    status: Status | None = None,
    label: Label | None = None,
    since: Moment | None = None,
    namespace: str | None = None,
) -> Flow[int]:
    """Return how many sweeps there are; filters as for ``jobs``.

    Raises:
        SimOpsError: it could not be read.
    """
    query = _filters(status, label, since, namespace, archived=False, oldest_first=False)
    return (yield from count_of(client, SweepInfo, "sweeps", query))


def stats(client: Session[J, S], *, namespace: str | None = None) -> Flow[Stats]:
    """Return how many jobs have which status, how many finish, and how long they take.

    Raises:
        SimOpsError: it could not be read.
    """
    return (yield from client.read(Stats, Request("GET", "jobs/stats", query_of(namespace=namespace))))


def submit_many(client: Session[J, S], runs: Iterable[Run], *, key: str | None = None) -> Flow[list[J]]:
    """Run up to 1,000 simulations that have nothing to do with each other; return them in the same order. All are checked before the first is made.

    Raises:
        Invalid: some are wrong, and none was made; ``errors`` names them.
        SimOpsError: it was stopped in the middle; ``created`` has the ids of what was made.
    """
    bodies = [body_of(one) for one in runs]
    if not bodies:
        return []
    answer = yield from client.call(making("jobs/bulk", {"jobs": bodies}, key))
    made = parsed(Created, answer).jobs
    return [client.job_type(client, begun(job_id, body)) for job_id, body in zip(made, bodies, strict=True)]


def begun(job_id: str, body: Mapping[str, Any]) -> JobInfo:
    """Return what is known of a job that has just been made."""
    return JobInfo(id=job_id, status="Pending", image=body.get("image") or "", params=body.get("params") or {})


def _of_sweep(sweep: str | SweepHandle | None) -> Query:
    return query_of(sweep=sweep.id if isinstance(sweep, SweepHandle) else sweep)


def _filters(
    status: Status | None,
    label: Label | None,
    since: Moment | None,
    namespace: str | None,
    *,
    archived: bool,
    oldest_first: bool,
) -> Query:
    return query_of(
        status=_several(status),
        label=label if isinstance(label, Mapping) else _several(label),
        since=since,
        namespace=namespace,
        archived=True if archived else None,
        sort="created" if oldest_first else None,
    )


def _several(given: str | Iterable[str] | None) -> list[str] | None:
    if given is None:
        return None
    return [given] if isinstance(given, str) else list(given)


__all__ = [
    "JobHandle",
    "begun",
    "count_jobs",
    "count_sweeps",
    "get_sweep",
    "job",
    "jobs",
    "stats",
    "submit_many",
    "sweeps",
]
