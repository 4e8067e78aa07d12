"""The reference of the gateway's calls, written from its OpenAPI document (pure)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

HEAD = """# REST: every call

This page is written from the gateway's OpenAPI document, which a gateway serves at `/openapi.json` and, readable and to be tried, at `/docs`.
The guide with a `curl` line for each call is [SimOps by REST](rest.md).
"""
GROUPS = {
    "jobs": "Runs",
    "logs": "Logs",
    "results": "Results",
    "sweeps": "Sweeps",
    "health": "The gateway itself",
}


def one_line(text: str) -> str:
    """Return a text as a cell of a table can have it."""
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")


def link(name: str) -> str:
    """Return a link to a schema of this page."""
    return f"[{name}](#{name.lower()})"


def kind_of(schema: Json) -> str:
    """Return a schema in words: its type, what it may be, and its bounds."""
    if "$ref" in schema:
        return link(schema["$ref"].rpartition("/")[2])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            parts = [kind_of(part) for part in schema[union] if part.get("type") != "null"]
            return " or ".join(dict.fromkeys(parts))
    if "allOf" in schema:
        return " and ".join(kind_of(part) for part in schema["allOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        items = kind_of(schema.get("items", {}))
        return f"list of {items}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {kind_of(schema['additionalProperties'])}"
    return " ".join([str(schema.get("type", "any")), *bounds(schema)])


def bounds(schema: Json) -> Iterator[str]:
    """Yield the limits of a number's value or a text's length."""
    signs = {"minimum": "≥", "exclusiveMinimum": "\\>", "maximum": "≤", "exclusiveMaximum": "<"}
    said = [f"{sign} {schema[name]}" for name, sign in signs.items() if name in schema]
    low, high = schema.get("minLength"), schema.get("maxLength")
    if low is not None or high is not None:
        most = "or more" if high is None else f"to {high}"
        said.append(f"{low or 0} {most} characters")
    if said:
        yield f"({', '.join(said)})"


def parameters(operation: Json) -> Iterator[str]:
    """Yield the table of a call's parameters."""
    rows = operation.get("parameters", [])
    if not rows:
        return
    yield "| parameter | in | type | default | what |"
    yield "|---|---|---|---|---|"
    for row in rows:
        schema = row["schema"]
        default = f"`{json.dumps(schema['default'])}`" if schema.get("default") is not None else ""
        needed = "required" if row.get("required") else default
        what = one_line(row.get("description", ""))
        yield f"| `{row['name']}` | {row['in']} | {one_line(kind_of(schema))} | {needed} | {what} |"
    yield ""


def contents(content: Json) -> str:
    """Return what a body may be, by media type."""
    said = []
    for media, body in content.items():
        kind = one_line(kind_of(body["schema"])) if body.get("schema") else ""
        said.append(f"`{media}`" + (f": {kind}" if kind not in ("", "any", "string") else ""))
    return ", ".join(said)


def answers(operation: Json) -> Iterator[str]:
    """Yield the table of a call's answers."""
    yield "| answer | what | body |"
    yield "|---|---|---|"
    for status, response in sorted(operation["responses"].items()):
        headers = ", ".join(f"`{name}`" for name in response.get("headers", {}))
        what = one_line(response.get("description", "")) + (f" Headers: {headers}." if headers else "")
        yield f"| {status} | {what} | {contents(response.get('content', {}))} |"
    yield ""


def call(method: str, path: str, operation: Json) -> Iterator[str]:
    """Yield the section of one call."""
    yield f"### `{method.upper()} {path}`\n"
    yield operation["description"].replace("``", "`") + "\n"
    yield from parameters(operation)
    if body := operation.get("requestBody"):
        yield f"Body{'' if body.get('required') else ' (may be left out)'}: {contents(body['content'])}\n"
        for media, content in body["content"].items():
            for example in content.get("examples", {}).values():
                if media == "application/json":
                    yield f"{example['summary']}:\n"
                    yield f"```json\n{json.dumps(example['value'], indent=2, ensure_ascii=False)}\n```\n"
    yield from answers(operation)


def schema_section(name: str, schema: Json) -> Iterator[str]:
    """Yield the section of one schema: its fields."""
    yield f"### {name}\n"
    if schema.get("description"):
        yield schema["description"].replace("``", "`") + "\n"
    fields = schema.get("properties")
    if not fields:
        yield kind_of({key: value for key, value in schema.items() if key != "description"}) + "\n"
        return
    yield "| field | type | default | what |"
    yield "|---|---|---|---|"
    for field, part in fields.items():
        default = f"`{json.dumps(part['default'])}`" if part.get("default") is not None else ""
        needed = "required" if field in schema.get("required", ()) else default
        yield f"| `{field}` | {one_line(kind_of(part))} | {needed} | {one_line(part.get('description', ''))} |"
    yield ""


def page(document: Json) -> str:
    """Return the page of an OpenAPI document: each call by its group, then each schema."""
    lines = [HEAD]
    tags = [operation["tags"][0] for operations in document["paths"].values() for operation in operations.values()]
    titles = GROUPS | {tag: tag.capitalize() for tag in tags if tag not in GROUPS}
    for tag, title in titles.items():
        lines.append(f"## {title}\n")
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if operation["tags"][0] == tag:
                    lines.extend(call(method, path, operation))
    lines.append("## What goes in and out\n")
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines.extend(schema_section(name, schema))
    return "\n".join(lines)
