"""The reference of the programs' settings, written from the classes that read them (pure)."""

import json
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

HEAD = """# Settings

Operator and gateway read their settings once, from their environment. The chart sets them all: most people change the [chart's values](chart.md) and never
these variables. Lists are separated by commas. A wrong value stops the program at its start, with a message that names the variable.
"""


def default_of(field: FieldInfo) -> str:
    """Return the default as somebody would write it into an environment."""
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True)
    if value is None or value in ("", ()):
        return "–"
    if isinstance(value, tuple):
        return f"`{','.join(map(str, value))}`"
    return f"`{value if isinstance(value, str) else json.dumps(value, default=str)}`"


def names_of(name: str, field: FieldInfo) -> str:
    """Return the variable, and others that say the same."""
    alias = field.validation_alias
    names = [str(one) for one in alias.choices] if isinstance(alias, AliasChoices) else [f"SIMOPS_{name.upper()}"]
    return ", ".join(f"`{one}`" for one in names)


def table(settings: type[BaseSettings]) -> list[str]:
    """Return the lines of a table of all variables of one program."""
    lines = ["| variable | default | what |", "|---|---|---|"]
    for name, field in settings.model_fields.items():
        what = " ".join((field.description or "").replace("``", "`").split()).replace("|", "\\|")
        lines.append(f"| {names_of(name, field)} | {default_of(field)} | {what} |")
    return lines


def page(programs: dict[str, type[BaseSettings]]) -> str:
    """Return the page with a table for each program."""
    lines = [HEAD]
    for title, settings in programs.items():
        lines += [f"## {title}", "", *table(settings), ""]
    return "\n".join(lines)
