"""One sweep, runs side by side, and the forms, in a real browser."""

import json
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from browser.held import DRAWN, Held
from browser.stage import Stage
from browser.swept import make_sweep
from contract.objects import axes, axis, job, sweep
from playwright.sync_api import Locator, Page, Route, expect

DIFFUSIVITIES = [0.001, 0.01, 0.1, 1.0]
LENGTHS = [0.5, 1.0, 2.0]
SPACE = axes(axis("diffusivity", values=DIFFUSIVITIES), axis("length", values=LENGTHS))
POINTS = [{"diffusivity": d, "length": x} for d, x in product(DIFFUSIVITIES, LENGTHS)]
MANY = 100_000


def _error(point: dict[str, Any]) -> dict[str, float]:
    return {"l2_error": point["diffusivity"] * point["length"], "steps": 200.0}


def _scan(stage: Stage, **more: Any) -> None:
    make_sweep(stage, "scan", SPACE, POINTS, _error, shared={"time_steps": 200}, **more)


def _rows(page: Page) -> list[str]:
    """The indexes of the points in the table, as they are seen."""
    return page.get_by_role("table", name="Points").get_by_role("link").all_inner_texts()


def test_a_sweep_is_shown_as_a_heat_map_and_a_click_on_a_cell_opens_its_run(signed_in: Held, stage: Stage) -> None:
    _scan(stage, failed=[7])
    page = signed_in.page
    signed_in.go("/ui/sweep?id=scan")
    chart = page.get_by_role("img", name=re.compile("^Heat map of l2_error over length and diffusivity"))
    expect(chart).to_be_visible()
    expect(page.get_by_text("12 / 12")).to_be_visible()
    expect(page.get_by_text("1 of 12 cells have no value (grey).", exact=False)).to_be_visible()
    signed_in.accessible_in_both()
    page.get_by_text("The same as a table").click()
    row = page.get_by_role("region", name=re.compile("over length")).get_by_role("row").nth(2)
    expect(row).to_contain_text("0.01")
    expect(row).to_contain_text("0.005")
    # Up is the diffusivity, across the length: the cell in the middle of the lowest row is the second point.
    box = chart.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.82)
    expect(page).to_have_url(re.compile(r"/ui/job\?id=scan-1$"))
    expect(page.get_by_role("heading", name="scan-1", exact=True)).to_be_visible()


