"""A browser, the gateway that it looks at, and people with tokens."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser.held import Held, Scheme
from browser.stage import Gateway, Stage, a_store
from contract.access import People, service_account
from contract.conftest import api, kubeconfig, kubectl
from contract.server import Api
from playwright.sync_api import Browser, sync_playwright

from localcluster.browser import launch_options
from simops_assets.build import build

__all__ = ["api", "kubeconfig", "kubectl"]
HERE = Path(__file__).resolve().parent
HOME = "default"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("apiserver")


# For a module, not the session: while it is there its event loop counts as running, and no other test could have one.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())  # type: ignore[arg-type]
        yield browser
        browser.close()


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
def open_page(chromium: Browser, stage: Stage) -> Iterator[Callable[..., Held]]:
    """Open a tab of a person, who has signed in if a token is given. What every page must keep is checked at the end of the test."""
    opened: list[Held] = []

    def new(token: str = "", *, width: int = 1440, height: int = 900, scheme: Scheme = "light") -> Held:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        if token:
            context.add_init_script(
                f"sessionStorage.getItem('simops.token') ?? sessionStorage.setItem('simops.token', {token!r})"
            )
        page = context.new_page()
        page.set_default_timeout(30_000)
        held = Held(page, stage.url)
        opened.append(held)
        return held

    yield new
    for held in opened:
        held.page.context.close()
    for held in opened:
        held.check()


@pytest.fixture
def signed_in(open_page: Callable[..., Held], tokens: dict[str, str]) -> Held:
    """A tab of somebody who may do everything."""
    return open_page(tokens["ann"])
