"""The page about the client: its code is run, against a gateway that has one run and one sweep."""

import io
import re
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from clients import event, fresh, job, problem, streamed, sweep, told

import simops_client
from simops_api.jobs.requests import JobRequest
from simops_client import errors
from simops_crds.space import count

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
POINTS = [
    {"index": n, "id": f"s-1-{n}", "status": "Failed", "params": {"diffusivity": n / 10}, "metrics": {"l2_error": 1.0}}
    for n in range(3)
]
PAGE = {"page": 1, "size": 200, "total": 1}


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("result.csv", "a")
    return buffer.getvalue()


def gateway(request: httpx.Request) -> httpx.Response:
    path = request.url.path.removeprefix("/api/v1/")
    if request.method == "POST" and b"no good name" in request.content:
        return problem(422, errors=[{"location": "body", "field": "params", "detail": "must start with a letter"}])
    if path in ("jobs", "sweeps") and request.method == "POST":
        asked = JobRequest.model_validate_json(request.content)
        assert asked.space is None or count(asked.space) == 96
    if request.method == "POST":
        return told(sweep(), 202) if path.endswith("rerun") else MADE[path]
    lines = event("line", "step 1", id="1") + event("end", {"status": "Succeeded"})
    answers = {
        "jobs/sim-1/events": streamed(event("state", job("Succeeded", metrics={"m": 1.0})) + event("end", {})),
        "jobs/sim-1/logs/stream": streamed(lines),
        "jobs/sim-1/logs": httpx.Response(200, text="step 1\n"),
        "jobs/sim-1/artifacts": told({"job": "sim-1", "files": [{"path": "a", "bytes": 1}], "bundle": {"bytes": 1}}),
        "jobs/sim-1/artifacts/metrics.json": told({"a": 1}),
        "jobs/sim-1/artifacts/temperature_field.npy": httpx.Response(200, content=npy()),
        "jobs/sim-1/artifacts/simulation_results.png": httpx.Response(200, content=b"\x89PNG\r\n\x1a\n"),
        "jobs/sim-1/artifacts/result.csv": httpx.Response(200, content=b"a"),
        "jobs/stats": told({"total": 1, "by_status": {"Succeeded": 1}}),
        "jobs": told({"items": [job("Failed")], **PAGE}),
        "jobs/sim-1": told(job("Succeeded")),
        "sweeps/s-1": told(sweep("Succeeded")),
        "sweeps/s-1/points": told({"items": POINTS, **PAGE, "total": 3}),
        "sweeps/s-1/table": told(POINTS),
        "sweeps/s-1/plot": httpx.Response(200, content=b"\x89PNG"),
    }
    return httpx.Response(200, content=zipped()) if path.endswith("/result") else answers[path]


MADE = {
    "jobs": told({"jobs": ["sim-1"], "sweep_mapping": {}}, 201),
    "jobs/bulk": told({"jobs": ["sim-1", "sim-1"]}, 201),
    "sweeps": told({"jobs": [], "sweep": "s-1", "sweep_mapping": {}}, 201),
}


def test_the_code_of_the_page_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMOPS_URL", "http://gateway")
    monkeypatch.delenv("SIMOPS_TOKEN", raising=False)
    # Without pyarrow a table comes as JSON, which is easier to answer.
    monkeypatch.setattr("simops_client.core.tables.find_spec", lambda name: name == "pandas" or None)
    for name in ("Client", "AsyncClient"):
        client = partial(
            getattr(simops_client, name), transport=httpx.MockTransport(lambda request: fresh(gateway(request)))
        )
        monkeypatch.setattr(simops_client, name, client)
    names: dict[str, Any] = {"__name__": "guide"}
    for block in BLOCKS:
        exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102 - the page is a part of this project
    assert len(BLOCKS) == 8
    assert names["last"] == ["step 1"]
    assert list(names["best"]["diffusivity"]) == [0.0, 0.1, 0.2]
    assert (tmp_path / "out" / "heat" / "result.csv").read_text() == "a"
    names["client"].close()


def test_every_exception_and_every_call_is_told() -> None:
    kinds = {kind.__name__ for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert {name for name in kinds if f"`{name}`" not in GUIDE} == set()
    # The names that somebody would look for; `get_sweep` and `sweeps` are as those of jobs.
    for kind in (simops_client.Job, simops_client.Sweep):
        calls = {name for name, call in vars(kind).items() if callable(call) and not name.startswith("_")}
        assert {name for name in calls if f".{name}(" not in GUIDE} <= {"rows"}
