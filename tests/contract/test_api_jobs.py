"""The gateway's calls for jobs against a real API server with the CRDs and policies in force."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from contract.objects import Manifest, job, sweep
from contract.server import Api
from unit.test_api_serving import problem_in, serving, settings_of

from simops_api.jobs.models import Job, JobStats
from simops_crds.v1alpha1 import SimulationJobSpec

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAT = {"length": 1.0, "time_steps": 200, "diffusivity": 0.01, "initial_temp": 100.0}
JOBS = "/api/v1/jobs"
ROUNDS = 50

Make = Callable[[Manifest], Manifest]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(api: Api) -> AsyncIterator[aiohttp.ClientSession]:
    command = ("python", "-m", "simops_sim")
    async with serving(settings_of(api.kubeconfig, default_container_command=command, max_connections=8)) as session:
        yield session


@pytest.fixture
def removed(api: Api) -> Iterator[list[Manifest]]:
    """Objects to delete after the test, by name."""
    made: list[Manifest] = []
    yield made
    for manifest in made:
        api.delete(manifest)


async def created(gateway: aiohttp.ClientSession, removed: list[Manifest], **body: Any) -> str:
    async with gateway.post(JOBS, json=body) as response:
        answer = await response.json()
        assert response.status == 201, answer
    job_id: str = answer["jobs"][0]
    removed.append(job(job_id))
    return job_id


async def read(gateway: aiohttp.ClientSession, path: str) -> Any:
    async with gateway.get(f"{JOBS}{path}") as response:
        answer = await response.json()
        assert response.status == 200, answer
    return answer


async def test_a_job_by_rest_is_the_object_that_kubectl_would_make(
    gateway: aiohttp.ClientSession, api: Api, removed: list[Manifest]
) -> None:
    body = {"container_image": "sim:local", "params": HEAT, "metadata": {"project": "heat-transfer"}}
    async with gateway.post(JOBS, json=body) as response:
        assert response.status == 201
        location = response.headers["Location"]
        answer = await response.json()
    (job_id,) = answer["jobs"]
    removed.append(job(job_id))
    assert answer == {"jobs": [job_id], "sweep": None, "sweep_mapping": {job_id: HEAT}}
    assert location == f"{JOBS}/{job_id}"
    spec = api.read(job(job_id))["spec"]
    assert (spec["image"], spec["params"], spec["metadata"]) == ("sim:local", HEAT, {"project": "heat-transfer"})
    assert spec["timeoutSeconds"] == SimulationJobSpec.model_fields["timeout_seconds"].default


async def test_what_was_written_is_read_by_the_next_request(
    gateway: aiohttp.ClientSession, removed: list[Manifest]
) -> None:
    before = (await read(gateway, ""))["total"]
    for number in range(1, ROUNDS + 1):
        job_id = await created(gateway, removed, params={"run": number})
        found = await read(gateway, f"/{job_id}")
        Job.model_validate(found)
        assert (found["id"], found["status"], found["params"]) == (job_id, "Pending", {"run": number})
        listed = await read(gateway, "?size=500")
        assert job_id in [one["id"] for one in listed["items"]]
        assert listed["total"] == before + number


async def test_writes_at_the_same_time_are_all_read_afterwards(
    gateway: aiohttp.ClientSession, removed: list[Manifest]
) -> None:
    ids = await asyncio.gather(*(created(gateway, removed, params={"run": i}) for i in range(40)))
    assert len(set(ids)) == 40
    pages = [await read(gateway, f"?page={page}&size=7&sort=created") for page in range(1, 8)]
    listed = [one["id"] for page in pages for one in page["items"]]
    assert set(ids) <= set(listed)
    assert len(listed) == len(set(listed))


async def test_status_written_by_the_operator_is_found_by_status_in_any_case(
    gateway: aiohttp.ClientSession, api: Api, made: Make, removed: list[Manifest]
) -> None:
    names = {}
    for phase in ("Succeeded", "Failed"):
        names[phase] = await created(gateway, removed)
        status = {"phase": phase, "startTime": "2026-11-23T16:00:00Z", "completionTime": "2026-11-23T16:00:05Z"}
        api.patch(job(names[phase]), {"status": status}, status=True)
    # A write through the gateway is seen only after what happened before it.
    await created(gateway, removed)
    for word in ("success", "SUCCESS", "Succeeded", "succeeded"):
        assert [one["id"] for one in (await read(gateway, f"?status={word}"))["items"]] == [names["Succeeded"]]
    both = await read(gateway, "?status=failed&status=success")
    assert {one["id"] for one in both["items"]} == set(names.values())
    stats = JobStats.model_validate(await read(gateway, "/stats"))
    assert stats.by_status["Failed"] == 1  # type: ignore[index]
    assert stats.duration_seconds.p50 == 5.0


async def test_jobs_are_found_by_label_and_by_the_time_they_were_made(
    gateway: aiohttp.ClientSession, removed: list[Manifest]
) -> None:
    job_id = await created(gateway, removed, labels={"project": "heat", "team": "lab"})
    await created(gateway, removed, labels={"project": "heat"})
    assert (await read(gateway, "?label=project=heat"))["total"] == 2
    both = await read(gateway, "?label=project=heat&label=team=lab")
    assert [one["id"] for one in both["items"]] == [job_id]
    at = both["items"][0]["created_at"]
    assert (await read(gateway, f"?label=team=lab&since={at}"))["total"] == 1
    assert (await read(gateway, "?label=team=lab&since=2100-01-01T00:00:00Z"))["total"] == 0


async def test_a_job_made_and_deleted_by_kubectl_is_seen(
    gateway: aiohttp.ClientSession, api: Api, removed: list[Manifest]
) -> None:
    api.create(job("by-kubectl", params={"a": 1}))
    await created(gateway, removed)
    assert (await read(gateway, "/by-kubectl"))["params"] == {"a": 1}
    api.delete(job("by-kubectl"))
    await created(gateway, removed)
    async with gateway.get(f"{JOBS}/by-kubectl") as response:
        await problem_in(response, 404)


async def test_cancelling_sets_the_field_and_is_read_at_once_and_can_be_repeated(
    gateway: aiohttp.ClientSession, api: Api, removed: list[Manifest]
) -> None:
    job_id = await created(gateway, removed)
    for _ in range(2):
        async with gateway.delete(f"{JOBS}/{job_id}") as response:
            assert response.status == 202
            assert (await response.json())["cancelled"] is True
        assert (await read(gateway, f"/{job_id}"))["cancelled"] is True
    assert api.read(job(job_id))["spec"]["cancelled"] is True
    assert api.read(job(job_id))["metadata"]["generation"] == 2


async def test_a_finished_job_cannot_be_cancelled(
    gateway: aiohttp.ClientSession, api: Api, removed: list[Manifest]
) -> None:
    job_id = await created(gateway, removed)
    api.patch(job(job_id), {"status": {"phase": "Succeeded"}}, status=True)
    async with gateway.delete(f"{JOBS}/{job_id}") as response:
        assert "finished already: Succeeded" in (await problem_in(response, 409))["detail"]
    assert api.read(job(job_id))["spec"]["cancelled"] is False


async def test_jobs_that_are_cancelled_while_their_status_changes_are_cancelled(
    gateway: aiohttp.ClientSession, api: Api, removed: list[Manifest]
) -> None:
    job_id = await created(gateway, removed)

    def busy() -> None:
        for attempt in range(30):
            api.patch(job(job_id), {"status": {"phase": "Running", "attempts": attempt}}, status=True)

    async def cancel() -> int:
        async with gateway.delete(f"{JOBS}/{job_id}") as response:
            return response.status

    writing = asyncio.create_task(asyncio.to_thread(busy))
    statuses = await asyncio.gather(*(cancel() for _ in range(5)))
    await writing
    # 503: it changed at each of five attempts; to be tried again.
    assert set(statuses) <= {202, 503}
    assert await cancel() == 202
    assert api.read(job(job_id))["spec"]["cancelled"] is True


async def test_a_job_that_is_not_there_is_not_there(gateway: aiohttp.ClientSession) -> None:
    for call in (gateway.get(f"{JOBS}/nobody"), gateway.delete(f"{JOBS}/nobody")):
        async with call as response:
            assert "nobody" in (await problem_in(response, 404))["detail"]


REFUSED = [
    ({"image": "a b"}, "spec.image", "without spaces"),
    ({"resources": {"limits": {"memory": 512}}}, "spec.resources.limits", "give it a unit"),
    ({"env": [{"name": "SIMOPS_JOB"}]}, "spec.env[0].name", "choose another name"),
    ({"params": {f"p{i}": "x" * 4096 for i in range(17)}}, "spec.params", "65536 bytes together"),
    ({"labels": {"a b": "c"}}, "metadata.labels", "name part must consist of"),
    ({"sweep": [{"a b": 1}], "command": ["a"]}, "sweep.0", "must start with a letter"),
    (
        {"command": ["a"], "params": {"x": 1}, "space": {"axes": [{"name": "x", "values": [1, 2]}]}},
        "space.axes",
        "remove one of the two",
    ),
]


@pytest.mark.parametrize(("body", "field", "words"), REFUSED, ids=[field for _, field, _ in REFUSED])
async def test_what_the_api_server_refuses_is_said_with_the_same_words_and_its_field(
    gateway: aiohttp.ClientSession, body: Any, field: str, words: str
) -> None:
    before = (await read(gateway, ""))["total"]
    async with gateway.post(JOBS, json=body) as response:
        problem = await problem_in(response, 422)
    named = [error for error in problem["errors"] if error["field"] == field]
    assert named, problem
    assert words in named[0]["detail"]
    assert (await read(gateway, ""))["total"] == before


async def test_a_sweep_is_one_object_whose_points_are_known_by_their_ids(
    gateway: aiohttp.ClientSession, api: Api
) -> None:
    points = [HEAT | {"diffusivity": value} for value in (0.01, 0.02, 0.03)]
    async with gateway.post(JOBS, json={"container_image": "sim:local", "sweep": points}) as response:
        answer = await response.json()
        assert response.status == 201, answer
    sweep_id = answer["sweep"]
    made = {"kind": "SimulationSweep", "metadata": {"name": sweep_id}}
    try:
        assert answer["jobs"] == [f"{sweep_id}-{i}" for i in range(3)]
        assert answer["sweep_mapping"] == dict(zip(answer["jobs"], points, strict=True))
        spec = api.read(made)["spec"]
        assert spec["space"] == {"method": "list", "points": points}
        assert spec["template"]["command"] == ["python", "-m", "simops_sim"]
    finally:
        api.delete(made)


async def test_an_answer_says_how_old_it_may_be(gateway: aiohttp.ClientSession) -> None:
    async with gateway.get(JOBS) as response:
        assert 0 <= int(response.headers["Age"]) <= 40
        assert response.headers["Cache-Control"] == "no-store"
    async with gateway.get("/ready") as response:
        assert response.status == 200


async def test_numbers_come_back_as_the_numbers_that_were_sent(
    gateway: aiohttp.ClientSession, removed: list[Manifest]
) -> None:
    sent = {
        "whole": 3,
        "large": 2**53 + 1,
        "small": 1e-300,
        "flag": False,
        "text": "ä\u2028\x01\n<script>",
        "digits": "1",
    }
    found = await read(gateway, f"/{await created(gateway, removed, params=sent)}")
    assert json.dumps(found["params"], sort_keys=True) == json.dumps(sent, sort_keys=True)


def named(name: str, *, key: str = "", **more: Any) -> dict[str, Any]:
    """A request for a job of this name."""
    return {"json": {"name": name, "image": "sim:local", **more}, "headers": {"Idempotency-Key": key} if key else {}}


async def test_a_job_has_the_name_that_was_asked_for_and_no_other_one_gets_it(
    gateway: aiohttp.ClientSession, api: Api, removed: list[Manifest]
) -> None:
    removed.append(job("asked-for"))
    async with gateway.post(JOBS, **named("asked-for", key="one")) as response:
        assert (response.status, (await response.json())["jobs"]) == (201, ["asked-for"])
    assert (await read(gateway, "/asked-for"))["name"] == "asked-for"
    async with gateway.post(JOBS, **named("asked-for", key="one")) as response:
        assert (response.status, response.headers["Idempotent-Replay"]) == (201, "true")
    others = [
        named("asked-for"),
        named("asked-for", key="two"),
        named("asked-for", key="one", params={"x": 1}),
    ]
    for other in others:
        async with gateway.post(JOBS, **other) as response:
            assert "asked-for already: take another name" in (await problem_in(response, 409))["detail"]


async def test_of_many_who_ask_for_a_name_at_once_one_gets_it(
    gateway: aiohttp.ClientSession, removed: list[Manifest]
) -> None:
    removed.append(job("contended"))

    async def ask(number: int) -> int:
        async with gateway.post(JOBS, **named("contended", key=f"of-{number}" if number % 2 else "")) as response:
            return response.status

    assert sorted(await asyncio.gather(*map(ask, range(20)))) == [201] + [409] * 19


@pytest.mark.parametrize("name", ["Heat", "-heat", "heat-", "he.at", "h" * 55, "hé"])
async def test_a_name_that_can_be_none_is_refused_at_its_field(gateway: aiohttp.ClientSession, name: str) -> None:
    async with gateway.post(JOBS, **named(name)) as response:
        problem = await problem_in(response, 422)
    assert [(error["location"], error["field"]) for error in problem["errors"]] == [("body", "name")]


async def test_a_sweep_has_the_name_that_was_asked_for_and_one_of_many_jobs_has_none(
    gateway: aiohttp.ClientSession, api: Api
) -> None:
    points = [{"x": 1}, {"x": 2}]
    try:
        async with gateway.post(JOBS, **named("a-scan", sweep=points)) as response:
            answer = await response.json()
        assert (answer["sweep"], answer["jobs"]) == ("a-scan", ["a-scan-0", "a-scan-1"])
    finally:
        api.delete(sweep("a-scan"))
    async with gateway.post(JOBS, **named("s" * 44, sweep=points)) as response:
        assert "at most 43 characters" in (await problem_in(response, 422))["detail"]
    async with gateway.post(f"{JOBS}/bulk", json={"jobs": [{"name": "x", "image": "sim:local"}]}) as response:
        assert (await problem_in(response, 422))["errors"][0]["field"] == "jobs.0.name"
