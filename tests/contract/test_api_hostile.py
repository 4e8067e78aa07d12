"""What nobody means well: each is refused with a 4xx that says why, makes nothing, and leaves the gateway as it was.

In front of a real API server with the CRDs and policies in force. Some of it no HTTP client would send, so it is written to the socket as it is.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from contract.objects import job
from contract.raw import JOBS, SECONDS, kept, posting, raw, request, unchanged
from contract.server import Api
from unit.test_api_serving import serving, settings_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY_LIMIT = 64 << 10
BULK_LIMIT = 256 << 10


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(api: Api) -> AsyncIterator[aiohttp.ClientSession]:
    settings = settings_of(
        api.kubeconfig,
        default_container_command=("simulate",),
        max_body_bytes=BODY_LIMIT,
        max_bulk_body_bytes=BULK_LIMIT,
    )
    async with serving(settings) as session:
        yield session


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _changes_nothing(gateway: aiohttp.ClientSession, api: Api) -> AsyncIterator[None]:
    async with unchanged(gateway, api):
        yield


PATHS = {
    "an id with slashes": f"{JOBS}/a/b/c",
    "an id with a slash in disguise": f"{JOBS}/a%2Fb",
    "an id with two dots": f"{JOBS}/..",
    "an id of dots in disguise": f"{JOBS}/%2e%2e",
    "dots that lead out of the calls": f"{JOBS}/../../../etc/passwd",
    "dots in disguise that lead out": f"{JOBS}/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "dots in disguise twice": f"{JOBS}/%252e%252e%252fx",
    "backslashes": f"{JOBS}/..\\..\\x",
    "an id with NUL": f"{JOBS}/heat%00",
    "an id with a line end": f"{JOBS}/heat%0d%0aX-Evil:%201",
    "an id that is no UTF-8": f"{JOBS}/%ff%fe",
    "an id in capitals": f"{JOBS}/HEAT",
    "an id in another script": f"{JOBS}/%E7%83%AD",
    "an id that looks like another one": f"{JOBS}/h%D0%B5at",
    "an id of 10,000 characters": f"{JOBS}/{'a' * 10_000}",
    "an id with a namespace that is not served": f"{JOBS}/kube-system.heat",
    "an id that is a query": f"{JOBS}/heat%3Fstatus=failed",
    "an artifact out of its folder": f"{JOBS}/heat/artifacts/../../etc/passwd",
    "an artifact out of its folder in disguise": f"{JOBS}/heat/artifacts/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "an absolute artifact": f"{JOBS}/heat/artifacts//etc/passwd",
    "an artifact with backslashes": f"{JOBS}/heat/artifacts/..%5C..%5Cx",
    "an artifact with NUL": f"{JOBS}/heat/artifacts/a%00.json",
    "an artifact with a line end": f"{JOBS}/heat/artifacts/a%0d%0aX-Evil:%201",
    "a sweep with dots": "/api/v1/sweeps/%2e%2e/table",
    "page 0": f"{JOBS}?page=0",
    "a negative page": f"{JOBS}?page=-1",
    "a page of no number": f"{JOBS}?page=NaN",
    "a page with 5,000 digits": f"{JOBS}?page={'9' * 5000}",
    "a size of nothing": f"{JOBS}?size=0",
    "a size of a billion": f"{JOBS}?size=1000000000",
    "an order that there is none of": f"{JOBS}?sort=;drop",
    "a status that there is none of": f"{JOBS}?status=exploded",
    "a time that is none": f"{JOBS}?since=yesterday-ish",
    "a label that is none": f"{JOBS}?label=a%20b%3D%3D%3Dc",
    "an attempt that is none": f"{JOBS}/heat/logs?attempt=-1",
    "an address of 20,000 bytes": f"{JOBS}?label={'a' * 20_000}",
    "a namespace that is not served": f"{JOBS}?namespace=kube-system",
    "a namespace with dots": f"{JOBS}?namespace=..%2f..",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_address_that_leads_nowhere(gateway: aiohttp.ClientSession, method: str, path: str) -> None:
    answer = await raw(gateway, request(path, method=method))
    assert 400 <= answer.status < 500, answer
    assert answer.problem["detail"]
    assert "x-evil" not in answer.head.lower()
    assert "root:" not in answer.body.decode("latin-1")


BODIES: dict[str, bytes] = {
    "no JSON": b"{",
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"7",
    "a text": b'"job"',
    "NaN": b'{"params":{"x":NaN}}',
    "Infinity": b'{"params":{"x":Infinity}}',
    "negative infinity": b'{"params":{"x":-Infinity}}',
    "a number beyond all bounds": b'{"params":{"x":1e999}}',
    "a number of 10,000 digits": b'{"params":{"x":' + b"9" * 10_000 + b"}}",
    "an integer that no JSON reader keeps": b'{"params":{"x":9223372036854775808}}',
    "a timeout of NaN": b'{"timeout_seconds":NaN}',
    "a negative timeout": b'{"timeout_seconds":-1}',
    "lists 20,000 deep": b'{"params":{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}}",
    "objects 10,000 deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "half of a surrogate pair": rb'{"params":{"x":"\ud800"}}',
    "half of a surrogate pair in a name": rb'{"params":{"\ud800":1}}',
    "bytes that are no UTF-8": b'{"params":{"x":"\xff\xfe"}}',
    "NUL in a parameter": rb'{"params":{"x":"a\u0000b"}}',
    "NUL in a name": rb'{"params":{"a\u0000":1}}',
    "a name in another script": '{"params":{"температура":1}}'.encode(),
    "a name that is an option": b'{"params":{"--length":1}}',
    "a name with a line end": rb'{"params":{"a\nb":1}}',
    "an empty name": b'{"params":{"":1}}',
    "a parameter that is an object": b'{"params":{"x":{"y":1}}}',
    "a parameter that is a list": b'{"params":{"x":[1,2]}}',
    "a parameter that is null": b'{"params":{"x":null}}',
    "an image with a space": b'{"image":"sim:local --privileged"}',
    "an image that is an option": b'{"image":"--help"}',
    "an image that is a script": b'{"image":"$(reboot)"}',
    "an image with a line end": rb'{"image":"sim:local\nevil"}',
    "an empty image": b'{"image":""}',
    "a variable of SimOps": b'{"env":[{"name":"SIMOPS_OUTPUTS","value":"/"}]}',
    "a command that is empty": b'{"command":[""]}',
    "a field that there is none of": b'{"privileged":true}',
    "a field of Pods": b'{"hostNetwork":true}',
    "a service account": b'{"serviceAccountName":"admin"}',
    "memory without a unit": b'{"resources":{"limits":{"memory":"1"}}}',
    "negative memory": b'{"resources":{"requests":{"memory":"-1Gi"}}}',
    "a namespace that is not served": b'{"namespace":"kube-system"}',
    "a namespace with dots": b'{"namespace":"../kube-system"}',
    "labels that are none": b'{"labels":{"a b":"c d"}}',
    "parameters beyond their limit": json.dumps({"params": {f"p{i}": "x" * 4000 for i in range(17)}}).encode(),
    "10 MB": b'{"params":{"x":"' + b"x" * 10_000_000 + b'"}}',
    "a sweep of nothing": b'{"sweep":[]}',
    "a sweep that is no list": b'{"sweep":{"x":1}}',
    "a sweep of lists": b'{"sweep":[[1]]}',
    "a sweep of 10,000 entries beyond the body limit": json.dumps(
        {"sweep": [{"x": i} for i in range(10_000)]}
    ).encode(),
    "a space of more than 10,000 written points": json.dumps(
        {"space": {"method": "list", "points": [{}] * 10_001}}
    ).encode(),
    "sweep and space": b'{"sweep":[{"x":1}],"space":{"axes":[{"name":"x","values":[1]}]}}',
    "a space of too many points": (
        b'{"space":{"axes":[{"name":"x","integers":{"low":0,"high":100000}},{"name":"y","integers":{"low":0,"high":100000}}]}}'
    ),
    "an axis without values": b'{"space":{"axes":[{"name":"x"}]}}',
    "an axis of NaN": b'{"space":{"axes":[{"name":"x","linspace":{"start":NaN,"stop":1,"num":2}}]}}',
    "an axis from infinity": b'{"space":{"axes":[{"name":"x","linspace":{"start":-1e999,"stop":1,"num":2}}]}}',
    "a billion samples": b'{"space":{"method":"random","samples":1000000000,"axes":[{"name":"x","uniform":{"low":0,"high":1}}]}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_a_body_that_is_no_job(gateway: aiohttp.ClientSession, body: bytes) -> None:
    data = (
        request(JOBS, "Content-Type: application/json", "Content-Length: 0", method="POST")
        if not body
        else posting(body)
    )
    answer = await raw(gateway, data)
    assert 400 <= answer.status < 500, answer
    assert answer.problem["detail"]
    assert len(answer.body) < 10_000


BULK: dict[str, bytes] = {
    "more than 1,000 jobs": json.dumps({"jobs": [{}] * 1001}).encode(),
    "none": b'{"jobs":[]}',
    "one bad one among good ones": json.dumps(
        {"jobs": [{"params": {"x": 1}}] * 20 + [{"params": {"x": None}}]}
    ).encode(),
    "one that the API server refuses among good ones": json.dumps(
        {"jobs": [{"params": {"x": 1}}] * 20 + [{"labels": {"a b": "c"}}]}
    ).encode(),
    "a sweep among jobs": b'{"jobs":[{"sweep":[{"x":1}]}]}',
    "too many bytes": json.dumps({"jobs": [{"params": {"x": "y" * 4000}}] * 100}).encode(),
}


@pytest.mark.parametrize("body", BULK.values(), ids=BULK.keys())
async def test_many_jobs_of_which_one_is_none(gateway: aiohttp.ClientSession, body: bytes) -> None:
    answer = await raw(gateway, posting(body, path=f"{JOBS}/bulk"))
    assert 400 <= answer.status < 500, answer
    assert answer.problem["detail"]


GOOD = b'{"params":{"x":1}}'
HEADS: dict[str, bytes] = {
    "a key with spaces": posting(GOOD, "Idempotency-Key: a b"),
    "a key of 256 characters": posting(GOOD, f"Idempotency-Key: {'k' * 256}"),
    "an empty key": posting(GOOD, "Idempotency-Key: "),
    "a key of other scripts": posting(GOOD, "Idempotency-Key: ключ"),
    "headers of 40,000 bytes": posting(GOOD, f"X-Long: {'x' * 40_000}"),
    "headers without end": request(JOBS, *(f"X-{i}: {'x' * 100}" for i in range(2000)), method="POST"),
    "another type": request(JOBS, "Content-Type: text/plain", f"Content-Length: {len(GOOD)}", method="POST") + GOOD,
    "no type": request(JOBS, f"Content-Length: {len(GOOD)}", method="POST") + GOOD,
    "a form": request(JOBS, "Content-Type: application/x-www-form-urlencoded", "Content-Length: 7", method="POST")
    + b"image=a",
    "two lengths": request(
        JOBS, "Content-Type: application/json", "Content-Length: 2", "Content-Length: 18", method="POST"
    )
    + GOOD,
    "a length that is no number": request(JOBS, "Content-Type: application/json", "Content-Length: many", method="POST")
    + GOOD,
    "a negative length": request(JOBS, "Content-Type: application/json", "Content-Length: -1", method="POST") + GOOD,
    "a length of 10 GB": request(JOBS, "Content-Type: application/json", "Content-Length: 10000000000", method="POST"),
    "length and chunks": request(
        JOBS, "Content-Type: application/json", "Content-Length: 5", "Transfer-Encoding: xchunked", method="POST"
    )
    + b"0\r\n\r\n",
    "chunks that are none": request(JOBS, "Content-Type: application/json", "Transfer-Encoding: chunked", method="POST")
    + b"zz\r\nx\r\n0\r\n\r\n",
    "chunks beyond the limit": request(
        JOBS, "Content-Type: application/json", "Transfer-Encoding: chunked", method="POST"
    )
    + b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(160))
    + b"0\r\n\r\n",
    "a line end in a header": request(JOBS, "X-Request-ID: a\rX-Evil: 1", method="POST"),
    "NUL in a header": request(JOBS, "X-Request-ID: a\0b", method="POST"),
    "a folded header": request(JOBS, "X-Request-ID: a", " X-Evil: 1", "Content-Length: 0", method="POST"),
    "a method that there is none of": request(JOBS, method="BREW"),
    "a method of lower case": request(JOBS, method="post", body=GOOD),
    "a method of another call": request(f"{JOBS}/heat", method="PUT", body=GOOD),
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello\r\n\r\n",
    "HTTP of the future": f"POST {JOBS} HTTP/9.9\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode(),
    "no host": f"POST {JOBS} HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode(),
    "a minimum version that is none": request(JOBS, "SimOps-Min-Version: ../etc"),
    "a place in a log that is none": request(f"{JOBS}/heat/logs/stream", "Last-Event-ID: %0d%0aevil"),
}
"""Requests as they go over the wire, none of which may make anything."""


@pytest.mark.parametrize("sent", HEADS.values(), ids=HEADS.keys())
async def test_a_request_that_no_client_sends(gateway: aiohttp.ClientSession, sent: bytes) -> None:
    answer = await raw(gateway, sent)
    assert 400 <= answer.status < 500, answer
    assert "x-evil" not in answer.head.lower()
    assert answer.problem["detail"]


async def test_a_request_id_that_is_none_is_replaced_and_never_echoed(gateway: aiohttp.ClientSession) -> None:
    for given in ("<script>", "a b", "x" * 500, "é", '";evil'):
        answer = await raw(gateway, request(f"{JOBS}/nothing", f"X-Request-ID: {given}"))
        assert answer.status == 404
        assert given not in answer.head
        assert given.encode() not in answer.body


async def test_names_that_are_given_twice_are_not_merged_into_something_nobody_sent(
    gateway: aiohttp.ClientSession,
) -> None:
    answer = await raw(gateway, posting(b'{"image":"sim:local","container_image":"other:1"}'))
    assert answer.status == 422
    answer = await raw(gateway, posting(b'{"timeout_seconds":1,"timeoutSeconds":2}'))
    assert answer.status == 422


async def test_a_body_that_never_ends_holds_up_nobody_else(gateway: aiohttp.ClientSession) -> None:
    base = gateway._base_url
    assert base is not None
    held = []
    try:
        for _ in range(100):
            _, writer = await asyncio.open_connection(base.host, base.port)
            writer.write(request(JOBS, "Content-Type: application/json", "Content-Length: 50", method="POST") + b"{")
            await writer.drain()
            held.append(writer)
        async with asyncio.timeout(SECONDS), gateway.get(JOBS) as response:
            assert response.status == 200
    finally:
        for writer in held:
            writer.close()


async def test_ten_thousand_small_entries_are_one_object_where_the_limits_allow_them(api: Api) -> None:
    """They are legal: one object, checked as a whole."""
    body = json.dumps({"sweep": [{"x": i} for i in range(10_000)]}).encode()
    async with serving(settings_of(api.kubeconfig, default_container_command=("simulate",))) as roomy:
        answer = await raw(roomy, posting(body, path=f"{JOBS}?dry_run=true"))
        assert answer.status == 200, answer
        assert json.loads(answer.body)["points"] == 10_000
        wide = [{"x": i, "y": i, "z": i} for i in range(10_000)]
        space = json.dumps({"space": {"method": "list", "points": wide}}).encode()
        answer = await raw(roomy, posting(space))
        assert answer.status == 422
        assert "25000" in answer.problem["detail"]
        # As a sweep they become a list of their own, which the object only names.
        answer = await raw(roomy, posting(json.dumps({"sweep": wide}).encode(), path=f"{JOBS}?dry_run=true"))
        assert (answer.status, json.loads(answer.body)["points"]) == (200, 10_000)


async def test_the_object_of_the_tests_is_not_there(api: Api) -> None:
    """Otherwise the addresses above would be about something."""
    assert "heat" not in kept(api)[job()["kind"].lower() + "s"]
