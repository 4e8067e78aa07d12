"""Results by HTTP, from a store that counts: what is answered, when nothing is, and how much is read for it."""

import asyncio
import io
import json
import random
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from nosweeps import no_sweeps
from s3 import Store, store_in_memory
from unit.test_api_serving import kubeconfig_for, problem_in, serving, settings_of
from yarl import URL

from simops_api.artifacts.directory import TAIL_BYTES
from simops_api.jobs.models import Job
from simops_crds.names import archive_key, key_prefix

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = "/apis/simops.dev/v1alpha1/namespaces/default/simulationjobs"
NOISE = random.Random(1).randbytes(700_000)
FILES = {
    "metrics.json": b'{"max": 1.5}',
    "table.csv": b"a,b\n" + b"1,2\n" * 100_000,
    "noise.bin": NOISE,
    "empty.txt": b"",
    "plots/page.html": b"<script>alert(1)</script>",
    "plots/a b%&ü#?.svg": b"<svg/>",
    "back\\slash.log": b"log\n",
}
CREATED = "2026-03-01T12:00:00Z"
SECONDS = 1772366400


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            method = zipfile.ZIP_STORED if name.endswith((".bin", ".png")) else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


BUNDLE = zipped(FILES)


def obj(name: str, phase: str = "Succeeded", uid: str = "", **artifacts: Any) -> dict[str, Any]:
    uid = uid or f"uid-{name}"
    meta = {"name": name, "namespace": "default", "uid": uid, "resourceVersion": "5", "creationTimestamp": CREATED}
    spec = {"image": "sim:local", "params": {"length": 1.0}, "timeoutSeconds": 60}
    status: dict[str, Any] = {"phase": phase, "reason": "ExitCode" if phase == "Failed" else "Completed"}
    if phase in ("Succeeded", "Failed", "Cancelled"):
        status |= {"startTime": CREATED, "completionTime": "2026-03-01T12:01:00Z"}
    if artifacts.pop("bundled", True):
        artifacts["bundle"] = f"{key_prefix('default', name, uid)}/pod.zip"
    return {"metadata": meta, "spec": spec, "status": status | ({"artifacts": artifacts} if artifacts else {})}


def record(name: str, *, uid: str = "", completed: str = "", spec: dict[str, Any] | None = None, **more: Any) -> bytes:
    whole = obj(name, uid=uid, **more)
    meta = whole["metadata"]
    if completed:
        whole["status"]["completionTime"] = completed
    kept = {"creationTimestamp": CREATED, "labels": {"project": "heat"}}
    place = {key: meta[key] for key in ("namespace", "name", "uid")}
    return json.dumps(whole | {"version": 1, **place, "metadata": kept, "spec": whole["spec"] | (spec or {})}).encode()


ALIVE = [
    obj("heat", log="x"),
    obj("running", "Running"),
    obj("pending", "Pending", bundled=False),
    obj("broken", "Failed", bundled=False),
    obj("partial", "Cancelled", partial=True),
    obj("expired", expirationTime="2026-03-02T12:00:00Z"),
    obj("lost"),
    obj("bare"),
    obj("damaged"),
    obj("nozip"),
]
THIEF = obj("thief")
THIEF["status"]["artifacts"]["bundle"] = "jobs/other/secret/uid/pod.zip"


@dataclass
class Both:
    store: Store
    session: aiohttp.ClientSession

    def get(self, path: str, **more: Any) -> Any:
        return self.session.get(URL(f"/api/v1/jobs/{path}", encoded=True), allow_redirects=False, **more)

    async def body(self, path: str) -> bytes:
        async with self.get(path) as response:
            assert response.status == 200
            content: bytes = await response.read()
            return content


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def start(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[..., Any]]:
    async def listed(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"6"}}}\n')
            return response
        return web.json_response({"items": [*ALIVE, THIEF], "metadata": {"resourceVersion": "6"}})

    app = web.Application()
    app.add_routes([web.get(NAMES, listed), *no_sweeps()])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kubeconfig = kubeconfig_for(tmp_path_factory.mktemp("api"), f"http://127.0.0.1:{runner.addresses[0][1]}")
    async with AsyncExitStack() as stack:

        async def begin(**more: Any) -> Both:
            store, own = await stack.enter_async_context(store_in_memory(tmp_path_factory.mktemp("store")))
            for item in (*ALIVE, THIEF):
                fill(store, item)
            session = await stack.enter_async_context(serving(settings_of(kubeconfig, **own, **more)))
            return Both(store, session)

        yield begin
    await runner.cleanup()


