"""The command line of `hack/screenshots`."""

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from browser.held import DRAWN
from browser.stage import Gateway, Stage, a_store
from contract.server import DEADLINE, ROOT, Api, api_server, hack_cluster
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from localcluster.browser import launch_options
from localcluster.progress import say, step
from simops_assets.build import build
from simops_screenshots.world import COMPARED, MAP, fill

IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 150_000
COLOURS = 256
PAGES = {
    "jobs": "/ui",
    "sweeps": "/ui/sweeps",
    "job": "/ui/job?id=heat-demo&file=field.png",
    "sweep": f"/ui/sweep?id={MAP}",
    "compare": "/ui/compare?" + "&".join(f"id={name}" for name in COMPARED),
    "submit": "/ui/submit?from=heat-demo",
}
"""Name → address. Each is one picture in docs/images."""


@contextmanager
def staged(kubeconfig: str | None) -> Iterator[Stage]:
    """Run everything that the page needs."""
    build()
    with tempfile.TemporaryDirectory() as folder:
        server = api_server("screenshots", None) if kubeconfig is None else None
        path = server.__enter__() if server is not None else str(kubeconfig)
        try:
            kubectl = [hack_cluster("tool", "kubectl"), "--kubeconfig", path]
            subprocess.run([*kubectl, "apply", "-f", str(ROOT / "crds")], check=True, capture_output=True)
            wait = ["wait", "--for=condition=Established", f"--timeout={DEADLINE:.0f}s", "--all", "crd"]
            subprocess.run([*kubectl, *wait], check=True, capture_output=True)
            api = Api(path)
            with a_store(Path(folder)) as (store, own):
                gateway = Gateway(Path(folder), auth_mode="none", kubeconfig=path, **own)
                gateway.start()
                stage = Stage(gateway, store, api)
                try:
                    fill(stage)
                    yield stage
                finally:
                    stage.clear()
                    gateway.stop()
            api.close()
        finally:
            if server is not None:
                server.__exit__(None, None, None)


def small(path: Path) -> None:
    """Write a picture with as many colours as a palette has; one of a page hardly has more."""
    with Image.open(path) as picture:
        reduced = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    reduced.save(path, optimize=True)


def whole(page: Page, name: str) -> list[Locator]:
    """What is seen of a page when it has everything."""
    drawn = page.get_by_role("img").first
    return {
        "job": [page.get_by_text(re.compile("^Complete ·")), drawn],
        "sweep": [drawn, page.get_by_role("table", name="Points").get_by_role("link").first],
        "compare": [drawn],
        "submit": [page.get_by_role("complementary", name="Forecast").get_by_text("Estimated")],
    }.get(name, [page.get_by_role("grid").get_by_role("link").first])


def show(browser: Browser, stage: Stage, name: str, width: int, height: int, scheme: str) -> Page:
    """Open a page, and wait until it has everything."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{stage.url}{PAGES[name]}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("load")
    for part in whole(page, name):
        expect(part).to_be_visible()
    page.wait_for_function(DRAWN)
    return page


def main(argv: Sequence[str] | None = None) -> int:
    """Take them."""
    parser = argparse.ArgumentParser(
        prog="hack/screenshots", description="Take the pictures of the page in docs/images."
    )
    parser.add_argument(
        "--all", type=Path, metavar="DIR", help="instead: each page wide and narrow, light and dark, into a folder"
    )
    parser.add_argument("--kubeconfig", help="an API server to use; else one is started for it")
    arguments = parser.parse_args(argv)
    folder: Path = arguments.all or IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [(1440, 900), (360, 740)] if arguments.all else [(1280, 800)]
    schemes = ["light", "dark"] if arguments.all else ["light"]
    with staged(arguments.kubeconfig) as stage, sync_playwright() as playwright, step("Taking pictures"):
        browser = playwright.chromium.launch(**launch_options())  # type: ignore[arg-type]
        for name in PAGES:
            for width, height in sizes:
                for scheme in schemes:
                    page = show(browser, stage, name, width, height, scheme)
                    more = f"-{width}-{scheme}" if arguments.all else ""
                    path = folder / f"{name}{more}.png"
                    page.screenshot(path=path, full_page=bool(arguments.all) and width < 640)
                    page.close()
                    small(path)
                    if not arguments.all and path.stat().st_size > MOST_BYTES:
                        say(f"error: {path} has {path.stat().st_size} bytes, more than {MOST_BYTES}")
                        return 1
        browser.close()
    return 0
