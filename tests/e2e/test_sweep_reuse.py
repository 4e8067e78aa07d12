"""Results of earlier identical runs in a sweep: of a job, of another sweep, and of nobody when the image is not known by its digest."""

import io
import zipfile
from typing import Any

import pytest
from e2e.cluster import until
from e2e.gateway import Gateway
from e2e.lab import Lab, job

from simops_images.catalogue import TESTBOX, name_of

SCRIPT = 'echo "at $2"; echo "{\\"twice\\": $((2 * $2))}" > "$SIMOPS_OUTPUTS/metrics.json"'
COMMAND = ["/bin/sh", "-c", SCRIPT, "point"]


@pytest.fixture(scope="module")
def image(simops: Lab) -> str:
    """The image of the tests by its digest, as a node tells it of a run that was given its tag."""
    name = name_of(TESTBOX)
    told = str(simops.start(job("tagged", "true")).ended("Succeeded", "Completed")["imageId"])
    if not told.startswith(f"{name.rpartition(':')[0]}@sha256:"):
        pytest.skip(
            f"the nodes of this cluster know imported images by no digest ({told}); goes when a registry is part of it"
        )
    return f"{name}@{told.partition('@')[2]}"


def ended(gateway: Gateway, path: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = gateway.get(path).json
        return found if found["status"] in ("Succeeded", "Failed", "Cancelled") else None

    found = until(look, f"{path} ends", within=240)
    assert found["status"] == "Succeeded", found
    return found


def made(gateway: Gateway, **body: Any) -> dict[str, Any]:
    answer = gateway.call("POST", "/jobs", {"command": COMMAND, **body})
    assert answer.status == 201, answer.content
    found: dict[str, Any] = answer.json
    return found


def points(count: int) -> list[dict[str, int]]:
    return [{"x": x} for x in range(count)]


def test_what_was_run_before_is_taken_with_its_files_and_its_log(gateway: Gateway, image: str) -> None:
    job = made(gateway, image=image, params={"x": 3})["jobs"][0]
    ended(gateway, f"/jobs/{job}")
    first = made(gateway, image=image, sweep=points(6), points_per_pod=3, reuse=True)["sweep"]
    assert ended(gateway, f"/sweeps/{first}")["points"]["reused"] == 1
    rows = gateway.get(f"/sweeps/{first}/points").json["items"]
    assert [row.get("reused") for row in rows] == [None, None, None, job, None, None]
    assert [row["metrics"] for row in rows] == [{"twice": 2 * x} for x in range(6)]

    second = made(gateway, image=image, sweep=points(8), points_per_pod=4, reuse=True)["sweep"]
    found = ended(gateway, f"/sweeps/{second}")
    assert found["points"]["reused"] == 6
    rows = gateway.get(f"/sweeps/{second}/points").json["items"]
    whose = [f"{first}-0", f"{first}-1", f"{first}-2", job, f"{first}-4", f"{first}-5", None, None]
    assert [row.get("reused") for row in rows] == whose
    for index in (1, 3, 7):  # of a sweep, of a job, its own
        point = f"{second}-{index}"
        assert gateway.get(f"/jobs/{point}").json.get("reused") == whose[index]
        assert gateway.get(f"/jobs/{point}/logs").content == f"at {index}\n".encode()
        assert gateway.get(f"/jobs/{point}/artifacts/metrics.json").json == {"twice": 2 * index}
        with zipfile.ZipFile(io.BytesIO(gateway.get(f"/jobs/{point}/result").content)) as archive:
            assert "metrics.json" in archive.namelist()
    with zipfile.ZipFile(io.BytesIO(gateway.get(f"/sweeps/{second}/result").content)) as archive:
        assert archive.testzip() is None
        assert {f"{x}/metrics.json" for x in range(8)} <= set(archive.namelist())

    third = made(gateway, image=image, sweep=points(8), reuse=True)["sweep"]
    found = ended(gateway, f"/sweeps/{third}")
    assert (found["points"]["reused"], found["rounds"]) == (8, 0)


def test_behind_a_tag_nothing_is_taken_and_that_is_said_at_the_door(gateway: Gateway) -> None:
    answer = gateway.call(
        "POST", "/jobs", {"image": "sim:local", "command": COMMAND, "sweep": points(2), "reuse": True}
    )
    assert answer.status == 422
    assert "digest" in answer.json["detail"]
