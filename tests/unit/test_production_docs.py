"""What docs/production.md tells people to type does what it says."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from unit.test_chart_docs import leaves

from simops_crds.names import FINAL_PHASES, Phase

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_what_had_ended_is_not_restored_and_nothing_else_is_lost() -> None:
    found = re.search(r"jq '(.*?)'", TEXT, re.DOTALL)
    assert found
    meta = {"namespace": "lab", "uid": "u", "resourceVersion": "1", "labels": {"a": "b"}}
    one = {"apiVersion": "simops.dev/v1alpha1", "kind": "SimulationJob", "spec": {"image": "sim:1"}}
    items = [one | {"metadata": meta | {"name": phase.value}, "status": {"phase": phase.value}} for phase in Phase]
    items.append(one | {"metadata": meta | {"name": "new"}})
    backup = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    done = subprocess.run(["jq", found[1]], input=backup, capture_output=True, text=True, check=True)
    restored = json.loads(done.stdout)
    assert restored["kind"] == "List"
    names = {item["metadata"]["name"] for item in restored["items"]}
    assert names == {phase.value for phase in Phase if phase not in FINAL_PHASES} | {"new"}
    assert restored["items"][-1] == one | {"metadata": {"name": "new", "namespace": "lab", "labels": {"a": "b"}}}


def test_every_value_of_the_chart_that_it_names_exists() -> None:
    values = yaml.safe_load((ROOT / "charts" / "simops" / "values.yaml").read_text(encoding="utf-8"))
    known = leaves(values)
    named = re.findall(
        r"`((?:operator|gateway|simulations|images|store|networkPolicies|monitoring|tracing)\.[A-Za-z.]+)", TEXT
    )
    assert len(named) >= 15
    for name in named:
        path = name.rstrip(".")
        assert any(leaf == path or leaf.startswith(f"{path}.") for leaf in known), name


def test_every_variable_of_terraform_that_it_names_exists() -> None:
    variables = re.findall(
        r'^variable "(\w+)"', (ROOT / "hack" / "eks" / "variables.tf").read_text(encoding="utf-8"), re.MULTILINE
    )
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)(?:=\w+)?`", TEXT)) | set(re.findall(r"-var '?([a-z_]+)=", TEXT))
    others = {"process_resident_memory_bytes", "simops_operator_waiting_runs"}
    assert {"spot_max_nodes", "delete_contents"} <= named
    assert named - others <= set(variables)
