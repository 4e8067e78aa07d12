"""MkDocs' hooks: pages that are generated or lie outside of docs/, links to them, and the list of decisions in the navigation."""

import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pydantic_settings import BaseSettings

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("hack", "crds", "operator", "api") if str(ROOT / part) not in sys.path]

from simops_api.app import create_app  # noqa: E402 - the site can be built without an installed SimOps
from simops_api.settings import Settings as GatewaySettings  # noqa: E402
from simops_docs import client, links, rest, settings  # noqa: E402
from simops_operator.settings import Settings as OperatorSettings  # noqa: E402

DECISIONS = "decisions"
FOLDERS = {"docs/decisions": "decisions/index.md"}


def generated() -> dict[str, str]:
    """Return page → text of what is written from the code."""
    programs: dict[str, type[BaseSettings]] = {"Operator": OperatorSettings, "Gateway": GatewaySettings}
    return {
        "client-reference.md": client.page(),
        "rest-reference.md": rest.page(create_app(GatewaySettings(auth_mode="none")).openapi()),
        "settings.md": settings.page(programs),
        f"{DECISIONS}/index.md": decisions_page(),
    }


def decisions() -> list[Path]:
    """Return the files of all decisions, in their order."""
    return sorted((ROOT / "docs" / DECISIONS).glob("[0-9]*.md"))


def title_of(path: Path) -> str:
    """Return the first heading of a page."""
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def decisions_page() -> str:
    """Return the list of all decisions."""
    rows = "\n".join(f"- [{title_of(path)}]({path.name})" for path in decisions())
    return (
        f"# Decisions\n\nWhat was decided about the design, and why, in the order in which it was decided.\n\n{rows}\n"
    )


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every decision into the navigation, where mkdocs.yml has the folder."""
    pages = [f"{DECISIONS}/index.md", *(f"{DECISIONS}/{path.name}" for path in decisions())]

    def whole(entry: Any) -> Any:
        if isinstance(entry, list):
            return [whole(one) for one in entry]
        if isinstance(entry, dict):
            return {title: pages if part == f"{DECISIONS}/" else whole(part) for title, part in entry.items()}
        return entry

    config.nav = whole(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not below docs/, and the files that pages link to."""
    for name, text in generated().items():
        # What stands there in a checkout only says that the page is written when the site is built.
        if (said := files.get_file_from_path(name)) is not None:
            files.remove(said)
        files.append(File.generated(config, name, content=text))
    for path, name in links.PAGES.items():
        if name != "index.md":
            files.append(File.generated(config, name, content=(ROOT / path).read_text(encoding="utf-8")))
    linked = set[str]()
    for file in files.documentation_pages():
        linked |= links.rewritten(file.content_string, source_of(file.src_uri), file.src_uri, FOLDERS)[1]
    for path in sorted(linked):
        files.append(File.generated(config, f"files/{path}", abs_src_path=str(ROOT / path)))
    return files


def source_of(page: str) -> str:
    """Return the file of the checkout that a page of the site is made of."""
    outside = {name: path for path, name in links.PAGES.items() if name != "index.md"}
    return outside.get(page, f"docs/{page}")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where things are in the site."""
    del config, files
    return links.rewritten(markdown, source_of(page.file.src_uri), page.file.src_uri, FOLDERS)[0]
