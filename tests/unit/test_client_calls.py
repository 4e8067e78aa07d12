"""The client's calls: what is sent, what is read, and as whom."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from clients import Gateway, all_of, asking, both, done, job, sweep, told

from simops_client import (
    integers,
    linspace,
    values,
)

MADE = told({"jobs": ["sim-1"], "sweep": None, "sweep_mapping": {}}, 201)
SWEPT = told({"jobs": [], "sweep": "s-1", "sweep_mapping": {}}, 201)
PLAN = {"points": 1, "points_exact": True, "pods": 1, "parallelism": 1, "estimated_seconds": None, "limit_seconds": 9}
LOST = httpx.ReadError("reset")
KEY = "Idempotency-Key"


@both
async def test_a_run_is_sent_as_the_guide_says(kind: str) -> None:
    gateway = Gateway(MADE)
    with asking(kind, gateway) as (client, _):
        made = await done(
            client.submit(
                "sim:local",
                params={"length": np.float64(1.5), "n": np.int64(3)},
                command=("python", "-m", "sim"),
                env={"A": 1},
                labels={"project": "heat"},
                timeout_seconds=60,
                namespace=None,
            )
        )
    assert gateway.asked == ["POST jobs"]
    assert gateway.body() == {
        "image": "sim:local",
        "params": {"length": 1.5, "n": 3},
        "command": ["python", "-m", "sim"],
        "env": [{"name": "A", "value": "1"}],
        "labels": {"project": "heat"},
        "timeout_seconds": 60,
    }
    assert gateway.sent("Authorization") == ["Bearer t"]
    assert (made.id, made.status, made.params, made.finished) == ("sim-1", "Pending", {"length": 1.5, "n": 3}, False)


@both
async def test_a_dry_run_returns_a_plan(kind: str) -> None:
    gateway = Gateway(told(PLAN))
    with asking(kind, gateway) as (client, _):
        assert (await done(client.submit("a", dry_run=True))).limit_seconds == 9
        assert (await done(client.sweep("a", space={"n": [1]}, dry_run=True))).points == 1
    assert gateway.asked == ["POST jobs?dry_run=true", "POST sweeps?dry_run=true"]


@both
async def test_a_space_is_sent_with_its_axes(kind: str) -> None:
    gateway = Gateway(SWEPT)
    with asking(kind, gateway) as (client, _):
        space = {
            "d": linspace(0, 1, 5),
            "n": integers(1, 3),
            "method": ["ftcs", "btcs"],
            "v": values(1, 2),
            "a": np.arange(2),
        }
        found = await done(
            client.sweep("a", space=space, where="n > 1", points_per_pod="auto", parallelism=4, reuse=True)
        )
        written = {"method": "sobol", "samples": 8, "axes": [{"name": "d", "uniform": {"low": 0, "high": 1}}]}
        await done(client.sweep("a", space=written))
    assert gateway.body(0) == {
        "image": "a",
        "points_per_pod": "auto",
        "parallelism": 4,
        "reuse": True,
        "space": {
            "where": "n > 1",
            "axes": [
                {"name": "d", "linspace": {"start": 0, "stop": 1, "num": 5}},
                {"name": "n", "integers": {"low": 1, "high": 3, "step": 1}},
                {"name": "method", "values": ["ftcs", "btcs"]},
                {"name": "v", "values": [1, 2]},
                {"name": "a", "values": [0, 1]},
            ],
        },
    }
    assert gateway.body(1)["space"] == written
    assert found.id == "s-1"


@both
@pytest.mark.parametrize(
    "wrong", [{}, {"space": {"n": [1]}, "points": [{}]}, {"space": {"n": 3}}, {"space": {"n": "ab"}}]
)
async def test_a_space_that_is_none_is_refused_here(kind: str, wrong: dict[str, Any]) -> None:
    gateway = Gateway(SWEPT)
    with asking(kind, gateway) as (client, _), pytest.raises(ValueError, match=r"space or points|an axis is"):
        await done(client.sweep("a", **wrong))
    assert not gateway.requests


@both
async def test_points_are_sent_with_the_request_or_uploaded_when_they_are_many(kind: str) -> None:
    few, many = [{"n": 1}], [{"n": n} for n in range(10_001)]
    gateway = Gateway(SWEPT, told({"digest": "sha256:ab", "points": 10_001, "names": ["n"]}, 201), SWEPT)
    with asking(kind, gateway) as (client, _):
        await done(client.sweep("a", points=few))
        await done(client.sweep("a", points=many))
    assert gateway.asked == ["POST sweeps", "POST points", "POST sweeps"]
    assert gateway.body(0)["sweep"] == few
    assert gateway.requests[1].content.count(b"\n") == 10_001
    assert gateway.body(2)["space"] == {"method": "list", "pointsFrom": {"digest": "sha256:ab", "points": 10_001}}


@both
async def test_many_runs_are_one_request(kind: str) -> None:
    gateway = Gateway(told({"jobs": ["a", "b"]}, 201))
    with asking(kind, gateway) as (client, _):
        assert await done(client.submit_many([])) == []
        made = await done(client.submit_many([{"image": "x", "params": {"n": 1}}, {"image": "y"}]))
    assert [(one.id, one.params) for one in made] == [("a", {"n": 1}), ("b", {})]
    assert gateway.asked == ["POST jobs/bulk"]


# Lists
@both
async def test_pages_are_fetched_until_there_are_no_more_and_nothing_is_given_twice(kind: str) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        number, size = int(request.url.params["page"]), int(request.url.params["size"])
        # A job was made between the two pages: the last of the first page is the first of the second.
        first = 1000 - (number - 1) * size + (number - 1)
        items = [job() | {"id": f"sim-{n}"} for n in range(first, first - size, -1)] if number < 3 else []
        return told({"items": items, "page": number, "size": size, "total": 2 * size + 1})

    gateway = Gateway(page)
    with asking(kind, gateway) as (client, _):
        found = await all_of(client.jobs())
    ids = [one.id for one in found]
    assert len(ids) == len(set(ids)) == 399
    assert len(gateway.requests) == 3


@both
async def test_a_page_is_fetched_only_when_it_is_needed(kind: str) -> None:
    gateway = Gateway(told({"items": [job()], "page": 1, "size": 1, "total": 1000}))
    with asking(kind, gateway) as (client, _):
        iteration = client.jobs()
        first = await anext(iteration) if kind == "async" else next(iteration)
        await (iteration.aclose() if kind == "async" else done(iteration.close()))
    assert first.id == "sim-1"
    assert len(gateway.requests) == 1


@both
async def test_archived_jobs_are_read_by_their_next(kind: str) -> None:
    one, other = job("Succeeded", archived=True), job("Failed", archived=True) | {"id": "sim-2"}
    gateway = Gateway(
        told({"items": [one], "size": 1, "next": "abc"}),
        told({"items": [], "size": 1, "next": "abd"}),
        told({"items": [other], "size": 1}),
    )
    with asking(kind, gateway) as (client, _):
        assert [found.id for found in await all_of(client.jobs(archived=True))] == ["sim-1", "sim-2"]
    assert [request.url.params.get("after") for request in gateway.requests] == [None, "abc", "abd"]


@both
async def test_filters_are_sent_as_the_guide_says(kind: str) -> None:
    empty = told({"items": [], "page": 1, "size": 200, "total": 0})
    gateway = Gateway(empty)
    since = datetime(2026, 11, 1, tzinfo=UTC)
    with asking(kind, gateway) as (client, _):
        await all_of(client.jobs(status=["failed", "success"], label={"a": "b", "c": "d"}, since=since, sweep="s-1"))
        await all_of(client.sweeps(status="failed", label="a=b", since="2026-11-01", oldest_first=True))
    first, second = (request.url.params for request in gateway.requests)
    assert first.get_list("status") == ["failed", "success"]
    assert first.get_list("label") == ["a=b", "c=d"]
    assert (first["since"], first["sweep"]) == ("2026-11-01T00:00:00Z", "s-1")
    assert (second["status"], second["label"], second["since"], second["sort"]) == (
        "failed",
        "a=b",
        "2026-11-01",
        "created",
    )


@both
async def test_a_list_after_a_write_knows_it(kind: str) -> None:
    made = told({"jobs": ["sim-1"], "sweep_mapping": {}}, 201, **{"SimOps-Version": "simulationjobs/default/7"})
    gateway = Gateway(made, told({"items": [], "page": 1, "size": 200, "total": 0}))
    with asking(kind, gateway) as (client, _):
        await done(client.submit("a"))
        await all_of(client.jobs())
        await all_of(client.sweeps())
    assert gateway.sent("SimOps-Min-Version") == [None, "simulationjobs/default/7", None]


# Who asks, and where
@both
async def test_a_token_file_is_read_for_each_request(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    gateway = Gateway(told(job()))
    with asking(kind, gateway, token=file) as (client, _):
        await done(client.job("a"))
        file.write_text("two\n")
        await done(client.job("a"))
    assert gateway.sent("Authorization") == ["Bearer one", "Bearer two"]


@both
async def test_a_function_gives_the_token(kind: str) -> None:
    tokens = iter(["a", "b"])
    gateway = Gateway(told(job()))
    with asking(kind, gateway, token=lambda: next(tokens)) as (client, _):
        await done(client.job("a"))
        await done(client.job("a"))
    assert gateway.sent("Authorization") == ["Bearer a", "Bearer b"]


@both
async def test_the_environment_says_where_and_who(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SIMOPS_URL", "https://sims.example.org/gw/api/v1/")
    monkeypatch.setenv("SIMOPS_TOKEN", "mine")
    gateway = Gateway(told(job()))
    with asking(kind, gateway, url=None, token=None) as (client, _):
        await done(client.job("a b/c"))
    assert str(gateway.requests[0].url) == "https://sims.example.org/gw/api/v1/jobs/a%20b%2Fc"
    assert gateway.sent("Authorization") == ["Bearer mine"]
    (tmp_path / "t").write_text("filed")
    monkeypatch.setenv("SIMOPS_TOKEN_FILE", str(tmp_path / "t"))
    with asking(kind, gateway, url=None, token=None) as (client, _):
        await done(client.job("a"))
    assert gateway.sent("Authorization")[-1] == "Bearer filed"


@both
@pytest.mark.parametrize("url", [None, "", "gateway:8000"])
def test_without_an_address_there_is_no_client(kind: str, url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMOPS_URL", raising=False)
    with pytest.raises(ValueError, match="gateway"), asking(kind, Gateway(told({})), url=url):
        pass


@both
async def test_the_token_is_not_sent_to_where_an_answer_leads(kind: str) -> None:
    gateway = Gateway(httpx.Response(307, headers={"Location": "http://store/x"}), httpx.Response(200, content=b"1"))
    with asking(kind, Gateway(told(job()))) as (client, _):
        found = await done(client.job("a"))
    with asking(kind, gateway) as (client, _):
        found.session = client
        assert await done(found.file("a.txt")) == b"1"
    assert gateway.sent("Authorization") == ["Bearer t", None]


@both
@pytest.mark.parametrize("path", ["", "..", "a/../b", "/etc/passwd", "a//b"])
async def test_a_path_that_leads_elsewhere_is_not_asked_for(kind: str, path: str) -> None:
    gateway = Gateway(told(job()))
    with asking(kind, gateway) as (client, _):
        found = await done(client.job("a"))
        with pytest.raises(ValueError, match="is no"):
            await done(found.file(path))
        with pytest.raises(ValueError, match="is no id"):
            await done(client.job(".."))


@both
async def test_a_client_closes_its_connections(kind: str) -> None:
    with asking(kind, Gateway(told(job()))) as (client, _):
        if kind == "sync":
            with client as entered:
                assert entered is client
        else:
            async with client as entered:
                assert entered is client
        assert client.http.is_closed


@both
async def test_text_of_others_is_text_in_a_notebook(kind: str) -> None:
    bad = "<script>alert(1)</script>"
    found = job("Failed", reason="ExitCode", message=bad, params={bad: bad}, metrics={"m": 1.0}) | {"id": bad}
    with asking(kind, Gateway(told(found), told(sweep(message=bad) | {"id": bad}))) as (client, _):
        html = (await done(client.job("a")))._repr_html_() + (await done(client.get_sweep("a")))._repr_html_()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 4
    assert "1 of 2 succeeded" in html


@both
async def test_lists_are_counted_by_a_page_of_one(kind: str) -> None:
    gateway = Gateway(told({"items": [job()], "page": 1, "size": 1, "total": 121}), told({"items": [], "total": 3}))
    with asking(kind, gateway) as (client, _):
        assert await done(client.count_jobs(status="failed", sweep="s-1")) == 121
        assert await done(client.count_sweeps(label={"a": "b"})) == 3
    assert gateway.asked == ["GET jobs?status=failed&sweep=s-1&size=1", "GET sweeps?label=a%3Db&size=1"]


@both
async def test_points_are_fetched_as_many_at_once_as_is_said(kind: str) -> None:
    pages = [
        told({"items": [{"index": n, "id": f"s-1-{n}", "status": "Failed"}], "page": n + 1, "size": 1, "total": 2})
        for n in range(2)
    ]
    gateway = Gateway(told(sweep("Failed")), *pages)
    with asking(kind, gateway) as (client, _):
        found = await all_of((await done(client.get_sweep("s-1"))).points(status="Failed", page_size=1))
    assert [point.index for point in found] == [0, 1]
    assert gateway.asked[1:] == [f"GET sweeps/s-1/points?status=Failed&page={n}&size=1" for n in (1, 2)]
