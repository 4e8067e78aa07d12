"""Every test here finds SimOps installed, by the fixtures of ``e2e.fixtures``."""

from collections.abc import Iterator

import pytest
from e2e.lab import Lab


@pytest.fixture(scope="session", autouse=True)
def _installed(simops: Lab) -> None:
    """Also for a test that takes nothing but the cluster."""


@pytest.fixture(autouse=True)
def _recent(simops: Lab) -> Iterator[None]:
    yield
    simops.recent.clear()
