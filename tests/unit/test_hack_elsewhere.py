"""Programs of hack/ without the packages that they need: they find .venv, or say how to make it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from simops_images.catalogue import ROOT

PROGRAMS = ("assets", "demo", "docs", "images", "sbom", "screenshots", "test")
ASIDE = shutil.ignore_patterns("__pycache__", "native", "eks", "bench")


def bare(program: Path) -> subprocess.CompletedProcess[str]:
    """Ask for help by a Python that has no packages."""
    words = [sys.executable, "-I", "-S", str(program), "--help"]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, cwd="/")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "hack", tmp_path / "hack", ignore=ASIDE)
    return tmp_path


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_venv_it_is_said_how_to_make_it(checkout: Path, name: str) -> None:
    said = bare(checkout / "hack" / name)
    assert said.returncode == 1
    assert "Run `hack/env` first" in said.stderr
    assert "Traceback" not in said.stderr


def test_with_it_the_program_goes_on_there(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "by .venv: $*"\n', encoding="utf-8")
    python.chmod(0o755)
    said = bare(checkout / "hack" / "demo")
    assert said.stdout == f"by .venv: {checkout}/hack/demo --help\n"