def fill(store: Store, item: dict[str, Any]) -> None:
    name = item["metadata"]["name"]
    key = (item["status"].get("artifacts") or {}).get("bundle")
    if not key or name == "lost":
        return
    content = {"nozip": b"no zip at all", "damaged": BUNDLE.replace(NOISE[-100:], NOISE[:100])}.get(name, BUNDLE)
    store.objects[key] = content
    entries = [{"path": n, "bytes": len(c), "crc32": "0", "sha256": "1"} for n, c in FILES.items()]
    skipped = [{"path": "out", "why": "a socket"}]
    if name != "bare":
        # Whoever holds the namespace's keys can write such names; there are no files of them, and no links.
        forged = [
            {"path": n, "bytes": 1, "crc32": "0", "sha256": "1"} for n in ("../../victim/result", "/a", "a//b", "")
        ]
        manifest = {"bundle": key, "entries": entries + forged, "skippedEntries": skipped}
        store.objects[key.replace(".zip", ".json")] = json.dumps(manifest).encode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _both(start: Callable[..., Any]) -> Both:
    made: Both = await start()
    return made


@pytest.fixture
def both(_both: Both) -> Both:
    _both.store.reset()
    _both.store.refuses, _both.store.cuts_after = 0, None
    return _both


# The whole
async def test_the_result_is_the_bundle(both: Both) -> None:
    async with both.get("heat/result") as response:
        assert response.status == 200
        assert await response.read() == BUNDLE
        assert response.headers["Content-Type"] == "application/zip"
        assert int(response.headers["Content-Length"]) == len(BUNDLE)
        assert response.headers["Accept-Ranges"] == "bytes"
        assert response.headers["Content-Disposition"] == 'attachment; filename="heat.zip"'
        etag = response.headers["ETag"]
    async with both.get("heat/result", headers={"If-None-Match": etag}) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == etag
    async with both.get("heat/result", headers={"If-Match": '"other"'}) as response:
        await problem_in(response, 412)


async def test_a_download_goes_on_where_it_broke_off(both: Both) -> None:
    async with both.get("heat/result") as response:
        etag = response.headers["ETag"]
    half = len(BUNDLE) // 2
    both.store.reset()
    async with both.get("heat/result", headers={"Range": f"bytes={half}-", "If-Range": etag}) as response:
        assert response.status == 206
        assert await response.read() == BUNDLE[half:]
        assert response.headers["Content-Range"] == f"bytes {half}-{len(BUNDLE) - 1}/{len(BUNDLE)}"
        assert int(response.headers["Content-Length"]) == len(BUNDLE) - half
    assert both.store.sent == len(BUNDLE) - half
    async with both.get("heat/result", headers={"Range": f"bytes={half}-", "If-Range": '"old"'}) as response:
        assert (response.status, await response.read()) == (200, BUNDLE)
    async with both.get("heat/result", headers={"Range": f"bytes={len(BUNDLE)}-"}) as response:
        await problem_in(response, 416)
        assert response.headers["Content-Range"] == f"bytes */{len(BUNDLE)}"


