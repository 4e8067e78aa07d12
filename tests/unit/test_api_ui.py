"""How the page is served: to anybody, with a strict policy, or not at all."""

import gzip
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from simops_api import errors
from simops_api.app import create_app
from simops_api.auth.gate import Gate, is_open
from simops_api.headers import SecurityHeaders
from simops_api.settings import Settings
from simops_api.ui.routes import install

SCRIPT = b"export const one = 1;" * 20
SHELL = '<script type="module" src="{{prefix}}/ui/assets/main-1A.js"></script>'


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    assets = tmp_path / "dist" / "assets"
    assets.mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text(SHELL)
    (assets / "main-1A.js").write_bytes(SCRIPT)
    (assets / "main-1A.js.gz").write_bytes(gzip.compress(SCRIPT))
    (assets / "icon.svg").write_text("<svg/>")
    return tmp_path / "dist"


def client_of(app: FastAPI, root_path: str = "") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, root_path=root_path)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


def served(dist: Path, root_path: str = "") -> httpx.AsyncClient:
    """The page behind what every request goes through; nobody is signed in."""
    app = FastAPI(redirect_slashes=False)
    errors.install(app)
    app.add_middleware(Gate)
    app.add_middleware(SecurityHeaders)
    install(app, dist)
    return client_of(app, root_path)


@pytest.mark.parametrize("path", ["/ui", "/ui/jobs", "/ui/anything"])
async def test_every_page_is_the_shell_for_anybody_with_a_policy_that_lets_in_nothing_else(
    dist: Path, path: str
) -> None:
    answer = await served(dist).get(path)
    assert answer.status_code == 200
    assert answer.text == SHELL.replace("{{prefix}}", "")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-cache"


async def test_behind_a_prefix_the_shell_asks_for_its_files_there(dist: Path) -> None:
    assert 'src="/lab/ui/assets/main-1A.js"' in (await served(dist, "/lab").get("/ui")).text


async def test_files_that_are_named_by_their_content_are_kept_for_ever_and_sent_compressed(dist: Path) -> None:
    client = served(dist)
    for encoding, sent in (("gzip", "gzip"), ("identity", None)):
        answer = await client.get("/ui/assets/main-1A.js", headers={"Accept-Encoding": encoding})
        assert answer.content == SCRIPT
        assert answer.headers.get("Content-Encoding") == sent
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Vary"] == "Accept-Encoding"
    assert (await client.get("/ui/assets/icon.svg")).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["none.js", "..%2Findex.html", "%2e%2e/index.html", "main-1A.js.gz"])
async def test_no_other_file_is_there(dist: Path, name: str) -> None:
    answer = await served(dist).get(f"/ui/assets/{name}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_people_are_led_to_the_page_and_programs_are_not(dist: Path) -> None:
    client = served(dist)
    answer = await client.get("/", headers={"Accept": "text/html,*/*;q=0.8"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/ui")
    assert (await client.get("/", headers={"Accept": "*/*"})).status_code == 404


async def test_without_the_built_files_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    answer = await served(tmp_path / "none").get("/ui")
    assert answer.status_code == 503
    assert "hack/assets build" in answer.text


async def test_it_can_be_switched_off() -> None:
    for is_on in (True, False):
        paths = {getattr(route, "path", "") for route in create_app(Settings(auth_mode="none", ui=is_on)).routes}
        assert ("/ui" in paths) is is_on


def test_nothing_but_the_page_is_open_by_its_name() -> None:
    assert all(map(is_open, ("/", "/ui", "/ui/job", "/ui/assets/main.js")))
    assert not any(map(is_open, ("/uix", "/api/v1/jobs", "/api/v1/ui/", "//ui", "/metrics")))
