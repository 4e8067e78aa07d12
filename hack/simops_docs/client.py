"""The reference of the Python client (pure).

The calls of its three classes are made when the module is imported, each from the flow that both the blocking and the asynchronous client do. A reader of
the source cannot see them, so they are asked themselves; everything else mkdocstrings finds in the source (the lines that begin with `:::`).
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import simops_client

CLASSES = (simops_client.Client, simops_client.Job, simops_client.Sweep)
INNER = {"call", "headers_of", "opened", "read", "timeout_of", "job_type", "sweep_type", "path"}
"""What calls are made of; public for the client's own modules."""

HEAD = """# Python client: every call

Written from the docstrings of `simops_client`. The guide with examples is [SimOps from Python](python.md).
`AsyncClient`, `AsyncJob` and `AsyncSweep` have the same calls as `Client`, `Job` and `Sweep`, to be awaited.
"""
REST = """## Axes of a space

::: simops_client.axes

## What is sent

::: simops_client.core.requests
    options:
      members: [RunFields, SweepFields]

## What is answered

::: simops_client.models

## Pictures

::: simops_client.core.pictures
    options:
      members: [Picture]

## Exceptions

::: simops_client.errors
"""


def annotation(kind: Any) -> str:
    """Return a type as somebody would write it, without the modules that it is of."""
    text = kind if isinstance(kind, str) else inspect.formatannotation(kind)
    text = re.sub(r"ForwardRef\('(.*?)'\)", r"\1", text)
    return re.sub(r"(?<![\w.])(?:\w+\.)+(?=\w)", "", text).replace("NoneType", "None")


def signature(name: str, call: Any) -> str:
    """Return a call with its parameters, as it is written by who calls it."""
    stars: dict[Any, str] = {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}
    words, is_keyword = [], False
    for parameter in list(inspect.signature(call).parameters.values())[1:]:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not is_keyword:
            words.append("*")
            is_keyword = True
        star = stars.get(parameter.kind, "")
        is_keyword |= star == "*"
        known = parameter.annotation is not inspect.Parameter.empty
        text = f"{star}{parameter.name}" + (f": {annotation(parameter.annotation)}" if known else "")
        if parameter.default is not inspect.Parameter.empty:
            text += f" = {parameter.default!r}" if known else f"={parameter.default!r}"
        words.append(text)
    whole = f"{name}({', '.join(words)})"
    return whole if len(whole) <= 100 else f"{name}(\n" + "".join(f"    {word},\n" for word in words) + ")"


def prose(text: str) -> str:
    """Return a docstring as Markdown: a list of what is raised, and each parameter that begins a line in a line of its own."""
    body, _, raised = text.replace("``", "`").partition("\nRaises:\n")
    body = re.sub(r"^(\w+): ", r"\n`\1`: ", body.strip(), flags=re.MULTILINE)
    rows = re.findall(r"^\s{4}(\w+): (.*(?:\n\s{5,}.*)*)", raised, re.MULTILINE)
    listed = "".join(f"- `{kind}`: {' '.join(why.split())}\n" for kind, why in rows)
    return f"{body}\n" + (f"\nRaises:\n\n{listed}" if listed else "")


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the properties of a class, then its calls."""
    found = [(n, inspect.getattr_static(kind, n)) for n in dir(kind) if not n.startswith("_") and n not in INNER]
    yield from ((name, one) for name, one in found if isinstance(one, property))
    yield from ((name, one) for name, one in found if inspect.isfunction(one))


def section(kind: type) -> Iterator[str]:
    """Yield the section of a class."""
    yield f"## {kind.__name__}\n\n{prose(inspect.getdoc(kind) or '')}"
    if kind is simops_client.Client:  # jobs and sweeps are made by its calls
        yield f"```python\n{signature(kind.__name__, kind.__init__)}\n```\n"
    name = kind.__name__.lower()
    for member, one in members(kind):
        code = f"{name}.{member if isinstance(one, property) else signature(member, one)}"
        yield f"### {name}.{member}\n\n```python\n{code}\n```\n\n{prose(inspect.getdoc(one) or '')}"


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(part for kind in CLASSES for part in section(kind)), REST])
