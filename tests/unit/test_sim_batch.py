"""Batch mode: the numbers of one run each, a folder and a line for each point, and what goes wrong in between."""

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import assert_same, one_run

from simops_sim import cli, ensemble, folders, heat1d, outputs
from simops_sim.problem import Problem

SIM = Path(cli.__file__).parents[1]
METHODS = ("ftcs", "btcs", "crank_nicolson")
CASES = list(itertools.product(METHODS, ("sine", "gaussian", "uniform"), ("dirichlet", "neumann")))
FILES = {"metrics.json", "meta.json", "final_profile.npy", "log.txt"}


class World:
    """A points file, a results file and a folder for each point."""

    def __init__(self, root: Path) -> None:
        self.root, self.points, self.results = root, root / "points.jsonl", root / "results.jsonl"

    def write(self, params: Sequence[dict[str, Any]]) -> None:
        self.points.write_text("".join(self.line(index, each) for index, each in enumerate(params)))

    def line(self, index: int, params: dict[str, Any]) -> str:
        return json.dumps({"index": index, "params": params, "outputs": str(self.folder(index))}) + "\n"

    def run(self, params: Sequence[dict[str, Any]], *common: str) -> int:
        self.write(params)
        return cli.main(common)

    def folder(self, index: int) -> Path:
        return self.root / "outputs" / str(index)

    def files(self, index: int) -> set[str]:
        return {path.name for path in self.folder(index).iterdir()}

    def read(self, index: int, name: str) -> Any:
        return json.loads((self.folder(index) / name).read_text())

    def log(self, index: int) -> str:
        return (self.folder(index) / "log.txt").read_text()

    def lines(self) -> dict[int, dict[str, Any]]:
        found = [json.loads(line) for line in self.results.read_text().splitlines()]
        assert len({line["index"] for line in found}) == len(found), "no point has two lines"
        return {line["index"]: line for line in found}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setenv("SIMOPS_POINTS", str(made.points))
    monkeypatch.setenv("SIMOPS_RESULTS", str(made.results))
    return made


@pytest.mark.parametrize(("method", "profile", "ends"), CASES)
def test_a_point_of_a_batch_has_the_files_of_a_run_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, profile: str, ends: str
) -> None:
    common: dict[str, Any] = {
        "method": method,
        "initial_condition": profile,
        "boundary": ends,
        "time_steps": 900,
        "spatial_steps": 40,
    }
    params = [{**common, "diffusivity": 0.002 * (i + 1), "boundary_temp": 10 * i} for i in range(5)]
    assert world.run(params) == 0
    monkeypatch.delenv("SIMOPS_POINTS")
    for index, each in enumerate(params):
        alone = world.root / "alone"
        words = [word for name, value in each.items() for word in (f"--{name}", str(value))]
        assert cli.main([*words, "--outputs", "summary", "--output_dir", str(alone)]) == 0
        problem = Problem(**{**each, "boundary_temp": float(each["boundary_temp"])})
        metrics = world.read(index, outputs.METRICS)
        assert_same(metrics, json.loads((alone / outputs.METRICS).read_text()), problem)
        assert world.lines()[index]["metrics"] == metrics
        assert world.lines()[index]["exitCode"] == 0
        assert world.lines()[index]["seconds"] >= metrics["solve_seconds"] > 0
        row, expected_row = np.load(world.folder(index) / outputs.PROFILE), np.load(alone / outputs.PROFILE)
        assert row.shape == expected_row.shape
        assert row == pytest.approx(expected_row, rel=1e-12, abs=1e-10)
        meta, expected = world.read(index, outputs.META), json.loads((alone / outputs.META).read_text())
        assert meta["computed_together"] == 5
        for different in ("seconds", "started"):
            assert meta.pop(different)
            assert expected.pop(different)
        meta.pop("computed_together")
        assert meta == expected
        assert world.files(index) == FILES