@pytest.mark.parametrize("path", ["heat/result", "heat/artifacts", "heat/artifacts/table.csv"])
async def test_head_says_what_get_says_and_reads_nothing_of_it(both: Both, path: str) -> None:
    async with both.get(path) as response:
        said = {
            name: response.headers.get(name)
            for name in ("Content-Type", "Content-Length", "ETag", "Content-Disposition")
        }
    both.store.reset()
    async with both.session.head(f"/api/v1/jobs/{path}", headers={"Range": "bytes=1-2"}) as response:
        assert response.status == 200
        assert await response.read() == b""
        assert {name: response.headers.get(name) for name in said} == said
    assert both.store.sent < TAIL_BYTES
    async with both.session.head("/api/v1/jobs/nothing/result") as response:
        assert response.status == 404


# When there is nothing
@pytest.mark.parametrize("rest", ["result", "artifacts", "artifacts/table.csv"])
@pytest.mark.parametrize(
    ("job", "status", "words"),
    [
        ("nothing", 404, "there is no job"),
        ("running", 409, "is Running: it has a result once it has finished"),
        ("pending", 409, "is Pending"),
        ("broken", 409, "it ended as Failed (ExitCode) and left no bundle"),
        ("expired", 410, "expired at 2026-03-02"),
        ("lost", 410, "no longer in the store"),
        ("thief", 409, "not its own"),
    ],
)
async def test_why_there_is_nothing_is_told(both: Both, rest: str, job: str, status: int, words: str) -> None:
    both.store.objects["jobs/other/secret/uid/pod.zip"] = BUNDLE
    async with both.get(f"{job}/{rest}") as response:
        assert words in (await problem_in(response, status))["detail"]


async def test_a_cancelled_job_gives_what_it_had(both: Both) -> None:
    async with both.get("partial/result") as response:
        assert (response.status, await response.read()) == (200, BUNDLE)
    async with both.get("partial/artifacts") as response:
        assert (await response.json())["partial"] is True


@pytest.mark.parametrize("rest", ["heat/result", "heat/artifacts", "heat/artifacts/noise.bin", "nothing"])
async def test_a_store_that_does_not_answer_is_told_apart(both: Both, rest: str) -> None:
    both.store.refuses = 403
    async with both.get(rest) as response:
        assert "store" in (await problem_in(response, 503))["detail"]
        assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("rest", ["heat/result", "heat/artifacts/noise.bin"])
async def test_a_connection_that_breaks_never_looks_like_the_end(both: Both, rest: str) -> None:
    async with both.get("heat/artifacts/metrics.json") as response:  # the directory is known from here on
        assert response.status == 200
    both.store.cuts_after = 600_000
    with pytest.raises(aiohttp.ClientPayloadError):
        await both.body(rest)


@pytest.mark.parametrize("rest", ["large/result", "large/artifacts/field.npy"])
async def test_who_leaves_in_the_middle_frees_the_connection_to_the_store(both: Both, rest: str) -> None:
    put_record(both.store, "large", "u1")
    both.store.objects[f"{key_prefix('default', 'large', 'u1')}/pod.zip"] = zipped({"field.npy": bytes(16 << 20)})
    for _ in range(20):  # more than there are threads
        async with both.get(rest) as response:
            assert await response.content.readany()
            response.close()
    await asyncio.wait_for(both.store.idle.wait(), 60)
    assert await both.body("heat/result") == BUNDLE


# The list
async def test_the_list_has_every_file_and_what_was_left_out(both: Both) -> None:
    async with both.get("heat/artifacts") as response:
        found = await response.json()
    assert [f["path"] for f in found["files"]] == list(FILES)
    assert [f["bytes"] for f in found["files"]] == [len(c) for c in FILES.values()]
    assert {f["sha256"] for f in found["files"]} == {"1"}
    assert found["skipped"] == [{"path": "out", "why": "a socket"}]
    assert (found["job"], found["partial"]) == ("heat", False)
    assert (found["bundle"]["bytes"], found["log"]["href"]) == (len(BUNDLE), "/api/v1/jobs/heat/logs")


