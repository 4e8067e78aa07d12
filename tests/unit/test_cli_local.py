"""`simops dev run`: real processes on this machine."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from terminal import AT_A_TERMINAL

from simops_cli import app, local
from simops_cli.core.exits import Exit

WELL = """
import json, os, sys
out = os.environ["SIMOPS_OUTPUTS"]
json.dump({"argv": sys.argv[1:], "params": json.load(open(os.environ["SIMOPS_PARAMS"])), "job": os.environ["SIMOPS_JOB"]}, open(out + "/seen.json", "w"))
json.dump({"max": 1.5, "bad": float("nan")}, open(out + "/metrics.json", "w"))
os.symlink("/etc/hostname", out + "/away")
print("well", flush=True)
"""


@contextmanager
def command(words: Sequence[str], **more: Any) -> Iterator["subprocess.Popen[str]"]:
    """The command as a process, which is ended with the test."""
    process = subprocess.Popen([*AT_A_TERMINAL, *words], **more)
    try:
        yield process
    finally:
        process.terminate()  # it stops what it has started
        process.communicate(timeout=60)


def run(*words: str) -> int:
    return app.run(["dev", "run", "--command", *words])


def test_a_program_gets_its_parameters_and_is_told_what_a_cluster_would_say(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("-p", "length=1.5", "-p", "kind=sine", "--out", str(out), sys.executable, "--", "-c", WELL) == Exit.OK
    seen = json.loads((out / "seen.json").read_text())
    assert seen == {
        "argv": ["--kind", "sine", "--length", "1.5"],
        "params": {"kind": "sine", "length": 1.5},
        "job": "local",
    }
    shown, told = capfd.readouterr()
    assert shown == "well\n"
    assert "Succeeded" in told
    assert "max = 1.5" in told
    assert "1 values are no finite numbers: bad" in told
    assert "left out of the result: away" in told
    assert (tmp_path / "out.log").read_text() == "well\n"


@pytest.mark.parametrize(("code", "words"), [("exit 3", "exited with code 3"), ("kill -9 $$", "killed by signal 9")])
def test_a_program_that_fails_has_an_exit_code_of_its_own(
    code: str, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("--out", str(tmp_path / "out"), "sh", "--", "-c", code) == Exit.FAILED
    assert words in capfd.readouterr().err


def test_a_program_that_takes_too_long_is_told_to_stop_and_keeps_what_it_wrote(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = "trap 'echo stopped > $SIMOPS_OUTPUTS/late; exit 0' TERM; echo a > $SIMOPS_OUTPUTS/early; while :; do sleep 0.05; done"
    assert run("--timeout-seconds", "0.5", "--out", str(tmp_path / "out"), "sh", "--", "-c", script) == Exit.FAILED
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"early", "late"}
    told = capfd.readouterr().err
    assert "DeadlineExceeded" in told
    assert "exit with 143" in told


def test_a_program_that_does_not_stop_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local, "STOP_SECONDS", 0.2)
    script = "trap '' TERM; while :; do sleep 0.05; done"
    assert run("--timeout-seconds", "0.3", "--out", str(tmp_path / "out"), "sh", "--", "-c", script) == Exit.FAILED
    assert "went on" in capfd.readouterr().err


def test_what_it_leaves_in_the_background_is_ended_with_it(tmp_path: Path) -> None:
    script = f"sleep 1000 & echo $! > {shlex.quote(str(tmp_path / 'pid'))}"
    assert run("--out", str(tmp_path / "out"), "sh", "--", "-c", script) == Exit.OK
    pid = int((tmp_path / "pid").read_text())
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_outputs_of_two_runs_are_not_mixed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old").write_text("x")
    assert run("--out", str(tmp_path), "true") == Exit.USAGE
    assert "has something in it" in capfd.readouterr().err


def test_a_log_of_another_run_is_not_written_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out.log").write_text("keep")
    assert run("--out", str(tmp_path / "out"), "true") == Exit.USAGE
    assert (tmp_path / "out.log").read_text() == "keep"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("force", [(), ("--command",)])
def test_a_program_that_is_not_there_is_said_so_and_leaves_nothing(
    force: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["dev", "run", *force, "./nosuch", "--out", str(tmp_path / "out")]) == Exit.USAGE
    assert "./nosuch is no program" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_left_its_session_and_holds_the_output_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_LAST_WORDS_SECONDS", 0.2)
    script = f"setsid sleep 1000 & echo $! > {shlex.quote(str(tmp_path / 'pid'))}; echo said"
    assert run("--out", str(tmp_path / "out"), "sh", "--", "-c", script) == Exit.OK
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert (tmp_path / "out.log").read_text() == "said\n"


def test_a_reader_that_goes_away_does_not_stop_it(tmp_path: Path) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo all > $SIMOPS_OUTPUTS/done"
    words = ["dev", "run", "--command", "--out", str(tmp_path / "out"), "sh", "--", "-c", script]
    with command(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "line 0\n"
        process.stdout.close()
        process.wait(60)
    assert (tmp_path / "out" / "done").read_text() == "all\n"
    assert len((tmp_path / "out.log").read_text().splitlines()) == 20_000


def engine_in(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install an engine, as a person has one: here a script that writes down what it is asked for."""
    engine = folder / "docker"
    engine.write_text(f'#!/bin/sh\necho "$@" >> {shlex.quote(str(folder / "asked"))}\n{script}\n')
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_container_that_does_not_stop_is_ended_by_its_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_in(tmp_path, 'test "$1" = kill || exec sleep 1000', monkeypatch)
    monkeypatch.setattr(local, "STOP_SECONDS", 0.2)
    code = app.run(["dev", "run", "lab/sim:1", "--timeout-seconds", "0.3", "--out", str(tmp_path / "out")])
    asked = (tmp_path / "asked").read_text().splitlines()
    assert code == Exit.FAILED
    assert [line.split()[:3] for line in asked[1:]] == [["kill", "--signal", "TERM"], ["kill", "--signal", "KILL"]]


