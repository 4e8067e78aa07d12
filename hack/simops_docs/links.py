"""Where links of pages lead in the site (pure): pages are written for a checkout, and some link to its files outside of docs/."""

import posixpath
import re
from collections.abc import Mapping

PAGES = {
    "README.md": "index.md",
    "charts/simops/README.md": "chart.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""Files of the checkout that are pages of the site: path → page. The first one only as the aim of links."""
COPIED = ("charts/simops/ci/", "charts/simops/values.yaml", "examples/", "hack/eks/")
"""Files of the checkout that are given as they are when a page links to them, below files/."""

_LINK = re.compile(r"(?<=\]\()(?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?(?=\))")
_FENCE = re.compile(r"^(```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)


def copied(path: str) -> bool:
    """Whether a file of the checkout may be given as it is."""
    return path.startswith(COPIED) and not path.endswith("/")


def target(source: str, path: str) -> str | None:
    """Return which page or file of the site is meant by a link from a file of the checkout; None: leave it as it is."""
    whole = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if whole in PAGES:
        return PAGES[whole]
    if copied(whole):
        return f"files/{whole}"
    return whole.removeprefix("docs/") if whole.startswith("docs/") and whole.endswith(".md") else None


def rewritten(text: str, source: str, page: str, folders: Mapping[str, str]) -> tuple[str, set[str]]:
    """Return a page's text with its links as the site needs them, and the files that are to be given beside it.

    ``source`` is the page's file in the checkout, ``page`` its place in the site, ``folders`` what a link to a folder leads to.
    """
    files = set()

    def one(match: re.Match[str]) -> str:
        path, anchor = match["path"], match["anchor"] or ""
        if found := folders.get(posixpath.normpath(posixpath.join(posixpath.dirname(source), path))):
            goal: str | None = found
        else:
            goal = target(source, path)
        if goal is None:
            return f"{path}{anchor}"
        if goal.startswith("files/"):
            files.add(goal.removeprefix("files/"))
        return posixpath.relpath(goal, posixpath.dirname(page) or ".") + anchor

    parts = _FENCE.split(text)
    return "".join(part if part.startswith("```") else _LINK.sub(one, part) for part in parts), files
