"""The command line: every option, the files, refusals, and the stop signal."""

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simops_sim import cli, heat1d, outputs
from simops_sim.problem import Problem

SIM = Path(cli.__file__).parents[1]
FIVE_FILES = {"result.csv", "meta.json", "metrics.json", "temperature_field.npy", "simulation_results.png"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIMOPS_OUTPUTS", str(tmp_path / "out"))
    return tmp_path / "out"


def run(*options: str, plot: bool = False) -> int:
    return cli.main([*options, "--plot", str(plot).lower()])


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def table(folder: Path) -> "np.ndarray[Any, Any]":
    return np.genfromtxt(folder / outputs.SERIES, delimiter=",", names=True)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_documented_command_writes_five_files_where_it_is_started(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": os.devnull}  # nowhere to keep a cache
    command = [
        sys.executable,
        str(SIM / "run_sim.py"),
        "--length",
        "1.0",
        "--time_steps",
        "100",
        "--diffusivity",
        "0.01",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert files(tmp_path / "outputs") == FIVE_FILES
    assert done.stderr == ""
    field = np.load(tmp_path / "outputs" / outputs.FIELD)
    assert field.shape == (101, Problem().spatial_steps)
    assert np.array_equal(field, heat1d.solve(Problem()))
    header = (tmp_path / "outputs" / outputs.PLOT).read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:])
    assert width > 1000
    assert height > 700


def test_a_run_without_a_plot_never_imports_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys; from simops_sim.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(code or any(name.split('.')[0] == 'matplotlib' for name in sys.modules))"
    )
    command = [sys.executable, "-c", code, "--plot", "false", "--output_dir", str(tmp_path)]
    subprocess.run(command, cwd=SIM, check=True)
    assert files(tmp_path) == FIVE_FILES - {outputs.PLOT}


def test_a_refused_command_line_never_imports_numpy(tmp_path: Path) -> None:
    code = (
        "import sys; from simops_sim.cli import main; code = main(['--length', '-1']); "
        "sys.exit(code != 2 or 'numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=SIM, check=True)


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simops_sim", "--help"], cwd=SIM, capture_output=True, text=True, check=True
    )
    for option in Problem.__dataclass_fields__:
        assert f"--{option}" in done.stdout
    for unit in ("in m ", "in s ", "m²/s", "in K"):
        assert unit in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("length", "2.5", 2.5),
        ("time_steps", "30", 30),
        ("time_steps", "30.0", 30),
        ("diffusivity", "1e-4", 1e-4),
        ("spatial_steps", "20", 20),
        ("initial_temp", "-40", -40.0),
        ("boundary_temp", "-1e3", -1000.0),
        ("end_time", "3", 3.0),
        ("method", "btcs", "btcs"),
        ("initial_condition", "gaussian", "gaussian"),
        ("boundary", "neumann", "neumann"),
    ],
)
@pytest.mark.parametrize("spelling", ["--{} {}", "--{}={}", "dashes"])
def test_each_option_reaches_the_problem(folder: Path, option: str, text: str, value: object, spelling: str) -> None:
    words = f"--{option.replace('_', '-')} {text}" if spelling == "dashes" else spelling.format(option, text)
    assert run(*words.split()) == 0
    expected = {name: getattr(Problem(), name) for name in Problem.__dataclass_fields__} | {option: value}
    assert read(folder / outputs.META)["parameters"] == expected
    assert np.array_equal(np.load(folder / outputs.FIELD), heat1d.solve(Problem(**expected)))


def test_the_explicit_method_runs_when_it_is_stable(folder: Path) -> None:
    assert run("--method", "ftcs", "--time_steps", "500") == 0
    assert read(folder / outputs.META)["stability_limit"] == 0.5


def test_an_explicit_folder_wins_over_the_environment(folder: Path, tmp_path: Path) -> None:
    assert run("--output_dir", str(tmp_path / "mine" / "deep")) == 0
    assert not folder.exists()
    assert files(tmp_path / "mine" / "deep") == FIVE_FILES - {outputs.PLOT}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--length -1", "--length: must be positive"),
        ("--length nan", "--length: must be finite"),
        ("--diffusivity inf", "--diffusivity: must be finite"),
        ("--initial_temp nan", "--initial_temp: must be finite"),
        ("--time_steps 0", "--time_steps: must be at least 1"),
        ("--time_steps 1.5", "--time_steps: invalid whole number"),
        ("--time_steps inf", "--time_steps: "),
        ("--time_steps 1e15", "--time_steps: a field of"),
        ("--time_steps 1e300", "--time_steps: must be at most"),
        ("--time_steps 1e300 --method ftcs", "--time_steps: must be at most"),
        ("--outputs some", "--outputs: invalid choice"),
        ("--spatial_steps 1e9", "--spatial_steps: "),
        ("--spatial_steps 2", "--spatial_steps: must be at least 3"),
        ("--method spectral", "--method: invalid choice"),
        ("--boundary open", "--boundary: invalid choice"),
        ("--length", "--length: expected one argument"),
        ("--end_time x", "--end_time: invalid float"),
        ("--plot maybe", "--plot: must be true or false"),
        ("--colour red", "--colour"),
        ("--len 1", "--len"),
        ("stray", "stray"),
    ],
)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], options: str, says: str
) -> None:
    assert cli.main(options.split()) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert not folder.exists()