def test_an_engine_that_cannot_start_an_image_is_not_the_simulations_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    engine_in(tmp_path, "echo no such image; exit 125", monkeypatch)
    assert app.run(["dev", "run", "lab/sim:1", "--out", str(tmp_path / "out")]) == Exit.USAGE
    assert "docker could not start lab/sim:1" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "closed"), [((), True), (("--network", "none"), True), (("--network", "internet"), False)]
)
def test_a_container_reaches_nothing_unless_it_is_said(
    words: tuple[str, ...], closed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_in(tmp_path, "", monkeypatch)
    assert app.run(["dev", "run", "lab/sim:1", *words, "--out", str(tmp_path / "out")]) == Exit.OK
    assert ("--network none" in (tmp_path / "asked").read_text()) == closed


def test_another_word_for_the_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_in(tmp_path, "", monkeypatch)
    assert app.run(["dev", "run", "lab/sim:1", "--network", "Cluster", "--out", str(tmp_path / "out")]) == Exit.USAGE


def test_an_image_without_an_engine_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert app.run(["dev", "run", "sim:1", "--out", str(tmp_path / "out")]) == Exit.USAGE
    assert "docker, podman, nerdctl not found" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_container_is_started_by_the_engine_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_in(tmp_path, 'echo "{}" > "$OUT/metrics.json"', monkeypatch)
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    assert app.run(["dev", "run", "lab/sim:1", "-p", "a=1", "--out", str(tmp_path / "out"), "--", "run.sh"]) == Exit.OK
    asked = (tmp_path / "asked").read_text().split()
    assert asked[-4:] == ["run.sh", "lab/sim:1", "--a", "1"]


def test_ctrl_c_stops_it_and_says_so(tmp_path: Path) -> None:
    script = "trap 'exit 143' TERM; echo begun; while :; do sleep 0.05; done"
    words = ["dev", "run", "--command", "--out", str(tmp_path / "out"), "sh", "--", "-c", script]
    with command(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED
    assert "Cancelled: interrupted" in told


def test_who_interrupts_at_the_first_line_is_heard_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    one = local.Run(["sh", "-c", "sleep 600"], dict(os.environ), log=tmp_path / "log")
    ended = one.go(None)
    assert ended.interrupted
    assert ended.code == -signal.SIGTERM
