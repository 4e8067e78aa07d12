"""The reference page of both kinds, from the same models as the CRDs (pure)."""

from typing import Any

from simops_crds.kinds import KINDS, Kind
from simops_crds.names import API_VERSION, ConditionType, Phase, Reason
from simops_crds.openapi import structural

_HEAD = """# CRD reference

Generated from `crds/simops_crds/v1alpha1`; do not edit. `kubectl explain simjob.spec` shows the same.
"""


def _type_of(schema: dict[str, Any]) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return "number, boolean or string"
    if schema.get("type") == "array":
        return f"list of {_type_of(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map to {_type_of(schema['additionalProperties'])}"
    if "enum" in schema:
        return " \\| ".join(str(value) for value in schema["enum"])
    return str(schema.get("format") or schema.get("type", "any"))


def _bounds(schema: dict[str, Any]) -> str:
    words = []
    if "minimum" in schema:
        words.append(f"{'>' if schema.get('exclusiveMinimum') else '≥'} {schema['minimum']}")
    if "maximum" in schema:
        words.append(f"≤ {schema['maximum']}")
    return ", ".join(words)


def _rows(schema: dict[str, Any], path: str) -> list[str]:
    rows = []
    required = set(schema.get("required", []))
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        default = (
            "required"
            if name in required
            else (f"`{field['default']}`" if field.get("default") not in (None, {}) else "")
        )
        rows.append(f"| `{here}` | {_type_of(field)} | {default} | {_bounds(field)} | {field.get('description', '')} |")
        rows += _rows(field, here)
        if field.get("type") == "array":
            rows += _rows(field["items"], f"{here}[]")
    return rows


def _kind_page(kind: Kind) -> list[str]:
    lines = [f"\n## {kind.kind}\n", f"`{API_VERSION}`, short name `{kind.short_names[0]}`. {kind.description}\n"]
    for part, model in (("spec", kind.spec), ("status", kind.status)):
        lines += [
            "| field | type | default | bounds | meaning |",
            "|---|---|---|---|---|",
            *_rows(structural(model), part),
            "",
        ]
    immutable = ", ".join(f"`{name}`" for name in kind.spec.immutable)
    lines.append(f"Fields that cannot be changed once the object exists: {immutable}.")
    return lines


def page() -> str:
    """Return the whole page as Markdown."""
    lines = [_HEAD]
    for kind in KINDS:
        lines += _kind_page(kind)
    for title, words in (("Phases", Phase), ("Conditions", ConditionType), ("Reasons", Reason)):
        lines += [f"\n## {title}\n", "| name | meaning |", "|---|---|"]
        lines += [f"| `{word.value}` | {word.sentence} |" for word in words]
    return "\n".join(lines) + "\n"
