"""values.yaml is the one place that explains the chart's values: each has a sentence, a schema and a row of the README's table.

``python tests/unit/test_chart_docs.py`` writes the table anew.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "charts" / "simops"
README = CHART / "README.md"
START, END = "<!-- values: start -->\n", "<!-- values: end -->\n"


def commented() -> dict[str, tuple[str, Any]]:
    """Path of each value with a ``# --`` comment → its sentence and default."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    found: dict[str, tuple[str, Any]] = {}
    path: list[str] = []
    sentence: list[str] = []
    for line in text.splitlines():
        comment = re.match(r"\s*# (--)? ?(.*)", line)
        key = re.match(r"( *)([A-Za-z]+):", line)
        if comment:
            sentence = [comment[2]] if comment[1] else [*sentence, comment[2]] if sentence else []
        elif key:
            path = [*path[: len(key[1]) // 2], key[2]]
            if sentence:
                value = values
                for part in path:
                    value = value[part]
                found[".".join(path)] = (" ".join(sentence), value)
            sentence = []
    return found


def leaves(values: Any, path: str = "") -> list[str]:
    """Paths of all values that are no mapping, or an empty one."""
    if not isinstance(values, dict) or not values:
        return [path]
    return [leaf for key, value in values.items() for leaf in leaves(value, f"{path}.{key}" if path else key)]


def table() -> str:
    rows = ["| value | default | what |", "|---|---|---|"]
    for path, (sentence, default) in commented().items():
        rows.append(f"| `{path}` | `{json.dumps(default)}` | {sentence} |".replace("`` ", ""))
    return "\n".join(rows) + "\n"


def test_every_value_has_a_sentence() -> None:
    explained = commented()
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    silent = [
        leaf for leaf in leaves(values) if not any(leaf == path or leaf.startswith(f"{path}.") for path in explained)
    ]
    grouped = {
        "operator.strategy.type",
        "operator.strategy.rollingUpdate.maxSurge",
        "operator.strategy.rollingUpdate.maxUnavailable",
    }
    assert set(silent) <= grouped


def test_readme_has_the_table_of_values() -> None:
    text = README.read_text(encoding="utf-8")
    assert text.partition(START)[2].partition(END)[0] == table(), "run `python tests/unit/test_chart_docs.py`"


def test_schema_is_closed_and_names_exactly_the_values() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    def resolved(node: dict[str, Any]) -> dict[str, Any]:
        return schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node

    def compare(node: dict[str, Any], value: Any, path: str) -> None:
        node = resolved(node)
        if not isinstance(value, dict) or "properties" not in node:
            return
        assert node["additionalProperties"] is False, f"{path} is open"
        assert set(value) <= set(node["properties"]), f"{path}: a value without schema"
        surplus = set(node["properties"]) - set(value) - {"global"}
        assert not surplus, f"{path}: {surplus} stand in the schema but not in values.yaml"
        for key, child in value.items():
            compare(node["properties"][key], child, f"{path}.{key}")

    compare(schema, values, "values")


if __name__ == "__main__":
    before, _, rest = README.read_text(encoding="utf-8").partition(START)
    README.write_text(before + START + table() + END + rest.partition(END)[2], encoding="utf-8")
