"""Signing in, and the lists of jobs and sweeps, in a real browser."""

import json
import re
from collections.abc import Callable

from browser.held import Held
from browser.longtasks import forget_tasks, longest_task, watch_tasks
from browser.stage import Stage
from contract.objects import axes, axis, job, sweep
from playwright.sync_api import Route, expect

MANY = 10_000
FIRST_VIEW_BYTES = 400_000
SCROLL = """async grid => {
  for (let i = 0; i <= 40; i += 1) {
    grid.scrollTop = (grid.scrollHeight - grid.clientHeight) * i / 40;
    await new Promise(requestAnimationFrame);
  }
  await new Promise(requestAnimationFrame);
}"""


def test_who_has_no_token_is_asked_for_one_and_a_wrong_one_is_not_taken(
    open_page: Callable[..., Held], stage: Stage, tokens: dict[str, str]
) -> None:
    stage.make(job("heat"))
    held = open_page()
    page = held.page
    held.go("/")
    expect(page).to_have_url(f"{stage.url}/ui")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    held.accessible_in_both()
    page.get_by_label("Token").fill("not-a-token")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The cluster does not take this token.")
    assert page.evaluate("sessionStorage.length") == 0
    page.get_by_label("Token").fill(f"Bearer {tokens['ann']}\n")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="heat", exact=True)).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).length") == 0
    assert page.context.cookies() == []
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_gateway_that_cannot_say_who_somebody_is_yet_is_asked_again(signed_in: Held, stage: Stage) -> None:
    stage.make(job("heat"))
    answers = [503, 429]

    def busy(route: Route) -> None:
        if not answers:
            route.continue_()
            return
        body = json.dumps(
            {"type": "about:blank", "title": "busy", "status": answers[0], "detail": "the API server does not answer"}
        )
        route.fulfill(status=answers.pop(0), content_type="application/problem+json", body=body)

    signed_in.page.route("**/api/v1/me", busy)
    signed_in.go("/ui")
    expect(signed_in.page.get_by_role("alert")).to_have_text("the API server does not answer")
    expect(signed_in.page.get_by_role("link", name="heat", exact=True)).to_be_visible()
    assert answers == []


def test_a_job_appears_changes_and_goes_without_the_page_being_loaded_again(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    signed_in.go("/ui")
    expect(page.get_by_text("There are none yet.")).to_be_visible()
    manifest = job("comes", params={"length": 1.5})
    stage.make(manifest)
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="comes", exact=True))
    expect(row).to_contain_text("Pending")
    expect(row).to_contain_text("length=1.5")
    stage.run("comes")
    expect(row).to_contain_text("Running")
    stage.finish("comes")
    expect(row).to_contain_text("Succeeded")
    expect(page.get_by_role("button", name=re.compile("Succeeded")).locator(".number")).to_have_text("1")
    signed_in.accessible_in_both()
    stage.api.delete(manifest)
    expect(row).to_have_count(0)


