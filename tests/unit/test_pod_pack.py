"""How the points of a pack have ended: whatever a simulation leaves in its outputs, it is told in the operator's words and in 4096 bytes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_crds.indexes import Indexes
from simops_operator.core.sweeps.results import parse_lines, parse_message
from simops_operator.pod import results
from simops_operator.pod.archive import Archive
from simops_operator.pod.results import MAX_LINE, RESULTS, conclude
from simops_operator.pod.settings import ConfigurationError, Settings
from simops_operator.pod.summary import MAX_MESSAGE, Outcome, Summary

any_text = st.text(st.characters(exclude_categories=()), max_size=200)


class Outputs:
    """What a simulation has written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / RESULTS

    def line(self, index: Any, exit_code: Any = 0, **more: Any) -> "Outputs":
        return self.text(json.dumps({"index": index, "exitCode": exit_code, "seconds": 0.25, **more}) + "\n")

    def text(self, text: str | bytes) -> "Outputs":
        with self.file.open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return self

    def begun(self, *indexes: int) -> "Outputs":
        """Points at which the runner has arrived."""
        for index in indexes:
            (self.folder / str(index)).mkdir(exist_ok=True)
            (self.folder / str(index) / "log.txt").touch()
        return self

    def metrics(self, index: int, text: str) -> "Outputs":
        (self.folder / str(index)).mkdir(exist_ok=True)
        (self.folder / str(index) / "metrics.json").write_text(text)
        return self

    def end(self, pack: str = "0-9", *, cancelled: set[int] | None = None, killed: bool = False) -> Outcome:
        return conclude(str(self.folder), Indexes.parse(pack), cancelled or set(), time.time() if killed else None)


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    return Outputs(tmp_path)


def lines(outcome: Outcome) -> list[dict[str, Any]]:
    """The results as the operator reads them from the store."""
    stored = b"".join(line + b"\n" for line in outcome.lines)
    return [dict(line) for line in parse_lines(stored.decode())]


def told(outcome: Outcome) -> tuple[str, str, str, str]:
    return outcome.succeeded, outcome.failed, outcome.missing, outcome.skipped


def test_results_are_merged_with_the_metrics_of_each_point(outputs: Outputs) -> None:
    outputs.line(0).line(1, 3).line(2, 124, reason="DeadlineExceeded").line(3, metrics={"m": 3})
    outputs.metrics(0, '{"m": 0.5, "text": "no"}').metrics(1, '{"m": 1}').metrics(3, '{"m": -1}').metrics(4, '{"m": 4}')
    outcome = outputs.end("0-4")
    assert told(outcome) == ("0,3", "1-2", "4", "")
    ends = {"seconds": 0.25, "exitCode": 0, "reason": "Completed"}
    assert lines(outcome) == [
        {"index": 0, **ends, "metrics": {"m": 0.5}, "metricsError": lines(outcome)[0]["metricsError"]},
        {"index": 1, **ends, "exitCode": 3, "reason": "ExitCode", "metrics": {"m": 1}},
        {"index": 2, **ends, "exitCode": 124, "reason": "DeadlineExceeded", "metrics": {}},
        {"index": 3, **ends, "metrics": {"m": 3}},
    ]
    assert outcome.note is None


def test_without_any_results_all_points_are_missing(outputs: Outputs) -> None:
    assert told(outputs.end("3-5", cancelled={4})) == ("", "", "3,5", "4")


def test_a_point_that_was_cancelled_too_late_has_its_result(outputs: Outputs) -> None:
    assert told(outputs.line(0).end("0-1", cancelled={0, 1})) == ("0", "", "", "1")


# The point under way
def test_a_point_under_which_the_container_was_killed_has_failed_and_what_follows_is_missing(outputs: Outputs) -> None:
    outputs.begun(0, 1).line(0)
    for index in (2, 3):
        (outputs.folder / str(index)).mkdir()
    os.utime(outputs.file, (time.time() - 10, time.time() - 10))
    outcome = outputs.end("0-3", killed=True)
    assert told(outcome) == ("0", "1", "2-3", "")
    line = lines(outcome)[1]
    assert (line["exitCode"], line["reason"]) == (137, "OOMKilled")
    assert 10 <= line["seconds"] < 60


