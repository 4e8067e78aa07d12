"""The supported versions of Kubernetes are the same wherever they are stated."""

import re
from pathlib import Path

import pytest
import yaml

from localcluster.golang import KUBERNETES, NEWEST, OLDEST, OTHER_KUBERNETES, apiserver_of

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def table(name: str) -> list[str]:
    """Return the lines of the table of versions."""
    found = re.search(r"^\| Kubernetes \|.*?(?=^[^|]|^$)", text(name), re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no table of versions"
    return found[0].splitlines()


def test_the_chart_takes_the_oldest_and_none_before() -> None:
    assert yaml.safe_load(text("charts/simops/Chart.yaml"))["kubeVersion"] == f">={OLDEST}.0-0"


def test_terraform_takes_the_oldest_and_none_before() -> None:
    assert f"kubernetes_version must be {OLDEST} or newer" in text("hack/eks/variables.tf")
    assert f">= {OLDEST.partition('.')[2]}," in text("hack/eks/variables.tf")


@pytest.mark.parametrize("name", ["README.md", "docs/production.md"])
def test_the_documents_name_the_versions_that_are_tried(name: str) -> None:
    rows = table(name)
    assert rows == table("README.md")
    for minor, version in OTHER_KUBERNETES.items():
        assert any(row.startswith(f"| {minor} ({version.removeprefix('v')}, the ") for row in rows)
    own = KUBERNETES.removeprefix("v")
    assert any(f" ({own})" in row for row in rows)
    minors = [row.split()[1] for row in rows[2:]]
    assert (minors[0], minors[-1]) == (OLDEST, NEWEST)
    first, last = (int(minor.partition(".")[2]) for minor in (OLDEST, NEWEST))
    assert minors == [f"1.{number}" for number in range(first, last + 1)], "none between them is left out"


def test_the_command_builds_each_of_them() -> None:
    for minor in OTHER_KUBERNETES:
        assert f"hack/cluster tool {apiserver_of(minor)}\n" in text("Makefile")
