"""The states of a job as events, by HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from kubelet import ApiServer, api_server
from s3 import store_in_memory
from sse import events_of
from unit.test_api_serving import kubeconfig_for, problem_in, serving, settings_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

World = tuple[ApiServer, aiohttp.ClientSession]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with api_server() as api, store_in_memory(tmp_path_factory.mktemp("store")) as (_, about):
        settings = settings_of(kubeconfig_for(tmp_path_factory.mktemp("api"), api.url), **about)
        async with serving(settings) as session:
            yield api, session


async def made(world: World, name: str, phase: str = "Pending") -> str:
    """Make a job and wait until the gateway knows it; return its events' path."""
    api, session = world
    api.put(name, phase)
    async with asyncio.timeout(60):
        while True:
            async with session.get(f"/api/v1/jobs/{name}") as response:
                if response.status == 200:
                    return f"/api/v1/jobs/{name}/events"


async def test_each_state_is_told_as_the_job_is_answered_and_the_end_comes_by_itself(world: World) -> None:
    api, session = world
    path = await made(world, "told")
    async with session.get(path) as response, asyncio.timeout(60):
        events = events_of(response)
        first = await anext(events)
        async with session.get("/api/v1/jobs/told") as plain:
            assert json.loads(first.data) == await plain.json()
        assert (first.name, first.id) == ("state", api.runs["told"]["metadata"]["resourceVersion"])
        api.put("told", "Running")
        second = await anext(events)
        assert json.loads(second.data)["status"] == "Running"
        api.put("told", "Failed", reason="ExitCode", exitCode=7)
        last = [event async for event in events]
    assert [event.name for event in last] == ["state", "end"]
    assert json.loads(last[0].data)["exit_code"] == 7
    assert json.loads(last[1].data) == {"status": "Failed", "reason": "ExitCode", "exit_code": 7}
    assert int(first.id) < int(second.id) < int(last[0].id)


async def test_a_state_that_was_told_is_not_told_again(world: World) -> None:
    api, session = world
    path = await made(world, "again")
    async with session.get(path) as response:
        seen = await anext(events_of(response))
    async with session.get(path, headers={"Last-Event-ID": seen.id}) as response, asyncio.timeout(60):
        events = events_of(response)
        api.put("again", "Running")
        assert json.loads((await anext(events)).data)["status"] == "Running"
    async with session.get(path, headers={"Last-Event-ID": "1"}) as response:
        assert json.loads((await anext(events_of(response))).data)["status"] == "Running"


async def test_a_job_that_has_finished_is_told_and_ended(world: World) -> None:
    path = await made(world, "finished", "Succeeded")
    async with world[1].get(path) as response, asyncio.timeout(60):
        events = [event async for event in events_of(response)]
    assert [event.name for event in events] == ["state", "end"]
    async with world[1].get(path, headers={"Last-Event-ID": events[0].id}) as response, asyncio.timeout(60):
        assert [event.name async for event in events_of(response)] == ["end"]


async def test_a_job_that_is_deleted_ends_its_events(world: World) -> None:
    api, session = world
    path = await made(world, "deleted")
    async with session.get(path) as response, asyncio.timeout(60):
        events = events_of(response)
        await anext(events)
        api.delete("deleted")
        (end,) = [event async for event in events]
    assert json.loads(end.data)["reason"] == "Deleted"


async def test_what_cannot_be_followed_is_said_before_anything_is_sent(world: World) -> None:
    path = await made(world, "there")
    async with world[1].get("/api/v1/jobs/nothing/events") as response:
        await problem_in(response, 404)
    async with world[1].get(path, headers={"Last-Event-ID": "x"}) as response:
        problem = await problem_in(response, 422)
    assert [(error["location"], error["field"]) for error in problem["errors"]] == [("header", "Last-Event-ID")]
