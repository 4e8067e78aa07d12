"""What the client sends again, how it sees to it that nothing is made or done twice, and what it raises."""

import ssl
from typing import Any

import httpx
import pytest
from clients import Gateway, asking, both, done, job, problem, sweep, told

from simops_client import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    SimOpsError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)

MADE = told({"jobs": ["sim-1"], "sweep": None, "sweep_mapping": {}}, 201)
SWEPT = told({"jobs": [], "sweep": "s-1", "sweep_mapping": {}}, 201)
PLAN = {"points": 1, "points_exact": True, "pods": 1, "parallelism": 1, "estimated_seconds": None, "limit_seconds": 9}
LOST = httpx.ReadError("reset")
KEY = "Idempotency-Key"


# What is tried again
@both
@pytest.mark.parametrize("lost", [LOST, httpx.ConnectError("no"), problem(503), problem(500), problem(429)])
async def test_what_makes_something_is_sent_again_with_the_same_key(kind: str, lost: Any) -> None:
    gateway = Gateway(lost, lost, MADE)
    with asking(kind, gateway) as (client, slept):
        await done(client.submit("a"))
        await done(client.submit("a"))
    first, *rest, other = gateway.sent(KEY)
    assert first
    assert rest == [first, first]
    assert other not in (None, first)
    assert len(slept) == 2


@both
async def test_a_key_of_ones_own_is_sent(kind: str) -> None:
    gateway = Gateway(MADE)
    with asking(kind, gateway) as (client, _):
        await done(client.submit("a", key="mine"))
    assert gateway.sent(KEY) == ["mine"]


@both
async def test_the_gateway_says_how_long_to_wait(kind: str) -> None:
    gateway = Gateway(
        problem(429, headers={"Retry-After": "7"}), problem(503, headers={"Retry-After": "30"}), told(job())
    )
    with asking(kind, gateway) as (client, slept):
        await done(client.job("sim-1"))
    assert slept == [7.0, 30.0]


@both
async def test_pauses_grow_and_are_not_all_the_same(kind: str) -> None:
    with asking(kind, Gateway(problem(503)), retries=6) as (client, slept), pytest.raises(Unavailable):
        await done(client.stats())
    assert len(slept) == len(set(slept)) == 6
    assert all(0 <= pause <= 0.5 * 2**number for number, pause in enumerate(slept))


@both
async def test_who_is_told_to_come_in_an_hour_is_told_so_at_once(kind: str) -> None:
    with (
        asking(kind, Gateway(problem(429, headers={"Retry-After": "3600"}))) as (client, slept),
        pytest.raises(TooManyRequests) as caught,
    ):
        await done(client.stats())
    assert (caught.value.retry_after, slept) == (3600, [])


@both
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 501])
async def test_what_no_second_try_changes_is_not_tried_again(kind: str, status: int) -> None:
    gateway = Gateway(problem(status))
    with asking(kind, gateway) as (client, _), pytest.raises(SimOpsError):
        await done(client.submit("a"))
    assert len(gateway.requests) == 1


@both
async def test_a_certificate_that_is_not_trusted_is_told_at_once(kind: str) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        gateway.requests.append(request)
        raise httpx.ConnectError("tls") from ssl.SSLCertVerificationError("self-signed")

    gateway = Gateway(refuse)
    with asking(kind, refuse) as (client, _), pytest.raises(Unavailable, match="tls"):
        await done(client.stats())
    assert len(gateway.requests) == 1


@both
async def test_a_cancel_whose_answer_was_lost_is_looked_at_before_it_is_sent_again(kind: str) -> None:
    gateway = Gateway(told(job()), LOST, told(job(cancelled=True)))
    with asking(kind, gateway) as (client, _):
        found = await done((await done(client.job("sim-1"))).cancel())
    assert gateway.asked == ["GET jobs/sim-1", "DELETE jobs/sim-1", "GET jobs/sim-1"]
    assert found.info.cancelled
    gateway = Gateway(told(sweep()), problem(503), told(sweep()), told(sweep(cancelled=True), 202))
    with asking(kind, gateway) as (client, _):
        found = await done((await done(client.get_sweep("s-1"))).cancel())
    assert gateway.asked == ["GET sweeps/s-1", "DELETE sweeps/s-1", "GET sweeps/s-1", "DELETE sweeps/s-1"]


