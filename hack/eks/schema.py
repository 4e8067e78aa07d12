"""Writes aws-schema.json: what the AWS provider knows of the resources that are used here, so that a test can hold the files to it offline.

The provider itself is some 700 MB and comes from a registry of its own. What it takes is also in the bindings of the CDK for Terraform,
which are generated from the provider's schema. `python hack/eks/schema.py ASSEMBLY`, where ASSEMBLY is the file `.jsii` of the package
@cdktf/provider-aws of the version that versions.tf names; needed again only when another resource is used or the version changes.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OUT = HERE / "aws-schema.json"
META = {"count", "depends_on", "for_each", "lifecycle", "provider", "provisioner", "connection"}

Json = dict[str, Any]


def used(folder: Path = HERE) -> list[str]:
    """Return the kinds of resources (`aws_vpc`) and data sources (`data.aws_partition`) of a folder."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.tf")))
    found = re.findall(r'^(resource|data) "(\w+)" "', text, flags=re.MULTILINE)
    return sorted({name if kind == "resource" else f"data.{name}" for kind, name in found})


def snake(name: str) -> str:
    """Return the provider's name of an attribute that the bindings call in camel case."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", name)


def arguments(types: Json, fqn: str) -> Json:
    """Return the arguments of a resource or of a nested block by name: whether each is required, and what a block has in it."""
    out: Json = {}
    for item in types[fqn].get("properties", []):
        words = item["docs"].get("summary", "") + item["docs"].get("remarks", "")
        name = re.search(r"#(\w+) \w+#", words)
        if name is None:
            continue
        entry: Json = {"required": True} if not item.get("optional") else {}
        if item["docs"].get("summary") == f"{name[1]} block.":
            struct = next(text for text in _names(item["type"]) if not text.startswith("cdktf."))
            entry["block"] = arguments(types, struct)
        out[name[1]] = entry
    return out


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "fqn" in node:
            yield node["fqn"]
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)


def extracted(types: Json, kinds: list[str]) -> Json:
    """Return arguments and attributes of some kinds.

    Raises:
        KeyError: the provider knows no such kind.
    """
    classes = {}
    for fqn, described in types.items():
        found = re.search(
            r"Represents a \{@link \S+/docs/(resources|data-sources)/\S+ (\w+)\}",
            described.get("docs", {}).get("summary", ""),
        )
        if found and described["kind"] == "class":
            classes[found[2] if found[1] == "resources" else f"data.{found[2]}"] = fqn
    out = {}
    for kind in kinds:
        fqn = classes[kind]
        attributes = {snake(item["name"]) for item in types[fqn]["properties"] if not item["name"].endswith("Input")}
        out[kind] = {"arguments": arguments(types, f"{fqn}Config"), "attributes": sorted(attributes)}
    return out


def main() -> int:
    """Write the file."""
    assembly = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    version = next(
        found[1]
        for item in assembly["types"].values()
        if (found := re.search(r"hashicorp/aws/([0-9.]+)/docs", item.get("docs", {}).get("summary", "")))
    )
    made = {"version": version, "kinds": extracted(assembly["types"], used())}
    OUT.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{OUT}: {len(made['kinds'])} kinds of hashicorp/aws {version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
