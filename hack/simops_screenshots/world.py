"""What is in the pictures: runs and sweeps in every state, with logs and files."""

import io
import json
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from browser.stage import Stage, until
from browser.swept import make_sweep
from contract.objects import axes, axis, job, sweep
from matplotlib.figure import Figure

LENGTH = 1.0
MAP = "scan-plate"
COMPARED = [f"{MAP}-{index}" for index in (2, 6, 13)]


def _ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _conditions(*several: tuple[str, str, str, float]) -> list[dict[str, Any]]:
    return [
        {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": _ago(seconds)}
        for kind, reason, message, seconds in several
    ]


def field() -> np.ndarray[Any, Any]:
    """A temperature over time and place."""
    x, t = np.linspace(0, LENGTH, 200), np.linspace(0, 1, 60)[:, None]
    decay = np.exp(-((math.pi / LENGTH) ** 2) * 0.12 * t)
    return np.asarray(
        100 * decay * np.sin(math.pi * x / LENGTH) + 12 * np.exp(-9 * t) * np.sin(5 * math.pi * x / LENGTH)
    )


def picture() -> bytes:
    """Draw the field."""
    figure = Figure(figsize=(7, 3.2), dpi=90, layout="constrained")
    one = figure.subplots()
    drawn = one.imshow(field(), aspect="auto", origin="lower", extent=(0, LENGTH, 0, 1), cmap="viridis")
    figure.colorbar(drawn, label="temperature (K)")
    one.set(xlabel="x (m)", ylabel="t (s)")
    made = io.BytesIO()
    figure.savefig(made, format="png")
    return made.getvalue()


def files() -> dict[str, bytes]:
    """What a run has left."""
    values = field()
    array = io.BytesIO()
    np.save(array, values)
    rows = [f"{t:.4f},{row.max():.5f},{row.mean():.5f}" for t, row in zip(np.linspace(0, 1, 60), values, strict=True)]
    metrics = {"final_center_temp": float(values[-1, 100]), "max_temp": float(values.max()), "steps": 200}
    return {
        "metrics.json": json.dumps(metrics).encode(),
        "history.csv": "\n".join(["t,max_temp,mean_temp", *rows, ""]).encode(),
        "field.npy": array.getvalue(),
        "field.png": picture(),
    }


def log_lines(steps: int) -> str:
    """What a run has printed."""
    lines = ["heat1d: length 1.0 m, 200 cells, diffusivity 0.01 m²/s, method crank-nicolson"]
    lines += [
        f"heat1d: {100 * i / steps:3.0f} %  step {i}/{steps}  t = {i / steps:.4f} s  max = {100 * math.exp(-0.6 * i / steps):.4f} K"
        for i in range(1, steps + 1)
    ]
    return "\n".join([*lines, "heat1d: finished", ""])


def mapped(stage: Stage) -> None:
    """Make a sweep that has ended: how warm the middle of a plate is after a second, over its diffusivity and length."""
    diffusivities = [float(f"{d:.4g}") for d in np.geomspace(0.001, 0.1, 20)]
    lengths = [float(f"{x:.4g}") for x in np.linspace(0.2, 1.0, 9)]
    space = axes(
        axis("diffusivity", logspace={"start": 0.001, "stop": 0.1, "num": 20}),
        axis("length", linspace={"start": 0.2, "stop": 1.0, "num": 9}),
    )
    points = [{"diffusivity": d, "length": x} for d in diffusivities for x in lengths]
    make_sweep(
        stage,
        MAP,
        space,
        points,
        lambda point: {
            "final_center_temp": 100 * math.exp(-point["diffusivity"] * (math.pi / point["length"]) ** 2),
            "steps": 200.0,
        },
        failed=[9 * 19, 9 * 19 + 1],
        with_files=range(len(points)),
        shared={"time_steps": 200, "method": "crank-nicolson"},
        startTime=_ago(300),
        completionTime=_ago(120),
    )


def fill(stage: Stage) -> None:
    """Make everything."""
    params = {"length": 1.0, "time_steps": 200, "diffusivity": 0.01, "initial_temp": 100.0, "method": "crank-nicolson"}
    stage.make(
        sweep(
            "scan-diffusivity",
            space=axes(
                axis("diffusivity", logspace={"start": 0.001, "stop": 0.1, "num": 24}),
                axis("length", values=[0.5, 1, 2]),
            ),
        ),
        phase="Running",
        points={"total": 72},
        succeededPoints="0-40",
        failedPoints="41",
        activePoints="42-49",
        startTime=_ago(400),
    )
    mapped(stage)
    # Objects of one second are listed by name; the runs are to stand above the points.
    made = int(time.time())
    until(lambda: int(time.time()) > made + 1, "the next second")
    for i in range(24):
        phase = ("Succeeded", "Succeeded", "Running", "Failed", "Succeeded", "Cancelled", "Queued", "Pending")[i % 8]
        started = {"startTime": _ago(900 - 30 * i)} if phase not in ("Queued", "Pending") else {}
        ended = {"completionTime": _ago(900 - 30 * i - 17)} if phase in ("Succeeded", "Failed", "Cancelled") else {}
        stage.make(
            job(f"heat-{i:03}", params={**params, "diffusivity": round(0.01 + 0.002 * i, 4)}),
            phase=phase,
            **started,
            **ended,
        )
    stage.make(
        job(
            "heat-demo",
            command=["python", "-m", "simops_sim"],
            params=params,
            resources={"limits": {"cpu": "1", "memory": "512Mi"}},
            metadata={"project": "heat-transfer"},
        )
    )
    metrics = {"final_center_temp": 30.597, "max_temp": 111.38, "steps": 200}
    conditions = _conditions(
        ("Accepted", "Accepted", "the job keeps all rules", 0),
        ("Started", "Running", "the simulation runs", -4),
        ("ArtifactsStored", "Stored", "4 files are in the store", -21),
        ("Finished", "Completed", "the simulation has ended with exit code 0", -22),
    )
    stage.leave(
        "heat-demo",
        files(),
        log_lines(200),
        metrics=metrics,
        conditions=conditions,
        startTime=_ago(-4),
        completionTime=_ago(-22),
    )
