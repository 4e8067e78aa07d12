"""The page of promises names tests that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)((?:::\w+)+)`", PAGE)
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| promise")]


def names_in(node: ast.AST) -> dict[str, ast.AST]:
    """Return what a module or a class defines by name."""
    out: dict[str, ast.AST] = {}
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            out[child.name] = child
        elif isinstance(child, ast.Assign):
            out |= {target.id: child for target in child.targets if isinstance(target, ast.Name)}
    return out


def test_every_promise_names_a_test() -> None:
    assert len(ROWS) > 25
    assert [row for row in ROWS if not re.search(r"\| `tests/[^`]+` \|$", row)] == []


@pytest.mark.parametrize(("file", "path"), sorted(set(NAMED)))
def test_the_test_that_is_named_is_there(file: str, path: str) -> None:
    node: ast.AST = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    for name in path.split("::")[1:]:
        found = names_in(node)
        assert name in found, f"{file} has no {name}"
        node = found[name]
    assert path.rsplit("::", maxsplit=1)[-1].lower().startswith("test")
