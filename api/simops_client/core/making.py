"""The two calls whose answer depends on what was asked: what was made, or with ``dry_run`` what would be.

A blocking client returns a job, the other one something that is awaited for a job; each says so by the types that it gives ``Making``.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar, Unpack, overload

from simops_client.axes import space_of
from simops_client.core.clients import begun
from simops_client.core.flow import Flow
from simops_client.core.requests import KEY_HEADER, Request, RunFields, SweepFields, body_of, making, plain, query_of
from simops_client.core.session import J, S, Session, parsed
from simops_client.models import Created, Plan, PointCounts, Scalar, SweepInfo, Uploaded

JobT = TypeVar("JobT")
SweepT = TypeVar("SweepT")
PlanT = TypeVar("PlanT")

_MOST_WRITTEN = 10_000
"""Points that are sent with the request; more are uploaded first."""
_LINES = "application/x-ndjson"


class Making(Session[J, S], Generic[J, S, JobT, SweepT, PlanT]):
    """A session that makes runs and sweeps."""

    @abstractmethod
    def _done(self, flow: Flow[Any]) -> Any:
        """Do what a flow asks for."""

    @overload
    def submit(
        self,
        image: str | None = None,
        *,
        dry_run: Literal[False] = False,
        key: str | None = None,
        **run: Unpack[RunFields],
    ) -> JobT: ...

    @overload
    def submit(
        self, image: str | None = None, *, dry_run: Literal[True], key: str | None = None, **run: Unpack[RunFields]
    ) -> PlanT: ...

    def submit(self, image: str | None = None, *, dry_run: bool = False, key: str | None = None, **run: Any) -> Any:
        """Run a simulation once; return the job. The fields of ``RunFields`` say how.

        ``dry_run``: make nothing, and return what it would be. ``key``: an Idempotency-Key; the same one makes the same job once, also in another
        process. By default each call has its own, by which its repetitions make one job.

        Raises:
            Invalid: a field is wrong; ``errors`` says which.
            SimOpsError: it could not be made.
        """
        return self._done(_submitted(self, body_of({"image": image} | run), key, dry_run=dry_run))

    @overload
    def sweep(
        self,
        image: str | None = None,
        *,
        space: Mapping[str, Any] | None = None,
        points: Sequence[Mapping[str, Scalar]] | None = None,
        method: str | None = None,
        samples: int | None = None,
        seed: int | None = None,
        where: str | None = None,
        dry_run: Literal[False] = False,
        key: str | None = None,
        **run: Unpack[SweepFields],
    ) -> SweepT: ...

    @overload
    def sweep(
        self,
        image: str | None = None,
        *,
        space: Mapping[str, Any] | None = None,
        points: Sequence[Mapping[str, Scalar]] | None = None,
        method: str | None = None,
        samples: int | None = None,
        seed: int | None = None,
        where: str | None = None,
        dry_run: Literal[True],
        key: str | None = None,
        **run: Unpack[SweepFields],
    ) -> PlanT: ...

    def sweep(
        self,
        image: str | None = None,
        *,
        space: Mapping[str, Any] | None = None,
        points: Sequence[Mapping[str, Scalar]] | None = None,
        method: str | None = None,
        samples: int | None = None,
        seed: int | None = None,
        where: str | None = None,
        dry_run: bool = False,
        key: str | None = None,
        **run: Any,
    ) -> Any:
        """Run a simulation at many points; return the sweep. The fields of ``SweepFields`` say how.

        Which points: either ``space``, parameter → axis (``linspace``, ``values``, … or a list), with ``method`` (grid, zip, random, latinHypercube,
        sobol), ``samples``, ``seed`` and ``where``; or ``points``, the parameters of each. A space as the REST guide writes it is taken too.
        ``dry_run`` and ``key`` as for ``submit``.

        Raises:
            ValueError: neither or both of ``space`` and ``points``, or an axis that is none.
            Invalid: a field is wrong; ``errors`` says which.
            SimOpsError: it could not be made.
        """
        if (space is None) == (points is None):
            raise ValueError("a sweep has either space or points")
        options = {"method": method, "samples": samples, "seed": seed, "where": where}
        body = body_of({"image": image} | run)
        if space is not None:
            body["space"] = space_of(space, options)
        return self._done(_swept(self, body, plain(points), key, dry_run=dry_run))


def _submitted(client: Session[J, S], body: dict[str, Any], key: str | None, *, dry_run: bool) -> Flow[J | Plan]:
    answer = yield from client.call(making("jobs", body, key, dry_run=dry_run))
    if dry_run:
        return parsed(Plan, answer)
    (made,) = parsed(Created, answer).jobs
    return client.job_type(client, begun(made, body))


def _swept(
    client: Session[J, S], body: dict[str, Any], points: list[Any] | None, key: str | None, *, dry_run: bool
) -> Flow[S | Plan]:
    if points is not None and len(points) <= _MOST_WRITTEN:
        body = {**body, "sweep": points}
    elif points is not None:
        space = yield from _uploaded(client, points, body.get("namespace"))
        body = {**body, "space": space}
    answer = yield from client.call(making("sweeps", body, key, dry_run=dry_run))
    if dry_run:
        return parsed(Plan, answer)
    created = parsed(Created, answer)
    info = SweepInfo(
        id=created.sweep or "",
        status="Pending",
        image=body.get("image") or "",
        params=body.get("params") or {},
        points=PointCounts(total=len(created.jobs)),
    )
    return client.sweep_type(client, info)


def _uploaded(client: Session[J, S], points: list[Any], namespace: str | None) -> Flow[dict[str, Any]]:
    lines = "".join(f"{json.dumps(point, separators=(',', ':'))}\n" for point in points).encode()
    # The list is named by its bytes, so sending it again changes nothing: the key only says so.
    headers = {"Content-Type": _LINES, KEY_HEADER: "list"}
    answer = yield from client.call(
        Request("POST", "points", query_of(namespace=namespace), content=lines, headers=headers)
    )
    made = parsed(Uploaded, answer)
    return {"method": "list", "pointsFrom": {"digest": made.digest, "points": made.points}}
