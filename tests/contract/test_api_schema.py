"""The gateway keeps what its OpenAPI says, tried by schemathesis with thousands of requests, good and bad.

In front of a real API server with the CRDs and policies in force, and a real store. Streams of events are left out: one about a job that is
pending does not end, as it should not.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from contract.objects import Manifest, job, sweep
from contract.server import Api
from integration.servers import ACCESS, SECRET, Server
from kubernetes import client
from unit.test_api_serving import serving, settings_of

from simops_crds.kinds import KINDS
from simops_crds.names import GROUP, VERSION

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

CONFIG = Path(__file__).with_name("schemathesis.toml")
STREAMS = r"(stream|events)$"
CASES = 2000
JOB, SWEEP = "fuzzed", "fuzzed-sweep"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server("minio", tmp_path_factory.mktemp("store"))
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def objects(api: Api) -> Iterator[None]:
    """A job that has finished, and a sweep; afterwards nothing is left of what the requests have made."""
    made: list[Manifest] = [job(JOB), sweep(SWEEP, space={"method": "list", "points": [{"a": 1}, {"a": 2}]})]
    for manifest in made:
        api.create(manifest)
    status = {"phase": "Succeeded", "reason": "Completed", "startTime": "2026-03-01T12:00:00Z"}
    api.patch(made[0], {"status": status | {"completionTime": "2026-03-01T12:01:00Z"}}, status=True)
    yield
    custom = client.CustomObjectsApi(api.client)
    for kind in KINDS:
        custom.delete_collection_namespaced_custom_object(GROUP, VERSION, "default", kind.plural)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    api: Api, objects: None, store: Server, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[aiohttp.ClientSession]:
    keys = tmp_path_factory.mktemp("keys")
    (keys / "access-key").write_text(ACCESS)
    (keys / "secret-key").write_text(SECRET)
    settings = settings_of(
        api.kubeconfig,
        default_container_command=("python", "-m", "simops_sim"),
        store_endpoint=store.endpoint,
        store_credentials=str(keys),
    )
    async with serving(settings) as session:
        yield session


async def tried(gateway: aiohttp.ClientSession, folder: Path, schema: Path, *options: str) -> dict[str, Any]:
    """Let schemathesis try a schema; return its report."""
    report = folder / "report.json"
    base = str(gateway._base_url).rstrip("/")
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(CONFIG),
        "run",
        str(schema),
        "--url",
        base,
    ]
    command += ["--checks", "all", "--seed", "1", "--continue-on-failure", "--no-color", "--request-timeout", "60"]
    command += ["--phases", "examples,coverage,fuzzing", "--exclude-path-regex", STREAMS]
    command += ["--report", "json", "--report-json-path", str(report), *options]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode(errors="replace")
    found: dict[str, Any] = json.loads(report.read_text())
    return found


async def schema_of(gateway: aiohttp.ClientSession, folder: Path, **ids: str) -> Path:
    """Write the OpenAPI into a folder; parameters of a path that are given have that one value."""
    async with gateway.get("/openapi.json") as response:
        document = await response.json()
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] in ids:
                    parameter["schema"] = {"type": "string", "const": ids[parameter["name"]]}
    path = folder / "openapi.json"
    path.write_text(json.dumps(document))
    return path


async def test_thousands_of_requests_find_no_fault(gateway: aiohttp.ClientSession, tmp_path: Path) -> None:
    found = await tried(gateway, tmp_path, await schema_of(gateway, tmp_path), "--max-examples", "15")
    assert found["test_cases"]["generated"] >= CASES
    assert found["test_cases"]["with_failures"] == found["test_cases"]["errored"] == 0


async def test_requests_about_objects_that_are_there_find_no_fault(
    gateway: aiohttp.ClientSession, tmp_path: Path
) -> None:
    schema = await schema_of(gateway, tmp_path, job_id=JOB, sweep_id=SWEEP)
    only = ["--include-path-regex", r"\{(job|sweep)_id\}", "--max-examples", "10", "--mode", "positive"]
    found = await tried(gateway, tmp_path, schema, *only)
    assert found["test_cases"]["generated"] > 0
    assert found["test_cases"]["with_failures"] == found["test_cases"]["errored"] == 0