@pytest.mark.parametrize("job", ["heat", "bare"])
async def test_every_link_of_the_list_leads_to_its_file(both: Both, job: str) -> None:
    async with both.get(f"{job}/artifacts") as response:
        found = await response.json()
    assert {f["path"] for f in found["files"]} == set(FILES)
    for file in found["files"]:
        async with both.session.get(URL(file["href"], encoded=True)) as response:
            assert await response.read() == FILES[file["path"]]
            assert response.content_type == file["media_type"]
    async with both.session.get(found["bundle"]["href"]) as response:
        assert await response.read() == BUNDLE


# One file
@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("wanted", ["bytes=0-0", "bytes=5-20", "bytes=-7", "bytes=100000-200000"])
async def test_any_range_of_any_file_is_that_part_of_it(both: Both, path: str, wanted: str) -> None:
    content = FILES[path]
    first, last = wanted.removeprefix("bytes=").split("-")
    part = content[int(first) : int(last) + 1] if first else content[-int(last) :]
    async with both.get(f"heat/artifacts/{quote(path)}", headers={"Range": wanted}) as response:
        if not content and not first:
            assert response.status == 200
        elif not part:
            await problem_in(response, 416)
        else:
            assert (response.status, await response.read()) == (206, part)


async def test_of_a_stored_file_only_its_own_bytes_are_read(both: Both) -> None:
    async with both.get("heat/artifacts/metrics.json") as response:  # the directory is known from here on
        assert response.status == 200
    both.store.reset()
    async with both.get("heat/artifacts/noise.bin", headers={"Range": "bytes=1000-1999"}) as response:
        assert await response.read() == NOISE[1000:2000]
    assert both.store.sent == 30 + 1000
    both.store.reset()
    async with both.get("heat/artifacts/noise.bin") as response:
        assert await response.read() == NOISE
    assert both.store.sent == 30 + len(NOISE)


async def test_a_page_among_the_results_is_no_page_of_the_gateway(both: Both) -> None:
    async with both.get("heat/artifacts/plots/page.html") as response:
        assert response.headers["Content-Disposition"].startswith("attachment;")
        assert "sandbox" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "nothing.csv",
        "plots",
        "plots/",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "..%5c..%5cetc",
        "table.csv%00",
        "plots%2f%2e%2e%2ftable.csv",
        ".%2ftable.csv",
        "%ff%fe",
        "x" * 5000,
        "record.json",
        "..%2frecord.json",
    ],
)
async def test_a_path_that_is_no_file_of_the_job_is_not_found(both: Both, path: str) -> None:
    both.store.objects[f"{key_prefix('default', 'heat', 'uid-heat')}/record.json"] = b"secret"
    async with both.get(f"heat/artifacts/{path}") as response:
        assert "has no file" in (await problem_in(response, 404))["detail"]
    assert {key for _, key in both.store.asked} <= {f"{key_prefix('default', 'heat', 'uid-heat')}/pod.zip"}


async def test_a_path_cannot_break_out_of_a_header(both: Both) -> None:
    async with both.get("heat/artifacts/table.csv%0d%0aX-Evil:%201") as response:
        await problem_in(response, 404)
        assert "X-Evil" not in response.headers


async def test_a_damaged_file_never_looks_complete(both: Both) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await both.body("damaged/artifacts/noise.bin")
    async with both.get("damaged/artifacts/metrics.json") as response:
        assert await response.read() == FILES["metrics.json"]


async def test_what_is_no_zip_is_told_to_be_none(both: Both) -> None:
    async with both.get("nozip/artifacts/table.csv") as response:
        assert "no zip" in (await problem_in(response, 502))["detail"]


# Elsewhere
async def test_with_a_public_address_the_answer_leads_there_for_a_while(start: Callable[..., Any]) -> None:
    both: Both = await start(store_public_endpoint="https://store.example.org:9443", store_url_seconds=60)
    async with both.get("heat/result") as response:
        assert response.status == 307
        url = urlsplit(response.headers["Location"])
    assert (url.scheme, url.netloc) == ("https", "store.example.org:9443")
    assert url.path == f"/simops/{key_prefix('default', 'heat', 'uid-heat')}/pod.zip"
    assert "X-Amz-Expires=60" in url.query
    assert "response-content-disposition=attachment" in url.query
    assert both.store.sent == 0
    for job, status in (("running", 409), ("lost", 410), ("expired", 410), ("nothing", 404)):
        async with both.get(f"{job}/result") as response:
            await problem_in(response, status)
    async with both.session.head("/api/v1/jobs/heat/result") as response:
        assert (response.status, response.content_length) == (200, len(BUNDLE))


