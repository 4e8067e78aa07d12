"""docs/command.md tells of each command and each exit code, and the command itself is quick to start."""

import os
import re
import subprocess
import sys
from pathlib import Path

import typer.main

from simops_cli.app import app
from simops_cli.core.exits import Exit

PAGE = (Path(__file__).parents[2] / "docs" / "command.md").read_text()


def rows(heading: str) -> list[list[str]]:
    text = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_the_page_has_every_command_and_no_other() -> None:
    told = {word.split()[0] for row in rows("Commands") for word in re.findall(r"`([^`]+)`", row[0])}
    assert told == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_the_page_has_every_exit_code_with_its_meaning() -> None:
    assert {int(code): meaning for code, meaning in rows("Exit codes")} == {int(one): one.meaning for one in Exit}


def test_a_shell_completes_commands() -> None:
    asked = {"_SIMOPS_COMPLETE": "complete_bash", "COMP_WORDS": "simops wa", "COMP_CWORD": "1"}
    words = [sys.executable, "-c", "import sys; sys.argv[0] = 'simops'; from simops_cli.app import main; main()"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60, env={**os.environ, **asked})
    assert done.stdout.split() == ["wait", "watch"]
