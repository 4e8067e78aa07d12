"""Fixtures of the store tests: one server of each kind for the whole run, one sidecar for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.servers import KINDS, Proxy, Server
from integration.sidecar import Sidecar


@pytest.fixture(scope="session")
def minio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server("minio", tmp_path_factory.mktemp("minio"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def versitygw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server("versitygw", tmp_path_factory.mktemp("versitygw"))
    yield server
    server.close()


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that runs, of each kind; it may be frozen and killed."""
    yield from running(request.getfixturevalue(f"{request.param}_server"))


@pytest.fixture
def minio_store(minio_server: Server) -> Iterator[Server]:
    """For what does not depend on the kind of store."""
    yield from running(minio_server)


def running(server: Server) -> Iterator[Server]:
    server.start()
    yield server
    server.thaw()


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Callable[..., Sidecar]]:
    """Make sidecars: `sidecar(store, SIMOPS_GRACE_SECONDS="5")`."""
    made: list[Sidecar] = []

    def make(store: Server | None = None, **variables: str) -> Sidecar:
        folder = tmp_path / f"{tmp_path.name}-{len(made)}"
        folder.mkdir()
        made.append(Sidecar(folder, store, **variables))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def proxy() -> Iterator[Callable[[Server, Callable[[str], str | None]], Proxy]]:
    made: list[Proxy] = []

    def make(server: Server, spoil: Callable[[str], str | None]) -> Proxy:
        made.append(Proxy(("127.0.0.1", server.port), spoil))
        return made[-1]

    yield make
    for one in made:
        one.close()
