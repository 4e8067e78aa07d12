"""Results through the gateway: while the object is there, when it is gone, and when they have expired."""

import hashlib
import time
from typing import Any

import pytest
import yaml
from e2e.bucket import unpacked
from e2e.cluster import Object, until
from e2e.gateway import Answer, Gateway
from e2e.lab import NAMESPACE, Lab, Run, job

from simops_images.catalogue import ROOT

EXAMPLE = ROOT / "examples" / "heat.yaml"


@pytest.fixture(scope="module")
def heat(simops: Lab) -> Run:
    manifest: Object = yaml.safe_load(EXAMPLE.read_text())
    manifest["metadata"] |= {"namespace": NAMESPACE, "name": "heat-rest", "labels": {"project": "rest"}}
    run = simops.start(manifest)
    run.ended("Succeeded", "Completed")
    return run


def seen(gateway: Gateway, run: Run, **wanted: Any) -> Object:
    """Return the job as soon as the gateway tells it so."""

    def probe() -> Object | None:
        answer = gateway.get(f"/jobs/{run.name}")
        found: Object = answer.json
        return found if answer.status == 200 and wanted.items() <= found.items() else None

    return until(probe, lambda: f"{run.name} is {wanted}: {gateway.get(f'/jobs/{run.name}').content!r}")


def answers(gateway: Gateway, path: str, status: int) -> Answer:
    """Return the answer as soon as it is of this status."""

    def probe() -> Answer | None:
        answer = gateway.get(path)
        return answer if answer.status == status else None

    return until(probe, lambda: f"{status} for {path}: {gateway.get(path).content!r}")


def archived(gateway: Gateway, query: str = "") -> list[Object]:
    """Return all pages of the archive."""
    found: list[Object] = []
    after = ""
    while True:
        page = gateway.get(f"/jobs?archived=true&size=2{query}{after}").json
        found += page["items"]
        if "next" not in page:
            return found
        after = f"&after={page['next']}"


def test_the_result_its_list_and_its_files_are_the_bundle_in_the_store(
    gateway: Gateway, simops: Lab, heat: Run
) -> None:
    found = seen(gateway, heat, status="Succeeded", archived=False)
    files = simops.unpacked(heat.status["artifacts"])
    result = gateway.get(f"/jobs/{heat.name}/result")
    assert (result.status, result.headers["Content-Type"]) == (200, "application/zip")
    assert unpacked(result.content, found["artifacts"]["sha256"]) == files
    part = gateway.get(f"/jobs/{heat.name}/result", Range="bytes=10-19")
    assert (part.status, part.content) == (206, result.content[10:20])

    listing = gateway.get(f"/jobs/{heat.name}/artifacts").json
    assert {f["path"]: (f["bytes"], f["sha256"]) for f in listing["files"]} == {
        path: (len(content), hashlib.sha256(content).hexdigest()) for path, content in files.items()
    }
    assert listing["bundle"]["sha256"] == found["artifacts"]["sha256"]
    for file in listing["files"]:
        one = gateway.get(file["href"].removeprefix("/api/v1"))
        assert one.content == files[file["path"]]
        assert one.headers.get_content_type() == file["media_type"]
        last = gateway.get(file["href"].removeprefix("/api/v1"), Range="bytes=-5")
        assert (last.status, last.content) == (206, files[file["path"]][-5:])


def test_what_a_failed_run_left_is_there_and_of_one_that_never_ran_there_is_nothing(
    gateway: Gateway, simops: Lab
) -> None:
    runs = simops.start_all(
        job("rest-fails", 'echo half > "$SIMOPS_OUTPUTS/half.txt"; exit 3'), job("rest-held", "true", suspend=True)
    )
    runs["rest-fails"].ended("Failed", "ExitCode")
    seen(gateway, runs["rest-fails"], status="Failed")
    assert gateway.get("/jobs/rest-fails/artifacts/half.txt").content == b"half\n"
    seen(gateway, runs["rest-held"], status="Queued")
    held = gateway.get("/jobs/rest-held/result")
    assert (held.status, "once it has finished" in held.json["detail"]) == (409, True)
    runs["rest-held"].patch(cancelled=True)
    seen(gateway, runs["rest-held"], status="Cancelled")
    held = gateway.get("/jobs/rest-held/result")
    assert (held.status, "left no bundle" in held.json["detail"]) == (409, True)
    assert gateway.get("/jobs/rest-nothing/result").status == 404


def test_a_run_outlives_its_object(gateway: Gateway, simops: Lab, heat: Run) -> None:
    before = seen(gateway, heat, status="Succeeded")
    bundle = gateway.get(f"/jobs/{heat.name}/result")
    assert heat.uid not in [item["uid"] for item in archived(gateway)]
    heat.delete()
    after = seen(gateway, heat, archived=True)
    assert after == before | {"archived": True}
    assert after["labels"] == {"project": "rest"}
    again = gateway.get(f"/jobs/{heat.name}/result")
    assert (again.content, again.headers["ETag"]) == (bundle.content, bundle.headers["ETag"])
    assert gateway.get(f"/jobs/{heat.name}/artifacts/metrics.json").json == before["metrics"]
    assert heat.uid in [item["uid"] for item in archived(gateway)]
    assert heat.uid in [item["uid"] for item in archived(gateway, "&label=project%3Drest&status=success")]
    assert archived(gateway, "&label=project%3Dother") == []
    created = [item["created_at"] for item in archived(gateway)]
    assert created == sorted(created, reverse=True)


def test_expired_results_are_told_apart_from_none(gateway: Gateway, simops: Lab) -> None:
    run = simops.start(job("rest-expires", 'echo a > "$SIMOPS_OUTPUTS/a.txt"', artifacts={"expireAfterSeconds": 60}))
    status = run.finished()
    assert status["artifacts"]["expirationTime"]
    seen(gateway, run, status="Succeeded")
    assert gateway.get("/jobs/rest-expires/result").status == 200
    answers(gateway, "/jobs/rest-expires/result", 410)
    until(lambda: set(run.objects()) == {"record.json"}, "bundle and log are removed")
    assert gateway.get("/jobs/rest-expires/artifacts/a.txt").status == 410
    run.delete()
    assert seen(gateway, run, archived=True)["status"] == "Succeeded"
    assert gateway.get("/jobs/rest-expires/result").status == 410
    assert run.uid in [item["uid"] for item in archived(gateway)]


def test_what_goes_with_its_object_is_gone_at_once(gateway: Gateway, simops: Lab) -> None:
    run = simops.start(job("rest-owned", 'echo a > "$SIMOPS_OUTPUTS/a.txt"', artifacts={"deleteWithJob": True}))
    run.finished()
    seen(gateway, run, status="Succeeded")
    assert gateway.get("/jobs/rest-owned/artifacts/a.txt").status == 200
    began = time.time()
    run.delete()
    answers(gateway, "/jobs/rest-owned", 404)
    answers(gateway, "/jobs/rest-owned/result", 404)
    assert run.uid not in [item["uid"] for item in archived(gateway)]
    until(
        lambda: not run.objects(),
        lambda: f"its artifacts are removed, {time.time() - began:.0f} s after it was deleted",
    )
    assert gateway.get("/jobs/rest-owned").status == 404
