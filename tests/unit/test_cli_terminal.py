"""What a simulation has chosen, such as the name of a file, is shown by `simops` and does nothing to the terminal."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from simops_cli import app, place, terminal
from simops_cli.chart import drawn
from simops_cli.core import output
from simops_cli.core.exits import Exit
from simops_cli.core.output import Form
from simops_client import JobInfo
from simops_client.errors import NotFound

STEERS = "\x1b[2J\x9b1m\u202ea\u2066\u2028\r\n\tb"
SHOWN = r"\x1b[2J\x9b1m\u202ea\u2066\u2028\r\n\tb"
RUN = JobInfo(
    id="a", status="Failed", reason="ExitCode", message=STEERS, params={"p": STEERS, STEERS: 1}, metrics={STEERS: 2.0}
)
TABLE = b"index,t\r\n0,\x1b[2J\r\n"


class There:
    """A place with one run that has chosen its words."""

    where = "here"

    def get(self, identity: str) -> JobInfo:
        if identity != "a":
            raise NotFound(f"no {STEERS}")
        return RUN

    def wait(self, identity: str, **_: Any) -> JobInfo:
        return self.get(identity)

    def jobs(self, _: object) -> Iterator[JobInfo]:
        yield RUN

    def files(self, _: str) -> list[tuple[str, int]]:
        return [(STEERS, 5), ("[red]x[/red]", 5)]

    def logs(self, _: str, **__: Any) -> Iterator[str]:
        yield STEERS

    def table(self, _: str, __: str) -> bytes:
        return TABLE

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "opened", lambda _: There())


@pytest.mark.parametrize("line", [["files", "a"], ["files", "a", "-o", "name"], ["get", "a"], ["list", "-o", "wide"]])
def test_text_for_people_has_it_written_out(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(line) == Exit.OK
    shown = capsys.readouterr().out
    assert SHOWN in shown
    assert not set(shown) & set(STEERS) - set("[2Jm1ab\n")


def test_a_message_is_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["wait", "a"]) == Exit.FAILED
    assert capsys.readouterr().out == f"a: Failed – {SHOWN}\n"


def test_errors_have_it_written_out_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["get", "b"]) == Exit.NOT_FOUND
    assert r"no \x1b[2J\x9b1m\u202ea\u2066\u2028\r" in capsys.readouterr().err


def test_json_yaml_and_logs_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    app.run(["files", "a", "-o", "json"])
    assert json.loads(capsys.readouterr().out)[0]["path"] == STEERS
    app.run(["get", "a", "-o", "yaml"])
    assert capsys.readouterr().out == output.as_yaml(RUN) + "\n"
    app.run(["logs", "a"])
    assert capsys.readouterr().out == f"{STEERS}\n"


def test_a_table_is_exact_where_no_person_looks_on(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    app.run(["table", "a"])
    assert capsysbinary.readouterr().out == TABLE
    monkeypatch.setattr(terminal, "is_watched", lambda: True)
    app.run(["table", "a"])
    assert capsysbinary.readouterr().out == b"index,t\n0,\\x1b[2J\n"


def test_a_persons_table_takes_it_neither_for_colours_nor_for_marks() -> None:
    sink = io.StringIO()
    Console(file=sink, width=200, force_terminal=True, color_system=None).print(
        terminal.table_of([["ID", "NAME"], ["a", STEERS], ["b", "[red]x[/red]"]])
    )
    assert SHOWN in sink.getvalue()
    assert "[red]x[/red]" in sink.getvalue()


def test_what_a_bar_says_is_no_markup(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with terminal.bar("first", quiet=False) as bar:
        bar.at(1, 2, f"[bold]x[/bold] {STEERS}")
    shown = capsys.readouterr().err
    assert "[bold]x[/bold]" in shown
    assert "\u202e" not in shown


def test_a_picture_has_values_written_out() -> None:
    rows = [{"a": 1, "b": STEERS, "m": 1.0}, {"a": 2, "b": "y", "m": 2.0}]
    assert SHOWN in drawn(rows, "m", "a", "b", None, colour=False)
    assert "\u202e" not in drawn(rows, "m", "a", None, "b", colour=False)
    assert "\u202e" not in drawn(rows, "m", "b", None, None, colour=False)


def test_an_id_alone_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show([RUN], Form.NAME)
    assert capsys.readouterr().out == "a\n"