def test_filters_and_order_stand_in_the_address_and_a_reload_keeps_them(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    for name, phase in (("one", "Succeeded"), ("two", "Failed")):
        manifest = job(name)
        manifest["metadata"]["labels"] = {"project": name}
        stage.make(manifest, phase=phase)
    signed_in.go("/ui")
    expect(page.get_by_role("link", name="one", exact=True)).to_be_visible()
    page.get_by_role("button", name=re.compile("^Failed")).click()
    expect(page.get_by_role("link", name="one", exact=True)).to_have_count(0)
    expect(page).to_have_url(f"{stage.url}/ui?status=Failed")
    page.get_by_role("button", name="Order: newest first").click()
    page.keyboard.press("/")
    page.keyboard.type("project=two")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?status=Failed&sort=created&label=project%3Dtwo$"))
    page.reload()
    expect(page.get_by_role("link", name="two", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="one", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Remove the filter project=two").click()
    expect(page).to_have_url(f"{stage.url}/ui?status=Failed&sort=created")


def test_ten_thousand_jobs_scroll_with_few_rows_in_the_page_and_the_right_ones(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    space = axes(axis("x", linspace={"start": 0, "stop": 1, "num": MANY}))
    stage.make(sweep("scan", space=space), phase="Running", points={"total": MANY}, activePoints="0-9")
    signed_in.go("/ui?sort=created")
    expect(page.get_by_role("link", name="scan-0", exact=True)).to_be_visible()
    grid = page.get_by_role("grid", name="Jobs")
    expect(grid).to_have_attribute("aria-rowcount", str(MANY + 1))
    for share in (0.25, 0.5, 0.75):
        grid.evaluate("(grid, share) => { grid.scrollTop = grid.scrollHeight * share }", share)
        expect(page.get_by_role("link", name=f"scan-{int(MANY * share) + 5}", exact=True)).to_be_visible()
        assert grid.get_by_role("row").count() < 80
    grid.focus()
    page.keyboard.press("End")
    expect(page.get_by_role("link", name=f"scan-{MANY - 1}", exact=True)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{stage.url}/ui/job?id=scan-{MANY - 1}")
    expect(page.get_by_role("heading", name=f"scan-{MANY - 1}")).to_be_visible()


def test_a_list_of_ten_thousand_jobs_is_scrolled_with_no_longer_tasks_than_one_of_a_hundred(
    signed_in: Held, stage: Stage
) -> None:
    page = signed_in.page
    watch_tasks(page)
    for name, many in (("few", 100), ("many", MANY)):
        space = axes(axis("x", linspace={"start": 0, "stop": 1, "num": many}))
        stage.make(sweep(name, space=space), phase="Running", points={"total": many}, activePoints="0-9")

    def longest(name: str, many: int) -> float:
        signed_in.go(f"/ui?sort=created&sweep={name}")
        grid = page.get_by_role("grid", name="Jobs")
        expect(grid).to_have_attribute("aria-rowcount", str(many + 1))
        expect(page.get_by_role("link", name=f"{name}-0", exact=True)).to_be_visible()

        def scroll() -> None:
            forget_tasks(page)
            grid.evaluate(SCROLL)
            expect(page.get_by_role("link", name=f"{name}-{many - 1}", exact=True)).to_be_visible()

        return longest_task(page, scroll)

    few, all_of_them = longest("few", 100), longest("many", MANY)
    assert all_of_them <= 4 * few


def test_jobs_are_selected_by_keyboard_and_cancelled_after_a_question(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    for name in ("a-one", "a-two", "a-three"):
        stage.make(job(name))
    signed_in.go("/ui?sort=created")
    expect(page.get_by_role("link", name="a-two", exact=True)).to_be_visible()
    page.get_by_role("grid").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Cancel 2 jobs?")
    signed_in.accessible_in_both()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert not any(stage.api.read(job(name))["spec"]["cancelled"] for name in ("a-one", "a-two", "a-three"))
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel 2 jobs").click()
    expect(page.get_by_text("2 told to stop.")).to_be_visible()
    assert sum(stage.api.read(job(name))["spec"]["cancelled"] for name in ("a-one", "a-two", "a-three")) == 2


def test_who_may_look_is_offered_nothing_else_and_who_may_nothing_is_told_so(
    open_page: Callable[..., Held], stage: Stage, tokens: dict[str, str]
) -> None:
    stage.make(job("heat"))
    held = open_page(tokens["reader"])
    held.go("/ui")
    expect(held.page.get_by_role("link", name="heat", exact=True)).to_be_visible()
    expect(held.page.get_by_role("checkbox")).to_have_count(0)
    held.go("/ui/job?id=heat")
    expect(held.page.get_by_role("heading", name="heat")).to_be_visible()
    expect(held.page.get_by_role("button", name="Cancel…")).to_have_count(0)
    stranger = open_page(tokens["stranger"])
    stranger.go("/ui")
    expect(stranger.page.get_by_role("alert")).to_contain_text("Not permitted")


def test_sweeps_are_listed_with_how_far_they_are(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    stage.make(sweep("scan"), phase="Running", points={"total": 2}, succeededPoints="0")
    signed_in.go("/ui/sweeps")
    expect(page.get_by_role("row").filter(has_text="scan")).to_contain_text("1 / 2")
    signed_in.accessible_in_both()


def test_the_first_view_is_small(signed_in: Held, stage: Stage) -> None:
    stage.make(job("heat"))
    signed_in.go("/ui")
    expect(signed_in.page.get_by_role("link", name="heat", exact=True)).to_be_visible()
    assert len(signed_in.wire) >= 4
    assert sum(signed_in.wire.values()) < FIRST_VIEW_BYTES


def test_a_gateway_that_goes_away_is_told_and_the_page_goes_on_when_it_is_back(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    stage.make(job("before"))
    signed_in.may_lose_the_gateway = True
    signed_in.go("/ui")
    expect(page.get_by_role("link", name="before", exact=True)).to_be_visible()
    stage.gateway.stop()
    expect(page.get_by_role("alert")).to_have_text("The gateway does not answer")
    expect(page.get_by_text(re.compile("trying again in"))).to_be_visible()
    expect(page.get_by_role("link", name="before", exact=True)).to_be_visible()
    stage.gateway.start()
    expect(page.get_by_role("alert")).to_have_count(0)
    stage.make(job("after"))
    expect(page.get_by_role("link", name="after", exact=True)).to_be_visible()


def test_the_page_can_be_read_at_360_pixels_without_scrolling_sideways(
    open_page: Callable[..., Held], stage: Stage, tokens: dict[str, str]
) -> None:
    stage.make(job("a-rather-long-name-of-a-simulation-that-was-chosen", params={"diffusivity": 0.01}))
    held = open_page(tokens["ann"], width=360, height=740)
    held.go("/ui")
    expect(held.page.get_by_role("link", name=re.compile("^a-rather"))).to_be_visible()
    assert held.page.evaluate("document.documentElement.scrollWidth") <= 360
    held.page.get_by_role("link", name=re.compile("^a-rather")).click()
    expect(held.page.get_by_role("heading", name=re.compile("^a-rather"))).to_be_visible()
    assert held.page.evaluate("document.documentElement.scrollWidth") <= 360
