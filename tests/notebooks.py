"""Runs a notebook: `python tests/notebooks.py NOTEBOOK RESULT`. A process of its own, since Jupyter's machinery leaves event loops and sockets open.

Exits with 1, and says which cell failed how, when one does.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

CELL_SECONDS = 240


def main(source: Path, result: Path) -> int:
    """Run a notebook and write it with its outputs, beside which it runs."""
    notebook = nbformat.read(source, as_version=4)  # type: ignore[no-untyped-call]
    place = {"metadata": {"path": str(result.parent)}}
    try:
        NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=place).execute()
    except CellExecutionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    nbformat.write(notebook, result)  # type: ignore[no-untyped-call]
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
