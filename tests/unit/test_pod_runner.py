"""The runner of packs, in each of the shells that an image may have: what goes in arrives, what happens is told, and it goes on."""

import os
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shells import SHELLS, Pack, until

from simops_operator.pod import stage

PRINTF = shutil.which("printf") or ""
NASTY = [
    *("", " ", "a b", "'", '"', "'\\''", "it's", "\\", "\\n", "\\\\", "a\\", "$(x)", "`x`", "$HOME", "${x}", "$$", "$"),
    *(
        "*",
        "?",
        "[a-z]*",
        "~",
        "#",
        "a#b",
        ";",
        "&",
        "|",
        "<",
        ">",
        "(",
        ")",
        "!",
        "!!",
        "{a,b}",
        "-e",
        "-n",
        "--",
        "-",
    ),
    *(
        "\n",
        "a\n",
        "\n\n",
        "a\nb\n\n",
        "\r\n",
        "\t",
        "\x01",
        "\x7f",
        "\x1b[0m",
        "\x88",
        "é",
        "日本",
        "🜁",
        "\u2028",
        "=",
        "%s",
    ),
    *("a" * 100_000, "point", "EOF"),
]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def pack(tmp_path: Path, shell: str) -> Iterator[Callable[..., Pack]]:
    """Make packs: `pack(limit=2)`."""
    made: list[Pack] = []

    def make(limit: int = 600) -> Pack:
        made.append(Pack(tmp_path / str(len(made)), shell, limit))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None:
            one.close()


Make = Callable[..., Pack]


def arguments(pack: Pack, *values: str) -> list[str]:
    """The values as the simulation gets them."""
    pack.add(0, PRINTF, "%s\\0", *values).run()
    return pack.log(0).decode().split("\0")[:-1]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_every_value_arrives_as_it_is(pack: Make, locale: str) -> None:
    one = pack()
    one.environment |= {"LC_ALL": locale}
    assert arguments(one, *NASTY) == NASTY


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_any_text_arrives_as_it_is(pack: Make, values: list[str]) -> None:
    assert arguments(pack(), *values) == values


def test_parameters_follow_the_command_in_alphabetical_order_written_as_json_writes_them() -> None:
    params = {"b": True, "c": 1.0, "d": 1e-07, "e": -3, "text": "a b"}
    assert stage.words(["sim", "x"], params) == (
        *("sim", "x", "--b", "true", "--c", "1.0", "--d", "1e-07", "--e", "-3", "--text", "a b"),
    )


def test_a_text_that_no_command_line_can_hold_is_that_points_failure(pack: Make) -> None:
    one = pack().add(0, *stage.words(["true"], {"a": "x\0y"})).add(1, "true")
    one.run()
    assert one.codes() == {0: 126, 1: 0}
    assert b"NUL" in one.log(0)


def test_a_failure_is_told_and_the_next_point_runs(pack: Make) -> None:
    one = pack()
    no_program = one.outputs.parent / "data"
    no_program.write_text("no program")
    one.add(0, "sh", "-c", "exit 3").add(1, "nonesuch").add(2, str(no_program)).add(3, str(one.outputs))
    one.add(4, "sh", "-c", "kill -KILL $$").add(5, "sh", "-c", "kill -ALRM $$").add(6, "sh", "-c", "exit 255")
    one.add(7, "true").run()
    assert one.codes() == {0: 3, 1: 127, 2: 126, 3: 126, 4: 137, 5: 142, 6: 255, 7: 0}
    assert b"nonesuch" in one.log(1)
    assert [set(line) for line in one.lines()] == 8 * [{"index", "exitCode", "seconds"}]


def test_the_log_goes_to_the_pods_log_and_to_the_points_own(pack: Make) -> None:
    one = pack().add(3, "sh", "-c", r"printf 'no newline\0\377'; printf error >&2").add(4, "echo", "next")
    log = one.run()
    assert one.log(3) == b"no newline\0\xfferror"
    assert one.log(4) == b"next\n"
    assert log.startswith(b"simops: point 3\nno newline\0\xfferrorsimops: point 3: exit code 0 after ")
    assert b"\nsimops: point 4\nnext\nsimops: point 4: exit code 0 after " in log


def test_the_log_is_shown_while_the_point_runs(pack: Make) -> None:
    one = pack()
    gate = one.scratch / "gate"
    os.mkfifo(gate)
    one.add(0, "sh", "-c", f"echo begun; read x <{gate}").start()
    assert one.process is not None
    assert one.process.stdout is not None
    assert one.process.stdout.readline() == b"simops: point 0\n"
    assert one.process.stdout.readline() == b"begun\n"
    gate.write_text("go\n")
    assert one.wait()[0] == 0