def test_what_becomes_of_a_sweep_is_seen_without_loading_it_again(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    _scan(stage, phase="Running", succeededPoints="0-3", activePoints="4-5")
    signed_in.go("/ui/sweep?id=scan")
    expect(page.get_by_text("4 / 12")).to_be_visible()
    expect(page.get_by_text("Estimated end")).to_be_visible()
    done = {
        "phase": "Succeeded",
        "succeededPoints": "0-11",
        "activePoints": "",
        "completionTime": "2026-11-23T16:05:00Z",
    }
    stage.api.patch(sweep("scan"), {"status": done}, status=True)
    expect(page.get_by_text("12 / 12")).to_be_visible()
    expect(page.locator("h1 + .status")).to_have_text("Succeeded")
    expect(page.get_by_role("table", name="Points").get_by_text("Succeeded", exact=True)).to_have_count(12)
    expect(page.get_by_text("2.4 / min")).to_be_visible()


def test_an_estimate_does_not_count_what_an_earlier_round_has_done(signed_in: Held, stage: Stage) -> None:
    rounds = [{"job": f"scan-{i}", "reason": why} for i, why in enumerate(("points", "rerun"))]
    _scan(stage, phase="Running", succeededPoints="0-9", activePoints="10-11", rounds=rounds)
    page = signed_in.page
    signed_in.go("/ui/sweep?id=scan")
    expect(page.get_by_text("10 / 12")).to_be_visible()
    expect(page.get_by_text("not known yet")).to_be_visible()
    expect(page.get_by_text("Throughput")).to_have_count(0)


def test_of_a_sweep_that_was_run_again_the_pause_does_not_count(signed_in: Held, stage: Stage) -> None:
    days = [("2026-11-23T16:00:00Z", "2026-11-23T16:03:00Z"), ("2026-11-25T08:00:00Z", "2026-11-25T08:01:00Z")]
    rounds = [{"job": f"scan-{i}", "startTime": a, "completionTime": b} for i, (a, b) in enumerate(days)]
    _scan(stage, startTime=days[0][0], completionTime=days[1][1], rounds=rounds)
    page = signed_in.page
    signed_in.go("/ui/sweep?id=scan")
    expect(page.get_by_text("4 min 00 s")).to_be_visible()
    expect(page.get_by_text("3 / min", exact=True)).to_be_visible()
    told = {"rounds": [{"job": one["job"]} for one in rounds]}
    stage.api.patch(sweep("scan"), {"status": told}, status=True)
    expect(page.get_by_text("Throughput")).to_have_count(0)
    expect(page.get_by_text("12 / 12")).to_be_visible()


def test_points_are_sorted_and_filtered_and_the_address_keeps_it(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    _scan(stage)
    signed_in.go("/ui/sweep?id=scan")
    head = page.get_by_role("columnheader", name="l2_error")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    head.get_by_role("button").click()
    expect(page).to_have_url(re.compile("sort=-m"))
    expect(page.get_by_role("table", name="Points").get_by_role("link").first).to_have_text("11")
    expect(head).to_have_attribute("aria-sort", "descending")
    page.get_by_label("Filter").fill("length=0.5")
    expect(page.get_by_text("4 of 12")).to_be_visible()
    page.reload()
    expect(page.get_by_text("4 of 12")).to_be_visible()
    assert _rows(page) == ["9", "6", "3", "0"]


def _drag_along_an_axis(page: Page, chart: Locator, across: float) -> None:
    """Choose the lower part of an axis, by its pixels from the left edge of the chart, or from the right one."""
    page.wait_for_function(DRAWN)
    box = chart.bounding_box()
    assert box is not None
    x = box["x"] + across + (box["width"] if across < 0 else 0)
    page.mouse.move(x, box["y"] + box["height"] - 90)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] - 12, steps=8)
    page.mouse.up()


