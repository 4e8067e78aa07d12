"""The Pod of a pack: its objects in a real store, its sidecar as a process, and the runner as its simulation container."""

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from integration.servers import Server
from integration.sidecar import Sidecar
from sweepstore import compact, objects

POD = "heat-1-abcde"
FASTER = "from simops_operator.pod import bundle, pack; pack.LOOK_SECONDS = 0.05; raise SystemExit(bundle.main())"
"""The sidecar, but that it looks for cancelled points more often."""


class PackPod:
    """A Pod that runs one pack of the points 0 … count - 1."""

    def __init__(
        self,
        make: Callable[..., Sidecar],
        store: Server,
        count: int = 5,
        *,
        command: tuple[str, ...] = ("true",),
        batch: bool = False,
        **variables: str,
    ) -> None:
        self.store = store
        self.sidecar = make(store, **variables)
        folder = self.sidecar.outputs.parent
        self.prefix = f"sweeps/lab/heat/{folder.name}-{store.kind}"
        self.key = f"{self.prefix}/rounds/0/0/{POD}"
        self.points = folder / "points"
        self.points.mkdir()
        self.objects = objects([{"x": index} for index in range(count)], f"0-{count - 1}", count, prefix=self.prefix)
        del self.sidecar.environment["SIMOPS_KEY_PREFIX"]
        self.sidecar.environment |= {
            "SIMOPS_SWEEP": "heat",
            "SIMOPS_SWEEP_PREFIX": self.prefix,
            "SIMOPS_ROUND": "0",
            "JOB_COMPLETION_INDEX": "0",
            "SIMOPS_POINTS_DIR": str(self.points),
            "SIMOPS_COMMAND": json.dumps(command),
            "SIMOPS_TEMPLATE_PARAMS": '{"shared":true}',
            "SIMOPS_BATCH": json.dumps(batch),
            "SIMOPS_POINT_SECONDS": "60",
        }

    @property
    def outputs(self) -> Path:
        return self.sidecar.outputs

    def put(self, key: str, data: bytes) -> None:
        self.store.client.put_object(self.store.bucket, key, io.BytesIO(data), len(data))

    def publish(self) -> "PackPod":
        """Do what the operator does before it makes the Job."""
        for key, data in self.objects.items():
            self.put(key, data)
        return self

    def cancel(self, points: str) -> None:
        self.put(f"{self.prefix}/cancelled.json", compact({"points": points}))

    def ready(self) -> bool:
        return (self.points / "ready").exists()

    def simulate(self) -> int:
        """Run the simulation container to its end; its exit code."""
        command = ["dash", str(self.points / "run.sh")]
        return subprocess.run(command, stdout=subprocess.DEVNULL, timeout=60, check=False).returncode

    def ended(self, *indexes: int, code: int = 0) -> None:
        """Write what the runner writes of points that have ended."""
        for index in indexes:
            self.begun(index)
            with (self.outputs / "results.jsonl").open("a") as file:
                file.write(f'{{"index":{index},"exitCode":{code},"seconds":0.25}}\n')

    def begun(self, index: int) -> None:
        (self.outputs / str(index)).mkdir()
        (self.outputs / str(index) / "log.txt").write_text(f"log of {index}\n")

    def stored(self) -> list[dict[str, Any]]:
        """The results in the store."""
        return [json.loads(line) for line in self.store.get(f"{self.key}.jsonl").splitlines()]
