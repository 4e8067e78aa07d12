"""Requests that are refused, and what an API server says passed on: by HTTP, against an API server that says what the test wants."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from nosweeps import no_sweeps
from unit.test_api_serving import kubeconfig_for, problem_in, serving, settings_of
from yarl import URL

pytestmark = pytest.mark.asyncio(loop_scope="module")

JOBS = "/apis/simops.dev/v1alpha1/namespaces/default/simulationjobs"
JSON = {"Content-Type": "application/json"}
DENIAL = (
    "ValidatingAdmissionPolicy 'simulationjobs.simops.dev' with binding 'simulationjobs.simops.dev' denied request: "
    "spec.params: mesh: too many"
)


@dataclass
class ApiServer:
    """Has no jobs, and answers writes as the test wants."""

    status: int = 422
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    written: list[Any] = field(default_factory=list)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({"items": [], "metadata": {"resourceVersion": "5"}})
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"6"}}}\n')
        await self.ending.wait()
        return response

    async def write(self, request: web.Request) -> web.Response:
        self.written.append(await request.json())
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return web.Response(status=self.status, text=text, headers=self.headers, content_type="application/json")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[ApiServer, aiohttp.ClientSession]]:
    api = ApiServer()
    app = web.Application()
    app.add_routes([web.get(JOBS, api.read), web.post(JOBS, api.write), *no_sweeps()])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    settings = settings_of(kubeconfig_for(tmp_path_factory.mktemp("api"), url), max_body_bytes=4096)
    async with serving(settings) as session:
        yield api, session
    api.ending.set()
    await runner.cleanup()


@pytest.fixture
def server(both: tuple[ApiServer, aiohttp.ClientSession]) -> ApiServer:
    api, _ = both
    api.status, api.body, api.headers = 422, status_of(422, "not wanted"), {}
    api.written.clear()
    return api


@pytest.fixture
def gateway(both: tuple[ApiServer, aiohttp.ClientSession]) -> aiohttp.ClientSession:
    return both[1]


def status_of(code: int, message: str, *causes: dict[str, str]) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "message": message, "details": {"causes": list(causes)}}


BAD = [
    ("{", "", "is not JSON"),
    ("", "", "required"),
    ("[]", "", "must be a JSON object"),
    ("5", "", "must be a JSON object"),
    ('{"params": {"a": NaN}}', "params.a", "finite number"),
    ('{"params": {"a": -Infinity}}', "params.a", "finite number"),
    ('{"params": {"a": 1e999}}', "params.a", "finite number"),
    ('{"params": {"a": [1]}}', "params.a", "a number, a boolean or a string"),
    ('{"params": {"a": null}}', "params.a", "a number, a boolean or a string"),
    ('{"params": {"a b": 1}}', "params", "must start with a letter"),
    ('{"params": {"\\ud800": 1}}', None, ""),
    ('{"params": {"a": "\\ud800"}}', "params.a", ""),
    ('{"metadata": {"\\ud800": 1}}', None, ""),
    ('{"prams": {}}', "prams", "is not known here"),
    ('{"image": "a", "container_image": "b"}', "container_image", "is not known here"),
    ('{"image": ""}', "image", "at least 1 character"),
    ('{"timeout_seconds": 0}', "timeout_seconds", "greater than or equal to 1"),
    ('{"timeoutSeconds": 0}', "timeoutSeconds", "greater than or equal to 1"),
    ('{"cancelled": "yes"}', "cancelled", "valid boolean"),
    ('{"namespace": "kube-system"}', "namespace", "is not served here; served: default"),
    ('{"namespace": "../x"}', "namespace", "is not served here"),
    ('{"sweep": []}', "sweep", "at least 1 item"),
    ('{"sweep": [{"a": 1}]}', "command", "a sweep needs command"),
    ('{"command": ["a"], "sweep": [{"a": 1}], "space": {"axes": []}}', "space.axes", "at least 1 item"),
    ('{"command": ["a"], "sweep": [{"a": 1}], "space": {"samples": 2}}', "space", "together with sweep"),
]


@pytest.mark.parametrize(("body", "where", "words"), BAD, ids=[body for body, _, _ in BAD])
async def test_a_mistake_is_named_with_its_field_and_nothing_is_made(
    gateway: aiohttp.ClientSession, server: ApiServer, body: str, where: str | None, words: str
) -> None:
    async with gateway.post("/api/v1/jobs", data=body, headers=JSON) as response:
        problem = await problem_in(response, 422)
    assert words in problem["detail"]
    assert where is None or where in [error["field"] for error in problem["errors"]]
    assert not server.written


async def test_a_body_that_is_not_said_to_be_json_is_refused_with_the_header_to_send(
    gateway: aiohttp.ClientSession, server: ApiServer
) -> None:
    async with gateway.post("/api/v1/jobs", data=b"{}", headers={"Content-Type": "text/plain"}) as response:
        assert "Content-Type: application/json" in (await problem_in(response, 422))["detail"]
    assert not server.written


async def test_a_value_has_one_mistake_and_not_one_for_each_type_that_it_is_not(gateway: aiohttp.ClientSession) -> None:
    async with gateway.post("/api/v1/jobs", json={"params": {"a": [1], "b": None}}) as response:
        problem = await problem_in(response, 422)
    assert [error["field"] for error in problem["errors"]] == ["params.a", "params.b"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"params": {"a": ' + b"1" * 4090 + b"}}", 413),
        (b"x" * 10_000_000, 413),
        (b'{"params": ' + b"[" * 2000 + b"]" * 2000 + b"}", 400),
        (b'{"a":' * 500 + b"1" + b"}" * 500, 422),
        (b'{"image": "\xff"}', 400),
        (b'{"timeout_seconds": ' + b"1" * 4000 + b"}", 422),
    ],
    ids=["larger than allowed", "10 MB", "deep lists", "deep objects", "no UTF-8", "a number of 4000 digits"],
)
async def test_a_hostile_body_is_refused(
    gateway: aiohttp.ClientSession, server: ApiServer, body: bytes, status: int
) -> None:
    async with gateway.post("/api/v1/jobs", data=io.BytesIO(body), headers=JSON) as response:
        await problem_in(response, status)
    assert not server.written


async def test_a_body_of_unknown_length_is_cut_off_at_the_limit(gateway: aiohttp.ClientSession) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"[" * 1000

    async with gateway.post("/api/v1/jobs", data=endless(), headers=JSON) as response:
        await problem_in(response, 413)


@pytest.mark.parametrize(
    "job_id",
    ["Heat", "a_b", "a..b", ".a", "a.b.c", "-a", "a" * 300, "%00", "a%2F..%2Fb", "%C3%A4", "other.a", "a%0d%0ab"],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_id_that_cannot_be_one_is_not_there(gateway: aiohttp.ClientSession, method: str, job_id: str) -> None:
    url = URL(f"/api/v1/jobs/{job_id}", encoded=True)
    async with gateway.request(method, url) as response:
        await problem_in(response, 404)


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("page=0", "page"),
        ("page=a", "page"),
        ("size=501", "size"),
        ("size=-1", "size"),
        ("status=done", "status.0"),
        ("label=project", "label.0"),
        ("since=yesterday", "since"),
        ("since=nan", "since"),
        ("sort=phase", "sort"),
        ("label=a=b=c", "label.0"),
        ("namespace=kube-system", "namespace"),
        ("pagesize=5", "pagesize"),
    ],
)
async def test_a_wrong_filter_is_named(gateway: aiohttp.ClientSession, query: str, where: str) -> None:
    async with gateway.get(f"/api/v1/jobs?{query}") as response:
        problem = await problem_in(response, 422)
    assert [(error["location"], error["field"]) for error in problem["errors"]] == [("query", where)]


@pytest.mark.parametrize("query", [f"page={10**30}", "since=0001-01-01", "since=9999-12-31T23:59:59", "label=a=b"])
async def test_an_extreme_filter_finds_nothing(gateway: aiohttp.ClientSession, query: str) -> None:
    async with gateway.get(f"/api/v1/jobs?{query}") as response:
        assert response.status == 200
        assert (await response.json())["items"] == []


REFUSALS = [
    (status_of(422, "bad", {"field": "spec.image", "message": "no spaces"}), 422, [("spec.image", "no spaces")]),
    (status_of(422, "bad", {"message": DENIAL}), 422, [("spec.params", "mesh: too many")]),
    (status_of(403, "exceeded quota: compute"), 403, []),
    (status_of(404, 'namespaces "default" not found'), 404, []),
    (status_of(409, "already exists"), 409, []),
    (status_of(413, "too large"), 413, []),
]


@pytest.mark.parametrize(("body", "status", "errors"), REFUSALS, ids=[body["message"] for body, _, _ in REFUSALS])
async def test_a_refusal_of_the_api_server_is_passed_on_with_its_words_and_fields(
    gateway: aiohttp.ClientSession, server: ApiServer, body: Any, status: int, errors: list[tuple[str, str]]
) -> None:
    server.status, server.body = status, body
    async with gateway.post("/api/v1/jobs", json={}) as response:
        problem = await problem_in(response, status)
    assert problem["detail"] == body["message"]
    assert [(e["field"], e["detail"]) for e in problem.get("errors", [])] == errors


async def test_a_right_that_the_gateway_lacks_is_no_refusal_of_its_caller(
    gateway: aiohttp.ClientSession, server: ApiServer
) -> None:
    server.status = 403
    server.body = status_of(
        403,
        'simulationjobs.simops.dev is forbidden: User "system:serviceaccount:x:gateway" cannot create resource "simulationjobs"',
    )
    async with gateway.post("/api/v1/jobs", json={}) as response:
        problem = await problem_in(response, 503)
    assert "system:serviceaccount" not in problem["detail"]
    assert "its installation lacks a right" in problem["detail"]


async def test_a_field_that_the_schema_does_not_know_is_named(
    gateway: aiohttp.ClientSession, server: ApiServer
) -> None:
    server.status = 400
    server.body = status_of(400, 'strict decoding error: unknown field "spec.prams", duplicate field "spec.image"')
    async with gateway.post("/api/v1/jobs", json={}) as response:
        problem = await problem_in(response, 400)
    assert [error["field"] for error in problem["errors"]] == ["spec.prams", "spec.image"]


async def test_too_many_requests_says_when_to_come_back(gateway: aiohttp.ClientSession, server: ApiServer) -> None:
    server.status, server.body, server.headers = 429, status_of(429, "too many"), {"Retry-After": "7"}
    async with gateway.post("/api/v1/jobs", json={}) as response:
        await problem_in(response, 429)
        assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("status", "body"), [(500, "boom secret"), (401, "who are you"), (502, "<html>"), (200, "<html>")]
)
async def test_a_fault_of_the_api_server_is_no_fault_of_the_request_and_its_inside_is_not_shown(
    gateway: aiohttp.ClientSession, server: ApiServer, status: int, body: str
) -> None:
    server.status, server.body = status, body
    async with gateway.post("/api/v1/jobs", json={}) as response:
        problem = await problem_in(response, 503)
    assert body not in problem["detail"]


async def test_what_goes_wrong_inside_is_a_problem_without_a_stack(
    gateway: aiohttp.ClientSession, server: ApiServer
) -> None:
    server.status, server.body = 201, {"unexpected": True}
    async with gateway.post("/api/v1/jobs", json={}) as response:
        problem = await problem_in(response, 500)
    assert "metadata" not in json.dumps(problem)
