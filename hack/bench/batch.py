"""Points per second of the heat equation's batch mode against one process a point, and against what the machine allows.

`python hack/bench/batch.py` needs the standard library and numpy. Batch and single runs are processes of their own with
the same outputs (`summary`), all files included; their time is that of the process's CPU, on one core, since machines
are shared, and the wall clock's beside it. Two limits, measured in the same process as the computing alone: numpy
multiplying matrices of the sizes that the last rows need, and the system creating the same files without any content
being computed. Every number is checked: the results of the batch are those of single runs.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "sim"))

from simops_sim import ensemble, heat1d
from simops_sim.folders import write_folder
from simops_sim.problem import InitialCondition, Method, Problem

SIM = Path(__file__).parents[2] / "sim"
CELLS, STEPS = 100, 1000


def sweep(count: int, method: Method, profile: InitialCondition, low: float, high: float) -> list[Problem]:
    """Give points whose stability numbers lie between two values."""
    base = Problem(spatial_steps=CELLS + 1, time_steps=STEPS, initial_condition=profile)
    numbers = np.geomspace(low, high, count).tolist()
    return [replace(base, diffusivity=base.diffusivity / base.r * r, method=method) for r in numbers]


def options(problem: Problem) -> dict[str, object]:
    """Give the parameters of a point that are not the defaults."""
    names = ("spatial_steps", "time_steps", "method", "initial_condition", "diffusivity")
    return {name: getattr(problem, name) for name in names}


def process(arguments: list[str], **environment: str) -> tuple[float, float]:
    """Run the simulation; give its seconds of CPU and of the clock."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "simops_sim", *arguments]
    subprocess.run(command, cwd=SIM, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - begun


def batch(problems: list[Problem], root: Path) -> tuple[float, float]:
    """Run all points in one process; give its seconds of CPU and of the clock."""
    points, results = root / "points.jsonl", root / "results.jsonl"
    with points.open("w") as file:
        for index, problem in enumerate(problems):
            entry = {"index": index, "params": options(problem), "outputs": str(root / "points" / str(index))}
            file.write(json.dumps(entry) + "\n")
    spent = process([], SIMOPS_POINTS=str(points), SIMOPS_RESULTS=str(results))
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    if {line["index"] for line in lines if line["exitCode"] == 0} != set(range(len(problems))):
        raise AssertionError("not every point has succeeded")
    return spent


def single(problems: list[Problem], root: Path) -> tuple[float, float]:
    """Run one process a point, check the batch's numbers against its own, and give seconds for each."""
    cpu, wall = 0.0, 0.0
    numbers = np.linspace(0, len(list((root / "points").iterdir())) - 1, len(problems)).astype(int)
    for index, problem in zip(numbers.tolist(), problems, strict=True):
        folder = root / "single" / str(index)
        words = [f"--{name}={value}" for name, value in options(problem).items()]
        spent = process([*words, "--outputs", "summary", "--output_dir", str(folder)])
        cpu, wall = cpu + spent[0], wall + spent[1]
        found, expected = (
            json.loads((root / kind / str(index) / "metrics.json").read_text()) for kind in ("points", "single")
        )
        for name in expected.keys() - {"solve_seconds", "steps_per_second"}:
            if abs(found[name] - expected[name]) > 1e-12 * max(abs(expected[name]), problem.initial_temp):
                raise AssertionError(f"point {index}: {name} is {found[name]}, not {expected[name]}")
    return cpu / len(problems), wall / len(problems)


def best(work: Callable[[], object], repeat: int) -> float:
    """Give the shortest time of CPU that the work took."""
    result = math.inf
    for _ in range(repeat):
        begun = time.process_time()
        work()
        result = min(result, time.process_time() - begun)
    return result


def computing(problems: list[Problem], repeat: int) -> tuple[float, float]:
    """Give seconds a point of computing alone, and of the matrix product that gives the last rows."""
    problems = problems[:: max(1, len(problems) // ensemble.MOST)][: ensemble.MOST]

    def work() -> None:
        group = ensemble.Group.of(problems)
        solution = ensemble.solve(group)
        if solution is None:
            raise AssertionError("nobody has stopped it")
        ensemble.metrics(group, solution)

    modes = heat1d.decompose(problems[0]).amplitude.size - 1
    left, right = np.random.default_rng(1).random((len(problems), modes)), np.ones((modes, CELLS + 1))
    out = np.empty((len(problems), CELLS + 1))
    product = best(lambda: [np.matmul(left, right, out=out) for _ in range(100)], repeat) / 100
    return best(work, repeat) / len(problems), product / len(problems)


def field_copy(repeat: int) -> float:
    """Give seconds of copying a field, which a run that keeps all rows must at least write."""
    source = np.ones((STEPS + 1, CELLS + 1))
    out = np.ones_like(source)
    return best(lambda: np.copyto(out, source), repeat)


def files(root: Path, count: int) -> float:
    """Give the seconds of CPU of creating the files of a point, all of them known before."""
    content = [(path.name, path.read_bytes()) for path in (root / "points" / "0").iterdir()]
    (root / "bare").mkdir()
    begun = time.process_time()
    for index in range(count):
        write_folder(root / "bare" / str(index), content)
    return (time.process_time() - begun) / count


def case(name: str, problems: list[Problem], root: Path, singles: int, repeat: int) -> str:
    """Measure one kind of point in a folder of its own; give its line of the table."""
    root.mkdir()
    cpu, wall = (seconds / len(problems) for seconds in batch(problems, root))
    some = [problems[i] for i in np.linspace(0, len(problems) - 1, singles).astype(int).tolist()]
    alone_cpu, alone_wall = single(some, root)
    bare = files(root, min(2000, len(problems)))
    alone, product = computing(problems, repeat)
    return (
        f"| {name} | {1 / cpu:,.0f} | {1 / wall:,.0f} | {1 / alone_cpu:.2f} | {1 / alone_wall:.2f} "
        f"| {alone_cpu / cpu:,.0f} × | {cpu * 1e6:.0f} | {bare * 1e6:.0f} | {alone * 1e6:.1f} | {product * 1e6:.2f} "
        f"| {field_copy(repeat) * 1e6:.0f} |"
    )


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--points", type=int, default=5000, help="points of each batch")
    arguments.add_argument("--singles", type=int, default=8, help="points that also get a process of their own")
    arguments.add_argument("--repeat", type=int, default=20)
    arguments.add_argument("--folder", default=tempfile.gettempdir(), help="where the files are written")
    given = arguments.parse_args()
    print(
        f"Python {sys.version.split()[0]}, numpy {np.__version__}, {CELLS} cells × {STEPS} steps, {given.points} points, "
        f"files in {given.folder}\n"
    )
    print(
        "| points | batch, points/s of CPU | of the clock | a process each, points/s of CPU | of the clock | ratio (CPU) "
        "| batch, µs | its files alone, µs | computing alone, µs | product alone, µs | copy of a field, µs |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    cases: list[tuple[Method, InitialCondition, float, float]] = [
        ("crank_nicolson", "sine", 0.2, 5.0),
        ("crank_nicolson", "gaussian", 1.1, 20.0),
        ("crank_nicolson", "uniform", 1.1, 20.0),
        ("btcs", "uniform", 0.2, 20.0),
        ("ftcs", "gaussian", 0.05, 0.5),
    ]
    # Everything is deleted at the end only: on ext4 files are created several times as slowly just after others were
    # deleted.
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for method, profile, low, high in cases:
            name = f"{method}, {profile}, r {low:g}…{high:g}"
            problems = sweep(given.points, method, profile, low, high)
            print(case(name, problems, Path(folder) / f"{method}-{profile}", given.singles, given.repeat), flush=True)


if __name__ == "__main__":
    main()
