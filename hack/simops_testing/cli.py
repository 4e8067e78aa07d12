"""Run the tests: the unit tests on all cores, then those that need an API server, a store or a cluster, one after another.

    hack/test [--cluster NAME] [arguments of pytest …]

Arguments are given to both; paths choose which of the two run. Exits with what pytest has exited with; where one of the two has found no test to run
(`-k`), the other one decides.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTEST = [sys.executable, "-m", "pytest"]
NO_TESTS = 5
UNIT, REST = ["tests/unit"], ["tests/contract", "tests/browser", "tests/integration", "tests/chaos", "tests/e2e"]


def chosen(arguments: list[str], folders: list[str]) -> list[str] | None:
    """Return pytest's arguments for the tests below some folders; None when the arguments name others only."""
    paths = [a for a in arguments if a.startswith("tests/") or a == "tests"]
    if not paths:
        return [*folders, *arguments]
    own = [p for p in paths if any(p == "tests" or p.startswith(folder) for folder in folders)]
    if not own:
        return None
    return [a for a in arguments if a not in paths or a in own]


def cluster_options(name: str) -> list[str]:
    """Return what pytest-kind is to drive."""
    tool = [sys.executable, str(ROOT / "hack" / "cluster"), "tool", "kubectl"]
    kubectl = subprocess.run(tool, capture_output=True, text=True, check=True).stdout.strip()
    return [f"--cluster-name={name}", "--kind-bin=hack/kind", f"--kind-kubectl-bin={kubectl}"]


def worst(codes: list[int]) -> int:
    """Return the exit code of several calls of pytest together."""
    ran = [code for code in codes if code != NO_TESTS]
    return max(ran, default=NO_TESTS)


def main() -> int:
    """Run them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", default="simops-test", help="name of the cluster that the tests bring up")
    known, arguments = parser.parse_known_args()
    cover = ["--cov", "--cov-report="]
    codes = []
    try:
        unit = chosen(arguments, UNIT)
        if unit is not None:
            command = [*PYTEST, "-n", "auto", "--dist", "worksteal", *cover, *unit]
            codes.append(subprocess.run(command, cwd=ROOT, check=False).returncode)
        rest = chosen(arguments, REST)
        stops = {"-x", "--exitfirst"} & set(arguments) and codes and codes[0] not in (0, NO_TESTS)
        if rest is not None and not stops:
            cover = ["--cov", "--cov-append", "--cov-report=term"]
            command = [*PYTEST, *cover, "--durations=25", *cluster_options(known.cluster), *rest]
            codes.append(subprocess.run(command, cwd=ROOT, check=False).returncode)
    finally:
        down = [sys.executable, str(ROOT / "hack" / "cluster"), "down", "--name", known.cluster]
        subprocess.run(down, cwd=ROOT, check=False)
    return worst(codes)