def test_a_point_sees_what_is_its_own(pack: Make) -> None:
    one = pack().add(
        17, "sh", "-c", 'echo "$SIMOPS_OUTPUTS $SIMOPS_PARAMS $SIMOPS_JOB $SIMOPS_POINT"; echo 1 >"$SIMOPS_OUTPUTS/a"'
    )
    one.run()
    assert one.log(17).decode() == f"{one.outputs}/17 {one.points}/17.json heat-17 17\n"
    assert (one.outputs / "17" / "a").read_text() == "1\n"


def test_the_runners_own_descriptors_and_handlers_are_not_the_simulations(pack: Make) -> None:
    one = pack().add(0, "sh", "-c", "ls /proc/self/fd; grep SigIgn /proc/self/status; kill -TERM $$")
    one.run()
    *descriptors, ignored = one.log(0).decode().split("\n")[:-1]
    assert descriptors == ["0", "1", "2", "3"]  # 3 is that of ls, for the folder.
    assert not int(ignored.split()[1], 16) & 1 << (signal.SIGTERM - 1)
    assert one.codes() == {0: 143}


@pytest.mark.parametrize("name", ["point", "stop", "now", "exit", "cd", "set", "export"])
def test_a_command_is_never_something_of_the_shell_itself(pack: Make, name: str) -> None:
    one = pack().add(0, name, "1").add(1, "true")
    one.environment |= {"PATH": programs(one, "mkdir", "sleep", "tee", "mkfifo", "true", *one.shell[:1])}
    one.run()
    assert one.codes() == {0: 127, 1: 0}


def programs(pack: Pack, *names: str) -> str:
    """A PATH with nothing but these."""
    folder = pack.scratch / "bin"
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name) or "")
    return str(folder)


@pytest.mark.parametrize("there", [[], ["tee"], ["mkfifo"]])
def test_without_tee_the_log_is_in_the_outputs(pack: Make, there: list[str]) -> None:
    one = pack().add(0, PRINTF, "hello").add(1, "nonesuch").add(2, PRINTF, "x")
    one.environment |= {"PATH": programs(one, "mkdir", "sleep", *there, *one.shell[:1])}
    log = one.run()
    assert b"hello" not in log
    assert one.log(0) == b"hello"
    assert b"nonesuch" in one.log(1)
    assert one.codes() == {0: 0, 1: 127, 2: 0}


def test_a_simulation_that_takes_the_runners_files_away_stops_nothing(pack: Make) -> None:
    one = pack()
    one.add(0, "rm", "-rf", str(one.scratch)).add(1, "echo", "hello").run()
    assert one.log(1) == b"hello\n"
    assert one.codes() == {0: 0, 1: 0}


def test_a_simulation_that_reads_its_input_finds_its_end(pack: Make) -> None:
    one = pack().add(0, "cat").add(1, "true")
    one.run()
    assert one.codes() == {0: 0, 1: 0}


def test_seconds_are_those_of_the_point(pack: Make) -> None:
    one = pack().add(0, "sleep", "0.5").add(1, "true")
    one.run()
    slow, fast = (line["seconds"] for line in one.lines())
    assert 0.48 <= slow < 5
    assert fast < slow


def test_a_point_that_takes_too_long_is_stopped_and_the_next_one_runs(pack: Make) -> None:
    one = pack(limit=1)
    one.add(0, "sleep", "1000")
    one.add(1, "sh", "-c", "trap 'echo told; exit 0' TERM; while :; do sleep 0.01; done")
    one.add(2, "sh", "-c", "trap '' TERM; while :; do sleep 0.01; done")
    one.add(3, "true").run()
    assert one.codes() == {0: 124, 1: 124, 2: 124, 3: 0}
    assert [line.get("reason") for line in one.lines()] == 3 * ["DeadlineExceeded"] + [None]
    assert one.log(1) == b"told\n"
    asked, ignored = (line["seconds"] for line in one.lines()[1:3])
    assert 1 <= asked <= ignored
    assert ignored >= 2


def test_a_point_that_was_cancelled_is_skipped_also_while_the_pack_runs(pack: Make) -> None:
    one = pack()
    (one.points / "cancelled" / "1").touch()
    one.add(0, "touch", str(one.points / "cancelled" / "2")).add(1, "true").add(2, "true").add(3, "true")
    assert b"simops: point 2 is cancelled\n" in one.run()
    assert one.codes() == {0: 0, 3: 0}
    assert not (one.outputs / "2" / "log.txt").exists()