def test_an_unstable_explicit_choice_names_the_step_that_is_stable(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--method", "ftcs") == 2
    message = capsys.readouterr().err
    assert "dt ≤ 0.02 s" in message
    assert "--time_steps 500" in message
    assert not folder.exists()


def test_a_summary_has_the_numbers_and_the_last_row_of_the_field_and_nothing_else(folder: Path) -> None:
    def told(content: dict[str, float]) -> dict[str, float]:
        return {name: value for name, value in content.items() if name not in {"solve_seconds", "steps_per_second"}}

    assert run("--method", "btcs") == 0
    metrics, field = read(folder / outputs.METRICS), np.load(folder / outputs.FIELD)
    assert run("--method", "btcs", "--outputs", "summary", plot=True) == 0
    assert files(folder) == {outputs.METRICS, outputs.META, outputs.PROFILE}, "files of the earlier run are gone"
    assert told(read(folder / outputs.METRICS)) == told(metrics)
    assert np.array_equal(np.load(folder / outputs.PROFILE), field[-1])
    assert read(folder / outputs.META)["files"] == [outputs.METRICS, outputs.PROFILE]
    assert run("--method", "btcs") == 0
    assert files(folder) == FIVE_FILES - {outputs.PLOT}


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run("--output_dir", str(tmp_path / "file")) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_disk_that_fills_up_leaves_no_half_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs.FieldFile, "write", full)
    assert run() == 1
    assert "No space left" in capsys.readouterr().err
    assert files(folder) == set()


def test_the_table_follows_the_field(folder: Path) -> None:
    assert run("--boundary_temp", "20", "--spatial_steps", "40") == 0
    rows, field = table(folder), np.load(folder / outputs.FIELD)
    assert rows.dtype.names == outputs.COLUMNS
    assert rows["step"].tolist() == list(range(101))
    assert rows["time"][-1] == pytest.approx(10.0)
    assert np.array_equal(rows["min"], field.min(axis=1))
    assert np.array_equal(rows["max"], field.max(axis=1))
    assert np.array_equal(rows["center"], 0.5 * (field[:, 19] + field[:, 20]))
    assert rows["heat"] == pytest.approx(np.trapezoid(field, dx=1 / 39))
    assert rows["mean"] == pytest.approx(rows["heat"])
    assert rows["exact_center"] == pytest.approx(20 + 80 * np.exp(-(np.pi**2) * 0.01 * rows["time"]))


def test_the_metrics_are_flat_finite_numbers_that_agree_with_the_field(folder: Path) -> None:
    assert run("--initial_condition", "uniform", "--spatial_steps", "201", "--time_steps", "50") == 0
    numbers, field = read(folder / outputs.METRICS), np.load(folder / outputs.FIELD)
    assert all(isinstance(value, float) and np.isfinite(value) for value in numbers.values())
    assert numbers["final_center_temp"] == field[-1, 100]
    assert numbers["max_temp"] == field.max()
    assert numbers["min_temp"] == field.min()
    assert numbers["overshoot"] == -field.min() > 10.0
    p = Problem(initial_condition="uniform", spatial_steps=201, time_steps=50)
    difference = field[-1] - heat1d.exact(p, [10.0], heat1d.grid(p))[0]
    assert numbers["l2_error"] == pytest.approx(np.trapezoid(difference**2, dx=p.dx) ** 0.5)
    assert numbers["stability_number"] == p.r


def test_the_error_counts_the_ends_by_half(folder: Path) -> None:
    assert run("--boundary", "neumann", "--spatial_steps", "5") == 0
    p = Problem(boundary="neumann", spatial_steps=5)
    difference = heat1d.solve(p)[-1] - heat1d.exact(p, [10.0], heat1d.grid(p))[0]
    expected = np.trapezoid(difference**2, dx=p.dx) ** 0.5
    assert read(folder / outputs.METRICS)["l2_error"] == pytest.approx(expected)


def test_the_plot_shows_the_first_and_the_last_step_of_a_long_run() -> None:
    p = Problem(time_steps=12345, spatial_steps=2001)
    recorder = outputs.Recorder(p)
    for first, block in heat1d.march(p):
        recorder.add(first, block)
    times, x, rows = recorder.picture()
    assert rows.shape == (len(times), len(x))
    assert len(times) <= outputs.PLOT_ROWS + 2
    assert len(x) <= outputs.PLOT_COLUMNS + 1
    assert times[[0, -1]] == pytest.approx([0.0, p.end_time])
    assert rows[-1] == pytest.approx(heat1d.solve(p)[-1, ::3], abs=1e-12)