def test_the_first_point_of_a_pack_may_bring_the_container_down_too(outputs: Outputs) -> None:
    assert told(outputs.text("").begun(0).end("0-3", killed=True)) == ("", "0", "1-3", "")
    outputs.file.unlink()
    outcome = outputs.end("0-3", killed=True)
    assert told(outcome) == ("", "0", "1-3", "")
    assert lines(outcome)[0]["seconds"] == 0


def test_a_runner_that_was_told_to_stop_was_not_brought_down_by_its_point(outputs: Outputs) -> None:
    outputs.begun(0, 1).line(0).text('{"stopped":true}\n')
    assert told(outputs.end("0-3", killed=True)) == ("0", "", "1-3", "")


def test_whoever_was_stopped_from_outside_has_not_failed(outputs: Outputs) -> None:
    assert told(outputs.begun(0, 1).line(0).end("0-3", killed=False)) == ("0", "", "1-3", "")


def test_a_container_that_never_started_failed_no_point(outputs: Outputs) -> None:
    assert told(outputs.end("0-3", killed=True)) == ("", "", "0-3", "")


def test_a_cancelled_point_is_passed_over_in_the_search_for_the_one_under_way(outputs: Outputs) -> None:
    outputs.begun(0, 2).line(0)
    assert told(outputs.end("0-3", killed=True, cancelled={1})) == ("0", "2", "3", "1")


def test_the_end_of_a_pack_leaves_no_point_under_way(outputs: Outputs) -> None:
    outputs.begun(0, 1).line(0).line(1, 1)
    assert told(outputs.end("0-2", killed=True, cancelled={2})) == ("0", "1", "", "2")


# What is not as it should be
def test_half_a_line_at_the_end_is_no_result(outputs: Outputs) -> None:
    outcome = outputs.line(0).text('{"index":1,"exitCode":0,"sec').end("0-1")
    assert told(outcome) == ("0", "", "1", "")
    assert outcome.note == "results.jsonl: lines that are no JSON object"


def test_a_last_line_without_its_end_is_a_result_if_it_is_whole(outputs: Outputs) -> None:
    assert told(outputs.text('{"index":1,"exitCode":0}').end("0-1")) == ("1", "", "0", "")


@pytest.mark.parametrize(
    "garbage",
    [
        b"garbage",
        b"\xff\xfe\x00",
        b"[1]",
        b"3",
        b"null",
        b"[" * 100_000,
        b"{" * 100_000,
        b'{"index":1}',
        b'{"exitCode":0}',
        b'{"index":true,"exitCode":0}',
        b'{"index":1,"exitCode":true}',
        b'{"index":1.0,"exitCode":0}',
        b'{"index":"1","exitCode":0}',
        b'{"index":1,"exitCode":null}',
        b'{"index":1,"exitCode":9999999999}',
        b'{"index":1,"exitCode":' + b"1" * 10_000 + b"}",
        b'{"index":-1,"exitCode":0}',
        b'{"index":10,"exitCode":0}',
        b'{"index":' + b"9" * 4000 + b',"exitCode":0}',
        b'{"index":0,"exitCode":1}',
        b'{"stopped":1}',
    ],
)
def test_a_line_that_is_no_result_is_passed_over_and_noted(outputs: Outputs, garbage: bytes) -> None:
    outcome = outputs.line(0).text(garbage + b"\n").line(2, 7).end()
    assert told(outcome) == ("0", "2", "1,3-9", "")
    assert outcome.note is not None
    assert outcome.note.startswith("results.jsonl: ")


