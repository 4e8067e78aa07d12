"""What `simops` asks of a gateway: whether something is a run or a sweep, why a sweep has failed, how many there are."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from clients import URL, fresh, job, problem, sweep, told

from simops_cli import app, terminal
from simops_cli.core import output
from simops_cli.core.exits import Exit
from simops_cli.direct import Direct
from simops_cli.ports import Filters
from simops_client import Client
from simops_client.models import Point

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: here, cluster: {server: "http://127.0.0.1:9"}}]
contexts: [{name: here, context: {cluster: here, user: me}}]
users: [{name: me, user: {}}]
current-context: here
"""
ENDED = sweep("Failed", message="2 of 2 points failed", points={"total": 2, "by_status": {"Failed": 2}})
POINT = {"index": 0, "id": "s-1-0", "status": "Failed", "reason": "ExitCode", "exit_code": 2}
WHY = "s-1-0: exited with code 2 (simops logs s-1-0)\n"


class Gateway:
    """Knows one sweep and 121 runs."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sweep: dict[str, Any] = ENDED
        self.points: Callable[[], httpx.Response] = lambda: told({"items": [POINT], "page": 1, "size": 1, "total": 2})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().removeprefix("/api/v1/")
        self.asked.append(path)
        name, _, query = path.partition("?")
        if name == "sweeps/s-1/points":
            return fresh(self.points())
        if name == "sweeps/s-1":
            return told(self.sweep)
        if name in ("jobs", "sweeps") and request.method == "GET":
            made = job if name == "jobs" else sweep
            items = [made() | {"id": f"r-{n}"} for n in range(200)]
            return told(
                {"items": items[: 1 if "size=1" in query.split("&") else 121], "page": 1, "size": 200, "total": 121}
            )
        return problem(404, f"there is no job {name.rpartition('/')[2]!r}")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    made = Gateway()
    monkeypatch.setenv("SIMOPS_SERVER", URL)
    monkeypatch.setattr("simops_cli.gateway.Client", partial(Client, transport=httpx.MockTransport(made)))
    return made


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize("command", ["get", "logs", "result", "cancel", "wait"])
def test_an_id_that_names_nothing_is_neither_a_run_nor_a_sweep(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run([command, "nosuch"]) == Exit.NOT_FOUND
    said = capsys.readouterr().err
    assert "there is no run or sweep 'nosuch'" in said
    assert "no job" not in said


def test_a_sweep_that_has_failed_says_how_its_first_failed_point_did(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["get", "s-1"]) == Exit.OK
    assert capsys.readouterr().out.endswith(f"\n{WHY}")
    assert gateway.asked[1:] == ["sweeps/s-1/points?status=Failed&page=1&size=1"]


def test_so_does_one_that_was_waited_for(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["wait", "s-1"]) == Exit.FAILED
    said = capsys.readouterr()
    assert said.out == "s-1: Failed – 2 of 2 points failed\n"
    assert said.err.endswith(WHY)
    assert sum("points" in one for one in gateway.asked) == 1


@pytest.mark.parametrize("line", [["get", "s-1", "-o", "json"], ["get", "s-1", "-o", "name"], ["wait", "s-1", "-q"]])
def test_nothing_is_asked_for_programs(line: list[str], gateway: Gateway) -> None:
    app.run(line)
    assert not any("points" in one for one in gateway.asked)


def test_nor_of_a_sweep_of_which_no_point_has_failed(gateway: Gateway) -> None:
    gateway.sweep = sweep("Succeeded")
    assert app.run(["get", "s-1"]) == Exit.OK
    assert gateway.asked == ["sweeps/s-1"]


def test_a_sweep_is_shown_where_its_points_cannot_be_asked_for(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.points = lambda: problem(403, "no")
    assert app.run(["get", "s-1"]) == Exit.OK
    assert capsys.readouterr().out.startswith("id ")


@pytest.mark.parametrize(
    ("reason", "code", "words"),
    [
        ("ExitCode", 2, "exited with code 2"),
        ("DeadlineExceeded", 143, "DeadlineExceeded, exited with code 143"),
        ("ImagePullFailed", None, "ImagePullFailed"),
        (None, None, "failed"),
    ],
)
def test_a_point_says_how_it_failed_as_far_as_that_is_known(reason: str | None, code: int | None, words: str) -> None:
    point = Point(index=3, id="s-3", status="Failed", reason=reason, exit_code=code)
    assert output.failure(point) == f"s-3: {words} (simops logs s-3)"


@pytest.mark.parametrize("which", [[], ["--sweeps"]])
def test_a_list_that_is_cut_says_of_how_many(
    which: list[str], gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "is_watched", lambda: True)
    assert app.run(["list", *which]) == Exit.OK
    assert capsys.readouterr().err == "50 of 121; --limit for more\n"
    assert gateway.asked[-1].endswith("?size=1")
    assert app.run(["list", "--limit", "121", *which]) == Exit.OK
    assert capsys.readouterr().err == ""


def test_a_list_for_a_program_counts_nothing(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["list", "-o", "name"]) == Exit.OK
    assert capsys.readouterr().err == ""
    assert len(gateway.asked) == 1


def test_straight_to_kubernetes_all_are_counted_whatever_the_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG, encoding="utf-8")
    found = [{"metadata": {"name": f"r-{n}"}, "status": {"phase": "Failed" if n else "Running"}} for n in range(9)]
    monkeypatch.setattr(Direct, "_listed", lambda *_: found)
    there = Direct(kubeconfig=str(file), context=None, namespace=None)
    assert len(list(there.jobs(Filters(limit=2)))) == 2
    assert there.count(Filters(limit=2), sweeps=False) == 9
    assert there.count(Filters(limit=2, status=("failed",)), sweeps=True) == 8
