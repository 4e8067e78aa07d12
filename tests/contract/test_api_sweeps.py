"""The gateway's calls for sweeps, and for their points as jobs, against a real API server with the CRDs and policies in force."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from contract.objects import Manifest, job, sweep
from contract.server import Api
from unit.test_api_serving import problem_in, serving, settings_of

from simops_api.caches import MIN_VERSION_HEADER, VERSION_HEADER
from simops_crds.v1alpha1 import SimulationSweepSpec

pytestmark = pytest.mark.asyncio(loop_scope="module")

V1 = "/api/v1"
POINTS = [{"diffusivity": 0.1}, {"diffusivity": 0.2}, {"diffusivity": 0.3}]
LISTED = {"method": "list", "points": POINTS}

Make = Callable[..., Manifest]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(api: Api) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(settings_of(api.kubeconfig, max_connections=8)) as session:
        yield session


@pytest.fixture
def make(api: Api) -> Iterator[Make]:
    """Make an object that is removed after the test; with ``status`` it has that status."""
    made: list[Manifest] = []

    def one(manifest: Manifest, *, labels: dict[str, str] | None = None, **status: Any) -> Manifest:
        manifest["metadata"] |= {"labels": labels or {}}
        found = api.create(manifest)
        made.append(manifest)
        return api.patch(manifest, {"status": status}, status=True) if status else found

    yield one
    for manifest in made:
        api.delete(manifest)


async def call(
    gateway: aiohttp.ClientSession,
    method: str,
    path: str,
    status: int = 200,
    *,
    after: Manifest | None = None,
    **more: Any,
) -> Any:
    """Return the JSON of an answer; ``after`` is an object that the answer must know as it is now."""
    if after is not None:
        plural = "simulationsweeps" if after["kind"] == "SimulationSweep" else "simulationjobs"
        more["headers"] = {MIN_VERSION_HEADER: f"{plural}/default/{after['metadata']['resourceVersion']}"}
    async with gateway.request(method, f"{V1}{path}", **more) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def test_a_sweep_is_read_listed_and_cancelled_by_rest(
    gateway: aiohttp.ClientSession, api: Api, make: Make
) -> None:
    made = make(sweep("t-one", space=LISTED), labels={"team": "heat"}, succeededPoints="0", phase="Running")
    found = await call(gateway, "GET", "/sweeps/t-one", after=made)
    assert (found["status"], found["points"]) == ("Running", {"total": 3, "by_status": {"Succeeded": 1, "Pending": 2}})
    listed = await call(gateway, "GET", "/sweeps?label=team=heat&status=running")
    assert [one["id"] for one in listed["items"]] == ["t-one"]
    assert (await call(gateway, "GET", "/sweeps?label=team=cold"))["total"] == 0
    async with gateway.delete(f"{V1}/sweeps/t-one") as response:
        assert response.status == 202
        assert response.headers[VERSION_HEADER].startswith("simulationsweeps/default/")
        assert (await response.json())["cancelled"]
    assert api.read(sweep("t-one"))["spec"]["cancelled"]
    assert (await call(gateway, "DELETE", "/sweeps/t-one", 202))["cancelled"]
    api.patch(sweep("t-one"), {"status": {"phase": "Cancelled"}}, status=True)
    async with gateway.delete(f"{V1}/sweeps/t-one") as response:
        assert "has finished already: Cancelled" in (await problem_in(response, 409))["detail"]


async def test_a_sweep_is_made_by_rest_and_nothing_else_is_by_that_call(
    gateway: aiohttp.ClientSession, api: Api
) -> None:
    body = {"image": "sim:local", "command": ["simulate"], "params": {"length": 1.0}, "sweep": POINTS, "parallelism": 2}
    answer = await call(gateway, "POST", "/sweeps", 201, json=body)
    own_id = answer["sweep"]
    try:
        assert answer["jobs"] == [f"{own_id}-{i}" for i in range(3)]
        assert answer["sweep_mapping"][f"{own_id}-1"] == {"length": 1.0, "diffusivity": 0.2}
        found = await call(gateway, "GET", f"/sweeps/{own_id}")
        assert (found["parallelism"], found["points"]["total"]) == (2, 3)
        assert (await call(gateway, "GET", f"/jobs/{own_id}-1"))["params"] == {"length": 1.0, "diffusivity": 0.2}
    finally:
        api.delete(sweep(own_id))
    async with gateway.post(f"{V1}/sweeps", json={"image": "sim:local"}) as response:
        assert "which points are to be run" in (await problem_in(response, 422))["detail"]


async def test_points_are_jobs_among_jobs(gateway: aiohttp.ClientSession, make: Make) -> None:
    labels = {"batch": "points"}
    make(job("t-single"), labels=labels)
    made = make(sweep("t-many", space=LISTED), labels=labels, failedPoints="2", phase="Running")
    found = await call(gateway, "GET", "/jobs?label=batch=points&sort=created&size=2", after=made)
    rest = await call(gateway, "GET", "/jobs?label=batch=points&sort=created&size=2&page=2")
    assert found["total"] == rest["total"] == 4
    ids = [one["id"] for one in found["items"] + rest["items"]]
    assert sorted(ids) == ["t-many-0", "t-many-1", "t-many-2", "t-single"]
    failed = await call(gateway, "GET", "/jobs?label=batch=points&status=failed")
    assert [one["id"] for one in failed["items"]] == ["t-many-2"]
    of_sweep = await call(gateway, "GET", "/jobs?sweep=t-many&sort=created")
    assert [(one["index"], one["params"]) for one in of_sweep["items"]] == list(enumerate(POINTS))
    assert (await call(gateway, "GET", "/jobs?sweep=nobody"))["total"] == 0
    point = await call(gateway, "GET", "/jobs/t-many-2")
    assert (point["status"], point["sweep"], point["index"]) == ("Failed", "t-many", 2)
    assert (await call(gateway, "GET", "/jobs/stats"))["by_status"]["Failed"] >= 1
    for missing in ("t-many-3", "t-many-02", "t-single-0"):
        await call(gateway, "GET", f"/jobs/{missing}", 404)


async def test_points_are_listed_by_index_and_written_as_a_table(gateway: aiohttp.ClientSession, make: Make) -> None:
    made = make(sweep("t-table", space=LISTED), succeededPoints="0-1")
    page = await call(gateway, "GET", "/sweeps/t-table/points?size=2&page=2", after=made)
    assert (page["total"], [one["index"] for one in page["items"]]) == (3, [2])
    done = await call(gateway, "GET", "/sweeps/t-table/points?status=success")
    assert [(one["id"], one["status"]) for one in done["items"]] == [
        ("t-table-0", "Succeeded"),
        ("t-table-1", "Succeeded"),
    ]
    async with gateway.get(f"{V1}/sweeps/t-table/table") as response:
        assert response.content_type == "text/csv"
        rows = list(csv.DictReader(io.StringIO(await response.text())))
    assert [(row["id"], row["status"], row["diffusivity"]) for row in rows][::2] == [
        ("t-table-0", "Succeeded", "0.1"),
        ("t-table-2", "Pending", "0.3"),
    ]
    assert await call(gateway, "GET", "/sweeps/t-table/table?format=json") == [*done["items"], page["items"][0]]
    for path in ("result", "plot?metric=a&x=diffusivity"):
        async with gateway.get(f"{V1}/sweeps/t-table/{path}") as response:
            assert "no point of sweep t-table has" in (await problem_in(response, 409))["detail"]


async def test_a_point_is_cancelled_alone_and_only_once(gateway: aiohttp.ClientSession, api: Api, make: Make) -> None:
    made = make(sweep("t-point", space=LISTED), succeededPoints="0")
    await call(gateway, "GET", "/sweeps/t-point", after=made)
    answers = await asyncio.gather(*(call(gateway, "DELETE", f"/jobs/t-point-{i}", 202) for i in (1, 2)))
    assert [(one["status"], one["cancelled"]) for one in answers] == [("Cancelled", True)] * 2
    spec = api.read(sweep("t-point"))["spec"]
    assert (spec["cancelledPoints"], spec["cancelled"]) == ("1-2", False)
    for index, phase in ((0, "Succeeded"), (1, "Cancelled")):
        async with gateway.delete(f"{V1}/jobs/t-point-{index}") as response:
            assert f"finished already: {phase}" in (await problem_in(response, 409))["detail"]


async def test_points_are_run_again_when_that_makes_sense(gateway: aiohttp.ClientSession, api: Api, make: Make) -> None:
    make(sweep("t-rerun", space=LISTED), succeededPoints="0", failedPoints="1", phase="Failed")
    answer = await call(gateway, "POST", "/sweeps/t-rerun/rerun", 202, json={"points": "failed", "id": "again"})
    assert answer["rerun"] == {"points": "failed", "id": "again"}
    assert api.read(sweep("t-rerun"))["spec"]["rerun"] == {"points": "failed", "id": "again"}
    await call(gateway, "POST", "/sweeps/t-rerun/rerun", 202, json={"points": "failed", "id": "again"})
    for body, words in (
        ({"points": "2-7"}, "none of 3-7"),
        ({"points": "x"}, "index ranges"),
        ({"points": "1", "id": "again"}, "another order"),
        ({}, "required"),
    ):
        async with gateway.post(f"{V1}/sweeps/t-rerun/rerun", json=body) as response:
            assert words in (await problem_in(response, 422))["detail"]
    make(sweep("t-well", space=LISTED), succeededPoints="0-2", phase="Succeeded")
    async with gateway.post(f"{V1}/sweeps/t-well/rerun", json={"points": "failed"}) as response:
        assert "no point of sweep t-well has failed" in (await problem_in(response, 409))["detail"]
    await call(gateway, "POST", "/sweeps/nobody/rerun", 404, json={"points": "failed"})


async def test_many_are_cancelled_by_label_and_by_sweep(gateway: aiohttp.ClientSession, api: Api, make: Make) -> None:
    labels = {"batch": "many"}
    for number in range(3):
        make(job(f"t-many-{number}x"), labels=labels)
    make(job("t-many-done"), labels=labels, phase="Succeeded")
    make(job("t-other"))
    made = make(sweep("t-many-s", space=LISTED), labels=labels)
    await call(gateway, "GET", "/sweeps/t-many-s", after=made)
    answer = await call(gateway, "DELETE", "/jobs?label=batch=many", 202)
    assert sorted(answer["cancelled"]) == ["t-many-0x", "t-many-1x", "t-many-2x", "t-many-s"]
    assert (answer["already_finished"], answer["failed"]) == (1, [])
    assert api.read(job("t-many-1x"))["spec"]["cancelled"]
    assert api.read(sweep("t-many-s"))["spec"]["cancelled"]
    assert not api.read(job("t-other"))["spec"].get("cancelled")
    for query in ("", "?namespace=default"):
        async with gateway.delete(f"{V1}/jobs{query}") as response:
            assert "say which" in (await problem_in(response, 422))["detail"]
    made = make(sweep("t-single-sweep", space=LISTED))
    await call(gateway, "GET", "/sweeps/t-single-sweep", after=made)
    assert (await call(gateway, "DELETE", "/jobs?sweep=t-single-sweep", 202))["cancelled"] == ["t-single-sweep"]
    await call(gateway, "DELETE", "/jobs?sweep=nobody", 404)


async def test_a_replica_that_has_not_seen_a_write_yet_waits_for_it_or_says_so(
    gateway: aiohttp.ClientSession, api: Api, make: Make
) -> None:
    made = make(job("t-version"))
    found = await call(gateway, "GET", "/jobs?size=500", after=made)
    assert "t-version" in [one["id"] for one in found["items"]]
    later = {MIN_VERSION_HEADER: f"simulationjobs/default/{int(made['metadata']['resourceVersion']) + 10**9}"}
    async with gateway.get(f"{V1}/jobs", headers=later) as response:
        assert "does not know that version yet" in (await problem_in(response, 503))["detail"]
        assert response.headers["Retry-After"]
    for wrong in ("5", "pods/default/5", "simulationjobs/elsewhere/5", "simulationjobs/default/-1"):
        async with gateway.get(f"{V1}/jobs", headers={MIN_VERSION_HEADER: wrong}) as response:
            assert MIN_VERSION_HEADER in (await problem_in(response, 422))["detail"]


async def test_defaults_of_a_sweep_are_those_of_its_schema(gateway: aiohttp.ClientSession, make: Make) -> None:
    made = make(sweep("t-defaults"))
    found = await call(gateway, "GET", "/sweeps/t-defaults", after=made)
    for name in ("parallelism", "points_per_pod", "retries_per_point", "timeout_seconds"):
        assert found[name] == SimulationSweepSpec.model_fields[name].default
    assert found["points"] == {"total": 0, "by_status": {}}
