"""The changes of all runs and sweeps as a stream, and the conditions of a job, with a real API server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from contract.objects import Manifest, job, sweep
from contract.server import Api
from kubernetes import client
from sse import Event, events_of
from unit.test_api_serving import problem_in, serving, settings_of

from simops_crds.names import kubernetes_job_name

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 60
EVENTS = "/api/v1/events"
Make = Callable[[Manifest], Manifest]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(api: Api) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(settings_of(api.kubeconfig)) as session:
        yield session


async def until(events: AsyncIterator[Event], name: str, **fields: Any) -> Event:
    """Read on to an event of this name whose data has these fields."""
    async for event in events:
        data = json.loads(event.data)
        if event.name == name and all(data.get(key) == value for key, value in fields.items()):
            return event
    raise AssertionError(f"the stream has ended without {name} {fields}")


async def test_runs_and_sweeps_are_told_as_they_come_change_and_go(
    session: aiohttp.ClientSession, api: Api, made: Make
) -> None:
    async with asyncio.timeout(SECONDS), session.get(EVENTS) as response:
        events = events_of(response)
        first = await anext(events)
        assert (first.name, first.data) == ("resync", "{}")
        made(job("told"))
        await until(events, "job", id="told", status="Pending")
        api.patch(job("told"), {"status": {"phase": "Running"}}, status=True)
        await until(events, "job", id="told", status="Running")
        made(sweep("told-sweep"))
        api.patch(
            sweep("told-sweep"),
            {"status": {"phase": "Running", "points": {"total": 2}, "succeededPoints": "0"}},
            status=True,
        )
        found = await until(events, "sweep", id="told-sweep", status="Running")
        assert json.loads(found.data)["points"]["by_status"]["Succeeded"] == 1
        gone = job("told-gone")
        api.create(gone)
        await until(events, "job", id="told-gone")
        api.delete(gone)
        await until(events, "gone", id="told-gone", kind="job")


async def test_who_comes_back_is_told_what_has_changed_meanwhile_and_who_is_unknown_to_read_the_lists(
    session: aiohttp.ClientSession, api: Api, made: Make
) -> None:
    async with asyncio.timeout(SECONDS):
        async with session.get(EVENTS) as response:
            place = (await anext(events_of(response))).id
        made(job("meanwhile"))
        async with session.get(EVENTS, headers={"Last-Event-ID": place}) as response:
            events = events_of(response)
            first = await anext(events)
            assert (first.name, json.loads(first.data)["id"]) == ("job", "meanwhile")
            place = (await until(events, "place")).id
        async with session.get(EVENTS, headers={"Last-Event-ID": place}) as response:
            made(job("next"))
            assert json.loads((await anext(events_of(response))).data)["id"] == "next"
        for unknown in ("", "nonsense", "00000000-1", f"{place}999"):
            async with session.get(EVENTS, headers={"Last-Event-ID": unknown}) as response:
                assert (await anext(events_of(response))).name == "resync"


async def test_only_what_has_a_label_is_told(session: aiohttp.ClientSession, made: Make) -> None:
    async with asyncio.timeout(SECONDS), session.get(EVENTS, params={"label": "project=heat"}) as response:
        events = events_of(response)
        assert (await anext(events)).name == "resync"
        made(job("unlabelled"))
        labelled = job("labelled")
        labelled["metadata"]["labels"] = {"project": "heat"}
        made(labelled)
        seen = await until(events, "job")
        assert json.loads(seen.data)["id"] == "labelled"


async def test_a_namespace_that_is_not_served_is_refused(session: aiohttp.ClientSession) -> None:
    async with session.get(EVENTS, params={"namespace": "elsewhere"}) as response:
        await problem_in(response, 422)


async def test_kubernetes_events_of_a_run_its_job_and_its_pod_are_told_once_and_no_others(
    session: aiohttp.ClientSession, api: Api, made: Make
) -> None:
    uid = made(job("waiting"))["metadata"]["uid"]
    api.patch(job("waiting"), {"status": {"phase": "Pending", "podName": "waiting-pod"}}, status=True)
    core: Any = client.CoreV1Api(api.client)
    about = {
        "run": {"kind": "SimulationJob", "name": "waiting", "uid": uid},
        "job": {"kind": "Job", "name": kubernetes_job_name("waiting", uid)},
        "pod": {"kind": "Pod", "name": "waiting-pod"},
        "another-run": {"kind": "SimulationJob", "name": "waiting", "uid": "earlier"},
        "another-pod": {"kind": "Pod", "name": "waiting-pod-of-somebody-else"},
    }
    try:
        for number, (name, involved) in enumerate(about.items()):
            event = {
                "metadata": {"name": f"events-{name}"},
                "involvedObject": {"namespace": "default", **involved},
                "reason": name,
                "message": f"said of {name}",
                "type": "Warning" if name == "pod" else "Normal",
                "count": 3,
                "source": {"component": "test"},
                "firstTimestamp": "2026-11-23T16:00:00Z",
                "lastTimestamp": f"2026-11-23T16:00:0{number}Z",
            }
            core.create_namespaced_event("default", event)
        async with asyncio.timeout(SECONDS):
            while True:  # the gateway hears of the Pod by its watch
                async with session.get("/api/v1/jobs/waiting/kubernetes-events") as response:
                    events = (await response.json())["events"]
                if len(events) > 2:
                    break
                await asyncio.sleep(0.1)
    finally:
        for name in about:
            core.delete_namespaced_event(f"events-{name}", "default")
    assert [one["reason"] for one in events] == ["run", "job", "pod"]
    assert events[2] == {
        "type": "Warning",
        "reason": "pod",
        "message": "said of pod",
        "object": "Pod/waiting-pod",
        "source": "test",
        "count": 3,
        "first_at": "2026-11-23T16:00:00Z",
        "last_at": "2026-11-23T16:00:02Z",
    }
    async with session.get("/api/v1/jobs/nothing/kubernetes-events") as response:
        await problem_in(response, 404)


async def test_conditions_are_those_of_the_object_in_their_order(
    session: aiohttp.ClientSession, api: Api, made: Make
) -> None:
    made(job("stepped"))
    times = ("2026-11-23T16:00:05Z", "2026-11-23T16:00:00Z")
    conditions = [
        {"type": kind, "status": "True", "reason": "Because", "message": "it was so", "lastTransitionTime": time}
        for kind, time in zip(("Finished", "Started"), times, strict=True)
    ]
    api.patch(job("stepped"), {"status": {"phase": "Succeeded", "conditions": conditions}}, status=True)
    async with session.get("/api/v1/jobs/stepped/conditions") as response:
        found = (await response.json())["conditions"]
    assert [one["type"] for one in found] == ["Started", "Finished"]
    assert found[0]["last_transition_at"] == times[1]
    async with session.get("/api/v1/jobs/nothing/conditions") as response:
        await problem_in(response, 404)