def test_a_range_of_an_axis_of_the_parallel_coordinates_filters_the_table(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    _scan(stage)
    signed_in.go("/ui/sweep?id=scan&chart=parallel")
    chart = page.get_by_role("img", name=re.compile("^Parallel coordinates of 12 points"))
    expect(chart).to_be_visible()
    _drag_along_an_axis(page, chart, 42)
    expect(page.get_by_text(re.compile("^[36] of 12$"))).to_be_visible()
    chip = page.get_by_role("button", name="within the ranges of diffusivity", exact=False)
    expect(chip).to_be_visible()
    # It is a filter of the table whichever chart is shown, and the chart has it when it is drawn anew.
    page.get_by_role("button", name="One axis").click()
    expect(page.get_by_role("img", name=re.compile("^l2_error against"))).to_be_visible()
    expect(chip).to_be_visible()
    page.get_by_role("button", name="Parallel coordinates").click()
    expect(chart).to_be_visible()
    _drag_along_an_axis(page, chart, -66)
    expect(page.get_by_text(re.compile("within the ranges of diffusivity, "))).to_be_visible()
    page.get_by_role("button", name="within the ranges of", exact=False).click()
    expect(page.get_by_role("status").get_by_text("12", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="within the ranges of", exact=False)).to_have_count(0)
    # In the chart it is gone, too: what is chosen next is all that is chosen.
    _drag_along_an_axis(page, chart, 42)
    expect(page.get_by_role("button", name=re.compile("^within the ranges of diffusivity ×"))).to_be_visible()


def test_a_mark_against_one_axis_opens_its_run_and_groups_are_told_apart(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    _scan(stage)
    signed_in.go("/ui/sweep?id=scan&chart=axis&x=diffusivity&group=length")
    expect(page.get_by_role("img", name=re.compile("^l2_error against diffusivity"))).to_be_visible()
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("region", name="l2_error against diffusivity")).to_contain_text("length = 0.5")
    page.get_by_role("button", name="Parallel coordinates").click()
    expect(page).to_have_url(re.compile("chart=parallel"))
    expect(page.get_by_role("img", name=re.compile("^Parallel"))).to_be_visible()
    signed_in.accessible_in_both()


def test_a_hundred_thousand_points_have_few_rows_in_the_page(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    page.set_default_timeout(120_000)
    points = [{"x": i / MANY, "y": i % 10} for i in range(MANY)]
    space = axes(axis("x", linspace={"start": 0, "stop": 1, "num": 10_000}), axis("y", integers={"low": 0, "high": 9}))
    make_sweep(stage, "huge", space, points, lambda point: {"value": point["x"] * point["y"]}, failed=[99_000])
    signed_in.go("/ui/sweep?id=huge")
    expect(page.get_by_text("100\u202f000 / 100\u202f000")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^Heat map"))).to_be_visible(timeout=120_000)
    assert page.get_by_role("table", name="Points").get_by_role("link").count() < 100
    page.get_by_label("Status").select_option("Failed")
    expect(page.get_by_role("table", name="Points").get_by_role("link")).to_have_text(["99000"], timeout=60_000)


def test_runs_are_compared_by_what_differs_and_by_their_curves(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    _scan(stage, with_files=range(12))
    signed_in.go("/ui/sweep?id=scan")
    for index in (1, 4):
        page.get_by_role("checkbox", name=re.compile(rf"\b{index}$")).check()
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(r"/ui/compare\?id=scan-1&id=scan-4$"))
    table = page.get_by_role("region", name="Runs side by side")
    expect(table.get_by_role("row", name=re.compile("^diffusivity"))).to_contain_text("0.01")
    expect(table.get_by_role("row", name=re.compile("^length"))).to_have_count(0)
    page.get_by_role("button", name="Show what is the same").click()
    expect(table.get_by_role("row", name=re.compile("^length"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("scan-1, scan-4"))).to_be_visible()
    page.get_by_label("File").select_option("history.csv")
    expect(page.get_by_role("img", name=re.compile("^energy"))).to_be_visible()
    signed_in.accessible_in_both()
    page.get_by_role("button", name="Remove scan-4").click()
    expect(page).to_have_url(re.compile(r"compare\?file=history.csv&id=scan-1$"))


PARTLY = {"phase": "Running", "succeededPoints": "0-3", "activePoints": "4-5"}
WHOLE = {"phase": "Succeeded", "succeededPoints": "0-11", "activePoints": ""}


def test_a_point_shows_its_files_when_it_has_ended_and_that_it_is_run_again(signed_in: Held, stage: Stage) -> None:
    _scan(stage, with_files=range(12), **PARTLY)
    page = signed_in.page
    signed_in.go("/ui/job?id=scan-4")
    status = page.locator(".jobhead").get_by_role("status")
    file = page.get_by_role("button", name="field.npy", exact=True)
    expect(status).to_have_text("Running")
    expect(page.get_by_text("There are files once the run has finished.")).to_be_visible()
    for _ in range(2):
        stage.api.patch(sweep("scan"), {"status": WHOLE}, status=True)
        expect(status).to_have_text("Succeeded")
        expect(file).to_be_visible()
        stage.api.patch(sweep("scan"), {"status": PARTLY}, status=True)
        expect(status).to_have_text("Running")
        expect(file).to_have_count(0)


def test_points_side_by_side_change_as_their_sweep_does(signed_in: Held, stage: Stage) -> None:
    _scan(stage, with_files=range(12), **PARTLY)
    page = signed_in.page
    signed_in.go("/ui/compare?id=scan-4&id=scan-5")
    states = page.get_by_role("region", name="Runs side by side").get_by_role("row", name=re.compile("^Status"))
    expect(states).to_contain_text("Running")
    stage.api.patch(sweep("scan"), {"status": WHOLE}, status=True)
    expect(states.get_by_text("Succeeded")).to_have_count(2)
    expect(page.get_by_role("row", name=re.compile("^l2_error"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("scan-4, scan-5"))).to_be_visible()


def test_runs_side_by_side_are_read_again_after_changes_that_nobody_has_told(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    signed_in.may_lose_the_gateway = True
    for name in ("one", "two"):
        stage.make(job(name))
        stage.run(name)
    signed_in.go("/ui/compare?id=one&id=two")
    states = page.get_by_role("region", name="Runs side by side").get_by_role("row", name=re.compile("^Status"))
    expect(states.get_by_text("Running")).to_have_count(2)
    stage.gateway.stop()
    expect(page.get_by_role("alert")).to_have_text("The gateway does not answer")
    stage.finish("one")
    stage.gateway.start()
    expect(states.get_by_text("Succeeded")).to_have_count(1)
    expect(states.get_by_text("Running")).to_have_count(1)


def _answer_events(page: Page, **answer: Any) -> None:
    """Let the stream of all changes be answered with something else."""
    page.unroute("**/api/v1/events*")
    page.route("**/api/v1/events*", lambda route: route.fulfill(**answer))


def _end(reason: str) -> dict[str, str]:
    return {"content_type": "text/event-stream", "body": f'event: end\ndata: {{"reason":"{reason}"}}\n\n'}


@pytest.mark.parametrize("address", ["/ui", "/ui/sweep?id=scan", "/ui/compare?id=scan-1", "/ui/job?id=scan-1"])
def test_changes_that_are_not_told_any_more_are_said_to_be(signed_in: Held, stage: Stage, address: str) -> None:
    _scan(stage)
    page = signed_in.page
    _answer_events(page, status=403, json={"detail": "you may not list"})
    signed_in.go(address)
    expect(page.get_by_role("alert")).to_contain_text("Changes are not shown here: Not permitted: you may not list")
    _answer_events(page, **_end("Forbidden"))
    signed_in.go(address)
    expect(page.get_by_role("alert")).to_contain_text("the gateway has ended their stream")
    _answer_events(page, **_end("Unauthorized"))
    signed_in.go(address)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_sweep_is_cancelled_after_a_question(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    stage.make(sweep("scan", space=SPACE), phase="Running", points={"total": 12}, succeededPoints="0")
    signed_in.go("/ui/sweep?id=scan")
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Cancel scan?")
    signed_in.accessible_in_both()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert not stage.api.read(sweep("scan"))["spec"]["cancelled"]
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel the sweep").click()
    expect(page.get_by_text("told to stop", exact=True)).to_be_visible()
    assert stage.api.read(sweep("scan"))["spec"]["cancelled"]
    expect(page.get_by_role("button", name="Cancel…")).to_have_count(0)


def test_points_are_run_again_after_what_that_takes_was_said(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    _scan(stage, failed=[7, 8], phase="Failed", reason="PointsFailed", completionTime="2026-11-23T16:05:00Z")
    signed_in.go("/ui/sweep?id=scan")
    expect(page.get_by_text("12 / 12")).to_be_visible()
    page.get_by_role("button", name="Run points again…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 points")
    signed_in.accessible_in_both()
    dialog.get_by_role("button", name=re.compile("Run")).click()
    expect(page.get_by_text("The points are run again.")).to_be_visible()
    assert stage.api.read(sweep("scan"))["spec"]["rerun"]["points"] == "failed"


def test_a_run_is_submitted_with_its_forecast_and_mistakes_stand_at_their_fields(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    signed_in.go("/ui/submit")
    page.get_by_label("Image").fill("sim:local")
    page.get_by_label("Parameter name 1").fill("length")
    page.get_by_label("Parameter value 1").fill("1.0")
    forecast = page.get_by_role("complementary", name="Forecast")
    expect(forecast).to_contain_text("Runs")
    page.get_by_label("Time limit in seconds").fill("-5")
    expect(page.get_by_label("Time limit in seconds")).to_have_attribute("aria-invalid", "true")
    signed_in.accessible_in_both()
    page.get_by_label("Time limit in seconds").fill("600")
    expect(page.get_by_label("Time limit in seconds")).to_have_attribute("aria-invalid", "false")
    page.get_by_role("button", name="Add a label").click()
    page.get_by_label("Label name 1").fill("project")
    page.get_by_label("Label value 1").fill("no good value")
    expect(page.get_by_label("Label value 1")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Label value 1").fill("heat")
    expect(page.get_by_label("Label value 1")).to_have_attribute("aria-invalid", "false")
    page.get_by_role("button", name="Add a variable").click()
    page.get_by_label("Variable name 1").fill("OMP_NUM_THREADS")
    page.get_by_label("Variable value 1").fill("4")
    page.get_by_label("Network").select_option("Cluster")
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page).to_have_url(re.compile(r"/ui/job\?id=run-"))
    name = page.url.rsplit("=", 1)[1]
    made = stage.api.read(job(name))
    try:
        assert made["metadata"]["labels"]["project"] == "heat"
        assert made["spec"]["env"] == [{"name": "OMP_NUM_THREADS", "value": "4"}]
        assert made["spec"]["network"] == "Cluster"
        assert made["spec"]["timeoutSeconds"] == 600
        assert json.dumps(made["spec"]["params"]) in ('{"length": 1.0}', '{"length": 1}')
    finally:
        stage.api.delete(job(name))


def test_what_was_typed_stays_when_the_token_ends_and_when_the_skip_link_is_followed(
    signed_in: Held, tokens: dict[str, str]
) -> None:
    page = signed_in.page
    signed_in.go("/ui/submit")
    name = page.get_by_label("Parameter name 1")
    name.fill("length")
    page.get_by_label("Parameter value 1").fill("1.0")
    page.get_by_role("link", name="Skip to the content").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#content$"))
    expect(name).to_have_value("length")
    page.go_back()
    expect(name).to_have_value("length")
    page.evaluate("sessionStorage.setItem('simops.token', 'ended')")
    page.get_by_label("Retries").fill("1")  # asks for a forecast
    dialog = page.get_by_role("dialog", name="Sign in")
    expect(dialog).to_contain_text("The token is no longer valid.")
    signed_in.accessible()
    for _ in range(2):
        page.keyboard.press("Escape")
        expect(dialog).to_be_visible()
    dialog.get_by_label("Token").fill(tokens["ann"])
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_have_count(0)
    expect(name).to_have_value("length")
    page.get_by_label("Image").fill("sim:local")
    expect(page.get_by_role("complementary", name="Forecast")).to_contain_text("Runs")


def test_the_refusal_of_an_earlier_token_signs_nobody_out(
    signed_in: Held, stage: Stage, tokens: dict[str, str]
) -> None:
    page = signed_in.page
    stage.make(job("heat"))
    sent: list[Route] = []

    def keep(route: Route) -> None:
        sent.append(route)

    page.route("**/api/v1/jobs/heat/conditions*", keep)
    with page.expect_request("**/api/v1/jobs/heat/conditions*"):
        signed_in.go("/ui/job?id=heat")
    expect(page.get_by_role("heading", name="heat", exact=True)).to_be_visible()
    page.evaluate("token => sessionStorage.setItem('simops.token', token)", tokens["reader"])
    with page.expect_response("**/api/v1/jobs/heat/conditions*"):
        sent[0].fulfill(status=401, content_type="application/problem+json", body='{"detail": "no longer valid"}')
    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("link", name="heat", exact=True)).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('simops.token')") == tokens["reader"]


def test_a_sweep_is_submitted_by_its_axes(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    signed_in.go("/ui/submit")
    page.get_by_label("Many runs: a sweep").check()
    page.get_by_label("Command").fill("python -m simops_sim")
    page.get_by_label("Name of axis 1").fill("diffusivity")
    page.get_by_label("values of axis 1").fill("0.01, 0.02, 0.05")
    page.get_by_label("The image computes many points in one process").check()
    page.get_by_role("button", name="Add a label").click()
    page.get_by_label("Label name 1").fill("project")
    page.get_by_label("Label value 1").fill("heat")
    forecast = page.get_by_role("complementary", name="Forecast")
    expect(forecast).to_contain_text(re.compile("Runs\\s*3"))
    page.get_by_role("button", name="Submit the sweep").click()
    expect(page).to_have_url(re.compile(r"/ui/sweep\?id=run-"))
    name = page.url.rsplit("=", 1)[1]
    made = stage.api.read(sweep(name))
    try:
        assert made["spec"]["space"]["axes"] == [{"name": "diffusivity", "values": [0.01, 0.02, 0.05]}]
        assert (made["spec"]["template"]["batch"], made["metadata"]["labels"]["project"]) == (True, "heat")
    finally:
        stage.api.delete(sweep(name))


def test_run_again_begins_with_what_there_was(signed_in: Held, stage: Stage) -> None:
    page = signed_in.page
    how = {
        "env": [{"name": "OMP_NUM_THREADS", "value": "4"}],
        "network": "Internet",
        "retries": 3,
        "nodeSelector": {"disk": "ssd"},
    }
    was = job("heat", params={"length": 2.5, "method": "ftcs"}, timeoutSeconds=77, **how)
    was["metadata"]["labels"] = {"project": "heat", "simops.dev/of": "another"}
    stage.make(was, phase="Failed")
    signed_in.go("/ui/job?id=heat")
    for text in ("OMP_NUM_THREADS=4", "Internet", "disk=ssd"):
        expect(page.locator(".facts").get_by_text(text)).to_be_visible()
    page.get_by_role("link", name="Run again…").click()
    expect(page.get_by_role("heading", name="Run heat again")).to_be_visible()
    values = page.locator("input").evaluate_all("all => all.map(one => one.value)")
    assert {"length", "2.5", "method", "ftcs", "77", "sim:local", "OMP_NUM_THREADS", "4", "project"} <= set(values)
    assert "simops.dev/of" not in values
    expect(page.get_by_role("complementary", name="Forecast")).to_contain_text("Runs")
    expect(page.get_by_label("Network")).to_have_value("Internet")
    expect(page.get_by_text('node_selector: {"disk":"ssd"}')).to_be_visible()
    signed_in.accessible_in_both()
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page).to_have_url(re.compile(r"/ui/job\?id=run-"))
    again = job(page.url.rsplit("=", 1)[1])
    try:
        made = stage.api.read(again)
        spec = made["spec"]
        assert made["metadata"]["labels"]["project"] == "heat"
        assert {name: spec[name] for name in how} == how
    finally:
        stage.api.delete(again)


def test_who_may_only_look_is_offered_no_orders_and_is_refused(
    open_page: Callable[..., Held], stage: Stage, tokens: dict[str, str]
) -> None:
    _scan(stage)
    held = open_page(tokens["reader"])
    page = held.page
    held.go("/ui/sweep?id=scan")
    expect(page.get_by_text("12 / 12")).to_be_visible()
    for name in ("Cancel…", "Run points again…"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("Run again|^Submit"))).to_have_count(0)
    held.go("/ui/submit")
    expect(page.get_by_text(re.compile("^You may not"))).to_be_visible()
    headers = {"Authorization": f"Bearer {tokens['reader']}"}
    refused = page.request.post(f"{stage.url}/api/v1/jobs", headers=headers, data={"image": "sim:local"})
    assert refused.status == 403
    assert page.request.delete(f"{stage.url}/api/v1/sweeps/scan", headers=headers).status == 403


def test_all_of_it_can_be_read_at_360_pixels(
    open_page: Callable[..., Held], stage: Stage, tokens: dict[str, str]
) -> None:
    _scan(stage, with_files=range(12))
    held = open_page(tokens["ann"], width=360, height=740)
    page = held.page
    for address, ready in (
        ("/ui/sweep?id=scan", page.get_by_role("img", name=re.compile("^Heat map"))),
        ("/ui/compare?id=scan-0&id=scan-5&id=scan-11", page.get_by_role("img", name=re.compile("scan-0, scan-5"))),
        ("/ui/submit?sweep=scan", page.get_by_role("complementary", name="Forecast").get_by_text("Runs")),
    ):
        held.go(address)
        expect(ready).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
        held.accessible_in_both()


def test_charts_are_not_loaded_before_somebody_looks_at_one(signed_in: Held, stage: Stage) -> None:
    stage.make(job("heat"))
    signed_in.go("/ui")
    expect(signed_in.page.get_by_role("link", name="heat", exact=True)).to_be_visible()
    assert max(signed_in.wire.values()) < 60_000
