"""How fast a parameter space becomes points in chunks, and what `where` adds.

    .venv/bin/python hack/bench/space.py

Baseline of each method: the least that has to be done for such points, which is to write each as a line of JSON. The ratios are what
counts: the absolute figures are the machine's.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "crds"))

from simops_crds.space import IndexBuilder, chunks, expand
from simops_crds.v1alpha1 import Space

WHERE = "dt * diffusivity / dx**2 <= 0.5 or (dt < 0.1 and sqrt(dx) > 0.5)"
PARAMS = {"diffusivity": 0.01}
TIMES = 3


def spaces(points: int) -> dict[str, dict[str, Any]]:
    """Return one space of each kind, with two or three axes."""
    sampled = {
        "samples": points,
        "seed": 7,
        "axes": [
            {"name": "dt", "uniform": {"low": 0, "high": 1}},
            {"name": "dx", "logUniform": {"low": 0.01, "high": 1}},
            {"name": "method", "values": ["ftcs", "btcs", "crank_nicolson"]},
        ],
    }
    side = round(points**0.5)
    grid = [
        {"name": "dt", "linspace": {"start": 0, "stop": 1, "num": side}},
        {"name": "dx", "logspace": {"start": 0.01, "stop": 1, "num": side}},
    ]
    return {"grid": {"axes": grid}} | {
        method: {"method": method, **sampled} for method in ("random", "latinHypercube", "sobol")
    }


def best(action: Callable[[], int]) -> tuple[float, int]:
    """Return the shortest of a few times in seconds, and what the action returned."""
    seconds = []
    for _ in range(TIMES):
        begin = time.perf_counter()
        number = action()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), number


def stored(space: Space) -> int:
    """Make all chunks and their index; return the number of points."""
    builder = IndexBuilder()
    for chunk in chunks(expand(space, PARAMS, 1_000_000)):
        builder.add(chunk)
    return builder.index().total


def written(points: list[dict[str, Any]]) -> int:
    """Write each point as a line of JSON."""
    for index, point in enumerate(points):
        json.dumps({"index": index, "params": point}, separators=(",", ":"))
    return len(points)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    number = parser.parse_args().points
    print(f"{'':<16}{'points/s':>10}{'time':>17}{'where adds':>13}{'left':>9}")
    for method, described in spaces(number).items():
        plain = Space.model_validate(described)
        chosen = plain.model_copy(update={"where": WHERE})
        made = list(expand(plain, PARAMS, 1_000_000))
        baseline, _ = best(lambda made=made: written(made))  # type: ignore[misc]
        whole, total = best(lambda plain=plain: stored(plain))  # type: ignore[misc]
        # What where adds: trying every point, without writing those that are left.
        judged, left = best(lambda chosen=chosen: len(expand(chosen, PARAMS, 1_000_000)))  # type: ignore[misc]
        print(
            f"{method:<16}{total / whole:>10,.0f}{whole / baseline:>6.2f} x baseline{judged:>7.3f} s ({judged / whole:.2f} x)"
            f"{left:>9,}"
        )
    print(f"peak resident memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