# Whose object is gone
def put_record(store: Store, name: str, uid: str, created: int = SECONDS, **more: Any) -> None:
    store.objects[f"{key_prefix('default', name, uid)}/record.json"] = record(name, uid=uid, **more)
    store.objects[archive_key("default", created, name, uid)] = b"{}"


async def test_a_job_whose_object_is_gone_is_answered_from_its_record(both: Both) -> None:
    put_record(both.store, "old", "u1")
    both.store.objects[f"{key_prefix('default', 'old', 'u1')}/pod.zip"] = BUNDLE
    async with both.get("old") as response:
        found = await response.json()
    Job.model_validate(found)
    assert (found["archived"], found["status"], found["params"]) == (True, "Succeeded", {"length": 1.0})
    assert (found["labels"], found["created_at"]) == ({"project": "heat"}, CREATED)
    async with both.get("old/result") as response:
        assert await response.read() == BUNDLE
    async with both.get("old/artifacts/metrics.json") as response:
        assert await response.read() == FILES["metrics.json"]
    async with both.get("heat") as response:
        assert (await response.json())["archived"] is False


async def test_of_several_runs_of_one_name_the_one_that_finished_last_is_meant(both: Both) -> None:
    for number, uid in enumerate(("u3", "u1", "u2")):
        put_record(both.store, "again", uid, completed=f"2026-03-0{number + 1}T00:00:00Z")
    async with both.get("again") as response:
        assert (await response.json())["uid"] == "u2"


async def test_an_id_that_is_nothing_costs_one_list(both: Both) -> None:
    async with both.get("nothing-at-all") as response:
        await problem_in(response, 404)
    assert both.store.asked == [("GET", "jobs/default/nothing-at-all/")]


async def test_what_was_to_go_with_its_object_is_gone_with_it(both: Both) -> None:
    put_record(both.store, "owned", "u1", spec={"artifacts": {"deleteWithJob": True}})
    async with both.get("owned") as response:
        await problem_in(response, 404)


@pytest.mark.parametrize("text", [b"", b"[", b"[]", b"{}", b'{"spec": 1, "status": 2}', record("somebody-else")])
async def test_what_is_no_record_of_this_job_is_none(both: Both, text: bytes) -> None:
    both.store.objects[f"{key_prefix('default', 'strange', 'u1')}/record.json"] = text
    async with both.get("strange") as response:
        await problem_in(response, 404)


async def test_the_archive_lists_runs_whose_objects_are_gone(both: Both) -> None:
    put_record(both.store, "heat", "uid-heat")  # its object is there
    put_record(both.store, "heat", "uid-before", created=SECONDS - 60)
    put_record(both.store, "gone", "u1", created=SECONDS - 30)
    seen, after = [], ""
    while after is not None:
        async with both.session.get(f"/api/v1/jobs?archived=true&size=1{after and '&after=' + after}") as response:
            page = await response.json()
        seen += [(item["id"], item["uid"]) for item in page["items"]]
        assert all(item["archived"] for item in page["items"])
        after = page.get("next")
    assert ("heat", "uid-heat") not in seen
    assert seen.index(("gone", "u1")) < seen.index(("heat", "uid-before"))


@pytest.mark.parametrize("query", ["archived=true&page=2", "archived=true&after=x", "after=x", "archived=maybe"])
async def test_what_cannot_be_asked_of_a_list_is_said(both: Both, query: str) -> None:
    async with both.session.get(f"/api/v1/jobs?{query}") as response:
        assert (await problem_in(response, 422))["errors"][0]["location"] == "query"
