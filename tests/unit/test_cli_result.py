"""Where `simops result` puts what it brings."""

from pathlib import Path

import pytest

from simops_cli import app, place
from simops_cli.core.exits import Exit


class There:
    """A place whose results are one file."""

    where = "here"

    def result(self, identity: str, folder: Path, *, unpack: bool) -> Path:
        made = folder if unpack is False and folder.suffix == ".zip" else folder / f"{identity}.txt"
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text("new", encoding="utf-8")
        return made

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(place, "opened", lambda _: There())
    monkeypatch.chdir(tmp_path)


def test_a_zip_is_the_file_that_out_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["result", "heat", "--zip", "--out", "x.zip"]) == Exit.OK
    assert capsys.readouterr().out == "x.zip\n"
    assert Path("x.zip").is_file()


def test_a_zip_that_is_there_is_replaced_when_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.zip").write_text("old", encoding="utf-8")
    assert app.run(["result", "heat", "--zip", "--out", "x.zip"]) == Exit.USAGE
    assert "--overwrite" in capsys.readouterr().err
    assert Path("x.zip").read_text(encoding="utf-8") == "old"
    assert app.run(["result", "heat", "--zip", "--out", "x.zip", "--overwrite"]) == Exit.OK
    assert Path("x.zip").read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize("words", [["--out", "x.zip"], ["--zip", "--out", "x"]])
def test_another_file_is_in_the_way(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(words[-1]).write_text("old", encoding="utf-8")
    assert app.run(["result", "heat", *words, "--overwrite"]) == Exit.USAGE
    assert "is a file" in capsys.readouterr().err