def test_what_is_odd_in_a_line_is_made_even(outputs: Outputs) -> None:
    outputs.line(0, reason="Failed", seconds=-1).line(1, -9, reason="Completed", seconds="long").line(
        2, 1, reason=["x"]
    )
    outputs.text('{"index":3,"exitCode":0,"seconds":1e999,"metrics":[1],"podName":"x"}\n')
    outputs.line(4, metrics={"a": 1, "b": "text", "c": None, "d": True})
    ends = [(line["exitCode"], line["seconds"], line["reason"], line["metrics"]) for line in lines(outputs.end("0-4"))]
    assert ends == [
        (0, 0, "Completed", {}),
        (-9, 0, "ExitCode", {}),
        (1, 0.25, "ExitCode", {}),
        (0, 0, "Completed", {}),
        (0, 0.25, "Completed", {"a": 1}),
    ]


def test_of_several_lines_the_first_counts(outputs: Outputs) -> None:
    outcome = outputs.line(0, metrics={"m": 1}).line(0, 1, metrics={"m": 2}).line(0).end("0")
    assert told(outcome) == ("0", "", "", "")
    assert lines(outcome)[0]["metrics"] == {"m": 1}
    assert outcome.note == "results.jsonl: 2 lines about points that had ended"


def test_a_huge_line_is_passed_over_and_those_after_it_are_read(outputs: Outputs) -> None:
    for size in (MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE, 3 * MAX_LINE - 1):
        outputs.text(b"x" * size + b"\n")
    outcome = outputs.line(5).end()
    assert outcome.succeeded == "5"
    assert outcome.note is not None


def test_endless_lines_are_not_read_to_their_end(outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "SPARE_LINES", 10)
    outputs.line(0).text("\n" * 1000).line(1)
    outcome = outputs.end("0-1")
    assert told(outcome) == ("0", "", "1", "")
    assert outcome.note == "results.jsonl: what follows after too many lines or bytes"
    monkeypatch.setattr(results, "MAX_FILE", 30)
    assert told(outputs.end("0-1")) == ("0", "", "1", "")


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b'{"index":1,"exitCode":0}', b'{"stopped":true}'])))
def test_whatever_is_in_the_file_each_point_of_the_pack_is_told_of_once(texts: list[bytes]) -> None:
    with TemporaryDirectory() as name:  # for each example a new one
        (Path(name) / RESULTS).write_bytes(b"\n".join(texts))
        outcome = Outputs(Path(name)).end("0-3", cancelled={3}, killed=True)
    found = [index for text in told(outcome) for index in Indexes.parse(text)]
    assert sorted(found) == [0, 1, 2, 3]
    assert len(lines(outcome)) == len(outcome.lines)


