"""Run the tests: the unit tests on all cores, then side by side those that need a whole cluster, the faults on a cluster of their own, and those that an
API server and a store are enough for.

    hack/test [--cluster NAME] [arguments of pytest …]

Arguments are given to each; paths choose which of them run. Tests of a cluster mostly wait for it: so two cores do all three in the time of one. What the
others print comes when all are over, out/test/NAME.log has it before. Exits with the worst of what pytest has exited with; one that has found
no test to run (`-k`) leaves that to the others. A debugger (`--pdb`, `-s`) has the terminal for itself: one after another.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTEST = [sys.executable, "-m", "pytest"]
NO_TESTS = 5
UNIT = ["tests/unit"]
GROUPS = {
    "whole": ["tests/e2e", "tests/chaos/test_gateway_killed.py", "tests/chaos/test_safeguards.py"],
    "faults": ["tests/chaos/test_faults.py"],
    "parts": ["tests/contract", "tests/browser", "tests/integration"],
}
"""What runs side by side, the first one on the terminal."""
CLUSTERS = {"whole": "", "faults": "-faults"}
"""Those that bring up a cluster, and how the name of theirs ends."""
_LOGS = ROOT / "out" / "test"
_TEARDOWN_SECONDS = 60.0


def _is_below(path: str, folder: str) -> bool:
    return path.split("::", maxsplit=1)[0] == folder or path.startswith(f"{folder}/")


def chosen(arguments: list[str], folders: list[str]) -> list[str] | None:
    """Return pytest's arguments for the tests below some folders; None when the arguments name others only."""
    paths = [a for a in arguments if a == "tests" or a.startswith("tests/")]
    wanted = [p.rstrip("/") for p in paths] or ["tests"]
    own = [p for p in wanted if any(_is_below(p, folder) for folder in folders)]
    own += [folder for folder in folders if folder not in own and any(_is_below(folder, p) for p in wanted)]
    return [*own, *(a for a in arguments if a not in paths)] if own else None


def cluster_options(name: str) -> list[str]:
    """Return what pytest-kind is to drive."""
    tool = [sys.executable, str(ROOT / "hack" / "cluster"), "tool", "kubectl"]
    kubectl = subprocess.run(tool, capture_output=True, text=True, check=True).stdout.strip()
    return [f"--cluster-name={name}", "--kind-bin=hack/kind", f"--kind-kubectl-bin={kubectl}"]


def worst(codes: list[int]) -> int:
    """Return the exit code of several calls of pytest together."""
    ran = [code for code in codes if code != NO_TESTS]
    return max(ran, default=NO_TESTS)


def wants_terminal(arguments: list[str]) -> bool:
    """Whether someone looks at a test while it runs."""
    return bool({"-s", "--capture=no", "--pdb", "--trace"} & set(arguments))


def coverage_of(name: str) -> dict[str, str]:
    """Return the environment of a call that measures into a file of its own."""
    return {**os.environ, "COVERAGE_FILE": str(ROOT / f".coverage.{name}")}


def ended(process: "subprocess.Popen[bytes]") -> None:
    """Let an interrupted call of pytest remove what it has made; end it if it does not."""
    try:
        process.wait(_TEARDOWN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def beside(command: list[str], others: dict[str, list[str]]) -> list[int]:
    """Run ``command`` on this terminal and the others beside it; print what those have said when all are over."""
    _LOGS.mkdir(parents=True, exist_ok=True)
    started: dict[Path, subprocess.Popen[bytes]] = {}
    try:
        for name, other in others.items():
            path = _LOGS / f"{name}.log"
            with path.open("w") as log:
                started[path] = subprocess.Popen(
                    other, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=coverage_of(name)
                )
        code = subprocess.run(command, cwd=ROOT, check=False, env=coverage_of("first")).returncode
        codes = [code, *(process.wait() for process in started.values())]
    except KeyboardInterrupt:  # the terminal has told all of them
        for process in started.values():
            ended(process)
        raise
    for path in started:
        print(path.read_text(), flush=True)
    return codes


def report() -> None:
    """Print how much of the code all of them have run."""
    tool = [sys.executable, "-m", "coverage"]
    subprocess.run([*tool, "combine", "--quiet"], cwd=ROOT, check=False)
    subprocess.run([*tool, "report"], cwd=ROOT, check=False)


def run(calls: dict[str, list[str]], *, side_by_side: bool) -> list[int]:
    """Run calls of pytest and return their exit codes."""
    if side_by_side and calls:
        first, *others = calls
        return beside(calls[first], {name: calls[name] for name in others})
    return [
        subprocess.run(command, cwd=ROOT, check=False, env=coverage_of(name)).returncode
        for name, command in calls.items()
    ]


def main() -> int:
    """Run them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", default="simops-test", help="name of the cluster that the tests bring up")
    known, arguments = parser.parse_known_args()
    common = [*PYTEST, "--cov", "--cov-report="]
    codes = []
    try:
        if (unit := chosen(arguments, UNIT)) is not None:
            codes += run({"unit": [*common, "-n", "auto", "--dist", "worksteal", *unit]}, side_by_side=False)
        stops = {"-x", "--exitfirst"} & set(arguments) and worst(codes) not in (0, NO_TESTS)
        if not stops:
            found = {name: chosen(arguments, folders) for name, folders in GROUPS.items()}
            calls = {
                name: [*common, "--durations=25", *cluster_options(known.cluster + CLUSTERS.get(name, "")), *paths]
                for name, paths in found.items()
                if paths is not None
            }
            codes += run(calls, side_by_side=not wants_terminal(arguments))
        report()
    finally:
        for suffix in CLUSTERS.values():
            down = [sys.executable, str(ROOT / "hack" / "cluster"), "down", "--name", known.cluster + suffix]
            subprocess.run(down, cwd=ROOT, check=False)
    return worst(codes)
