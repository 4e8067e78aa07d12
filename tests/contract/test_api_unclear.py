"""What can be read in two ways is refused, and what is odd but clear is taken: as installed, with the limits that nobody has changed.

In front of a real API server with the CRDs and policies in force, over the wire as it is.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from contract.raw import JOBS, SECONDS, posting, raw, request, unchanged
from contract.server import Api
from unit.test_api_serving import serving, settings_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1 << 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(api: Api) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(settings_of(api.kubeconfig, default_container_command=("simulate",))) as session:
        yield session


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _changes_nothing(gateway: aiohttp.ClientSession, api: Api) -> AsyncIterator[None]:
    async with unchanged(gateway, api):
        yield


def listed(points: Any) -> bytes:
    return json.dumps({"space": {"method": "list", "points": points}}, separators=(",", ":")).encode()


BODIES: dict[str, tuple[bytes, str]] = {
    "a parameter twice": (b'{"params":{"x":1,"x":2}}', '"x" twice'),
    "a parameter twice with the same value": (b'{"params":{"x":1,"x":1}}', '"x" twice'),
    "all parameters twice": (b'{"params":{"x":1},"params":{}}', '"params" twice'),
    "a field twice in two ways of writing": (rb'{"image":"a","im\u0061ge":"b"}', '"image" twice'),
    "a label twice": (b'{"labels":{"a":"b","a":"c"}}', '"a" twice'),
    "a value twice in one point of many": (b'{"sweep":[{"x":1},{"x":2,"x":3}]}', '"x" twice'),
    "lists 100,000 deep": (b'{"params":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}", "nested too deeply"),
    "objects 100,000 deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    "lists 100,000 deep in a field of free text": (
        b'{"metadata":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        "nested too deeply",
    ),
    "lists that are opened a million times": (b"[" * 1_000_000, "nested too deeply"),
    "a value of 10,000 digits": (b'{"params":{"x":' + b"9" * 10_000 + b"}}", "more than 4300 digits"),
    "a negative value of 10,000 digits": (b'{"params":{"x":-' + b"9" * 10_000 + b"}}", "more than 4300 digits"),
    "a timeout of 500,000 digits": (b'{"timeout_seconds":' + b"9" * 500_000 + b"}", "more than 4300 digits"),
    "a value of 4,000 digits": (b'{"params":{"x":' + b"9" * 4000 + b"}}", "64 bits"),
    "a value of ten to the thousandth": (b'{"params":{"x":1e1000}}', "finite"),
    "a name of a million letters": (b'{"params":{"' + b"a" * 1_000_000 + b'":1}}', "must start with a letter"),
    "a field of a million letters": (b'{"' + b"a" * 1_000_000 + b'":1}', "is not known here"),
    "100,000 parameters": (json.dumps({"params": {f"p{i}": 1 for i in range(50_000)}}).encode(), "256"),
    "10,000 points of three values": (
        listed([{"x": i, "y": i, "z": i} for i in range(10_000)]),
        "25000",
    ),
    "10,001 points": (listed([{}] * 10_001), "at most 10000"),
    "100,000 points": (listed([{"x": 1}] * 100_000), "at most 10000"),
    "one byte more than the limit": (b'{"image":"' + b"a" * (MIB - 11) + b'"}', "at most 1048576 bytes"),
    "10 MB": (b'{"image":"' + b"a" * 10_000_000 + b'"}', "at most 1048576 bytes"),
}


@pytest.mark.parametrize(("body", "words"), BODIES.values(), ids=BODIES.keys())
async def test_a_body_that_says_too_much(gateway: aiohttp.ClientSession, body: bytes, words: str) -> None:
    answer = await raw(gateway, posting(body))
    assert 400 <= answer.status < 500, answer
    assert words in answer.problem["detail"]
    assert len(answer.body) < 10_000


TWO = {
    "two pages": f"{JOBS}?page=1&page=2",
    "two sizes": f"{JOBS}?size=1&size=2",
    "two orders": f"{JOBS}?sort=created&sort=-created",
    "two times": f"{JOBS}?since=2026-01-01&since=2026-01-02",
    "two namespaces of which the first is not served": f"{JOBS}?namespace=kube-system&namespace=default",
    "two namespaces of which the last is not served": f"{JOBS}?namespace=default&namespace=kube-system",
    "one page in two ways of writing": f"{JOBS}?page=1&p%61ge=2",
    "two labels in one": f"{JOBS}?label=a%3Db,c%3Dd",
    "two statuses in one": f"{JOBS}?status=failed,running",
    "two parameters with a semicolon between them": f"{JOBS}?page=1;size=5",
    "a page in scientific notation": f"{JOBS}?page=1e9",
    "a page in hexadecimal": f"{JOBS}?page=0x10",
    "a page in other digits": f"{JOBS}?page=%D9%A1",
    "a list of pages": f"{JOBS}?page[]=1",
    "a size that is negative": f"{JOBS}?size=-1",
    "a time without meaning": f"{JOBS}?since=garbage",
    "a time in the 13th month": f"{JOBS}?since=2026-13-45",
    "a time that is a number": f"{JOBS}?since=1735689600",
    "a time that is no number": f"{JOBS}?since=NaN",
    "a parameter that there is none of": f"{JOBS}?sise=5",
    "a parameter without a name": f"{JOBS}?=1",
    "a parameter that is no UTF-8": f"{JOBS}?%ff=1",
    "a status of nothing": f"{JOBS}?status=",
    "a status with NUL": f"{JOBS}?status=failed%00",
    "more statuses than there are": f"{JOBS}?{'&'.join(['status=failed'] * 20)}",
    "an archive with page numbers": f"{JOBS}?archived=true&page=2",
    "a place in the archive that is none": f"{JOBS}?archived=true&after=..%2F..%2Fx",
    "a namespace of nothing": f"{JOBS}?namespace=",
    "another server in the address": f"http://evil.example{JOBS}",
    "another scheme in the address": "file:///etc/passwd",
    "no path in the address": "*",
    "an address without a slash": "api/v1/jobs",
    "two slashes at the start": f"/{JOBS}",
    "a dot in the path": "/api/v1/./jobs",
    "a fragment": f"{JOBS}#x",
    "a parameter of the path": f"{JOBS};page=1",
    "another case": "/API/V1/JOBS",
    "half of an escape": f"{JOBS}/%",
    "an escape that is none": f"{JOBS}/%zz",
    "an escape of another language": f"{JOBS}/%u0041",
}


@pytest.mark.parametrize("path", TWO.values(), ids=TWO.keys())
async def test_an_address_that_may_mean_anything(gateway: aiohttp.ClientSession, path: str) -> None:
    answer = await raw(gateway, request(path))
    assert answer.status in (404, 422), answer
    assert answer.problem["detail"]


ALL = {
    "everything": "",
    "everything of a namespace": "?namespace=default",
    "everything that is said so": "?all=true",
    "one status that is and one that is not": "?status=running&status=bogus",
    "a label that has no value": "?label=project",
    "two sweeps": "?sweep=a&sweep=b",
    "a status of nothing": "?status=",
}


@pytest.mark.parametrize("query", ALL.values(), ids=ALL.keys())
async def test_to_cancel_more_than_was_said(gateway: aiohttp.ClientSession, query: str) -> None:
    answer = await raw(gateway, request(f"{JOBS}{query}", method="DELETE"))
    assert answer.status == 422, answer
    assert answer.problem["errors"]


GOOD = b'{"params":{"x":1}}'
HEAD = ("Content-Type: application/json",)
LENGTH = f"Content-Length: {len(GOOD)}"
CHUNKED = "Transfer-Encoding: chunked"
REQUESTS: dict[str, bytes] = {
    "tried and not tried": posting(GOOD, path=f"{JOBS}?dry_run=true&dry_run=false"),
    "tried in two ways of writing": posting(GOOD, path=f"{JOBS}?dry_run=true&dry%5Frun=false"),
    "tried perhaps": posting(GOOD, path=f"{JOBS}?dry_run=perhaps"),
    "a parameter of lists": posting(GOOD, path=f"{JOBS}?page=1"),
    "two keys": posting(GOOD, "Idempotency-Key: a", "Idempotency-Key: b"),
    "one key twice": posting(GOOD, "Idempotency-Key: a", "idempotency-key: a"),
    "a key with a tab": posting(GOOD, "Idempotency-Key: a\tb"),
    "a key with an emoji": posting(GOOD, "Idempotency-Key: 🔑"),
    "length and chunks, both right": request(JOBS, *HEAD, "Content-Length: 28", CHUNKED, method="POST")
    + b"12\r\n"
    + GOOD
    + b"\r\n0\r\n\r\n",
    "chunks twice": request(JOBS, *HEAD, CHUNKED, CHUNKED, method="POST") + b"0\r\n\r\n",
    "chunks and something else": request(JOBS, *HEAD, "Transfer-Encoding: chunked, identity", method="POST")
    + b"0\r\n\r\n",
    "a chunk of negative length": request(JOBS, *HEAD, CHUNKED, method="POST") + b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk whose length is in other digits": request(JOBS, *HEAD, CHUNKED, method="POST")
    + "\u0662\r\n{}\r\n0\r\n\r\n".encode(),
    "a chunk that is longer than it says": request(JOBS, *HEAD, CHUNKED, method="POST") + b"1\r\n{}\r\n0\r\n\r\n",
    "a length with a sign": request(JOBS, *HEAD, f"Content-Length: +{len(GOOD)}", method="POST") + GOOD,
    "a length with a space before its colon": request(JOBS, *HEAD, LENGTH.replace(":", " :"), method="POST") + GOOD,
    "two lengths in one": request(JOBS, *HEAD, "Content-Length: 18, 2", method="POST") + GOOD,
    "a header without a name": request(JOBS, *HEAD, LENGTH, ": x", method="POST") + GOOD,
    "a header without a colon": request(JOBS, *HEAD, LENGTH, "x", method="POST") + GOOD,
    "two hosts": request(JOBS, *HEAD, LENGTH, "Host: evil", method="POST") + GOOD,
    "a line end in the path": f"POST {JOBS}\r\nX-Evil: 1 HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "half a line end in the path": f"POST {JOBS}\nX-Evil: 1 HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "a space in the path": f"POST {JOBS} /x HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "UTF-8 in the path": f"POST {JOBS}/é HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "a tunnel": request("evil.example:443", method="CONNECT"),
    "an echo": request(JOBS, method="TRACE"),
    "options of everything": request("*", method="OPTIONS"),
    "text in UTF-16 that is none": posting(b"\xff\xfe\x7b"),
    "a body that is packed": request(JOBS, *HEAD, "Content-Encoding: gzip", LENGTH, method="POST")
    + b"\x1f\x8b"
    + b"\0" * 16,
}


@pytest.mark.parametrize("sent", REQUESTS.values(), ids=REQUESTS.keys())
async def test_a_request_of_which_two_readers_would_make_two_things(
    gateway: aiohttp.ClientSession, sent: bytes
) -> None:
    answer = await raw(gateway, sent)
    assert 400 <= answer.status < 500, answer
    assert answer.problem["detail"]
    assert "x-evil" not in answer.head.lower()


@pytest.mark.parametrize("framing", [("Content-Length: 5", CHUNKED), (CHUNKED, "Content-Length: 5")])
async def test_a_request_within_a_request(gateway: aiohttp.ClientSession, framing: tuple[str, str]) -> None:
    base = gateway._base_url
    assert base is not None
    head = request(JOBS, *HEAD, *framing, method="POST").replace(b"Connection: close\r\n", b"")
    reader, writer = await asyncio.open_connection(base.host, base.port)
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(head + b"0\r\n\r\n" + posting(GOOD))
            said = await reader.read()
    finally:
        writer.close()
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1


HALVES = {
    "a head that breaks off": f"POST {JOBS} HTTP/1.1\r\nHost: a\r\n".encode(),
    "a body that breaks off": request(JOBS, *HEAD, "Content-Length: 50", method="POST") + GOOD,
    "a chunk that breaks off": request(JOBS, *HEAD, CHUNKED, method="POST") + b"20\r\n" + GOOD,
    "chunks that break off before their end": request(JOBS, *HEAD, CHUNKED, method="POST") + b"12\r\n" + GOOD + b"\r\n",
}


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES.keys())
async def test_a_request_that_breaks_off(gateway: aiohttp.ClientSession, sent: bytes) -> None:
    base = gateway._base_url
    assert base is not None
    reader, writer = await asyncio.open_connection(base.host, base.port)
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(sent)
            writer.write_eof()
            said = await reader.read()  # the server may say what is missing, or nothing
    finally:
        writer.close()
    assert said == b"" or said.startswith(b"HTTP/1.1 4"), said


DRY = f"{JOBS}?dry_run=true"
CLEAR: dict[str, bytes] = {
    "zero with a sign": posting(b'{"params":{"x":-0,"y":-0.0}}', path=DRY),
    "a fraction of 10,000 digits": posting(b'{"params":{"x":0.' + b"9" * 10_000 + b"}}", path=DRY),
    "a number next to nothing": posting(b'{"params":{"x":1e-400}}', path=DRY),
    "the largest integers": posting(
        b'{"params":{"x":9223372036854775807,"y":-9223372036854775808}}',
        path=DRY,
    ),
    "an emoji in a value": posting('{"params":{"x":"🔥"}}'.encode(), path=DRY),
    "a pair of surrogates": posting(rb'{"params":{"x":"\ud83d\udd25"}}', path=DRY),
    "a value that looks like a path": posting(b'{"params":{"x":"../../etc/passwd"}}', path=DRY),
    "a value that looks like a script": posting(b'{"params":{"x":"$(reboot); `reboot`"}}', path=DRY),
    "names that differ in case": posting(b'{"params":{"x":1,"X":2}}', path=DRY),
    "one name in two points": posting(b'{"sweep":[{"x":1},{"x":2}]}', path=DRY),
    "10,000 points of two values": posting(listed([{"x": i, "y": -i} for i in range(10_000)]), path=DRY),
    "one length twice": request(DRY, *HEAD, LENGTH, LENGTH, method="POST") + GOOD,
    "chunks with an extension": request(DRY, *HEAD, CHUNKED, method="POST") + b"12;a=b\r\n" + GOOD + b"\r\n0\r\n\r\n",
    "filters that are given twice": request(f"{JOBS}?status=failed&status=running&label=a%3Db&label=c%3Dd"),
    "a page beyond all pages": request(f"{JOBS}?page={10**30}"),
    "no host, as before HTTP/1.1": f"GET {JOBS} HTTP/1.0\r\n\r\n".encode(),
}


@pytest.mark.parametrize("sent", CLEAR.values(), ids=CLEAR.keys())
async def test_what_is_odd_but_clear_is_taken(gateway: aiohttp.ClientSession, sent: bytes) -> None:
    answer = await raw(gateway, sent)
    assert answer.status == 200, answer
