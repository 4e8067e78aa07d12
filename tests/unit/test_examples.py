"""The examples are what the schema takes, and have the points that they say."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from simops_crds.kinds import KINDS
from simops_crds.space import expand
from simops_crds.v1alpha1 import SimulationSweepSpec
from simops_images.catalogue import ROOT
from simops_sim.problem import Problem

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
SPECS = {kind.kind: kind.spec for kind in KINDS}


def read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_what_the_schema_takes(path: Path) -> None:
    obj = read(path)
    SPECS[obj["kind"]].model_validate(obj["spec"])


@pytest.mark.parametrize(
    ("name", "points"),
    [("sweep-grid", range(192, 193)), ("sweep-sobol", range(120, 250)), ("sweep-convergence", range(10, 11))],
)
def test_the_points_of_an_example_are_problems_that_the_sample_simulation_can_solve(name: str, points: range) -> None:
    spec = SimulationSweepSpec.model_validate(read(ROOT / "examples" / f"{name}.yaml")["spec"])
    shared = spec.template.params or {}
    found = list(expand(spec.space, shared))
    assert len(found) in points
    for point in found:
        values: Any = shared | point
        Problem(**values)  # refuses what it cannot solve
