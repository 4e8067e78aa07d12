"""Many jobs in one request: all are checked before the first is made."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from simops_api.auth.caller import Caller
from simops_api.cluster import ApiError, UnreachableError
from simops_api.errors import FieldError, ProblemError, problem_of
from simops_api.jobs import door
from simops_api.jobs.creating import Creating, Made, Order
from simops_api.jobs.keys import KEY_HEADER, bulk_digests
from simops_api.jobs.plans import plan_of, total
from simops_api.jobs.requests import BulkRequest, Plan
from simops_crds.kinds import SIMULATION_JOB
from simops_io.s3 import StoreError

T = TypeVar("T")

_AT_ONCE = 16
_PATIENCE = 5
"""So often the API server may say that it is asked too much."""
_EXPECTED = (ProblemError, ApiError, UnreachableError, StoreError)


@dataclass(frozen=True)
class ManyMade:
    """What became of a request for many jobs."""

    ids: list[str]
    version: str = ""
    """The latest ``SimOps-Version`` of them, if all are in one namespace."""
    is_replay: bool = False
    """Whether all had been made before."""


async def create_many(
    creating: Creating, caller: Caller, body: BulkRequest, *, key: str | None = None, dry_run: bool = False
) -> ManyMade | Plan:
    """Make many jobs, or none when one of them is wrong; with ``dry_run`` only say what they would be.

    Raises:
        ProblemError: 403 not permitted; 422 some are wrong; and whatever stopped it in the middle, with the ids of what was made.
    """
    orders = _orders(creating, caller, body, None if dry_run else key)
    for namespace in sorted({order.namespace for order in orders}):
        await creating.require(caller, SIMULATION_JOB, namespace)
    if dry_run:
        objects = await _all(orders, creating.attempt)
        median = await creating.median(caller, orders[0].namespace)
        return total([plan_of(SIMULATION_JOB, obj, median) for obj in objects])
    former = await _former(creating, orders)
    fresh = [order for order, made in zip(orders, former, strict=True) if made is None]
    positions = [index for index, made in enumerate(former) if made is None]

    async def attempt(order: Order) -> None:
        try:
            await creating.attempt(order)
        except ApiError as error:
            # The same request has come twice at once, and the other one is ahead; whether it is the same, `make` will see.
            if error.status != 409 or not order.digest:
                raise

    await _all(fresh, attempt, positions)
    made = await _make(creating, fresh, former)
    namespaces = {order.namespace for order in orders}
    versions = [one.version for one in made if one.version]
    latest = max(versions, key=lambda v: int(v.rpartition("/")[2]), default="") if len(namespaces) == 1 else ""
    return ManyMade([one.created.jobs[0] for one in made], latest, all(one.is_replay for one in made))


def _orders(creating: Creating, caller: Caller, body: BulkRequest, key: str | None) -> list[Order]:
    digests = bulk_digests(body.jobs) if key is not None else [""] * len(body.jobs)
    orders: list[Order] = []
    problems: list[tuple[int, ProblemError]] = []
    for index, (request, digest) in enumerate(zip(body.jobs, digests, strict=True)):
        try:
            door.check_bulk(request)
            orders.append(creating.order(caller, request, key=key, index=index, digest=digest))
        except ProblemError as problem:
            problems.append((index, problem))
    if problems:
        raise _together(problems)
    return orders


async def _former(creating: Creating, orders: Sequence[Order]) -> list[Made | None]:
    # The first is always made before the others: when it is new, all are.
    first = await _patiently(creating.former, orders[0])
    if first is None:
        return [None] * len(orders)
    return [first, *await _all(orders[1:], creating.former, range(1, len(orders)))]


async def _make(creating: Creating, fresh: Sequence[Order], former: Sequence[Made | None]) -> list[Made]:
    made = list(former)
    places = [index for index, one in enumerate(former) if one is None]
    failure: Exception | None = None

    async def make(at: int) -> None:
        nonlocal failure
        if failure is not None:
            return
        try:
            made[places[at]] = await _patiently(creating.make, fresh[at])
        except _EXPECTED as error:
            failure = failure or error

    if fresh:
        await make(0)
        await _spread(range(1, len(fresh)), make)
    if failure is not None:
        raise _stopped(failure, [one.created.jobs[0] for one in made if one is not None], made, fresh[0])
    return [one for one in made if one is not None]


def _stopped(failure: Exception, ids: list[str], made: Sequence[Made | None], example: Order) -> ProblemError:
    problem = problem_of(failure)
    unknown = " (one or more others may have been made as well)" if isinstance(failure, UnreachableError) else ""
    remedy = (
        f"send the same again with the same {KEY_HEADER} and the rest is made"
        if example.digest
        else f"send only the others again; with an {KEY_HEADER} the same request could have been sent again"
    )
    detail = f"{problem.detail}; {len(ids)} of {len(made)} jobs were made{unknown}: {remedy}"
    return ProblemError(problem.status, detail, errors=problem.errors, headers=problem.headers, created=ids)


async def _all(
    orders: Sequence[Order], do: Callable[[Order], Awaitable[T]], positions: Sequence[int] | None = None
) -> list[T]:
    """Do something with each, a few at once; where some fail, say so of all of these together."""
    results: dict[int, T] = {}
    problems: list[tuple[int, ProblemError]] = []

    async def one(at: int) -> None:
        try:
            results[at] = await _patiently(do, orders[at])
        except _EXPECTED as error:
            problems.append((positions[at] if positions is not None else at, problem_of(error)))

    await _spread(range(len(orders)), one)
    if problems:
        raise _together(sorted(problems, key=lambda pair: pair[0]))
    return [results[at] for at in range(len(orders))]


async def _spread(places: Sequence[int], do: Callable[[int], Awaitable[None]]) -> None:
    waiting = iter(places)

    async def work() -> None:
        for at in waiting:
            await do(at)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(min(_AT_ONCE, len(places))):
            tasks.create_task(work())


async def _patiently(do: Callable[[Order], Awaitable[T]], order: Order) -> T:
    for _ in range(_PATIENCE):
        try:
            return await do(order)
        except ApiError as error:
            if error.status != 429:
                raise
            await asyncio.sleep(min(error.retry_after or 1, 10))
    return await do(order)


def _together(problems: Sequence[tuple[int, ProblemError]]) -> ProblemError:
    fault = next((problem for _, problem in problems if problem.status >= 500), None)
    if fault is not None:
        return fault
    errors = [error for index, problem in problems for error in _placed(index, problem)]
    statuses = {problem.status for _, problem in problems}
    shown = "; ".join(f"jobs.{index}: {problem.detail}" for index, problem in problems[:3])
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return ProblemError(statuses.pop() if len(statuses) == 1 else 422, f"{shown}{more}", errors=errors[:50])


def _placed(index: int, problem: ProblemError) -> list[FieldError]:
    if not problem.errors:
        return [FieldError(location="body", field=f"jobs.{index}", detail=problem.detail)]
    return [
        FieldError(
            location=e.location, field=e.field if e.location == "header" else f"jobs.{index}.{e.field}", detail=e.detail
        )
        for e in problem.errors
    ]
