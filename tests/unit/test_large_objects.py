"""Objects of more than a megabyte, as anybody may make hundreds of: no page, and nothing that is kept, takes more memory than there is."""

import inspect
import logging
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import aiohttp
import kopf
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from builders import NAMESPACE
from kopf._cogs.clients import api as kopf_api
from kopf._cogs.clients import fetching, watching
from kopf._cogs.structs.references import Resource
from kubernetes.aio import client

import simops_api.cluster as api_cluster
import simops_operator.cluster as operator_cluster
from simops_api.cache import WatchCache
from simops_api.cluster import Objects
from simops_api.records import record_of
from simops_crds.kinds import MAX_LABELS, SIMULATION_JOB
from simops_io.kube import ApiError, KubeDict, TooLongError, pages
from simops_operator import deep, handlers
from simops_operator.core.run import run_of
from simops_operator.core.sweeps.views import round_job
from simops_operator.core.views import pod_view, slim_page

BUDGET = 100_000


class Server:
    """Lists objects of these sizes, and remembers how many were asked for and how much of each page was read."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes
        self.asked: list[int] = []

    def page(self, limit: int, after: str) -> KubeDict:
        self.asked.append(limit)
        begin = int(after or 0)
        end = min(begin + limit, len(self.sizes))
        more = str(end) if end < len(self.sizes) else ""
        items = [object_of(number, self.sizes[number]) for number in range(begin, end)]
        return {
            "kind": "JobList",
            "apiVersion": "batch/v1",
            "items": items,
            "metadata": {"continue": more, "resourceVersion": "7"},
        }

    async def serve(self, request: web.Request) -> web.Response:
        return web.json_response(self.page(int(request.query["limit"]), request.query.get("continue", "")))

    async def ask(self, limit: int, after: str) -> KubeDict:
        page = self.page(limit, after)
        if sum(len(item["metadata"]["labels"]["pad"]) for item in page["items"]) > BUDGET:
            raise TooLongError("too long")
        return page


def object_of(number: int, size: int) -> KubeDict:
    meta = {"name": f"j{number}", "namespace": NAMESPACE, "uid": f"u{number}", "resourceVersion": "1"}
    return {
        "metadata": meta | {"creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"pad": "x" * size}},
        "spec": {},
    }


async def names(found: AsyncIterator[KubeDict]) -> list[str]:
    return [item["metadata"]["name"] async for page in found for item in page["items"]]


@pytest.mark.parametrize("count", [0, 1, 500, 501, 2000])
async def test_normal_objects_are_listed_in_pages_of_five_hundred(count: int) -> None:
    server = Server([1] * count)
    assert await names(pages(server.ask, 500)) == [f"j{number}" for number in range(count)]
    assert server.asked == [500] * max(1, -(-count // 500))


@pytest.mark.parametrize(
    "sizes",
    [[60_000] * 110, [10] * 700 + [60_000] * 30 + [10] * 700, [10_000] * 300, [BUDGET] * 3],
    ids=["large", "some large", "ten a page", "one a page"],
)
async def test_large_objects_are_all_listed_once_and_by_few_calls(sizes: list[int]) -> None:
    server = Server(sizes)
    assert await names(pages(server.ask, 500)) == [f"j{number}" for number in range(len(sizes))]
    assert len(server.asked) < 10 + 1.2 * len(sizes)


async def test_an_object_that_is_too_long_by_itself_is_an_error() -> None:
    with pytest.raises(ApiError, match="413"):
        await names(pages(Server([1, BUDGET + 1]).ask, 500))


@pytest_asyncio.fixture
async def connected(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Server, client.ApiClient]]:
    """An API server with 60 objects of 200 kB, and programs that read 1 MB a page."""
    monkeypatch.setattr(operator_cluster, "PAGE_BYTES", 1_000_000)
    monkeypatch.setattr(api_cluster, "PAGE_BYTES", 1_000_000)
    server, app = Server([200_000] * 60), web.Application()
    app.router.add_get("/{path:.*}", server.serve)
    async with TestServer(app) as running:
        configuration = client.Configuration()
        configuration.host = str(running.make_url("")).rstrip("/")
        async with client.ApiClient(configuration) as api:
            yield server, api


async def test_the_operator_reads_no_page_beyond_the_budget(connected: tuple[Server, client.ApiClient]) -> None:
    server, api = connected
    found = [item["metadata"]["name"] async for item in operator_cluster.Cluster(api).list_jobs(NAMESPACE)]
    assert found == [f"j{number}" for number in range(60)]
    assert server.asked[:3] == [500, 62, 7]
    assert max(server.asked[3:]) <= 4


async def test_the_gateway_reads_no_page_beyond_the_budget(connected: tuple[Server, client.ApiClient]) -> None:
    server, api = connected
    record: Callable[[KubeDict], Any] = lambda obj: record_of(obj, obj["metadata"]["name"])  # noqa: E731
    cache = WatchCache(Objects(api_cluster.Cluster(api), SIMULATION_JOB), (NAMESPACE,), record)
    await cache._list(cache._places[NAMESPACE])
    assert cache.synced
    assert len(list(cache.index.ids(NAMESPACE))) == 60
    assert server.asked[:3] == [500, 62, 7]


def test_of_many_labels_and_notes_of_others_few_are_kept() -> None:
    obj = object_of(1, 1) | {"spec": {"image": "sim:local"}}
    obj["metadata"] |= {
        "labels": {f"label{number}": "x" for number in range(35_000)},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x" * 200_000, "simops.dev/a": "b"},
    }
    tracemalloc.start()
    run = run_of(obj)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(run.metadata["labels"]) == MAX_LABELS
    assert run.metadata["annotations"] == {"simops.dev/a": "b"}
    assert kept < 50_000


def test_of_jobs_and_pods_that_are_listed_only_what_is_looked_at_is_left() -> None:
    pod = object_of(1, 50_000)
    pod["metadata"] |= {
        "labels": {f"label{number}": "x" for number in range(10_000)}
        | {"simops.dev/uid": "u", "simops.dev/job": "j", "batch.kubernetes.io/job-completion-index": "3"},
        "finalizers": ["x"] * 10_000,
        "deletionTimestamp": "2026-01-01T00:01:00Z",
        "deletionGracePeriodSeconds": 30,
    }
    pod |= {"spec": {"nodeName": "n", "containers": ["x"] * 10_000}, "status": {"phase": "Running"}}
    whole = pod_view(pod)
    (slim,) = slim_page({"kind": "PodList", "items": [pod]})["items"]
    assert pod_view(slim) == whole
    assert len(str(slim)) < 700
    assert slim["metadata"]["labels"].keys() == {
        "simops.dev/uid",
        "simops.dev/job",
        "batch.kubernetes.io/job-completion-index",
    }


def test_the_view_of_a_round_is_the_same_of_what_is_left() -> None:
    job = object_of(1, 1) | {"spec": {"suspend": True, "parallelism": 3, "backoffLimit": 2, "template": {}}}
    job["status"] = {"completedIndexes": "0-2", "conditions": [{"type": "Complete", "status": "True"}]}
    job["metadata"]["labels"] = {"simops.dev/round": "4"}
    whole = round_job(job)
    (slim,) = slim_page({"kind": "JobList", "items": [job]})["items"]
    assert round_job(slim) == whole


async def test_kopf_reads_no_page_beyond_the_budget(
    connected: tuple[Server, client.ApiClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, api = connected
    monkeypatch.setattr(deep, "PAGE_BYTES", 1_000_000)
    resource, settings = Resource("batch", "v1", "jobs", namespaced=True), kopf.OperatorSettings()
    settings.watching.label_selectors["batch", "v1", "jobs"] = "a=b"
    async with aiohttp.ClientSession() as session:

        async def request(method: str, url: str, **_: Any) -> aiohttp.ClientResponse:
            assert "labelSelector=a%3Db" in url
            assert "fieldSelector" not in url
            return await session.request(method, api.configuration.host + url)

        monkeypatch.setattr(kopf_api, "request", request)
        deep.read_any_objects()
        found = []
        listed = fetching.fetch_objs(
            settings=settings, resource=resource, namespace=cast(Any, NAMESPACE), logger=logging.getLogger()
        )
        async for items, version in listed:
            assert version == "7"
            found += [(item["kind"], item["apiVersion"], item["metadata"]["name"]) for item in cast(Any, items)]
    assert found == [("Job", "batch/v1", f"j{number}") for number in range(60)]
    assert server.asked[:3] == [500, 62, 7]
    # Whoever asks for pages finds this one, as long as kopf looks for it there.
    assert "fetching.fetch_objs(" in inspect.getsource(watching)


async def test_kopf_lets_go_of_an_object_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_app(*_: Any) -> Any:
        return None

    monkeypatch.setattr("simops_operator.handlers.App.start", no_app)
    monkeypatch.setattr(handlers, "Settings", lambda: None)
    settings = kopf.OperatorSettings()
    await cast(Any, handlers.start)(settings)
    assert settings.queueing.idle_timeout < 1
