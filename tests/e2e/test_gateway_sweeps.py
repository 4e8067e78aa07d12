"""A sweep by REST from its making to its results: in batch mode, with tables, files, logs, pictures and one zip of everything."""

import csv
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from e2e.cluster import until
from e2e.gateway import Gateway
from e2e.lab import SWEEPS, TESTBOX, Lab

from simops_images.catalogue import ROOT


def finished(gateway: Gateway, sweep: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = gateway.get(f"/sweeps/{sweep}").json
        return found if found["status"] in ("Succeeded", "Failed", "Cancelled") else None

    return until(look, f"{sweep} ends", within=300)


@pytest.fixture(scope="module")
def heat(gateway: Gateway) -> Iterator[str]:
    spec = yaml.safe_load((ROOT / "examples" / "sweep-grid.yaml").read_text())["spec"]
    body = {**spec.pop("template"), "space": spec.pop("space"), **spec}
    made = gateway.call("POST", "/jobs", body)
    assert made.status == 201, made.content
    sweep: str = made.json["sweep"]
    ended = finished(gateway, sweep)
    assert ended["status"] == "Succeeded", ended
    assert ended["points"]["by_status"] == {"Succeeded": 192}
    yield sweep
    gateway.call("DELETE", f"/sweeps/{sweep}")


def test_the_table_has_parameters_and_metrics_of_every_point(gateway: Gateway, heat: str) -> None:
    answer = gateway.get(f"/sweeps/{heat}/table")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    assert [int(row["index"]) for row in rows] == list(range(192))
    assert {row["status"] for row in rows} == {"Succeeded"}
    assert len({(row["diffusivity"], row["initial_temp"]) for row in rows}) == 192
    assert all(0 < float(row["final_center_temp"]) <= float(row["initial_temp"]) for row in rows)
    assert gateway.get(f"/sweeps/{heat}/table?format=parquet").content.startswith(b"PAR1")
    assert len(gateway.get(f"/sweeps/{heat}/table?format=json").json) == 192


def test_a_point_is_a_job_with_files_and_a_log(gateway: Gateway, heat: str) -> None:
    point = gateway.get(f"/jobs/{heat}-17").json
    assert (point["status"], point["sweep"], point["index"], point["reason"]) == ("Succeeded", heat, 17, "Completed")
    assert {"diffusivity", "initial_temp", "time_steps"} <= point["params"].keys()
    files = {file["path"]: file for file in gateway.get(f"/jobs/{heat}-17/artifacts").json["files"]}
    assert {"metrics.json", "log.txt"} <= files.keys()
    metrics = gateway.get(f"/jobs/{heat}-17/artifacts/metrics.json")
    assert metrics.json["final_center_temp"] == point["metrics"]["final_center_temp"]
    assert gateway.get(f"/jobs/{heat}-17/artifacts/../18/metrics.json").status == 404
    assert b"heat1d: done" in gateway.get(f"/jobs/{heat}-17/logs?tail=1").content
    with zipfile.ZipFile(io.BytesIO(gateway.get(f"/jobs/{heat}-17/result").content)) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == files.keys()


def test_everything_comes_as_one_zip(gateway: Gateway, heat: str) -> None:
    with zipfile.ZipFile(io.BytesIO(gateway.get(f"/sweeps/{heat}/result").content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert {f"{i}/metrics.json" for i in range(192)} | {"table.csv", "manifest.json"} <= set(names)
        assert archive.read("table.csv") == gateway.get(f"/sweeps/{heat}/table").content


def test_pictures_are_drawn_and_what_cannot_be_drawn_is_said(gateway: Gateway, heat: str) -> None:
    plot = f"/sweeps/{heat}/plot?metric=final_center_temp&x=diffusivity"
    assert gateway.get(f"{plot}&y=initial_temp").content.startswith(b"\x89PNG")
    line = gateway.get(f"{plot}&group=initial_temp&format=svg")
    assert line.status == 422  # twelve lines are too many to be told apart
    assert gateway.get(f"{plot}&format=svg").content.startswith(b"<?xml")
    missing = gateway.get(f"/sweeps/{heat}/plot?metric=speed&x=diffusivity")
    assert missing.status == 422
    assert "final_center_temp" in missing.json["detail"]


def test_points_stand_in_the_list_of_jobs_with_their_results(gateway: Gateway, heat: str) -> None:
    page = gateway.get(f"/jobs?sweep={heat}&size=3&sort=created").json
    assert page["total"] == 192
    assert [item["index"] for item in page["items"]] == [0, 1, 2]
    assert all("final_center_temp" in item["metrics"] for item in page["items"])


def test_a_sweep_outlives_its_object(gateway: Gateway, simops: Lab) -> None:
    body = {
        "image": TESTBOX,
        "command": ["sh", "-c", 'echo "$@"; test "$2" != 2', "point"],
        "sweep": [{"x": x} for x in range(4)],
    }
    sweep = gateway.call("POST", "/sweeps", {**body, "points_per_pod": 2}).json["sweep"]
    before = finished(gateway, sweep)
    assert before["points"]["by_status"] == {"Succeeded": 3, "Failed": 1}
    reads = ("points", "table", "table?format=json", "plot?metric=seconds&x=x&format=svg")
    there = {path: gateway.get(f"/sweeps/{sweep}/{path}").content for path in reads}
    log = gateway.get(f"/jobs/{sweep}-1/logs").content
    simops.cluster.request("DELETE", f"{SWEEPS}/{sweep}")

    def gone() -> dict[str, Any] | None:
        found: dict[str, Any] = gateway.get(f"/sweeps/{sweep}").json
        return found if found.get("archived") else None

    after = until(gone, "the gateway has seen that it is gone", within=60)
    told = ("status", "reason", "points", "space", "completed_at", "uid")
    assert {name: after[name] for name in told} == {name: before[name] for name in told}
    assert {path: gateway.get(f"/sweeps/{sweep}/{path}").content for path in reads[:3]} == {
        p: there[p] for p in reads[:3]
    }
    assert gateway.get(f"/sweeps/{sweep}/{reads[3]}").status == 200
    point = gateway.get(f"/jobs/{sweep}-1").json
    assert (point["status"], point["archived"], point["params"]) == ("Succeeded", True, {"x": 1})
    assert gateway.get(f"/jobs/{sweep}-1/logs").content == log == b"--x 1\n"
    assert gateway.get(f"/jobs/{sweep}-4").status == 404
    with zipfile.ZipFile(io.BytesIO(gateway.get(f"/sweeps/{sweep}/result").content)) as archive:
        assert {f"{x}/log.txt" for x in range(4)} <= set(archive.namelist())
    assert sweep in [one["id"] for one in gateway.get("/sweeps?archived=true&size=100").json["items"]]
    assert sweep not in [one["id"] for one in gateway.get("/sweeps?size=100").json["items"]]
    assert gateway.call("DELETE", f"/sweeps/{sweep}").status == 404
