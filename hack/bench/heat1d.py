"""Steps per second of the heat-equation solver against a plain Python loop and against the memory's speed.

`python hack/bench/heat1d.py` needs the standard library and numpy. Times are the best of several and CPU time of one
thread, as the solver is run; since machines are shared and noisy, the ratios, measured in the same second, are what
counts. The memory's speed is that of numpy copying one field into another: the same bytes that a solver must at least
write (a copy also reads them).
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "sim"))

from simops_sim import heat1d
from simops_sim.problem import InitialCondition, Method, Problem

FIELD_BYTES = 64 << 20
LOOP_SECONDS = 0.3


def seconds(work: Callable[[], object], repeat: int) -> float:
    """Give the shortest time that the work took."""
    best = math.inf
    for _ in range(repeat):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    return best


def python_loop(problem: Problem) -> float:
    """March the same scheme with lists and loops, the Thomas algorithm for the implicit part; give seconds per step."""
    theta = {"ftcs": 0.0, "btcs": 1.0, "crank_nicolson": 0.5}[problem.method]
    explicit, implicit = (1 - theta) * problem.r, theta * problem.r
    u = heat1d.initial_profile(problem).tolist()
    last = len(u) - 1
    # The elimination of the constant matrix is done once, as a fair loop would.
    upper, pivot = [0.0] * (last + 1), [1.0] * (last + 1)
    for j in range(1, last):
        pivot[j] = 1.0 / (1.0 + 2.0 * implicit + implicit * upper[j - 1])
        upper[j] = -implicit * pivot[j]
    rows = [u]
    begun = time.process_time()
    for _ in range(min(problem.time_steps, 10_000_000)):
        new = u[:]
        for j in range(1, last):
            new[j] = u[j] + explicit * (u[j - 1] - 2.0 * u[j] + u[j + 1])
        if implicit:
            for j in range(1, last):
                new[j] = (new[j] + implicit * new[j - 1]) * pivot[j]
            for j in range(last - 1, 0, -1):
                new[j] -= upper[j] * new[j + 1]
        rows.append(new)
        u = new
        if time.process_time() - begun > LOOP_SECONDS:
            break
    spent = (time.process_time() - begun) / (len(rows) - 1)
    difference = np.abs(np.array(rows) - heat1d.solve(problem)[: len(rows)]).max()
    if difference > 1e-9 * abs(problem.initial_temp):
        raise AssertionError(f"the loop and the solver differ by {difference}")
    return spent


def case(points: int, method: Method, profile: InitialCondition, repeat: int) -> str:
    """Measure one choice; give its line of the table."""
    steps = FIELD_BYTES // 8 // points - 1
    dx = 1.0 / (points - 1)
    problem = Problem(
        spatial_steps=points,
        time_steps=steps,
        end_time=0.5 * steps * dx**2 / 0.01,
        method=method,
        initial_condition=profile,
    )
    source, out = heat1d.solve(problem), np.zeros((steps + 1, points))
    copying = seconds(lambda: np.copyto(out, source), repeat)

    def march() -> None:
        for _ in heat1d.march(problem, out):
            pass

    solving = seconds(march, repeat)
    if not np.array_equal(source, out):
        raise AssertionError("two runs differ")
    loop = python_loop(problem)
    faster = loop * steps / solving
    return (
        f"| {points} | {method} | {profile} | {steps / solving:,.0f} | {1 / loop:,.0f} | {faster:,.0f} × | "
        f"{FIELD_BYTES / copying / 1e9:.1f} GB/s | {solving / copying:.2f} × |"
    )


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeat", type=int, default=5)
    repeat = options.parse_args().repeat
    print(f"Python {sys.version.split()[0]}, numpy {np.__version__}, r = 0.5, fields of {FIELD_BYTES >> 20} MiB\n")
    print("| points | method | profile | steps/s | Python loop, steps/s | faster | copy | time of a copy |")
    print("|---|---|---|---|---|---|---|---|")
    methods: tuple[Method, ...] = ("ftcs", "btcs", "crank_nicolson")
    for points in (51, 501, 5001):
        for method in methods:
            print(case(points, method, "sine", repeat), flush=True)
        print(case(points, "crank_nicolson", "gaussian", repeat), flush=True)
        print(case(points, "crank_nicolson", "uniform", repeat), flush=True)


if __name__ == "__main__":
    main()