def test_a_stop_signal_is_passed_on_and_the_point_gets_no_result(pack: Make) -> None:
    one = pack()
    begun, gate = one.scratch / "begun", one.scratch / "gate"
    os.mkfifo(gate)
    tidy = f"trap 'echo told; read x <{gate}; echo tidy; exit 0' TERM; touch {begun}; while :; do sleep 0.01; done"
    one.add(0, "true").add(1, "sh", "-c", tidy).add(2, "true").start()
    until(begun.exists, "the point runs")
    one.stop()
    written = one.outputs / "1" / "log.txt"  # by tee, which begins beside the simulation
    until(lambda: written.exists() and b"told" in one.log(1), "the simulation hears it")
    # It is told at once that the point did not end by itself: the simulation may not have the time to end.
    assert one.lines()[1:] == [{"stopped": True}]
    one.stop()
    gate.write_text("go\n")
    code, _log = one.wait()
    assert code == 143
    assert one.lines() == [{"index": 0, "exitCode": 0, "seconds": one.lines()[0]["seconds"]}, {"stopped": True}]
    assert one.log(1) == b"told\ntidy\n"
    assert not (one.outputs / "2" / "log.txt").exists()


@pytest.mark.parametrize("after", range(0, 200, 20))
def test_whenever_the_stop_signal_comes_the_simulation_hears_it(pack: Make, after: int) -> None:
    one = pack()
    for index in range(300):
        one.add(index, "true")
    one.start()
    until(lambda: len(one.results()) >= after and (one.outputs / "results.jsonl").exists(), "some points have run")
    one.stop()
    code, log = one.wait()
    assert code == 143, log
    # A point that has ended just when the signal comes gets its line after that of the stop.
    assert {"stopped": True} in one.lines()[-2:]
    assert set(one.codes().values()) <= {0}


def test_a_stop_signal_before_the_first_point_is_heard(pack: Make) -> None:
    one = pack().add(0, "true")
    one.script.insert(0, b"kill -s TERM $$\n")
    code, log = one.start().wait()
    assert code == 143, log
    assert not one.results()


def test_what_a_point_leaves_in_the_background_holds_the_pack_up_for_seconds_only(pack: Make) -> None:
    one = (
        pack()
        .add(0, "sh", "-c", "echo begun; sleep 30 & exit 4")
        .add(1, "sh", "-c", "sleep 30 >/dev/null 2>&1 & exit 5")
    )
    one.add(2, "true").start()
    until(lambda: len(one.results()) == 3, "the pack is done", 15)
    assert one.codes() == {0: 4, 1: 5, 2: 0}
    assert one.log(0) == b"begun\n"
    assert one.process is not None
    one.process.wait(10)


def test_as_the_first_process_of_its_container_it_ends_what_a_point_has_left(pack: Make) -> None:
    namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no PID namespace can be made here")
    one = pack()
    late = one.scratch / "late"
    daemon = f"trap '' TERM HUP; (sleep 1; touch {late}) & (sleep 77 & (sleep 78 & sleep 79; true) & wait) & exit 0"
    one.add(0, "sh", "-c", daemon).add(1, "sh", "-c", "sleep 1.5; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    one.run(*namespace)
    assert one.codes() == {0: 0, 1: 0}
    assert not late.exists()
    assert not re.findall(rb"sleep 7\d", one.log(1))


def test_what_makes_processes_while_it_is_ended_leaves_none(pack: Make) -> None:
    namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no PID namespace can be made here")
    one = pack()
    busy = "j=0; while [ $j -lt 8 ]; do (i=0; while [ $i -lt 30 ]; do (sleep 77 & sleep 78) & i=$((i + 1)); done) & j=$((j + 1)); done; exit 0"
    for index in range(0, 20, 2):
        one.add(index, "sh", "-c", busy).add(index + 1, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    one.run(*namespace)
    assert [index for index in range(1, 20, 2) if re.search(rb"sleep 7\d|i=0", one.log(index))] == []


def test_a_process_killed_for_want_of_memory_is_told_as_such(pack: Make) -> None:
    one = pack()
    group = one.scratch / "group"
    group.mkdir()
    events = group / "memory.events"
    events.write_text("low 0\noom 4\noom_kill 2\noom_group_kill 0\n")
    one.script.insert(0, f"cgroup={group}\n".encode())
    kill = f"printf 'low 0\\noom_kill 3\\n' >{events}; exit 137"
    one.add(0, "sh", "-c", "exit 137").add(1, "sh", "-c", kill).add(2, "sh", "-c", "exit 137").run()
    assert [line.get("reason") for line in one.lines()] == [None, "OOMKilled", None]


def test_thousands_of_points_cost_each_as_much_as_a_few(pack: Make) -> None:
    few, many = (cpu_of(pack(), count) / count for count in (100, 1000))
    assert many < 1.5 * few


def cpu_of(pack: Pack, count: int) -> float:
    """Seconds of CPU of a pack of so many short points, the points included."""
    for index in range(count):
        if index % 100 == 0:
            pack.script.append(stage.line("folders", *map(str, range(index, index + 100))))
        pack.script.append(stage.line("point", str(index), "true"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    pack.run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(pack.lines()) == count
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
