"""The sample job from `kubectl apply` to its results."""

from pathlib import Path

import pytest
import yaml
from e2e.lab import Lab, Run

EXAMPLE = Path(__file__).parents[2] / "examples" / "heat.yaml"


@pytest.fixture(scope="module")
def heat(simops: Lab) -> Run:
    manifest = yaml.safe_load(EXAMPLE.read_text())
    manifest["metadata"]["namespace"] = "lab"
    return simops.start(manifest)


def test_it_goes_from_pending_through_running_to_succeeded(heat: Run) -> None:
    heat.ended("Succeeded", "Completed")
    assert heat.phases == ["Pending", "Running", "Succeeded"]