# A hostile simulation
def test_links_and_fifos_are_neither_followed_nor_waited_for(outputs: Outputs, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    Outputs(outside).line(0).metrics(0, '{"secret": 1}').begun(0)
    for index in range(4):
        outputs.line(index)
    (outputs.folder / "0").symlink_to(outside / "0")
    outputs.begun(1, 2)
    (outputs.folder / "1" / "metrics.json").symlink_to(outside / "0" / "metrics.json")
    os.mkfifo(outputs.folder / "2" / "metrics.json")
    os.mkfifo(outputs.folder / "3")
    assert [line["metrics"] for line in lines(outputs.end("0-3"))] == [{}, {}, {}, {}]

    outputs.file.unlink()
    outputs.file.symlink_to(outside / RESULTS)
    outcome = outputs.end("0-3", killed=True)
    assert outcome.succeeded == ""
    assert outcome.failed == "1"
    assert outcome.note is not None
    outputs.file.unlink()
    os.mkfifo(outputs.file)
    assert outputs.end("0-3").note == "results.jsonl: a FIFO"
    outputs.file.unlink()
    outputs.file.mkdir()
    assert told(outputs.end("0-3")) == ("", "", "0-3", "")


def test_a_name_that_looks_like_the_end_of_a_line_spoils_no_line(outputs: Outputs) -> None:
    odd = {"a\u2028b": 1, "c\x85d": 2, "\x1e": 3, "é": 4}
    outputs.line(0, metrics=odd).line(1).metrics(1, json.dumps(odd))
    assert [line["metrics"] for line in lines(outputs.end("0-1"))] == [odd, odd]


def test_metrics_have_a_limit_for_each_point_and_one_for_all(outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_METRICS", 100)
    monkeypatch.setattr(results, "MAX_ALL_METRICS", 310)
    many = {f"metric{index}": index for index in range(50)}
    for index in range(4):
        outputs.line(index, metrics=many)
    counts = [len(line["metrics"]) for line in lines(outputs.end("0-3"))]
    assert counts[0] == counts[1] > counts[2] > counts[3] == 0
    assert all(line["metricsCut"] for line in lines(outputs.end("0-3")))


def test_the_zip_has_everything_but_the_results_of_the_pack(outputs: Outputs) -> None:
    outputs.line(0).begun(0).metrics(0, "{}")
    (outputs.folder / "0" / RESULTS).touch()
    archive = Archive(str(outputs.folder), frozenset({RESULTS}))
    for _chunk in archive.chunks():
        pass
    assert [entry["path"] for entry in json.loads(b"[%s]" % archive.entries)] == [
        "0/log.txt",
        "0/metrics.json",
        "0/results.jsonl",
    ]


# The message
def outcome_of(count: int, every: int = 1, **metrics: float) -> Outcome:
    """Of a pack of which one point of so many has failed."""
    failed = set(range(0, count, every)) if every > 1 else set()
    return Outcome(
        succeeded=str(Indexes.of((i, i) for i in range(count) if i not in failed)),
        failed=str(Indexes.of((i, i) for i in failed)),
        lines=tuple(
            json.dumps({"index": i, "exitCode": int(i in failed), "seconds": 1.5, "metrics": metrics}).encode()
            for i in range(count)
        ),
    )


def test_a_short_message_tells_every_result() -> None:
    text = Summary(bundle="k", outcome=outcome_of(3, 2, m=1)).message().decode()
    raw, message = json.loads(text), parse_message(text)
    assert "metrics" not in raw
    assert (raw["succeeded"], raw["failed"], raw["missing"]) == ("1", "0,2", "")
    assert message is not None
    assert message.is_whole
    assert message.stored
    assert message.lines is not None
    assert [line["exitCode"] for line in message.lines] == [1, 0, 1]
    assert not message.missing


def test_a_longer_one_tells_the_ranges_and_the_longest_says_that_it_does_not() -> None:
    middle = Summary(bundle="k", outcome=outcome_of(1000, 100)).message().decode()
    assert "results" not in json.loads(middle)
    message = parse_message(middle)
    assert message is not None
    assert message.is_whole
    assert message.lines is None
    assert len(message.failed) == 10
    longest = Summary(bundle="k", outcome=outcome_of(5000, 2)).message().decode()
    assert json.loads(longest)["rangesCut"] is True
    message = parse_message(longest)
    assert message is not None
    assert message.stored
    assert not message.is_whole


def test_a_message_is_as_full_as_it_may_be() -> None:
    told_all = 0
    for count in range(1, 80):
        text = Summary(bundle="k", outcome=outcome_of(count)).message()
        assert len(text) <= MAX_MESSAGE
        if "results" in json.loads(text):
            told_all = count
    assert told_all > 40
    assert len(Summary(bundle="k", outcome=outcome_of(told_all)).message()) > MAX_MESSAGE - 100


@given(st.integers(0, 400), st.integers(1, 3), any_text, any_text, any_text, st.booleans())
def test_every_message_is_json_and_fits(
    count: int, every: int, error: str, note: str, name: str, partial: bool
) -> None:
    outcome = outcome_of(count, every)
    whole = Outcome(succeeded=outcome.succeeded, failed=outcome.failed, lines=outcome.lines, note=note * 50)
    summary = Summary(
        bundle=f"sweeps/{name}".encode("utf-8", "replace").decode(),
        outcome=whole,
        error=error * 50,
        manifest_error=note * 50,
        partial=partial,
    )
    text = summary.message()
    assert len(text) <= MAX_MESSAGE
    assert parse_message(text.decode()) is not None


def test_points_that_are_missing_or_were_cancelled_are_told() -> None:
    text = Summary(bundle="k", outcome=Outcome(succeeded="0", missing="1-2", skipped="3")).message().decode()
    assert json.loads(text)["skippedPoints"] == "3"
    assert "resultsError" not in json.loads(text)
    message = parse_message(text)
    assert message is not None
    assert message.missing


# The environment
ENVIRONMENT = {
    "SIMOPS_OUTPUTS": "/simops/outputs",
    "SIMOPS_STORE_ENDPOINT": "http://store",
    "SIMOPS_STORE_BUCKET": "simops",
    "SIMOPS_STORE_REGION": "us-east-1",
    "SIMOPS_POD": "heat-6f0c1234-r2-7-abcde",
    "SIMOPS_GRACE_SECONDS": "120",
    "SIMOPS_STOP_SECONDS": "30",
    "SIMOPS_STOP_PORT": "50418",
    "SIMOPS_STOP_PATH": "/stop/6f0c",
    "SIMOPS_SWEEP_PREFIX": "sweeps/lab/heat/6f0c",
    "SIMOPS_SWEEP": "heat",
    "SIMOPS_ROUND": "2",
    "JOB_COMPLETION_INDEX": "7",
    "SIMOPS_POINTS_DIR": "/simops/points",
    "SIMOPS_COMMAND": '["sim","-v"]',
    "SIMOPS_TEMPLATE_PARAMS": '{"length":1}',
    "SIMOPS_BATCH": "false",
    "SIMOPS_POINT_SECONDS": "3600",
}


def test_the_objects_of_a_pack_lie_below_its_round() -> None:
    settings = Settings.from_environ(ENVIRONMENT)
    assert settings.key == "sweeps/lab/heat/6f0c/rounds/2/7/heat-6f0c1234-r2-7-abcde"
    assert settings.pack is not None
    assert settings.pack.command == ("sim", "-v")
    assert not settings.pack.batch


@pytest.mark.parametrize("name", sorted(set(ENVIRONMENT) - {"SIMOPS_SWEEP_PREFIX"}))
def test_a_variable_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environ({key: value for key, value in ENVIRONMENT.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIMOPS_COMMAND", "sim"),
        ("SIMOPS_COMMAND", "[]"),
        ("SIMOPS_COMMAND", "[1]"),
        ("SIMOPS_TEMPLATE_PARAMS", "[]"),
        ("SIMOPS_TEMPLATE_PARAMS", "{"),
        ("JOB_COMPLETION_INDEX", "nan"),
        ("SIMOPS_GRACE_SECONDS", "long"),
    ],
)
def test_a_variable_that_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environ(ENVIRONMENT | {name: value})


def test_a_batch_needs_no_command() -> None:
    settings = Settings.from_environ(ENVIRONMENT | {"SIMOPS_BATCH": "true", "SIMOPS_COMMAND": "[]"})
    assert settings.pack is not None
    assert settings.pack.batch


# What it costs
def modules(statement: str) -> set[str]:
    """The packages that a fresh process has after a statement."""
    show = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", show], stdout=subprocess.PIPE, text=True, check=True)
    return set(done.stdout.split())


def test_until_it_can_be_stopped_a_pack_needs_the_standard_library_alone() -> None:
    found = modules("from simops_operator.pod import bundle, lifecycle; from simops_crds.indexes import Indexes")
    assert found & {"minio", "urllib3", "certifi", "pydantic", "numpy", "kopf", "kubernetes"} == set()
    assert {"simops_operator", "simops_crds"} <= found


def test_all_that_runs_in_a_pod_needs_minio_and_no_more() -> None:
    found = modules("from simops_operator.pod import bundle, deliver, lifecycle, pack, results, stage")
    assert "minio" in found
    assert found & {"pydantic", "numpy", "scipy", "kopf", "kubernetes", "aiohttp", "fastapi"} == set()
