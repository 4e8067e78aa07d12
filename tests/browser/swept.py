"""A sweep as operator and Pods would have written it: points, table and bundles in the store, states in the object."""

import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from browser.stage import STARTED, Stage
from contract.objects import Manifest, sweep
from stored import put_points, zip_of

from simops_crds.names import sweep_prefix

Params = dict[str, Any]


def files_of(index: int, rows: int = 3, length: int = 40) -> dict[str, bytes]:
    """What a point has left: a field that it ended in, and how it came there."""
    x = np.linspace(0, 1, length)
    field = np.stack([np.sin(np.pi * x) * np.exp(-(row + 1) * (index + 1) / 10) for row in range(rows)])
    out = io.BytesIO()
    np.save(out, field)
    lines = [f"{t / 10},{np.exp(-t * (index + 1) / 20):.6f}" for t in range(20)]
    return {"field.npy": out.getvalue(), "history.csv": "\n".join(["t,energy", *lines, ""]).encode()}


def make_sweep(
    stage: Stage,
    name: str,
    space: Manifest,
    points: Sequence[Params],
    metrics: Callable[[Params], dict[str, float]],
    *,
    failed: Sequence[int] = (),
    with_files: Sequence[int] = (),
    shared: Params | None = None,
    **status: Any,
) -> Manifest:
    """Make a sweep all of whose points have ended, unless the status says otherwise."""
    manifest = sweep(name, space=space, template={"params": shared or {}})
    stage.make(manifest)
    prefix = sweep_prefix("default", name, stage.api.read(manifest)["metadata"]["uid"])
    index = put_points(stage.store.objects, prefix, points)
    bundle = f"{prefix}/rounds/0/0/pod-0.zip"
    for ref in index.chunks:
        lines = []
        for i in range(ref.first, ref.first + ref.count):
            good = {"exitCode": 0, "reason": "Completed", "metrics": metrics(points[i])}
            how = {"exitCode": 3, "reason": "ExitCode"} if i in failed else good
            lines.append({"index": i, "seconds": 0.5, "round": 0, "pack": 0, "bundle": bundle, **how})
        stage.store.objects[f"{prefix}/table/{ref.file}"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    files = {f"{i}/{path}": content for i in with_files for path, content in files_of(i).items()}
    stage.store.objects[bundle] = zip_of(files)
    last = len(points) - 1
    whole = {
        "phase": "Succeeded",
        "startTime": STARTED,
        "pointsDigest": index.digest,
        "points": {"total": len(points)},
        "succeededPoints": f"0-{last}",
        **status,
    }
    if failed:
        left = [i for i in range(len(points)) if i not in failed]
        whole |= {"succeededPoints": ",".join(map(str, left)), "failedPoints": ",".join(map(str, failed))}
    stage.api.patch(manifest, {"status": whole}, status=True)
    return manifest
