"""What the gateway tells about each request: a log line, numbers, and a span; by HTTP, against an API server that does as the test wants."""

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from nosweeps import no_sweeps
from otlp import Collector, collecting
from prometheus_client.parser import text_string_to_metric_families
from unit.test_api_http import JOBS, ApiServer
from unit.test_api_serving import kubeconfig_for, serving, settings_of

from simops_api import observe
from simops_crds.names import ANNOTATION_TRACEPARENT
from simops_io import logs

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NAMES = ("a", "b", "heat")
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[ApiServer, aiohttp.ClientSession]]:
    """A gateway without traces."""
    api = Populated(status=201)
    async with gateway_at(api, tmp_path_factory) as session:
        yield api, session


class Populated(ApiServer):
    """Has a few jobs."""

    async def read(self, request: web.Request) -> web.StreamResponse:
        if "watch" in request.query or not request.path.endswith("/simulationjobs"):
            return await super().read(request)
        metas = [{"name": name, "namespace": "default", "resourceVersion": "4", "uid": name} for name in NAMES]
        return web.json_response(
            {"items": [{"metadata": meta} for meta in metas], "metadata": {"resourceVersion": "5"}}
        )


@asynccontextmanager
async def gateway_at(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[aiohttp.ClientSession]:
    """Run a gateway on this API server."""
    app = web.Application()
    app.add_routes([web.get(JOBS, api.read), web.post(JOBS, api.write), *no_sweeps()])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with serving(settings_of(kubeconfig_for(tmp_path_factory.mktemp("api"), url))) as session:
        yield session
    api.ending.set()
    await runner.cleanup()


@pytest.fixture
def gateway(both: tuple[ApiServer, aiohttp.ClientSession]) -> aiohttp.ClientSession:
    api, session = both
    api.written.clear()
    api.status, api.body = 201, {"metadata": {"name": "made", "namespace": "default", "resourceVersion": "6"}}
    return session


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Where the log goes."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    stream = io.StringIO()
    logs.configure("INFO", "json", observe.log_fields, stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def access_lines(stream: io.StringIO) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in lines if line["logger"] == "simops_api.access"]


async def samples(gateway: aiohttp.ClientSession) -> Samples:
    async with gateway.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        families = text_string_to_metric_families(await response.text())
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def grown(before: Samples, after: Samples, name: str, **labels: str) -> float:
    """Return by how much the series of a name with at least these labels have grown."""

    def total(found: Samples) -> float:
        wanted = set(labels.items())
        return sum(value for (one, has), value in found.items() if one == name and wanted <= has)

    return total(after) - total(before)


# Log
async def test_each_request_is_one_line_with_its_job_and_its_caller(
    gateway: aiohttp.ClientSession, written: io.StringIO
) -> None:
    async with gateway.get("/api/v1/jobs/heat") as response:
        body = await response.read()
    (line,) = access_lines(written)
    assert line["message"] == "GET /api/v1/jobs/heat 200"
    assert (line["level"], line["method"], line["status"], line["bytes"]) == ("INFO", "GET", 200, len(body))
    assert line["route"] == "/api/v1/jobs/{job_id}"
    assert (line["job"], line["namespace"], line["name"]) == ("heat", "default", "heat")
    assert line["caller"] == "system:anonymous"
    assert 0 < line["duration_seconds"] < 60


async def test_a_line_says_nothing_of_the_request_before(gateway: aiohttp.ClientSession, written: io.StringIO) -> None:
    for path in ("/api/v1/jobs/heat", "/nothing"):
        async with gateway.get(path):
            pass
    _, second = access_lines(written)
    assert "job" not in second
    assert (second["route"], second["path"], second["status"]) == ("other", "/nothing", 404)


async def test_a_newline_in_a_path_writes_no_second_line(gateway: aiohttp.ClientSession, written: io.StringIO) -> None:
    async with gateway.get('/x%0A{"level":"ERROR"}%0D'):
        pass
    (line,) = access_lines(written)
    assert line["path"] == '/x\n{"level":"ERROR"}\r'


@pytest.mark.parametrize("path", ["/live", "/ready", "/health", "/metrics", "/api/v1/health"])
async def test_probes_are_told_only_to_who_looks_closely(
    gateway: aiohttp.ClientSession, written: io.StringIO, path: str
) -> None:
    async with gateway.get(path) as response:
        assert response.status == 200
    assert access_lines(written) == []
    logging.getLogger().setLevel("DEBUG")
    async with gateway.get(path):
        pass
    assert [line["level"] for line in access_lines(written)] == ["DEBUG"]


async def test_uvicorns_lines_are_ours() -> None:
    names = ("uvicorn", "uvicorn.error", "uvicorn.access")
    before = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).propagate) for name in names}
    try:
        for name in names:
            logging.getLogger(name).handlers[:] = [logging.NullHandler()]
            logging.getLogger(name).propagate = False
        observe.quiet_libraries()
        assert logging.getLogger("uvicorn.error").hasHandlers()
        assert not any(logging.getLogger(name).handlers for name in names)
        assert not logging.getLogger("uvicorn.access").hasHandlers()  # by which uvicorn knows that it need not write it
    finally:
        for name, (handlers, propagate) in before.items():
            logging.getLogger(name).handlers[:] = handlers
            logging.getLogger(name).propagate = propagate


