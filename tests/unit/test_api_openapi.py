"""What is published of the calls: each says what it does and shows what goes in and out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simops_api.app import create_app
from simops_api.settings import Settings

DOCUMENT: dict[str, Any] = create_app(Settings(auth_mode="none")).openapi()
OPERATIONS = [
    pytest.param(operation, id=f"{method.upper()} {path}")
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def is_shown(content: dict[str, Any]) -> bool:
    if {"example", "examples"} & content.keys():
        return True
    schema = resolved(content.get("schema", {}))
    return any("examples" in one for one in (schema, *map(resolved, schema.get("anyOf", []))))


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"request {kind}", content
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            for kind, content in response.get("content", {}).items():
                yield f"{status} {kind}", content


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_call_says_what_it_does_and_shows_its_json(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"].endswith((".", "`", ")"))
    assert not [what for what, content in bodies(operation) if what.endswith("/json") and not is_shown(content)]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_call_says_that_errors_are_problem_documents(operation: dict[str, Any]) -> None:
    assert {"4XX", "5XX"} <= operation["responses"].keys()
    assert all(
        "application/problem+json" in response["content"]
        for status, response in operation["responses"].items()
        if status[0] in "45"
    )


def test_each_schema_that_is_named_is_there() -> None:
    names: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                names.add(value["$ref"])
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    walk(DOCUMENT)
    assert {name.rpartition("/")[2] for name in names} <= DOCUMENT["components"]["schemas"].keys()


def test_each_call_is_in_the_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "rest.md").read_text()
    calls = [f"`{method.upper()} {path}`" for path, operations in DOCUMENT["paths"].items() for method in operations]
    assert not [call for call in calls if call not in guide]
