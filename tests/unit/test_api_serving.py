"""The gateway as a running server on this machine, for tests that talk HTTP to it; and what every answer of it has in common."""

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import uvicorn
from s3 import store_in_memory

from simops_api.app import create_app
from simops_api.caches import Caches
from simops_api.settings import Settings
from simops_api.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESULTS = {f"/api/v1/jobs/{{job_id}}/{rest}" for rest in ("result", "artifacts", "artifacts/{path}")}
CALLS = {"/api/v1/jobs", "/api/v1/jobs/stats", "/api/v1/jobs/{job_id}", *RESULTS, "/live", "/ready", "/health"}


def settings_of(kubeconfig: str | Path, **more: Any) -> Settings:
    return Settings(auth_mode="none", kubeconfig=str(kubeconfig), **{"default_container_image": "sim:local", **more})


def kubeconfig_for(folder: Path, server: str) -> Path:
    cluster = {"name": "c", "cluster": {"server": server}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "contexts": [context],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(whole))
    return path


@asynccontextmanager
async def serving(settings: Settings, *, synced: bool = True) -> AsyncIterator[aiohttp.ClientSession]:
    """Run the gateway, and wait until it knows everything; the session's paths are below it. The store is empty unless the settings name one."""
    if "store_endpoint" not in settings.model_fields_set:
        with tempfile.TemporaryDirectory() as folder:
            async with (
                store_in_memory(Path(folder)) as (_, own),
                serving(settings.model_copy(update=own), synced=synced) as session,
            ):
                yield session
        return
    # The protocol is said, since asyncio switches Nagle's algorithm off only for sockets that say it.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # a request waits from here on until the gateway takes it
        app = create_app(settings)
        config = uvicorn.Config(app, log_config=None, lifespan="on", http=Wire, timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with aiohttp.ClientSession(base, timeout=aiohttp.ClientTimeout(total=60)) as session:
                async with session.get("/live") as response:
                    assert response.status == 200
                if synced:
                    caches: Caches = app.state.gateway.caches
                    for cache in (caches.jobs, caches.sweeps):
                        for namespace in cache.namespaces:
                            assert await cache.wait_for(namespace, "0", 60)
                yield session
        finally:
            server.should_exit = True
            await task


async def problem_in(response: aiohttp.ClientResponse, status: int) -> dict[str, Any]:
    """Return the problem document of an answer, which must be one."""
    text = await response.text()
    assert response.status == status, text
    assert response.content_type == "application/problem+json"
    assert "Traceback" not in text
    document: dict[str, Any] = json.loads(text)
    assert document["status"] == status
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"]
    return document


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lonely(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[aiohttp.ClientSession]:
    """A gateway whose API server is not there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        kubeconfig = kubeconfig_for(tmp_path_factory.mktemp("api"), f"http://127.0.0.1:{taken.getsockname()[1]}")
        async with serving(settings_of(kubeconfig), synced=False) as session:
            yield session


async def test_without_an_api_server_the_process_lives_but_is_not_ready(lonely: aiohttp.ClientSession) -> None:
    async with lonely.get("/live") as response:
        assert response.status == 200
    async with lonely.get("/ready") as response:
        await problem_in(response, 503)
        assert response.headers["Retry-After"] == "1"
    async with lonely.get("/health") as response:
        health = await response.json()
    assert (health["status"], health["synced"], health["age_seconds"]) == ("starting", False, None)


@pytest.mark.parametrize("path", ["", "/stats", "/heat"])
async def test_nothing_is_answered_before_everything_is_known(lonely: aiohttp.ClientSession, path: str) -> None:
    async with lonely.get(f"/api/v1/jobs{path}") as response:
        assert "just started" in (await problem_in(response, 503))["detail"]


async def test_a_write_without_an_api_server_is_to_be_tried_again(lonely: aiohttp.ClientSession) -> None:
    for call in (lonely.post("/api/v1/jobs", json={}), lonely.delete("/api/v1/jobs/heat")):
        async with call as response:
            await problem_in(response, 503)
            assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/jobs/", 404),
        ("GET", "/api/v1/jobs/a/b", 404),
        ("PUT", "/api/v1/jobs", 405),
        ("POST", "/api/v1/jobs/a", 405),
    ],
)
async def test_a_call_that_does_not_exist_is_a_problem_too(
    lonely: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    async with lonely.request(method, path) as response:
        await problem_in(response, status)


async def test_the_published_schema_knows_every_call_and_its_problems(lonely: aiohttp.ClientSession) -> None:
    async with lonely.get("/openapi.json") as response:
        document = await response.json()
    assert set(document["paths"]) >= CALLS
    text = json.dumps(document)
    assert "HTTPValidationError" not in text
    for reference in text.split('"$ref": "#/components/schemas/')[1:]:
        assert reference.partition('"')[0] in document["components"]["schemas"]
    fields = document["components"]["schemas"]["JobRequest"]["properties"]
    assert {"image", "params", "sweep", "timeout_seconds", "namespace"} <= set(fields)
    async with lonely.get("/docs") as response:
        assert response.status == 200
