"""What a program here does that lacks a package: it goes on by the Python of .venv, or says how to make that."""

import os
import sys
from pathlib import Path
from typing import NoReturn

VENV = Path(__file__).resolve().parents[1] / ".venv"


def go_on(error: ModuleNotFoundError) -> NoReturn:
    """Start this program again by the Python of .venv; where there is none, or it is that one, end with what to do."""
    python = VENV / "bin" / "python"
    if python.exists() and Path(sys.prefix).resolve() != VENV.resolve():
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - no shell is wanted
    program = Path(sys.argv[0])
    name = f"{program.parent.name}/{program.name}"
    sys.exit(
        f"{name}: the Python package {error.name} is missing. Run `hack/env` first: it makes .venv; then {name} finds it."
    )
