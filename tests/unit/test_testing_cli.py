"""Which tests a command runs, and how several calls of pytest end as one."""

import subprocess
import sys
from pathlib import Path

import pytest

from simops_testing import cli
from simops_testing.cli import GROUPS, NO_TESTS, UNIT, beside, chosen, wants_terminal, worst

WHOLE, FAULTS, PARTS = GROUPS.values()


def test_without_paths_all_run_with_the_same_arguments() -> None:
    assert chosen(["-k", "bundle"], UNIT) == ["tests/unit", "-k", "bundle"]
    assert chosen(["-k", "bundle"], PARTS) == [*PARTS, "-k", "bundle"]
    assert chosen(["-k", "bundle"], WHOLE) == [*WHOLE, "-k", "bundle"]


def test_a_path_chooses_who_runs() -> None:
    arguments = ["tests/e2e/test_job_heat.py", "-x"]
    assert chosen(arguments, UNIT) is None
    assert chosen(arguments, PARTS) is None
    assert chosen(arguments, WHOLE) == arguments
    both = ["tests/unit/test_cache.py", "tests/contract", "-q"]
    assert chosen(both, UNIT) == ["tests/unit/test_cache.py", "-q"]
    assert chosen(both, PARTS) == ["tests/contract", "-q"]
    assert chosen(both, WHOLE) is None
    assert chosen(["tests/e2e/test_job_heat.py::test_x"], WHOLE) == ["tests/e2e/test_job_heat.py::test_x"]


def test_a_folder_that_several_share_chooses_of_each_what_is_below_it() -> None:
    assert chosen(["tests/chaos", "-x"], FAULTS) == ["tests/chaos/test_faults.py", "-x"]
    assert chosen(["tests/chaos/"], WHOLE) == ["tests/chaos/test_gateway_killed.py", "tests/chaos/test_safeguards.py"]
    assert chosen(["tests/chaos"], PARTS) is None
    assert chosen(["tests"], PARTS) == PARTS


def test_every_folder_of_tests_is_run_by_one_of_them() -> None:
    every = {f"tests/{p.parent.name}/{p.name}" for p in Path(cli.ROOT, "tests").glob("*/test_*.py")}
    runs = [*UNIT, *WHOLE, *FAULTS, *PARTS]
    assert {file for file in every if [chosen([file], [one]) for one in runs].count([file]) != 1} == set()


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([0, 0], 0),
        ([0, 1], 1),
        ([1, 0], 1),
        ([NO_TESTS, 0], 0),
        ([0, NO_TESTS], 0),
        ([NO_TESTS, 1], 1),
        ([NO_TESTS] * 2, 5),
        ([], 5),
    ],
)
def test_what_one_of_them_finds_no_test_for_the_other_one_decides(codes: list[int], code: int) -> None:
    assert worst(codes) == code


def test_two_that_run_side_by_side_each_say_how_they_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setattr(cli, "_LOGS", tmp_path / "out")
    meet = "import pathlib,sys,time; me,other=map(pathlib.Path,sys.argv[1:3]); me.touch(); end=time.monotonic()+30\n"
    meet += "while not other.exists() and time.monotonic()<end: time.sleep(.01)\n"
    meet += "print('said by', me.name); sys.exit(3 if not other.exists() else len(me.name)-1)"
    one = [sys.executable, "-c", meet, str(tmp_path / "a"), str(tmp_path / "bb")]
    two = [sys.executable, "-c", meet, str(tmp_path / "bb"), str(tmp_path / "a")]
    assert beside(one, {"two": two}) == [0, 1]
    printed = capfd.readouterr().out
    assert printed.index("said by a") < printed.index("said by bb")


def test_the_one_beside_ends_when_the_first_is_interrupted_even_if_it_does_not_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setattr(cli, "_LOGS", tmp_path)
    monkeypatch.setattr(cli, "_TEARDOWN_SECONDS", 0.1)
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def remembered(*args: object, **options: object) -> subprocess.Popen[bytes]:
        process = popen(*args, **options)  # type: ignore[call-overload]
        started.append(process)
        return process  # type: ignore[no-any-return]

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", remembered)
    monkeypatch.setattr(subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        beside(["true"], {"other": [sys.executable, "-c", "import time; time.sleep(600)"]})
    assert started[0].poll() is not None


@pytest.mark.parametrize("argument", ["-s", "--pdb", "--trace", "--capture=no"])
def test_a_debugger_has_the_terminal_for_itself(argument: str) -> None:
    assert wants_terminal(["tests", argument])
    assert not wants_terminal(["tests", "-q"])
