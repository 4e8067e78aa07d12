"""What the Pod of a pack costs beside its simulation.

    .venv/bin/python hack/bench/pack.py

The sidecar: CPU of its whole life (its points staged, its results uploaded) for packs of 1 and of 1,000 points, against the
sidecar of a job in the same run. The runner: CPU and wall time of a point beyond those of its command, against the same shell
that only runs the command in a loop (`true`, a process that does nothing), with 1,000 and 10,000 points in one pack. The ratios
are what counts: the absolute figures are the machine's.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from minio import Minio

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "hack"))
from bench import bundle  # noqa: E402 - its neighbour, which is a program too
from localcluster import packages  # noqa: E402
from simops_operator.pod import stage  # noqa: E402

SHELLS = {"dash": ["dash"], "busybox ash": ["busybox", "sh"], "bash": ["bash"]}
PREFIX = "sweeps/bench"


@dataclass(frozen=True)
class Cost:
    """Seconds."""

    cpu: float
    wall: float


@contextlib.contextmanager
def measured() -> Iterator[list[Cost]]:
    """Give the cost of the processes that ended within the block, once it has ended."""
    out: list[Cost] = []
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    yield out
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    out.append(Cost(cpu, time.perf_counter() - began))


def publish(address: str, count: int) -> str:
    """Write a sweep of one pack as the operator does; its prefix."""
    client = Minio(address, bundle.KEY, bundle.KEY, secure=False, region="us-east-1")
    prefix = f"{PREFIX}/{count}"
    lines = (json.dumps({"index": index, "params": {"x": index / 7, "name": f"p{index}"}}) for index in range(count))
    data = "".join(f"{line}\n" for line in lines).encode()
    chunk = {"first": 0, "count": count, "sha256": hashlib.sha256(data).hexdigest()}
    told = {"round": 0, "points": f"0-{count - 1}", "pointsPerPod": count, "chunks": [chunk]}
    for key, text in (("points/0000000.jsonl", data), ("rounds/0.json", json.dumps(told).encode())):
        client.put_object("bench", f"{prefix}/{key}", io.BytesIO(text), len(text))
    return prefix


def sidecar(folder: Path, address: str, count: int) -> float:
    """Seconds of CPU of the sidecar of a pack, or of a job if there are no points."""
    outputs, points, secret = (folder / name for name in ("outputs", "points", "secret"))
    for path in (outputs, points, secret):
        path.mkdir()
    for name in ("access-key", "secret-key"):
        (secret / name).write_text(bundle.KEY)
    environment = os.environ | {
        "SIMOPS_OUTPUTS": str(outputs),
        "SIMOPS_STORE_ENDPOINT": f"http://{address}",
        "SIMOPS_STORE_BUCKET": "bench",
        "SIMOPS_STORE_REGION": "us-east-1",
        "SIMOPS_STORE_CREDENTIALS": str(secret),
        "SIMOPS_KEY_PREFIX": "jobs",
        "SIMOPS_POD": "bench",
        "SIMOPS_GRACE_SECONDS": "600",
        "SIMOPS_STOP_SECONDS": "1",
        "SIMOPS_STOP_PORT": "0",
        "SIMOPS_STOP_PATH": "/stop",
        "SIMOPS_TERMINATION_LOG": str(folder / "termination-log"),
    }
    if count:
        environment |= {
            "SIMOPS_SWEEP": "bench",
            "SIMOPS_SWEEP_PREFIX": publish(address, count),
            "SIMOPS_ROUND": "0",
            "JOB_COMPLETION_INDEX": "0",
            "SIMOPS_POINTS_DIR": str(points),
            "SIMOPS_COMMAND": '["sim"]',
            "SIMOPS_TEMPLATE_PARAMS": "{}",
            "SIMOPS_BATCH": "false",
            "SIMOPS_POINT_SECONDS": "60",
        }
    with measured() as cost:
        # Blocked as `env --block-signal=TERM` does it: a signal that comes early waits for its handler.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        command = [sys.executable, "-m", "simops_operator.pod.bundle"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        while count and not (points / "ready").exists() and process.poll() is None:
            time.sleep(0.01)
        write_outputs(outputs, count)
        process.terminate()
        log, _nothing = process.communicate()
    if process.returncode != 0:
        raise SystemExit(log)
    return cost[0].cpu


def write_outputs(outputs: Path, count: int) -> None:
    """Write what a job, or the points of a pack, leave behind: a log and metrics each."""
    for folder in [outputs / str(index) for index in range(count)] or [outputs]:
        folder.mkdir(exist_ok=True)
        (folder / "log.txt").write_text("step 1\nstep 2\n")
        (folder / "metrics.json").write_text('{"max_temperature": 300.25, "energy": 17.5}')
    lines = (f'{{"index":{index},"exitCode":0,"seconds":0.25}}\n' for index in range(count))
    if count:
        (outputs / "results.jsonl").write_text("".join(lines))


def runner(folder: Path, shell: list[str], count: int) -> Cost:
    """What a pack of so many points costs, each of which does nothing."""
    points, outputs = folder / "points", folder / "outputs"
    for path in (points, outputs):
        path.mkdir()
    shutil.copy(Path(stage.__file__).with_name("run.sh"), points)
    with (points / "pack.sh").open("wb") as script:
        script.write(stage.line("pack", str(outputs), str(folder), "bench", "600"))
        for index in range(count):
            if index % 100 == 0:
                script.write(stage.line("folders", *map(str, range(index, min(count, index + 100)))))
            script.write(stage.line("point", str(index), "true", "--x", str(index / 7)))
    with measured() as cost:
        subprocess.run([*shell, str(points / "run.sh")], check=True, stdout=subprocess.DEVNULL)
    done = (outputs / "results.jsonl").read_text().count('"exitCode":0,')
    if done != count:
        raise SystemExit(f"{done} of {count} points have succeeded")
    return cost[0]


def loop(folder: Path, shell: list[str], count: int) -> Cost:
    """What a loop costs that runs the same command as often."""
    program = Path(shutil.which("true") or "true")
    (folder / "loop.sh").write_text(f"i=0\nwhile [ $i -lt {count} ]; do {program} --x $i; i=$((i + 1)); done\n")
    with measured() as cost:
        subprocess.run([*shell, str(folder / "loop.sh")], check=True)
    return cost[0]


def print_sidecar(binary: str, runs: int) -> None:
    """Print a line for each size of pack."""
    counts = (0, 1, 1000)
    with tempfile.TemporaryDirectory() as place, bundle.minio(binary, Path(place)) as address:
        found: dict[int, list[float]] = {count: [] for count in counts}
        for run in range(runs):
            for count in counts:
                folder = Path(place, f"{run}-{count}")
                folder.mkdir()
                found[count].append(sidecar(folder, address, count))
    base = min(found[0])
    print(f"{'sidecar':22} {'CPU':>9}  of a job's")
    for count, seconds in found.items():
        name = f"pack of {count:,}" if count else "job"
        print(f"{name:22} {1000 * min(seconds):6.0f} ms  {min(seconds) / base:.2f} x")


def print_runner(points: list[int]) -> None:
    """Print a line for each shell and size of pack."""
    print(
        f"\n{'runner':14} {'points':>8} {'CPU/point':>11} {'of it own':>10} {'wall/point':>11}  of a bare loop (CPU, wall)"
    )
    for name, shell in SHELLS.items():
        for count in points:
            with tempfile.TemporaryDirectory() as place:
                base, cost = loop(Path(place), shell, count), runner(Path(place), shell, count)
            own = cost.cpu - base.cpu
            print(
                f"{name:14} {count:8,} {1000 * cost.cpu / count:8.2f} ms {1000 * own / count:7.2f} ms"
                f" {1000 * cost.wall / count:8.2f} ms  {cost.cpu / base.cpu:.2f} x, {cost.wall / base.wall:.2f} x",
                flush=True,
            )


def main() -> int:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minio", help="path of the MinIO server binary; without it the local cluster's tool")
    parser.add_argument("--runs", type=int, default=5, help="the best of so many sidecars counts (default 5)")
    parser.add_argument("--points", type=int, nargs="*", default=[1000, 10_000], help="sizes of packs for the runner")
    arguments = parser.parse_args()
    packages.ensure_packages(packages.missing_shells)
    tool = [sys.executable, str(ROOT / "hack" / "cluster"), "tool", "minio"]
    binary = arguments.minio or subprocess.run(tool, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    print_sidecar(binary, arguments.runs)
    print_runner(arguments.points)
    return 0


if __name__ == "__main__":
    sys.exit(main())
