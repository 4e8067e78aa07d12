"""A request that says something twice, or in a way that cannot be read, or never to its end: it is told why, and nothing is made."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from unit import test_api_http
from unit.test_api_http import JSON, ApiServer
from unit.test_api_serving import problem_in

from simops_api import strict

pytestmark = pytest.mark.asyncio(loop_scope="module")

both, server, gateway = test_api_http.both, test_api_http.server, test_api_http.gateway  # fixtures
JOBS = "/api/v1/jobs"
UNREADABLE = [
    (b'{"params": {"x": 1, "x": 2}}', 'the body has "x" twice in one object'),
    (b'{"params": {"x": 1}, "params": {"x": 2}}', 'the body has "params" twice'),
    (rb'{"image": "a", "im\u0061ge": "b"}', 'the body has "image" twice'),
    (rb'{"params": {"\ud800": 1, "\ud800": 2}}', r'the body has "\ud800" twice'),
    (b'{"params": {"x": ' + b"[" * 2000 + b"]" * 2000 + b"}}", "nested too deeply"),
    (b"[" * 4096, "nested too deeply"),
    (b'{"image": "\xff"}', "not UTF-8: byte 11"),
]


@pytest.mark.parametrize(("body", "words"), UNREADABLE, ids=[words for _, words in UNREADABLE])
@pytest.mark.parametrize("path", [JOBS, f"{JOBS}/bulk", "/api/v1/sweeps", "/api/v1/sweeps/heat/rerun"])
async def test_a_body_that_cannot_be_read_is_told_why(
    gateway: aiohttp.ClientSession, server: ApiServer, body: bytes, words: str, path: str
) -> None:
    async with gateway.post(path, data=body, headers=JSON) as response:
        assert words in (await problem_in(response, 400))["detail"]
    assert not server.written


async def test_an_integer_of_too_many_digits_is_told_the_limit(
    gateway: aiohttp.ClientSession, server: ApiServer
) -> None:
    body = b'{"jobs": [{"timeout_seconds": ' + b"9" * 10_000 + b"}]}"  # many jobs may have a longer body
    async with gateway.post(f"{JOBS}/bulk", data=body, headers=JSON) as response:
        assert "an integer of more than 4300 digits" in (await problem_in(response, 400))["detail"]
    assert not server.written


async def test_a_long_name_is_not_repeated_at_length(gateway: aiohttp.ClientSession) -> None:
    name = "x" * 1500
    async with gateway.post(JOBS, data=f'{{"{name}": 1, "{name}": 2}}', headers=JSON) as response:
        assert len((await problem_in(response, 400))["detail"]) < 200


@pytest.mark.parametrize(
    "body", ['{"%s": 1}', '{"params": {"%s": 1}}', '{"params": {"%s-": []}}', '{"labels": {"a%s": 1}}']
)
async def test_a_refusal_is_shorter_than_what_it_is_about(gateway: aiohttp.ClientSession, body: str) -> None:
    async with gateway.post(JOBS, data=body % ("x" * 3500), headers=JSON) as response:
        problem = await problem_in(response, 422)
    assert len(json.dumps(problem)) < 2000


REPEATED: list[tuple[str, str, str]] = [
    ("GET", f"{JOBS}?page=1&page=2", "page"),
    ("GET", f"{JOBS}?size=1&size=1", "size"),
    ("GET", f"{JOBS}?sort=created&sort=-created", "sort"),
    ("GET", f"{JOBS}?since=2026-01-01&since=2026-01-02", "since"),
    ("GET", f"{JOBS}?namespace=kube-system&namespace=default", "namespace"),
    ("GET", f"{JOBS}/stats?namespace=default&namespace=default", "namespace"),
    ("GET", "/api/v1/sweeps?page=1&page=1", "page"),
    ("POST", f"{JOBS}?dry_run=true&dry_run=false", "dry_run"),
    ("POST", f"{JOBS}?dry_run=true&dry%5Frun=false", "dry_run"),
    ("DELETE", f"{JOBS}?sweep=a&sweep=b", "sweep"),
    ("GET", f"{JOBS}?{'x' * 3000}&{'x' * 3000}", "x" * 64),
]


@pytest.mark.parametrize(("method", "path", "name"), REPEATED, ids=[f"{m} {p[:60]}" for m, p, _ in REPEATED])
async def test_a_parameter_that_is_given_twice_is_named(
    gateway: aiohttp.ClientSession, server: ApiServer, method: str, path: str, name: str
) -> None:
    async with gateway.request(method, path, json={} if method == "POST" else None) as response:
        problem = await problem_in(response, 422)
    assert problem["errors"] == [{"location": "query", "field": name, "detail": "is given more than once"}]
    assert not server.written


async def test_filters_that_may_be_given_several_times_are_taken(gateway: aiohttp.ClientSession) -> None:
    async with gateway.get(f"{JOBS}?status=failed&status=running&label=a%3Db&label=c%3Dd") as response:
        assert response.status == 200


async def test_two_idempotency_keys_are_none(gateway: aiohttp.ClientSession, server: ApiServer) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    async with gateway.post(JOBS, json={}, headers=headers) as response:
        problem = await problem_in(response, 422)
    assert [(error["location"], error["field"]) for error in problem["errors"]] == [("header", "Idempotency-Key")]
    assert not server.written


async def answers_to(gateway: aiohttp.ClientSession, data: bytes) -> tuple[bytes, Any]:
    """Return all that comes back on a connection of its own until it ends, and the problem that it is."""
    base = gateway._base_url
    assert base is not None
    reader, writer = await asyncio.open_connection(base.host, base.port)
    try:
        async with asyncio.timeout(30):
            writer.write(data)
            said = await reader.read()
    finally:
        writer.close()
    return said, json.loads(said.partition(b"\r\n\r\n")[2])


HEAD = f"POST {JOBS} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n".encode()


@pytest.mark.parametrize("ending", [b"Content-Length: 50\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n10\r\n{"])
async def test_a_body_that_never_ends_is_not_waited_for(
    gateway: aiohttp.ClientSession, server: ApiServer, monkeypatch: pytest.MonkeyPatch, ending: bytes
) -> None:
    monkeypatch.setattr(strict, "_BODY_SECONDS", 0.2)
    said, problem = await answers_to(gateway, HEAD + ending)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert problem["detail"] == "the body of this request did not arrive within 0.2 s"
    assert not server.written


async def test_a_request_within_a_request_is_never_seen(gateway: aiohttp.ClientSession, server: ApiServer) -> None:
    within = HEAD + b"Content-Length: 2\r\n\r\n{}"
    both_ways = HEAD + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (len(within) + 5)
    said, problem = await answers_to(gateway, both_ways + within)
    assert said.count(b"HTTP/1.1 ") == 1
    assert (problem["status"], problem["detail"]) == (
        400,
        "a request has Content-Length or Transfer-Encoding, not both",
    )
    assert not server.written