@both
async def test_a_cancel_that_never_left_is_sent_again_without_a_look(kind: str) -> None:
    gateway = Gateway(told(job()), httpx.ConnectError("refused"), problem(429), told(job(cancelled=True), 202))
    with asking(kind, gateway) as (client, _):
        await done((await done(client.job("sim-1"))).cancel())
    assert gateway.asked[1:] == ["DELETE jobs/sim-1"] * 3


@both
async def test_an_order_to_run_again_has_one_id_however_often_it_is_sent(kind: str) -> None:
    gateway = Gateway(told(sweep("Failed")), LOST, told(sweep(), 202))
    with asking(kind, gateway) as (client, _):
        found = await done(client.get_sweep("s-1"))
        await done(found.rerun("failed"))
    assert gateway.body(1) == gateway.body(2)
    assert gateway.body(1)["points"] == "failed"
    assert gateway.body(1)["id"]
    assert found.status == "Running"


# What is raised
@both
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (410, NotFound),
        (409, Conflict),
        (413, Invalid),
        (422, Invalid),
        (429, TooManyRequests),
        (503, Unavailable),
        (418, SimOpsError),
    ],
)
async def test_a_problem_document_is_an_exception_of_its_kind(kind: str, status: int, error: type[SimOpsError]) -> None:
    errors = [{"location": "body", "field": "params.length", "detail": "must be a number"}]
    answer = problem(status, "params.length: must be a number", errors=errors, created=["sim-9"])
    with asking(kind, Gateway(answer), retries=0) as (client, _), pytest.raises(SimOpsError) as caught:
        await done(client.submit("a"))
    found = caught.value
    assert type(found) is error
    assert (found.status, found.title, found.detail) == (status, "Title", "params.length: must be a number")
    assert [(one.field, one.message) for one in found.errors] == [("params.length", "must be a number")]
    assert (found.request_id, found.created) == ("r-1", ["sim-9"])
    assert str(found) == f"{status} Title: params.length: must be a number (request r-1)"


@both
@pytest.mark.parametrize("body", [b"", b"<html>no", b"[1]", b'{"errors": 3, "created": null}', b"\xff", b"[" * 100_000])
async def test_an_error_that_is_no_problem_document_is_one_nevertheless(kind: str, body: bytes) -> None:
    answer = httpx.Response(502, content=body, headers={"Content-Type": "text/html"})
    with asking(kind, Gateway(answer), retries=0) as (client, _), pytest.raises(Unavailable) as caught:
        await done(client.stats())
    assert (caught.value.status, caught.value.title) == (502, "Bad Gateway")


@both
async def test_no_answer_is_unavailable_and_says_why(kind: str) -> None:
    gateway = Gateway(httpx.ConnectError("refused"))
    with asking(kind, gateway, retries=1) as (client, slept), pytest.raises(Unavailable, match="answer: ref") as caught:
        await done(client.stats())
    assert (caught.value.status, len(slept)) == (None, 1)


@both
async def test_what_is_no_gateway_is_told(kind: str) -> None:
    page = httpx.Response(200, text="<html>Welcome</html>")
    with asking(kind, Gateway(page)) as (client, _), pytest.raises(SimOpsError, match="is the url right"):
        await done(client.stats())
    moved = httpx.Response(308, headers={"Location": "https://gateway/api/v1/jobs"})
    with asking(kind, Gateway(moved)) as (client, _), pytest.raises(SimOpsError, match="has moved to https"):
        await done(client.submit("a"))
