"""The spaces that the guide shows have as many points as it says."""

import re
from pathlib import Path

import pytest
import yaml

from simops_crds.space import count, expand
from simops_crds.space.where import ARITIES, CONSTANTS
from simops_crds.v1alpha1 import Space

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "sweeps-space.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n# (\d+) points(?: of (\d+))?.*?\n(.*?)```", GUIDE, re.DOTALL)


def test_every_method_is_shown_and_every_example_is_tried() -> None:
    assert len(EXAMPLES) == GUIDE.count("```yaml") == 5


@pytest.mark.parametrize(("left", "tried", "text"), EXAMPLES, ids=[text[:25] for _, _, text in EXAMPLES])
def test_an_example_has_as_many_points_as_it_says(left: str, tried: str, text: str) -> None:
    space = Space.model_validate(yaml.safe_load(text))
    assert len(list(expand(space, {}))) == int(left)
    assert count(space) == int(tried or left)


def test_every_function_and_constant_of_where_is_told() -> None:
    told = set(re.findall("`([a-z0-9]+)`", GUIDE.partition("## `where`")[2].partition("## Limits")[0]))
    assert told >= {*ARITIES, *CONSTANTS}
