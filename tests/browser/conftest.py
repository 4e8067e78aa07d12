"""A browser, the gateway that it looks at, and people with tokens."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.held import Held
from browser.stage import Gateway, Stage, a_store
from browser.tabs import Tabs, launched, tabs_of
from contract.access import People, service_account
from contract.conftest import api, kubeconfig, kubectl
from contract.server import Api
from playwright.sync_api import Browser

from simops_assets.build import build

__all__ = ["api", "kubeconfig", "kubectl"]
HERE = Path(__file__).resolve().parent
HOME = "default"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("apiserver")


# For a module, not the session: no other test could have an event loop.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def tokens(api: Api) -> Iterator[dict[str, str]]:
    """Tokens: `ann` may do everything, `reader` may look, `stranger` may do nothing."""
    people = People(api, [])
    try:
        for name in ("ann", "reader", "stranger"):
            people.account(HOME, f"page-{name}")
        people.may(HOME, "page-all", [service_account(HOME, "page-ann")], verbs=["get", "list", "create", "patch"])
        people.may(HOME, "page-look", [service_account(HOME, "page-reader")], verbs=["get", "list"])
        yield {name: people.token(HOME, f"page-{name}") for name in ("ann", "reader", "stranger")}
    finally:
        for undo in reversed(people.undo):
            with contextlib.suppress(Exception):
                undo()


@pytest.fixture(scope="module")
def running(api: Api, tokens: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The gateway that asks the API server who somebody is."""
    build()
    folder = tmp_path_factory.mktemp("gateway")
    with a_store(tmp_path_factory.mktemp("store")) as (store, own):
        gateway = Gateway(
            folder,
            auth_mode="kubernetes",
            kubeconfig=api.kubeconfig,
            default_container_image="sim:local",
            default_container_command="python,-m,simops_sim",
            max_connections=8,
            **own,
        )
        gateway.start()
        try:
            yield Stage(gateway, store, api)
        finally:
            gateway.stop()


@pytest.fixture
def stage(running: Stage) -> Iterator[Stage]:
    yield running
    running.clear()


@pytest.fixture
def open_page(chromium: Browser, stage: Stage) -> Iterator[Tabs]:
    with tabs_of(chromium, stage.url) as new:
        yield new


@pytest.fixture
def signed_in(open_page: Tabs, tokens: dict[str, str]) -> Held:
    """A tab of somebody who may do everything."""
    return open_page(tokens["ann"])
