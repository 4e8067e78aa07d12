"""The page in a real browser, of the gateway as the chart installs it, while operator and Pods do what it tells of."""

import hashlib
import re
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.held import Held
from browser.samples import PNG, TABLE
from browser.tabs import Tabs, launched, tabs_of
from e2e.cluster import Object, until
from e2e.gateway import PODS, Gateway, gateway_pods, installed_gateway
from e2e.lab import HELD, NAMESPACE, TESTBOX, Lab, Run, job
from playwright.sync_api import Browser, Locator, Page, expect

from simops_demo import installation
from simops_demo.gateway import token_for

PATIENCE_MS = 90_000
# Prints what it is told to until it is told with which exit code to end.
TALKS = (
    'trap "exit 143" TERM; '
    "until [ -f /tmp/verdict ]; do if [ -f /tmp/said ]; then cat /tmp/said; rm /tmp/said; fi; sleep 0.1; done; "
    'exit "$(cat /tmp/verdict)"'
)
# As it is typed into the form, so without a quote of the other kind. It leaves a table, a picture, and bytes that nobody knows beforehand.
LEAVES_FILES = (
    'echo "length is $2"; cd "$SIMOPS_OUTPUTS"; mkdir deep; '
    f"echo {b64encode(TABLE).decode()} | base64 -d > deep/table.csv; echo {b64encode(PNG).decode()} | base64 -d > point.png; "
    f"head -c 300000 /dev/urandom > noise.bin; sha256sum noise.bin; {TALKS}"
)
HAS_A_SCORE = 'echo "a is $2, b is $4"; echo "{\\"score\\": $((10 * $2 + $4))}" > "$SIMOPS_OUTPUTS/metrics.json"'


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser whose pages may take as long to show something as a cluster may take to do it."""
    with launched(PATIENCE_MS) as browser:
        yield browser


@pytest.fixture(scope="module")
def served(simops: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with installed_gateway(simops.cluster, tmp_path_factory.mktemp("forward")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def tokens(simops: Lab, served: Gateway) -> dict[str, str]:
    """Tokens: `editor` may do everything, `viewer` may look."""
    installed = installation.Cluster(simops.cluster.name, simops.cluster.kubeconfig)
    roles = {"editor": "edit", "viewer": "view"}
    made = {name: token_for(installed, NAMESPACE, f"page-{name}", role) for name, role in roles.items()}
    # The controller that adds our kinds to Kubernetes' own roles may not have come round yet.
    until(lambda: all(served.get("/jobs", **bearer(one)).status == 200 for one in made.values()), "they are let in")
    return made


@pytest.fixture
def open_tab(chromium: Browser, served: Gateway) -> Iterator[Tabs]:
    with tabs_of(chromium, served.url) as new:
        yield new


@pytest.fixture
def signed_in(open_tab: Tabs, tokens: dict[str, str]) -> Held:
    return open_tab(tokens["editor"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def made_by_the_form(page: Page, kind: str) -> str:
    """Return the name of what the form has made, once its page is open."""
    expect(page).to_have_url(re.compile(rf"/ui/{kind}\?id=run-"))
    return page.url.rsplit("=", 1)[1]


def tell(run: Run, pod: str, line: str) -> None:
    """Let the simulation print a line."""
    run.shell(pod, f"echo '{line}' > /tmp/part && mv /tmp/part /tmp/said")


def status_on(page: Page) -> Locator:
    return page.locator(".jobhead").get_by_role("status")


def line_on(page: Page, text: str) -> Locator:
    return page.get_by_role("region", name="Log").get_by_text(text, exact=True)


def downloaded(page: Page, button: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(download.value.path()).read_bytes()


def test_a_run_is_submitted_followed_while_it_runs_and_its_files_are_looked_at_and_downloaded(
    open_tab: Tabs, tokens: dict[str, str], simops: Lab, tmp_path: Path
) -> None:
    held = open_tab()
    page = held.page
    held.go("/ui/submit")
    page.get_by_label("Token").fill(tokens["editor"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Image", exact=True).fill(TESTBOX)
    page.get_by_label("Command").fill(f"sh -c '{LEAVES_FILES}' point")
    page.get_by_label("Parameter name 1").fill("length")
    page.get_by_label("Parameter value 1").fill("1.5")
    expect(page.get_by_role("complementary", name="Forecast")).to_contain_text(re.compile(r"Runs\s*1"))
    page.get_by_role("button", name="Submit", exact=True).click()
    run = simops.run_called(made_by_the_form(page, "job"))
    expect(status_on(page)).to_have_text("Running")
    expect(line_on(page, "length is 1.5")).to_be_visible()
    pod = run.attempt()
    tell(run, pod, "printed while somebody reads")
    expect(line_on(page, "printed while somebody reads")).to_be_visible()
    assert run.status["phase"] == "Running", "the line was there before the end"
    expect(page.get_by_text("There are files once the run has finished.")).to_be_visible()
    run.release()
    expect(status_on(page)).to_have_text("Succeeded")
    expect(page.locator(".logstate")).to_have_text("Complete · 3 lines")
    page.get_by_role("button", name="deep/table.csv", exact=True).click()
    expect(page.get_by_role("cell", name="87.5")).to_be_visible()
    page.get_by_role("button", name="point.png", exact=True).click()
    expect(page.get_by_role("img", name="The picture point.png")).to_have_js_property("naturalWidth", 1)
    held.accessible_in_both()
    assert downloaded(page, "Download deep/table.csv") == TABLE
    noise = downloaded(page, "Download noise.bin")
    assert len(noise) == 300_000
    expect(line_on(page, f"{hashlib.sha256(noise).hexdigest()}  noise.bin")).to_be_visible()
    (tmp_path / "all.zip").write_bytes(downloaded(page, "Download all (zip)"))
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "deep/table.csv": TABLE,
            "point.png": PNG,
            "noise.bin": noise,
        }


def test_a_sweep_is_submitted_and_becomes_a_heat_map_whose_cells_open_their_runs(signed_in: Held, simops: Lab) -> None:
    page = signed_in.page
    signed_in.go("/ui/submit")
    page.get_by_label("Many runs: a sweep").check()
    page.get_by_label("Image", exact=True).fill(TESTBOX)
    page.get_by_label("Command").fill(f"sh -c '{HAS_A_SCORE}' point")
    page.get_by_label("Name of axis 1").fill("a")
    page.get_by_label("values of axis 1").fill("1, 2, 3")
    page.get_by_role("button", name="Add an axis").click()
    page.get_by_label("Name of axis 2").fill("b")
    page.get_by_label("values of axis 2").fill("4, 5, 6")
    page.get_by_label("Points per Pod").fill("3")
    expect(page.get_by_role("complementary", name="Forecast")).to_contain_text(re.compile(r"Runs\s*9"))
    page.get_by_role("button", name="Submit the sweep").click()
    sweep = simops.sweep_called(made_by_the_form(page, "sweep"))
    expect(page.get_by_text("9 / 9")).to_be_visible()
    expect(page.locator("h1 + .status")).to_have_text("Succeeded")
    chart = page.get_by_role("img", name=re.compile("^Heat map of score over b and a;"))
    expect(chart).to_be_visible()
    page.get_by_text("The same as a table").click()
    rows = page.get_by_role("region", name="score over b and a").get_by_role("row")
    expect(rows).to_have_text([r"a \ b 4 5 6", "1 14 15 16", "2 24 25 26", "3 34 35 36"], use_inner_text=True)
    expect(page.get_by_role("table", name="Points").get_by_text("Succeeded", exact=True)).to_have_count(9)
    # Up is a, across is b: the cell in the middle of the lowest row is the second point.
    box = chart.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.75)
    expect(page).to_have_url(re.compile(rf"/ui/job\?id={sweep.name}-1$"))
    expect(page.get_by_role("heading", name=f"{sweep.name}-1", exact=True)).to_be_visible()
    for row in ("a 1", "b 5", "score 15"):
        expect(page.get_by_role("row", name=row, exact=True)).to_be_visible()
    expect(line_on(page, "a is 1, b is 5")).to_be_visible()
    assert sweep.whole()["phase"] == "Succeeded"


def test_a_run_that_is_cancelled_on_the_page_after_its_question_stops_and_keeps_what_it_wrote(
    signed_in: Held, simops: Lab
) -> None:
    run = simops.start(job("page-cancelled", HELD))
    page = signed_in.page
    signed_in.go(f"/ui/job?id={run.name}")
    expect(status_on(page)).to_have_text("Running")
    pod = run.attempt()
    expect(line_on(page, f"attempt {pod}")).to_be_visible()
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"Cancel {run.name}?")
    page.get_by_role("button", name="Keep running").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert not (run.find() or {})["spec"].get("cancelled")
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_text(f"{run.name} told to stop.")).to_be_visible()
    expect(status_on(page)).to_have_text("Cancelled")
    expect(page.get_by_role("button", name="Cancel…")).to_have_count(0)
    expect(line_on(page, "stopped")).to_be_visible()
    expect(page.get_by_role("button", name="begun.txt", exact=True)).to_be_visible()
    assert downloaded(page, "Download begun.txt") == b"begun\n"
    run.ended("Cancelled", "Cancelled")
    run.podless()


def test_who_may_only_look_sees_everything_is_offered_no_orders_and_is_refused_them(
    open_tab: Tabs, tokens: dict[str, str], served: Gateway, simops: Lab
) -> None:
    run = simops.start(job("page-looked-at", HELD))
    pod = run.attempt()
    held = open_tab(tokens["viewer"])
    page = held.page
    held.go("/ui")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=run.name, exact=True))
    expect(row).to_contain_text("Running")
    expect(page.get_by_role("checkbox")).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("^Submit"))).to_have_count(0)
    held.go("/ui/submit")
    expect(page.get_by_text(re.compile("^You may not"))).to_be_visible()
    expect(page.get_by_role("button", name="Submit")).to_have_count(0)
    held.go(f"/ui/job?id={run.name}")
    expect(status_on(page)).to_have_text("Running")
    expect(line_on(page, f"attempt {pod}")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel…")).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("Run again"))).to_have_count(0)
    look = bearer(tokens["viewer"])
    assert served.call("POST", "/jobs", {"image": TESTBOX, "command": ["true"]}, look).status == 403
    assert served.call("DELETE", f"/jobs/{run.name}", headers=look).status == 403
    assert not (run.find() or {})["spec"].get("cancelled")
    run.release()
    expect(status_on(page)).to_have_text("Succeeded")
    expect(page.get_by_role("button", name="ended.txt", exact=True)).to_be_visible()
    # The same is offered, and done, to who may.
    editor = open_tab(tokens["editor"])
    editor.go(f"/ui/job?id={run.name}")
    expect(editor.page.get_by_role("link", name=re.compile("Run again"))).to_be_visible()


def names_of(pods: list[Object]) -> set[str]:
    return {pod["metadata"]["name"] for pod in pods}


def test_a_gateway_that_is_restarted_is_said_to_be_away_and_what_happened_meanwhile_is_shown(
    open_tab: Tabs, tokens: dict[str, str], simops: Lab
) -> None:
    run = simops.start(job("page-outlives", TALKS))
    pod = run.attempt()
    watching, listing = open_tab(tokens["editor"]), open_tab(tokens["editor"])
    for held, address in ((watching, f"/ui/job?id={run.name}"), (listing, "/ui")):
        held.may_lose_the_gateway = True
        held.go(address)
    page = watching.page
    tell(run, pod, "before")
    expect(line_on(page, "before")).to_be_visible()
    rows = listing.page.get_by_role("row")
    expect(rows.filter(has_text=run.name)).to_contain_text("Running")
    first = names_of(gateway_pods(simops.cluster))
    try:
        simops.cluster.scale("gateway", 0)
        for held in (watching, listing):
            expect(held.page.get_by_role("alert")).to_have_text("The gateway does not answer")
            expect(held.page.locator(".contact")).to_contain_text(
                re.compile(r"trying again (now|in \d+ s)\. What is shown may be old")
            )
        expect(page.locator(".logstate")).to_have_text(re.compile("^Connection lost"))
        expect(line_on(page, "before")).to_be_visible()
        tell(run, pod, "while nobody listened")
        simops.start(job("page-meanwhile", "true")).ended("Succeeded", "Completed")
    finally:
        simops.cluster.scale("gateway", 1)
    assert not first & names_of(gateway_pods(simops.cluster))
    for held in (watching, listing):
        expect(held.page.get_by_role("alert")).to_have_count(0)
    expect(line_on(page, "while nobody listened")).to_be_visible()
    expect(rows.filter(has_text="page-meanwhile")).to_contain_text("Succeeded")
    # Another one dies without a farewell, and the Deployment makes the next.
    (second,) = names_of(gateway_pods(simops.cluster))
    simops.cluster.request("DELETE", f"{PODS}/{second}?gracePeriodSeconds=1")
    until(lambda: second not in names_of(gateway_pods(simops.cluster)), "the Pod is gone")
    tell(run, pod, "after")
    expect(line_on(page, "after")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    run.release()
    expect(status_on(page)).to_have_text("Succeeded")
    expect(rows.filter(has_text=run.name)).to_contain_text("Succeeded")
    expect(page.locator(".logstate")).to_have_text("Complete · 3 lines")
    expect(page.locator(".logrow")).to_have_text(["before", "while nobody listened", "after"])