def test_a_run_that_will_ring_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--initial_condition", "uniform")
    assert "rings" in capsys.readouterr().out
    run("--initial_condition", "uniform", "--method", "btcs")
    run()
    assert "rings" not in capsys.readouterr().out
    assert read(folder / outputs.METRICS)["overshoot"] == 0.0


def test_the_meta_file_tells_how_the_field_was_made(folder: Path) -> None:
    assert run("--time_steps", "10") == 0
    meta = read(folder / outputs.META)
    assert meta["complete"] is True
    assert meta["steps_completed"] == 10
    assert meta["grid"]["field_shape"] == [11, 51]
    assert meta["method"]["name"] == "crank_nicolson"
    assert meta["stability_number"] == pytest.approx(25.0)
    assert set(meta["versions"]) == {"python", "numpy", "simops"}
    assert set(meta["files"]) == files(folder) - {outputs.META}
    assert meta["seconds"]["solve"] > 0


def test_progress_is_told_ten_times(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--time_steps", "123456", "--spatial_steps", "11")
    lines = [line for line in capsys.readouterr().out.splitlines() if " %  step" in line]
    assert len(lines) == 10
    for line, percent in zip(lines, range(10, 101, 10), strict=True):
        assert percent <= int(line.split()[1]) <= min(percent + 5, 100)


def test_a_long_run_has_a_table_of_bounded_length_that_ends_with_the_last_step(folder: Path) -> None:
    assert run("--time_steps", "123457", "--spatial_steps", "11") == 0
    rows = table(folder)
    assert len(rows) <= outputs.SERIES_ROWS + 2
    assert rows["step"][-1] == 123457
    assert read(folder / outputs.META)["grid"]["series_every"] == 13


def test_a_plot_of_an_earlier_run_does_not_stay_beside_new_files(folder: Path) -> None:
    folder.mkdir()
    (folder / outputs.PLOT).touch()
    assert run() == 0
    assert outputs.PLOT not in files(folder)


@pytest.mark.parametrize("options", ["", "--initial_temp 0", "--boundary neumann --initial_condition uniform"])
def test_the_plot_is_drawn_for_flat_profiles_too(folder: Path, options: str) -> None:
    assert run(*options.split(), "--time_steps", "1", "--spatial_steps", "3", plot=True) == 0
    assert files(folder) == FIVE_FILES


def test_matplotlib_gets_a_folder_of_its_own_where_the_home_folder_is_read_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    with outputs._writable_matplotlib_folder():
        assert "MPLCONFIGDIR" not in os.environ
    monkeypatch.setenv("XDG_CONFIG_HOME", os.devnull)
    with outputs._writable_matplotlib_folder():
        folder = Path(os.environ["MPLCONFIGDIR"])
        assert folder.is_dir()
    assert "MPLCONFIGDIR" not in os.environ
    assert not folder.exists()


def test_sigterm_keeps_the_rows_computed_so_far(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = outputs.Recorder.add

    def stopping(self: outputs.Recorder, first: int, block: heat1d.Array) -> None:
        add(self, first, block)
        if first > 1000:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(outputs.Recorder, "add", stopping)
    before = signal.getsignal(signal.SIGTERM)
    assert run("--time_steps", "123457", plot=True) == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert files(folder) == FIVE_FILES - {outputs.PLOT}
    meta, field, rows = read(folder / outputs.META), np.load(folder / outputs.FIELD), table(folder)
    assert meta["complete"] is False
    assert meta["steps_completed"] + 1 == len(field) < 20_000
    assert rows["step"][-1] == meta["steps_completed"]
    assert read(folder / outputs.METRICS)["final_center_temp"] == field[-1, 25]
    expected = heat1d.solve(Problem(time_steps=123457))[: len(field)]
    assert np.array_equal(field, expected)


def test_sigterm_while_plotting_ends_at_once_and_keeps_the_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopping(*_: object) -> str:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("the plot went on")

    monkeypatch.setattr(outputs, "draw", stopping)
    assert run(plot=True) == 143
    assert files(folder) == FIVE_FILES - {outputs.PLOT}
    assert read(folder / outputs.META)["complete"] is False
    assert len(np.load(folder / outputs.FIELD)) == 101


def test_a_process_that_gets_sigterm_exits_143_with_partial_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simops_sim", "--time_steps", "3000000", "--spatial_steps", "51"]
    process = subprocess.Popen([*command, "--output_dir", str(tmp_path)], cwd=SIM, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()  # the run has begun
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "stopped by signal 15" in output
    meta = read(tmp_path / outputs.META)
    assert meta["complete"] is False
    assert np.load(tmp_path / outputs.FIELD, mmap_mode="r").shape == (meta["steps_completed"] + 1, 51)
