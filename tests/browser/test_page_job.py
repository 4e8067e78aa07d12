"""One job, in a real browser: its timeline, its log and its files."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from browser.held import Held
from browser.longtasks import longest_task, watch_tasks
from browser.samples import PNG, TABLE, array
from browser.stage import ENDED, STARTED, Stage
from contract.objects import job
from kubernetes import client
from playwright.sync_api import Page, expect

LINES = 1_000_000
CONDITIONS = [
    {"type": "Started", "status": "True", "reason": "Running", "message": "it runs", "lastTransitionTime": STARTED},
    {
        "type": "Finished",
        "status": "True",
        "reason": "Completed",
        "message": "ended with exit code 0",
        "lastTransitionTime": ENDED["completionTime"],
    },
]
FILES = {
    "metrics.json": b'{"max": 1.5}',
    "deep/table.csv": TABLE,
    "point.png": PNG,
    "profile.npy": array(),
}


def shown_lines(page: Page) -> list[int]:
    """The numbers of the lines that are in the page."""
    found: list[int] = page.locator(".logrow").evaluate_all("rows => rows.map(row => Number(row.dataset.line))")
    return found


def test_a_job_is_watched_from_its_start_to_its_files(signed_in: Held, stage: Stage, tmp_path: Path) -> None:
    page = signed_in.page
    stage.make(job("heat", params={"length": 1.5, "method": "ftcs"}))
    signed_in.go("/ui/job?id=heat")
    status = page.locator(".jobhead").get_by_role("status")
    expect(status).to_have_text("Pending")
    expect(page.get_by_role("row", name="length 1.5")).to_be_visible()
    expect(page.get_by_text("There are files once the run has finished.")).to_be_visible()
    stage.run("heat", attempts=1)
    expect(status).to_have_text("Running")
    lines = "".join(f"step {i}\n" for i in range(1, 301))
    stage.leave("heat", FILES, lines, conditions=CONDITIONS, metrics={"max": 1.5})
    expect(status).to_have_text("Succeeded")
    expect(page.get_by_role("listitem").filter(has_text="Finished")).to_contain_text("ended with exit code 0")
    expect(page.locator(".logstate")).to_have_text("Complete · 300 lines")
    expect(page.get_by_text("step 300", exact=True)).to_be_visible()
    page.get_by_role("button", name="metrics.json", exact=True).click()
    expect(page.locator(".preview pre")).to_have_text(json.dumps({"max": 1.5}, indent=2))
    signed_in.accessible_in_both()
    page.get_by_role("button", name="deep/table.csv", exact=True).click()
    expect(page.get_by_role("cell", name="87.5")).to_be_visible()
    page.get_by_role("button", name="point.png", exact=True).click()
    expect(page.get_by_role("img", name="The picture point.png")).to_have_js_property("naturalWidth", 1)
    expect(page).to_have_url(re.compile(r"id=heat&file=point\.png$"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Download deep/table.csv").click()
    assert Path(download.value.path()).read_bytes() == FILES["deep/table.csv"]
    assert download.value.suggested_filename == "table.csv"
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all (zip)").click()
    assert download.value.suggested_filename == "heat.zip"


def test_a_run_of_the_same_name_that_is_made_anew_is_shown_with_its_own_log_and_files(
    signed_in: Held, stage: Stage
) -> None:
    page = signed_in.page
    stage.make(job("heat"))
    stage.leave("heat", {"first.txt": b"1"}, "the first log\n")
    signed_in.go("/ui/job?id=heat")
    expect(page.get_by_role("button", name="first.txt", exact=True)).to_be_visible()
    expect(page.get_by_text("the first log", exact=True)).to_be_visible()
    stage.api.delete(job("heat"))
    expect(page.get_by_role("alert")).to_contain_text("there is no job 'heat'")
    stage.make(job("heat"))
    expect(page.locator(".jobhead").get_by_role("status")).to_have_text("Pending")
    expect(page.get_by_role("alert")).to_have_count(0)
    stage.leave("heat", {"second.txt": b"2"}, "the second log\n")
    expect(page.get_by_role("button", name="second.txt", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="first.txt", exact=True)).to_have_count(0)
    expect(page.get_by_text("the second log", exact=True)).to_be_visible()
    expect(page.get_by_text("the first log", exact=True)).to_have_count(0)


def test_what_kubernetes_says_about_a_run_that_waits_is_shown(signed_in: Held, stage: Stage) -> None:
    uid = stage.make(job("heat"))["metadata"]["uid"]
    core: Any = client.CoreV1Api(stage.api.client)
    event = {
        "metadata": {"name": "heat.waits"},
        "involvedObject": {"kind": "SimulationJob", "name": "heat", "namespace": "default", "uid": uid},
        "reason": "FailedScheduling",
        "message": "0/3 nodes are available: 3 Insufficient cpu.",
        "type": "Warning",
        "count": 4,
        "lastTimestamp": "2026-11-23T16:00:00Z",
        "reportingComponent": "default-scheduler",
    }
    core.create_namespaced_event("default", event)
    try:
        signed_in.go("/ui/job?id=heat")
        events = signed_in.page.get_by_role("region", name="Kubernetes Events")
        expect(events).to_contain_text("FailedScheduling")
        expect(events).to_contain_text("3 Insufficient cpu.")
        expect(events).to_contain_text("4 times")
        signed_in.accessible_in_both()
    finally:
        core.delete_namespaced_event("heat.waits", "default")


def test_an_array_is_shown_as_a_plot(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    stage.make(job("heat"))
    stage.leave("heat", FILES, "done\n")
    signed_in.go("/ui/job?id=heat&file=profile.npy")
    expect(page.locator(".preview")).to_contain_text("50, float64")
    expect(page.locator(".preview canvas, .preview svg").first).to_be_visible()


def test_a_log_of_a_million_lines_does_not_freeze_the_page_and_is_searched_and_wrapped(
    signed_in: Held, stage: Stage
) -> None:
    page = signed_in.page
    page.set_default_timeout(120_000)
    stage.make(job("long"))
    stage.leave("long", {}, "".join(f"step {i} of many, residual 1e-7\n" for i in range(1, LINES + 1)))
    signed_in.go("/ui/job?id=long")
    expect(page.locator(".logstate")).to_contain_text("lines")
    # While it is still being read, the page answers.
    page.get_by_role("button", name="Wrap").click()
    expect(page.get_by_role("button", name="Wrap")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Wrap").click()
    expect(page.locator(".logstate")).to_have_text("Complete · 1\u202f000\u202f000 lines", timeout=240_000)
    expect(page.locator(f".logrow[data-line='{LINES}']")).to_be_visible()
    assert page.locator(".logrow").count() < 200
    page.get_by_role("searchbox", name="Search the log").fill("step 654321 ")
    expect(page.locator("mark.current")).to_have_text("step 654321 ")
    assert 654321 in shown_lines(page)
    page.get_by_role("region", name="Log").get_by_text("step 654321 ").wait_for()
    page.locator(".log").press("Home")
    expect(page.locator(".logrow[data-line='1']")).to_be_visible()
    page.get_by_role("button", name="Wrap").click()
    page.locator(".log").press("End")
    expect(page.locator(f".logrow[data-line='{LINES}']").first).to_be_visible()
    assert page.locator(".logrow").count() < 200


def test_a_long_log_is_opened_with_no_longer_tasks_than_a_short_one(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    page.set_default_timeout(120_000)
    watch_tasks(page)

    def longest(name: str, lines: int) -> float:
        stage.make(job(name))
        stage.leave(name, {}, "".join(f"step {i} of many, residual 1e-7\n" for i in range(1, lines + 1)))

        def read() -> None:
            signed_in.go(f"/ui/job?id={name}")
            said = f"{lines:,}".replace(",", "\u202f")
            expect(page.locator(".logstate")).to_have_text(f"Complete · {said} lines", timeout=120_000)
            expect(page.locator(f".logrow[data-line='{lines}']")).to_be_visible()

        return longest_task(page, read)

    short, long = longest("short", 100), longest("long", LINES // 10)
    assert long <= 4 * short


def test_a_log_goes_on_over_a_restart_of_the_gateway_without_a_line_lost_or_doubled(
    signed_in: Held, stage: Stage
) -> None:
    page = signed_in.page
    signed_in.may_lose_the_gateway = True
    stage.make(job("long"))
    many = LINES // 4
    stage.leave("long", {}, "".join(f"step {i} of many, residual 1e-7\n" for i in range(1, many + 1)))
    signed_in.go("/ui/job?id=long")
    state = page.locator(".logstate")
    expect(state).to_have_text(re.compile(r"^Following · [1-9]"))
    stage.gateway.stop()
    expect(state).to_have_text(re.compile("^Connection lost"))
    cut = int(re.sub(r"\D", "", state.inner_text().partition("·")[2]))
    assert 0 < cut < many, "it was cut while there was more to come"
    stage.gateway.start()
    expect(state).to_have_text("Complete · 250\u202f000 lines", timeout=120_000)
    for line in (1, cut, cut + 1, (cut + many) // 2, many):
        # What is searched for is scrolled to: each line has its own number still.
        page.get_by_role("searchbox", name="Search the log").fill(f"step {line} ")
        expect(page.locator(f".logrow[data-line='{line}']")).to_contain_text(f"step {line} of", timeout=60_000)


def test_a_job_is_cancelled_after_a_question(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    stage.make(job("heat"))
    stage.run("heat")
    signed_in.go("/ui/job?id=heat")
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Cancel heat?")
    page.get_by_role("button", name="Keep running").click()
    assert not stage.api.read(job("heat"))["spec"]["cancelled"]
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_text("told to stop", exact=True)).to_be_visible()
    assert stage.api.read(job("heat"))["spec"]["cancelled"]
    expect(page.get_by_role("button", name="Cancel…")).to_have_count(0)
    stage.finish("heat", "Cancelled", reason="Cancelled", message="it was cancelled")
    expect(page.locator(".jobhead").get_by_role("status")).to_have_text("Cancelled")


def test_what_is_refused_is_said_in_the_gateways_words(
    open_page: Callable[..., Held], stage: Stage, tokens: dict[str, str]
) -> None:
    held = open_page(tokens["ann"])
    held.go("/ui/job?id=nothing")
    expect(held.page.get_by_role("alert")).to_contain_text("there is no job 'nothing'")
    stage.make(job("heat"))
    held.go("/ui/job?id=heat")
    expect(held.page.get_by_role("button", name="Cancel…")).to_be_visible()
    # Who has lost the right since the page was opened is refused by the gateway.
    held.page.evaluate("token => sessionStorage.setItem('simops.token', token)", tokens["reader"])
    held.page.get_by_role("button", name="Cancel…").click()
    held.page.get_by_role("button", name="Cancel the job").click()
    expect(held.page.get_by_text("Not permitted")).to_be_visible()
    expect(held.page.get_by_text("told to stop")).to_have_count(0)
    expect(held.page.get_by_role("button", name="Cancel…")).to_be_visible()
    assert not stage.api.read(job("heat"))["spec"]["cancelled"]
    held.page.evaluate("sessionStorage.setItem('simops.token', 'expired')")
    held.go("/ui/job?id=heat")
    expect(held.page.get_by_role("heading", name="Sign in")).to_be_visible()
