"""What somebody types who sees `simops` for the first time, and what it says to that: nothing is asked of a gateway for it."""

import re
from pathlib import Path
from typing import Any

import pytest
from unit.test_cli_asks import KUBECONFIG

from simops_cli import app, place, terminal
from simops_cli.core import times
from simops_cli.core.exits import Exit
from simops_cli.core.inputs import InputError
from simops_cli.settings import Options


class There:
    """A place that has one table, and plans without saying how many points there are."""

    where = "here"

    def __init__(self) -> None:
        self.cancelled: list[str] = []

    def rows(self, _: str) -> list[dict[str, Any]]:
        return [{"index": n, "params": {"a": n, "b": n % 2}, "metrics": {"m": 0.5 * n}} for n in range(4)]

    def plan(self, _: object) -> None:
        return None

    def cancel(self, identity: str) -> None:
        self.cancelled.append(identity)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's settings is known."""
    for name in ("SIMOPS_SERVER", "SIMOPS_URL", "SIMOPS_TOKEN", "KUBECONFIG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SIMOPS_CONFIG", str(tmp_path / "login.json"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> There:
    made = There()
    monkeypatch.setattr(place, "opened", lambda _: made)
    return made


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody looks on."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(terminal, "is_watched", lambda: True)


@pytest.mark.usefixtures("watched")
def test_a_cancel_that_is_not_confirmed_cancels_nothing_and_is_no_ctrl_c(
    there: There, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    assert app.run(["cancel", "a"]) == Exit.ERROR
    assert capsys.readouterr().err == "nothing was cancelled\n"
    assert there.cancelled == []
    monkeypatch.setattr("typer.confirm", lambda *_, **__: True)
    assert app.run(["cancel", "a"]) == Exit.OK
    assert there.cancelled == ["a"]


SWEEP = ["submit", "sim:1", "--sweep", "d=1,2"]


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["list", "--limit", "-1"], "'--limit'"),
        (["watch", "--limit", "0"], "'--limit'"),
        (["list", "--since", "yesterday"], "--since is a date or time, such as 2026-11-30"),
        ([*SWEEP, "--parallelism", "0"], "'--parallelism'"),
        ([*SWEEP, "--method", "random", "--samples", "0"], "'--samples'"),
        ([*SWEEP, "--points-per-pod", "-2"], "--points-per-pod -2: a number from 1, or auto"),
        ([*SWEEP, "--points-per-pod", "0"], "--points-per-pod 0: a number from 1, or auto"),
        (["submit", "sim:1", "--timeout-seconds", "-1"], "'--timeout-seconds'"),
        (["submit", "sim:1", "--retries", "-1"], "'--retries'"),
        *[(["submit", "sim:1", "--cpu", text], f"--cpu {text}: such as 2 or 500m") for text in ("lots", "0", "-1", "")],
        *[
            (["submit", "sim:1", "--memory", text], f"--memory {text}: such as 512Mi or 4Gi")
            for text in ("10TB", "512", "512m", "0")
        ],
        (
            ["submit", "sim:1", "--sweep", "angle=linspace(10,80, -3)"],
            f"angle: how many values there are is at least 1\n  angle=linspace(10,80, -3)\n  {' ' * 22}^",
        ),
        (["submit", "sim:1", "--sweep", "d=logspace(1,2,0)"], f"d: how many values there are is at least 1\n  d=logspace(1,2,0)\n  {' ' * 15}^"),
        (["plot", "s", "--metric", "m", "--x", "a", "--y", "b", "--group", "c"], "--y and --group do not go together"),
        (["plot", "s", "--metric", "m", "--x", "a", "--y", "b", "--group", "c", "--out", "x.png"], "--y and --group"),
        (["plot", "s", "--metric", "m", "--x", "a", "--out", "away/x.png"], "there is no folder away"),
        (["table", "s", "--out", "away/x.csv"], "there is no folder away"),
        (["result", "s", "--zip", "--out", "away/x.zip"], "there is no folder away"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_words_of_the_line(
    line: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(line) == Exit.USAGE
    assert words in capsys.readouterr().err
    assert not Path("away").exists()


@pytest.mark.parametrize("text", ["2026-11-30", "2026-11-30T12:00:00Z", "2026-11-30 12:00"])
def test_a_day_is_a_moment_too(text: str) -> None:
    assert times.moment(text).tzinfo is not None
    with pytest.raises(InputError):
        times.moment(f"{text}x")


@pytest.mark.usefixtures("there", "watched")
def test_who_wants_no_colours_gets_the_numbers_of_a_heat_map(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["plot", "s", "--metric", "m", "--x", "a", "--y", "b"]
    assert app.run(line) == Exit.OK
    assert "\x1b[" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    assert app.run(line) == Exit.OK
    shown = capsys.readouterr().out
    assert "\x1b[" not in shown
    assert shown.splitlines()[1].split() == ["b", "\\", "a", "0", "1", "2", "3"]


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["submit", "sim:1", "--dry-run"], "valid.\n"),
        ([*SWEEP, "--dry-run"], "valid. How many points it has is said with a gateway (--server).\n"),
    ],
)
def test_a_dry_run_without_a_gateway_says_that_it_is_valid(
    line: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(line) == Exit.OK
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("line", [["list"], ["list", "--kubeconfig", "gone"]])
def test_a_kubeconfig_that_is_not_there_is_named(
    line: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", "gone")
    assert app.run(line) == Exit.USAGE
    said = capsys.readouterr().err
    assert "there is no file gone (" in said
    assert ".." not in said


def test_the_doctor_says_what_to_do_where_there_is_no_cluster(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", "gone")
    assert app.run(["doctor"]) == Exit.UNHEALTHY
    said = capsys.readouterr().out
    assert "there is no file gone" in said
    assert re.search(r"→ name a gateway by --server, or a kubeconfig", said)


@pytest.mark.parametrize(
    ("line", "what"), [(["plot", "s", "--metric", "m", "--x", "a"], "a plot"), (["result", "s"], "a result")]
)
def test_what_only_a_gateway_has_says_how_to_reach_one_and_where_a_token_is_from(
    line: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("kubeconfig").write_text(KUBECONFIG, encoding="utf-8")
    assert app.run([*line, "--kubeconfig", "kubeconfig"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert said.startswith(f"error: {what} comes from a gateway")
    assert re.search(r"port-forward(.|\n)*SIMOPS_TOKEN=\$\(kubectl create token NAME\)(.|\n)*simops --server", said)


def test_the_doctor_has_the_line_that_reaches_a_gateway_in_the_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["doctor", "--server", "http://127.0.0.1:9", "--kubeconfig", "gone"]) == Exit.UNHEALTHY
    assert "kubectl -n simops-system port-forward service/simops-gateway 8000:80" in capsys.readouterr().out


def test_without_a_cluster_nothing_is_opened() -> None:
    with pytest.raises(InputError, match="name a gateway by --server"):
        place.opened(Options(kubeconfig="gone"))
