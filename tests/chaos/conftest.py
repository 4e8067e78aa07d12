"""A rig for each test; the cluster and SimOps come from ``e2e.fixtures``."""

from collections.abc import Iterator

import pytest
from chaos.rig import Rig, rigged
from e2e.host import Host
from e2e.lab import Lab


@pytest.fixture(scope="module")
def place(simops: Lab, host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rigged(simops, host, tmp_path_factory.mktemp("rig")) as rig:
        yield rig


@pytest.fixture
def rig(place: Rig) -> Iterator[Rig]:
    """A rig without operators; those that a test starts end with it, and what they said is shown with its failure."""
    yield place
    place.spoil_store = lambda _head: None
    print(place.said())  # noqa: T201 - pytest shows it with a failure
    for operator in place.operators:
        operator.close()
        operator.folder.rename(operator.folder.with_name(f"{operator.folder.name}-{len(list(place.folder.iterdir()))}"))
    place.operators.clear()
    place.lab.recent.clear()
