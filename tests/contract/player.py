"""Plays the operator and its Pods where there is no kubelet: runs what is asked for with the sample simulation, stores the results, and writes the status.

The simulation is the real one, in batch mode for sweeps; keys and documents in the store are made by the code that operator and gateway share.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from contract.objects import JOB, SWEEP, Manifest
from contract.server import Api
from s3 import Store
from stored import put_points, zip_of

from simops_crds.names import key_prefix, sweep_prefix
from simops_crds.space import expand
from simops_crds.v1alpha1 import SimulationSweepSpec

ENDED = {"startTime": "2026-11-23T16:00:00Z", "completionTime": "2026-11-23T16:00:05Z"}
SIMULATION = [sys.executable, "-m", "simops_sim"]
SECONDS = 120.0


def simulate(arguments: Iterable[str], **environ: Any) -> str:
    """Run the sample simulation; return what it printed."""
    variables = {name: str(value) for name, value in environ.items()}
    done = subprocess.run(
        [*SIMULATION, *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def zipped(folder: Path) -> bytes:
    return zip_of({str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()})


class Player:
    """Ends every run and sweep of the default namespace that nobody has ended."""

    def __init__(self, api: Api, store: Store, folder: Path) -> None:
        self.api = api
        self.store = store
        self.folder = folder
        self.made: list[Manifest] = []
        self._seen: set[str] = set()

    def finish(self, manifest: Manifest, phase: str, **status: Any) -> None:
        self.api.patch(manifest, {"status": {"phase": phase, **ENDED, **status}}, status=True)

    def run_job(self, found: Manifest) -> None:
        """Do what operator and Pod do for a run."""
        meta, params = found["metadata"], found["spec"].get("params", {})
        self.api.patch(found, {"status": {"phase": "Running", "startTime": ENDED["startTime"]}}, status=True)
        outputs = self.folder / meta["uid"]
        outputs.mkdir()
        words = [word for name in sorted(params) for word in (f"--{name}", str(params[name]))]
        log = simulate(words, SIMOPS_OUTPUTS=outputs)
        pod = f"{meta['name']}-played"
        prefix = f"{key_prefix('default', meta['name'], meta['uid'])}/{pod}"
        self.store.objects |= {f"{prefix}.zip": zipped(outputs), f"{prefix}.log": log.encode()}
        metrics = json.loads((outputs / "metrics.json").read_text())
        artifacts = {"bundle": f"{prefix}.zip", "log": f"{prefix}.log"}
        self.finish(found, "Succeeded", podName=pod, exitCode=0, metrics=metrics, artifacts=artifacts)

    def run_sweep(self, found: Manifest) -> None:
        """Do what operator and Pods do for a sweep: one round of one pack."""
        meta = found["metadata"]
        spec = SimulationSweepSpec.model_validate(found["spec"])
        prefix = sweep_prefix("default", meta["name"], meta["uid"])
        shared = dict(spec.template.params or {})
        points = list(expand(spec.space, shared))
        index = put_points(self.store.objects, prefix, points)
        results = self._batch(meta["uid"], [shared | dict(point) for point in points])
        bundle = f"{prefix}/rounds/0/0/{meta['name']}-played.zip"
        self.store.objects[bundle] = zipped(self.folder / meta["uid"] / "outputs")
        lines = [{**line, "reason": "Completed", "round": 0, "pack": 0, "bundle": bundle} for line in results]
        for ref in index.chunks:
            text = "".join(f"{json.dumps(line)}\n" for line in lines[ref.first : ref.first + ref.count])
            self.store.objects[f"{prefix}/table/{ref.file}"] = text.encode()
        everything = f"0-{len(points) - 1}"
        counts = {"total": len(points), "succeeded": len(points)}
        self.finish(found, "Succeeded", pointsDigest=index.digest, points=counts, succeededPoints=everything)

    def _batch(self, uid: str, params: list[dict[str, Any]]) -> list[dict[str, Any]]:
        folder = self.folder / uid
        (folder / "outputs").mkdir(parents=True)
        asked = [
            {"index": i, "params": one, "outputs": str(folder / "outputs" / str(i))} for i, one in enumerate(params)
        ]
        (folder / "points.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in asked))
        places = {"SIMOPS_POINTS": folder / "points.jsonl", "SIMOPS_RESULTS": folder / "results.jsonl"}
        simulate([], **places, SIMOPS_OUTPUTS=folder / "outputs")
        lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
        return sorted(lines, key=lambda line: int(line["index"]))

    def pending(self) -> list[Manifest]:
        """Return what nobody has looked at yet."""
        found = [one for kind in (JOB, SWEEP) for one in self.api.items(kind)]
        new = [one for one in found if one["metadata"]["uid"] not in self._seen and not one.get("status")]
        self._seen |= {one["metadata"]["uid"] for one in new}
        return new

    async def play(self) -> None:
        """Go on until cancelled; what goes wrong is raised."""
        while True:
            for one in await asyncio.to_thread(self.pending):
                self.made.append(one)
                await asyncio.to_thread(self.run_job if one["kind"] == JOB else self.run_sweep, one)
            await asyncio.sleep(0.2)
