"""A page of the browser that is held to what every page must keep: no error, nothing refused by the Content-Security-Policy, nothing from elsewhere."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request, Response

Scheme = Literal["light", "dark"]
SERIOUS = ("serious", "critical")


DRAWN = """() => document.querySelector('[role=img][aria-busy=true]') === null"""
"""Whether each chart of a page is drawn, with what moves come to rest: it is there before that, and does not yet heed the mouse."""


@dataclass
class Held:
    """What has happened on a page."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    wire: dict[str, int] = field(default_factory=dict)
    """Bytes of each answer as they went over the wire."""
    may_lose_the_gateway: bool = False
    """Whether requests that nobody answers are meant."""

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        # An answer of the API that is no success is one the page deals with; the browser mentions it all the same.
        where = urlsplit(str(message.location.get("url", ""))).path
        if message.text.startswith("Failed to load resource") and (
            where.startswith("/api/") or self.may_lose_the_gateway
        ):
            return
        self.errors.append(message.text)

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("blob", "data") and not request.url.startswith(f"{self.url}/"):
            self.foreign.append(request.url)

    def _answered(self, response: Response) -> None:
        length = response.headers.get("content-length")
        if length:
            self.wire[response.url] = int(length)

    def go(self, path: str) -> None:
        """Go to a page."""
        self.page.goto(f"{self.url}{path}")

    def check(self) -> None:
        """See that nothing has gone wrong."""
        assert self.errors == []
        assert self.foreign == []

    def accessible(self) -> None:
        """See that axe finds nothing serious on the page as it is now."""
        found = Axe().run(self.page).response["violations"]
        said = [
            f"{one['id']} ({one['impact']}): {node['target']}: {node['failureSummary']}"
            for one in found
            if one["impact"] in SERIOUS
            for node in one["nodes"][:3]
        ]
        assert said == []

    def accessible_in_both(self) -> None:
        """The same in light and in dark."""
        schemes: tuple[Scheme, ...] = ("light", "dark")
        for scheme in schemes:
            self.page.emulate_media(color_scheme=scheme)
            self.accessible()
