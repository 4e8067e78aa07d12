"""The browser with which the page is tested: Debian's Chromium, installed when root, named otherwise."""

import os
import shutil

from localcluster.packages import SEARCH, ensure_packages

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGE = "chromium"
FONTS = "fonts-dejavu-core"


def browser() -> str | None:
    """Return the program, None when there is none."""
    return next((found for name in NAMES if (found := shutil.which(name, path=SEARCH))), None)


def ensure_browser() -> str:
    """Return the program; it is installed if it is missing.

    Raises:
        StepError: it is missing and cannot be installed here; the text names the package.
    """
    ensure_packages(lambda: [] if browser() else [PACKAGE, FONTS])
    return str(browser())


def launch_options() -> dict[str, object]:
    """Return how Playwright starts it. Its sandbox does not work for root, who tests only what this project serves."""
    return {"executable_path": ensure_browser(), "args": ["--no-sandbox"] if os.geteuid() == 0 else []}
