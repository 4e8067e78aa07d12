"""The docs site builds without a warning, asks no other host for anything, and its generated pages name all that there is."""

import posixpath
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from simops_api.app import create_app
from simops_api.settings import Settings
from simops_crds.kinds import KINDS
from simops_crds.names import GROUP
from simops_docs import client, links, rest, settings
from simops_images.catalogue import ROOT
from simops_operator.settings import Settings as OperatorSettings

# What a browser loads by itself when it shows a page.
LOADING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}


class Loaded(HTMLParser):
    """What a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if LOADING.get(tag) == name]


def build(out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "hack" / "docs"), "build", f"--out={out}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(out)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return out


def test_the_site_builds_without_a_warning_and_no_page_of_it_loads_anything_from_another_host(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.addresses
        strange = [one for one in loaded.addresses if re.match(r"(https?:)?//", one)]
        assert not strange, f"{page.name} loads {strange}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def tracked() -> frozenset[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return frozenset(name for name in listed.split("\0") if name)


def linked(text: str) -> list[str]:
    """The paths of the checkout that a page links to."""
    plain = re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```[^\n]*$", "", text, flags=re.MULTILINE | re.DOTALL))
    found = re.findall(r"\]\(([^)\s]+)", plain) + re.findall(r"^\[[^\]]+\]:\s*(\S+)", plain, re.MULTILINE)
    return [one.partition("#")[0] for one in found if not re.match(r"[a-z]+:|#", one)]


def test_every_relative_link_of_a_tracked_page_leads_to_a_tracked_file_or_folder() -> None:
    files = tracked()
    there = files | {str(parent) for name in files for parent in PurePosixPath(name).parents}
    dead = [
        f"{page}: {path}"
        for page in sorted(files)
        if page.endswith(".md")
        for path in linked((ROOT / page).read_text(encoding="utf-8"))
        if posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) not in there
    ]
    assert not dead


def test_a_link_in_code_is_none_and_an_image_is_one() -> None:
    text = "[a](b.md#c) ![d](e.png)\n```\n[f](g.md)\n```\n`[h](i)` [j](https://k) [l](#m)\n[n]: o.md\n"
    assert linked(text) == ["b.md", "e.png", "o.md"]


def test_generated_pages_of_the_site_are_whole_and_not_what_a_checkout_says_of_them(site: Path) -> None:
    for name, words in (("rest-reference", "GET /api/v1/sweeps"), ("client-reference", "client.submit")):
        page = (site / f"{name}.html").read_text(encoding="utf-8")
        assert words in page
        assert "built site alone" not in page


def test_files_of_the_checkout_that_pages_link_to_are_beside_them(site: Path) -> None:
    for name in ("examples/rest.py", "charts/simops/ci/eks-values.yaml"):
        assert (site / "files" / name).read_bytes() == (ROOT / name).read_bytes()


def test_the_search_knows_every_call_and_the_clients_methods(site: Path) -> None:
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    for words in (
        "/api/v1/sweeps/{sweep_id}/plot",
        "client.submit_many",
        "client.get_sweep",
        "SIMOPS_STORE_ENDPOINT",
        "spec.pointsPerPod",
    ):
        assert words in index


def test_the_reference_of_rest_has_every_call_parameter_and_schema() -> None:
    document = create_app(Settings(auth_mode="none")).openapi()
    page = rest.page(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            heading = f"### `{method.upper()} {path}`\n"
            assert page.count(heading) == 1
            section = page.partition(heading)[2].partition("\n### ")[0]
            for parameter in operation.get("parameters", []):
                assert f"| `{parameter['name']}` | {parameter['in']} |" in section
            assert "application/problem+json" in section
    for name in document["components"]["schemas"]:
        assert page.count(f"\n### {name}\n") == 1


def test_the_reference_of_the_client_has_every_call_with_its_parameters_and_a_sentence() -> None:
    page = client.page()
    for kind in client.CLASSES:
        for name, _ in client.members(kind):
            heading = f"### {kind.__name__.lower()}.{name}\n\n```python\n"
            assert page.count(heading) == 1
            code, _, text = page.partition(heading)[2].partition("```\n\n")
            assert name in code
            assert text[0].isupper(), f"{name} has no sentence"
    assert "job.download(folder: str | Path, *, unpack: bool = True)\n" in page
    assert "- `Conflict`: there is no result (yet).\n" in page


def is_ours(one: Any) -> bool:
    return isinstance(one, dict) and str(one.get("apiVersion", "")).startswith(GROUP)


def objects() -> list[Any]:
    """The objects of SimOps that pages show, each with its page."""
    found = []
    for path in [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]:
        blocks = re.findall(r"^```yaml\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        ours = [one for block in blocks for one in yaml.safe_load_all(block) if is_ours(one)]
        found += [pytest.param(one, id=f"{path.name}: {one['kind']} {one['metadata']['name']}") for one in ours]
    return found


@pytest.mark.parametrize("one", objects())
def test_an_object_that_a_page_shows_is_what_the_schema_takes(one: dict[str, Any]) -> None:
    spec = next(kind.spec for kind in KINDS if kind.kind == one["kind"])
    spec.model_validate(one["spec"])


def test_a_call_of_a_group_without_a_title_has_a_section_too() -> None:
    operation = {"tags": ["people"], "summary": "Me", "description": "Say who calls.", "responses": {}}
    page = rest.page({"paths": {"/api/v1/me": {"get": operation}}, "components": {"schemas": {}}})
    assert "## People\n\n### `GET /api/v1/me`\n" in page


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 500}, "integer (≥ 1, ≤ 500)"),
        ({"type": "string", "maxLength": 63}, "string (0 to 63 characters)"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Job"}}, "list of [Job](#job)"),
        ({"enum": ["png", "svg"], "type": "string"}, "`png`, `svg`"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object of number"),
        ({}, "any"),
    ],
)
def test_a_schema_is_told_in_words(schema: dict[str, object], words: str) -> None:
    assert rest.kind_of(schema) == words


def test_every_variable_of_both_programs_has_a_row_with_a_sentence() -> None:
    for program in (OperatorSettings, Settings):
        rows = settings.table(program)[2:]
        assert len(rows) == len(program.model_fields)
        for name, row in zip(program.model_fields, rows, strict=True):
            assert name.upper() in row
            assert not row.endswith("|  |"), row
    page = settings.page({"Operator": OperatorSettings, "Gateway": Settings})
    assert "| `SIMOPS_AUTH_MODE` | required |" in page
    assert "| `SIMOPS_NAMESPACES` | `default` |" in page


@pytest.mark.parametrize(
    ("source", "page", "text", "becomes"),
    [
        ("docs/rest.md", "rest.md", "[a](python.md#log)", "[a](python.md#log)"),
        ("docs/rest.md", "rest.md", "[a](../examples/rest.py)", "[a](files/examples/rest.py)"),
        ("docs/rest.md", "rest.md", "[a](../charts/simops/README.md#x)", "[a](chart.md#x)"),
        ("docs/simulations/heat1d.md", "simulations/heat1d.md", "[a](../rest.md)", "[a](../rest.md)"),
        ("charts/simops/README.md", "chart.md", "[a](../../docs/rest.md)", "[a](rest.md)"),
        ("SECURITY.md", "security.md", "[a](docs/decisions/)", "[a](decisions/index.md)"),
        ("docs/rest.md", "rest.md", "[a](https://kind.sigs.k8s.io)", "[a](https://kind.sigs.k8s.io)"),
        ("docs/rest.md", "rest.md", "```\n[a](../examples/rest.py)\n```", "```\n[a](../examples/rest.py)\n```"),
    ],
)
def test_a_link_leads_to_where_its_file_is_in_the_site(source: str, page: str, text: str, becomes: str) -> None:
    found, files = links.rewritten(text, source, page, {"docs/decisions": "decisions/index.md"})
    assert found == becomes
    assert files == ({"examples/rest.py"} if "(files/" in becomes else set())