def test_the_log_of_a_point_is_the_line_that_a_run_ends_with(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without_speed(line: str) -> str:
        return line.split(": centre ")[1].rsplit(",", 1)[0]

    assert world.run([{"spatial_steps": 40}]) == 0
    monkeypatch.delenv("SIMOPS_POINTS")
    capsys.readouterr()
    assert cli.main(["--spatial_steps", "40", "--plot", "false", "--output_dir", str(world.root / "alone")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert world.log(0).startswith("heat1d: done in ")
    assert world.log(0).count("\n") == 1
    assert without_speed(world.log(0).rstrip()) == without_speed(last)


def test_points_of_many_grids_in_any_order_get_their_own_answer(world: World) -> None:
    params: list[dict[str, Any]] = [
        {
            "spatial_steps": 11 + i % 3,
            "time_steps": 50 + i % 2,
            "method": METHODS[1 + i % 2],
            "diffusivity": 0.001 * (i + 1),
        }
        for i in range(40)
    ]
    assert world.run(params) == 0
    assert world.lines().keys() == set(range(40))
    for index, each in enumerate(params):
        problem = Problem(**each)
        assert_same(world.read(index, outputs.METRICS), one_run(problem)[0], problem)
        assert len(np.load(world.folder(index) / outputs.PROFILE)) == problem.spatial_steps


def test_more_points_than_are_computed_at_once_or_read_at_once_all_get_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simops_sim.batch.BLOCK_POINTS", 50)
    monkeypatch.setattr(ensemble, "MOST", 7)
    assert world.run([{"end_time": 1.0 + i} for i in range(120)]) == 0
    assert [world.read(i, outputs.METRICS)["final_time"] for i in range(120)] == pytest.approx(
        [1.0 + i for i in range(120)]
    )
    assert len(world.lines()) == 120


BAD = [
    {"length": -1},
    {"length": "x"},
    {"length": True},
    {"length": None},
    {"length": [1]},
    {"length": 10**400},
    {"length": float("nan")},
    {"time_steps": 1.5},
    {"time_steps": 0},
    {"time_steps": 10**30},
    {"spatial_steps": 2},
    {"method": "spectral"},
    {"method": 3},
    {"method": "ftcs"},
    {"outputs": "some"},
    {"plot": "maybe"},
    {"colour": "red"},
    {"col our": "red"},
    {"": 1},
    {"help": 1},
    {"length": "-e"},
    {"outputs": "full", "time_steps": 10**14},
]


def test_a_refusal_that_quotes_what_no_file_can_hold_is_written_all_the_same(world: World) -> None:
    assert world.run([{"length": 1}, {"x\ud800": 1}, {"length": 2}]) == 0
    assert {index: line["exitCode"] for index, line in world.lines().items()} == {0: 0, 1: 2, 2: 0}
    assert "\\ud800" in world.log(1)


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_point_with_a_wrong_parameter_fails_alone_and_in_the_words_of_a_run_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bad: dict[str, Any]
) -> None:
    assert world.run([{"length": 1}, bad, {"length": 2}]) == 0
    results = world.lines()
    assert {index: line["exitCode"] for index, line in results.items()} == {0: 0, 1: 2, 2: 0}
    assert "metrics" not in results[1]
    assert world.files(1) == {"log.txt"}
    assert world.files(0) == world.files(2) == FILES
    monkeypatch.delenv("SIMOPS_POINTS")
    capsys.readouterr()
    words = [
        word
        for name, value in bad.items()
        for word in (f"--{name}", value if isinstance(value, str) else json.dumps(value))
    ]
    alone = world.root / "alone"
    if bad.keys() - {"help", ""}:
        assert cli.main([*words, "--output_dir", str(alone)]) == 2
        expected = capsys.readouterr().err.replace(str(alone), str(world.folder(1)))
        told = world.log(1)
        if "GiB are free" in expected:
            told, expected = told.split("but only")[0], expected.split("but only")[0]
        assert told.replace("=", " ") == expected.replace("=", " ")


def test_values_count_as_on_a_command_line(world: World) -> None:
    spelled = [
        {"length": "2", "time_steps": "1e2", "plot": False},
        {"length": 2, "time-steps": 100.0, "method": "crank_nicolson"},
        {"length": 2.0, "time_steps": 100, "outputs": "summary"},
    ]
    assert world.run(spelled) == 0
    parameters = [world.read(i, outputs.META)["parameters"] for i in range(3)]
    assert parameters[0] == parameters[1] == parameters[2]
    assert [type(value) for value in parameters[0].values()] == [type(value) for value in parameters[2].values()]


def test_options_of_the_command_are_what_points_have_in_common(world: World) -> None:
    assert world.run([{}, {"boundary": "dirichlet"}], "--boundary", "neumann", "--spatial_steps", "9") == 0
    assert [world.read(i, outputs.META)["parameters"]["boundary"] for i in (0, 1)] == ["neumann", "dirichlet"]
    assert world.read(1, outputs.META)["grid"]["points"] == 9


def test_a_wrong_option_of_the_command_is_an_error_of_all(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run([{}], "--boundary", "open") == 2
    assert "--boundary" in capsys.readouterr().err
    assert not world.results.exists()


def test_points_do_not_share_a_folder(world: World) -> None:
    assert world.run([{}], "--output_dir", str(world.root)) == 0
    assert world.lines()[0]["exitCode"] == 2
    assert "folder of its own" in world.log(0)


def test_points_without_a_place_for_results_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SIMOPS_RESULTS")
    assert world.run([{}]) == 2
    assert "SIMOPS_RESULTS" in capsys.readouterr().err


def test_a_missing_points_file_is_an_error_of_one_line(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "line", ["{", "[]", "7", "{}", '{"index":1,"params":{}}', '{"index":"x","params":{},"outputs":"/x"}']
)
def test_a_line_that_is_no_point_is_told_and_the_others_go_on(
    world: World, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    world.points.write_text(world.line(0, {}) + line + "\n" + world.line(2, {}))
    assert cli.main([]) == 1
    assert world.lines().keys() == {0, 2}
    assert line[:10] in capsys.readouterr().out


def test_full_outputs_are_those_of_a_run_of_its_own(world: World) -> None:
    assert (
        world.run([{"outputs": "full", "plot": False}, {}, {"plot": False}], "--outputs", "full", "--plot", "true") == 0
    )
    assert world.files(0) == {"result.csv", "meta.json", "metrics.json", "temperature_field.npy", "log.txt"}
    assert world.files(1) == world.files(0) | {"simulation_results.png"}
    assert np.array_equal(np.load(world.folder(0) / outputs.FIELD), heat1d.solve(Problem()))
    assert world.log(0).startswith("heat1d: crank_nicolson, 100 steps")
    assert "heat1d: done in" in world.log(0)
    assert world.lines()[0]["metrics"] == world.read(0, outputs.METRICS)


def test_a_fine_grid_is_computed_by_itself_and_gives_the_same_files(world: World) -> None:
    points = ensemble.WIDEST + 1
    assert world.run([{"spatial_steps": points, "time_steps": 5, "method": "btcs"}]) == 0
    assert world.files(0) == FILES
    problem = Problem(spatial_steps=points, time_steps=5, method="btcs")
    assert_same(world.read(0, outputs.METRICS), one_run(problem)[0], problem)


def test_a_line_is_written_when_the_files_of_its_point_are_complete(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, seen = folders.Results.add, list[int]()

    def looking(self: folders.Results, index: int, *rest: Any) -> None:
        assert world.files(index) == (FILES if index != 2 else {"log.txt"})
        add(self, index, *rest)
        assert json.loads(world.results.read_text().splitlines()[-1])["index"] == index, "nothing waits in a buffer"
        seen.append(index)

    monkeypatch.setattr(folders.Results, "add", looking)
    assert world.run([{}, {"length": 2}, {"length": -2}, {"spatial_steps": 1100}]) == 0
    assert sorted(seen) == [0, 1, 2, 3]


def test_a_disk_that_is_full_for_one_point_fails_that_one_and_leaves_no_half_folder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = folders._write

    def full(path: str, content: bytes) -> None:
        if "/.1.part/" in path and path.endswith(outputs.PROFILE):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    monkeypatch.setattr(folders, "_write", full)
    assert world.run([{}, {}, {}]) == 0
    assert {index: line["exitCode"] for index, line in world.lines().items()} == {0: 0, 1: 1, 2: 0}
    assert world.files(1) == {"log.txt"}
    assert "No space left" in world.log(1)
    assert {path.name for path in (world.root / "outputs").iterdir()} == {"0", "1", "2"}


def test_a_short_write_is_gone_on_with(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:100])))
    assert world.run([{}]) == 0
    assert len(np.load(world.folder(0) / outputs.PROFILE)) == 51
    assert world.lines()[0]["metrics"] == world.read(0, outputs.METRICS)


@pytest.mark.parametrize("before", ["nothing", "an empty folder", "files of an earlier run", "a part"])
def test_whatever_is_where_the_folder_should_be_the_files_are_new(world: World, before: str) -> None:
    folder = world.folder(0)
    if before == "a part":
        folder = folder.with_name(".0.part")
    if before != "nothing":
        folder.mkdir(parents=True)
    if before in {"files of an earlier run", "a part"}:
        (folder / outputs.METRICS).write_text("old")
    assert world.run([{}]) == 0
    assert world.files(0) == FILES
    assert world.read(0, outputs.METRICS)["final_time"] == 10.0
    assert [path.name for path in (world.root / "outputs").iterdir()] == ["0"]


def test_a_file_where_the_folder_should_be_fails_the_point(world: World) -> None:
    world.folder(0).parent.mkdir()
    world.folder(0).touch()
    assert world.run([{}, {}]) == 0
    assert {index: line["exitCode"] for index, line in world.lines().items()} == {0: 1, 1: 0}


def stop_at(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Let SIGTERM come at the first call of this."""
    original: Callable[..., Any] = getattr(owner, name)

    def stopping(*args: Any, **kwargs: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, stopping)


def test_sigterm_lets_the_group_whose_files_are_written_finish_and_starts_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble, "MOST", 4)
    stop_at(monkeypatch, folders.Results, "add")
    assert world.run([{"length": 1 + i} for i in range(10)]) == 143
    assert world.lines().keys() == {0, 1, 2, 3}
    assert [world.files(i) for i in range(4)] == [FILES] * 4
    assert not world.folder(4).exists()


def test_sigterm_ends_a_long_march_and_its_points_have_no_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at(monkeypatch, ensemble, "_powers")
    ringing = {"initial_condition": "uniform", "spatial_steps": 501, "end_time": 1e9, "time_steps": 10**12}
    assert world.run([{"length": 2}, ringing, {"length": 3}]) == 143
    assert world.lines().keys() == {0, 2}
    assert not world.folder(1).exists()


def test_sigterm_in_a_point_that_runs_alone_leaves_it_without_a_line(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, outputs.Recorder, "add")
    assert world.run([{"outputs": "full", "plot": False}, {"outputs": "full"}]) == 143
    assert world.lines() == {}
    assert world.read(0, outputs.META)["complete"] is False
    assert not world.folder(1).exists()


def test_a_process_reads_points_as_they_come_and_exits_143_with_what_is_done(world: World) -> None:
    """The points come through a pipe that stays open: whoever reads to its end first would wait for ever."""
    os.mkfifo(world.points)
    process = subprocess.Popen([sys.executable, "-m", "simops_sim"], cwd=SIM, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with world.points.open("w") as pipe:
        for index in range(1024):
            pipe.write(world.line(index, {"length": 1 + index}))
        pipe.flush()
        assert process.stdout.readline().startswith("batch: 1024 points, 0 of them failed")
        process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "stopped by signal 15 after 1024 points" in output
    assert world.lines().keys() == set(range(1024))
    assert world.files(1023) == FILES
