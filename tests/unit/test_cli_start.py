"""What the command loads before it does anything: nothing that takes long."""

import json
import subprocess
import sys

import pytest

import simops_client

HEAVY = {
    "httpx", "kubernetes", "matplotlib", "numpy", "pandas", "plotext", "pyarrow", "pydantic", "simops_crds", "simops_operator.core", "urllib3", "yaml",
}  # fmt: skip
SEEN = "import json, sys\nfrom simops_cli.app import run\ncode = run(sys.argv[1:])\nprint(json.dumps([code, sorted(sys.modules)]))"


def loaded(*line: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", SEEN, *line], capture_output=True, text=True, timeout=60, check=True)
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


@pytest.mark.parametrize("line", [["--version"], ["--help"]])
def test_version_and_help_load_nothing_heavy(line: list[str]) -> None:
    assert not loaded(*line) & HEAVY


@pytest.mark.parametrize("line", [["submit", "--help"], ["dev", "run", "--help"]])
def test_nor_does_the_help_of_a_command(line: list[str]) -> None:
    assert not loaded(*line) & (HEAVY - {"pydantic"})  # by which typer itself reads options


def test_a_version_needs_no_rich_text() -> None:
    assert "rich" not in loaded("--version")


@pytest.mark.parametrize("name", simops_client.__all__)
def test_everything_that_the_client_offers_is_there_when_it_is_asked_for(name: str) -> None:
    assert getattr(simops_client, name).__name__
    assert name in dir(simops_client)


def test_the_client_offers_nothing_else() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = simops_client.nothing