# Numbers
async def test_requests_are_counted_by_route_and_never_by_path(gateway: aiohttp.ClientSession) -> None:
    before = await samples(gateway)
    for name in NAMES:
        async with gateway.get(f"/api/v1/jobs/{name}"):
            pass
    async with gateway.get("/surprise"):
        pass
    async with gateway.request("BREW", "/api/v1/jobs"):
        pass
    after = await samples(gateway)
    requests = "simops_gateway_requests_total"
    assert grown(before, after, requests, method="GET", route="/api/v1/jobs/{job_id}", status="200") == 3
    assert grown(before, after, requests, method="GET", route="other", status="404") == 1
    assert grown(before, after, requests, method="other", status="405") == 1
    assert grown(before, after, "simops_gateway_request_seconds_count", route="/api/v1/jobs/{job_id}") == 3
    assert "surprise" not in str(after)


async def test_the_cache_and_the_jobs_in_it_are_told(gateway: aiohttp.ClientSession) -> None:
    found = await samples(gateway)
    one = frozenset({("kind", "SimulationJob")})
    assert found["simops_gateway_cache_objects", one] == len(NAMES)
    assert found["simops_gateway_jobs", frozenset({("phase", "Pending")})] == len(NAMES)
    assert found["simops_gateway_cache_synced", one] == 1
    assert found["simops_gateway_cache_age_seconds", one] >= 0
    assert found["simops_gateway_cache_relists", one] >= 1
    phases = {dict(labels)["phase"] for name, labels in found if name == "simops_gateway_jobs"}
    assert phases == {"Pending", "Queued", "Running", "Succeeded", "Failed", "Cancelled"}
    assert found["simops_gateway_requests_in_flight", frozenset()] == 1  # the one that asks


async def test_calls_to_the_api_server_are_counted_by_how_they_were_answered(
    both: tuple[ApiServer, aiohttp.ClientSession], gateway: aiohttp.ClientSession
) -> None:
    before = await samples(gateway)
    for status in (201, 422):
        both[0].status = status
        async with gateway.post("/api/v1/jobs", json={}):
            pass
    after = await samples(gateway)
    assert grown(before, after, "simops_gateway_api_calls_total", verb="POST", code="2xx") == 1
    assert grown(before, after, "simops_gateway_api_calls_total", verb="POST", code="4xx") == 1
    assert grown({}, after, "simops_gateway_api_calls_total", verb="WATCH", code="2xx") >= 1


async def test_metrics_are_no_part_of_the_published_schema(gateway: aiohttp.ClientSession) -> None:
    async with gateway.get("/openapi.json") as response:
        assert "/metrics" not in (await response.json())["paths"]


# Traces
@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield found


async def test_without_traces_an_object_is_made_as_it_was_asked_for(
    both: tuple[ApiServer, aiohttp.ClientSession], gateway: aiohttp.ClientSession
) -> None:
    async with gateway.post("/api/v1/jobs", json={}, headers={"traceparent": PARENT}) as response:
        assert response.status == 201
    (manifest,) = both[0].written
    assert ANNOTATION_TRACEPARENT not in json.dumps(manifest)


async def test_the_trace_of_a_request_goes_on_in_the_object(
    collector: Collector, tmp_path_factory: pytest.TempPathFactory, written: io.StringIO
) -> None:
    api = Populated(status=201, body={"metadata": {"name": "made", "namespace": "default", "resourceVersion": "6"}})
    async with gateway_at(api, tmp_path_factory) as gateway:
        async with gateway.post("/api/v1/jobs", json={}, headers={"traceparent": PARENT}) as response:
            assert response.status == 201
        async with gateway.get("/live"):
            pass
        async with gateway.get("/api/v1/jobs/heat", headers={"traceparent": "nonsense"}):
            pass
    posted, read = collector.wait("POST /api/v1/jobs", "GET /api/v1/jobs/{job_id}")
    assert (posted.service, posted.trace_id, posted.parent_id) == ("simops-gateway", PARENT[3:35], PARENT[36:52])
    assert read.attributes["simops.job"] == "heat"
    assert read.attributes["simops.caller"] == "system:anonymous"
    assert read.attributes["simops.request_id"]
    assert (read.parent_id, read.trace_id == posted.trace_id) == ("", False)
    (manifest,) = api.written
    annotation = manifest["metadata"]["annotations"][ANNOTATION_TRACEPARENT]
    assert annotation == f"00-{posted.trace_id}-{posted.span_id}-01"
    line = next(line for line in access_lines(written) if line["method"] == "POST")
    assert (line["trace_id"], line["span_id"]) == (posted.trace_id, posted.span_id)
