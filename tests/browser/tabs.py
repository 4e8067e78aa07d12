"""Chromium, and tabs of people in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from browser.held import Held, Scheme
from playwright.sync_api import Browser, expect, sync_playwright

from localcluster.browser import launch_options

PATIENCE_MS = 30_000
_DEFAULT_MS = 5_000
"""Playwright's own."""
Tabs = Callable[..., Held]
"""Opens a tab: of somebody with this token, who has signed in with it, or of nobody."""


@contextmanager
def launched(patience_ms: int = PATIENCE_MS) -> Iterator[Browser]:
    """Run Chromium, which is installed if it is missing, and let what is expected of its pages take some time: a busy machine, a page that tries again.

    While it runs its event loop counts as running, and no other test can have one.
    """
    expect.set_options(timeout=patience_ms)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**launch_options())  # type: ignore[arg-type]
            yield browser
            browser.close()
    finally:
        expect.set_options(timeout=_DEFAULT_MS)


@contextmanager
def tabs_of(browser: Browser, url: str) -> Iterator[Tabs]:
    """Open tabs of the page at an address. What every page must keep is checked at the end."""
    opened: list[Held] = []

    def new(token: str = "", *, width: int = 1440, height: int = 900, scheme: Scheme = "light") -> Held:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        if token:
            context.add_init_script(
                f"sessionStorage.getItem('simops.token') ?? sessionStorage.setItem('simops.token', {token!r})"
            )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        held = Held(page, url)
        opened.append(held)
        return held

    yield new
    for held in opened:
        held.page.context.close()
    for held in opened:
        held.check()
