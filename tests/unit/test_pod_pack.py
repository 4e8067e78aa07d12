"""How the points of a pack have ended: only what is sure is told, whatever the simulation has done to its files."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_crds.indexes import Indexes
from simops_operator.pod import results
from simops_operator.pod.archive import Archive
from simops_operator.pod.results import conclude
from simops_operator.pod.settings import ConfigurationError, Settings
from simops_operator.pod.summary import MAX_MESSAGE, Outcome, Summary

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


class Outputs:
    """What a pack has left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "results.jsonl"
        self.file.touch()

    def line(self, **values: Any) -> "Outputs":
        return self.raw(json.dumps(values).encode() + b"\n")

    def raw(self, text: bytes) -> "Outputs":
        with self.file.open("ab") as file:
            file.write(text)
        return self

    def ended(self, *indexes: int, code: int = 0) -> "Outputs":
        for index in indexes:
            self.begun(index).line(index=index, exitCode=code, seconds=1.25)
        return self

    def begun(self, index: int) -> "Outputs":
        self.of(index, "log.txt", "")
        return self

    def of(self, index: int, name: str, text: str) -> "Outputs":
        (self.folder / str(index)).mkdir(exist_ok=True)
        (self.folder / str(index) / name).write_text(text)
        return self

    def conclude(self, pack: str = "0-9", cancelled: set[int] | None = None, killed_at: float | None = None) -> Outcome:
        return conclude(str(self.folder), Indexes.parse(pack), cancelled or set(), killed_at)


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    return Outputs(tmp_path)


def shown(outcome: Outcome) -> list[dict[str, Any]]:
    return [json.loads(line) for line in outcome.lines]


def test_each_point_that_ended_has_a_line_and_is_in_the_ranges(outputs: Outputs) -> None:
    outputs.ended(0, 1, 2).ended(3, code=2).line(index=5, exitCode=124, seconds=9, reason="DeadlineExceeded")
    outcome = outputs.conclude("0-7", {6})
    assert (outcome.succeeded, outcome.failed, outcome.missing, outcome.skipped) == ("0-2", "3,5", "4,7", "6")
    assert [(line["index"], line["reason"]) for line in shown(outcome)] == [
        *((0, "Completed"), (1, "Completed"), (2, "Completed"), (3, "ExitCode"), (5, "DeadlineExceeded")),
    ]
    assert shown(outcome)[3] == {"index": 3, "exitCode": 2, "seconds": 1.25, "reason": "ExitCode", "metrics": {}}
    assert outcome.note is None


def test_a_point_that_was_cancelled_too_late_has_its_result(outputs: Outputs) -> None:
    outcome = outputs.ended(0).conclude("0-1", {0, 1})
    assert (outcome.succeeded, outcome.skipped, outcome.missing) == ("0", "1", "")


def test_metrics_are_those_of_the_line_else_those_of_the_points_file(outputs: Outputs) -> None:
    outputs.of(0, "metrics.json", '{"a": 1, "bad": "x"}').of(1, "metrics.json", '{"a": 2}').ended(0)
    outputs.line(index=1, exitCode=0, metrics={"b": 3, "c": float("nan"), "d": True}).line(index=2, exitCode=0)
    lines = shown(outputs.conclude())
    assert [line["metrics"] for line in lines] == [{"a": 1}, {"b": 3}, {}]
    assert "bad" in lines[0]["metricsError"]


def test_nothing_at_all_is_told_as_missing(tmp_path: Path) -> None:
    outcome = conclude(str(tmp_path), Indexes.parse("3-5"), {4}, None)
    assert outcome == Outcome(missing="3,5", skipped="4")
    with pytest.raises(OSError, match="No such file"):
        conclude(str(tmp_path / "none"), Indexes.parse("3-5"), set(), None)


def test_the_point_under_way_has_failed_when_its_container_was_killed(outputs: Outputs) -> None:
    outputs.ended(0, 1).begun(2).of(2, "metrics.json", '{"step": 7}')
    os.utime(outputs.file, (1000, 1000))
    outcome = outputs.conclude("0-4", killed_at=1002.5)
    assert (outcome.succeeded, outcome.failed, outcome.missing) == ("0-1", "2", "3-4")
    assert shown(outcome)[2] == {
        "index": 2,
        "exitCode": 137,
        "seconds": 2.5,
        "reason": "OOMKilled",
        "metrics": {"step": 7},
    }


@pytest.mark.parametrize("how", ["stopped from outside", "runner told to stop", "not begun", "cancelled"])
def test_no_point_is_blamed_for_what_it_did_not_do(outputs: Outputs, how: str) -> None:
    outputs.ended(0)
    (outputs.folder / "1").mkdir()
    if how != "not begun":
        outputs.begun(1)
    if how == "runner told to stop":
        outputs.line(stopped=True)
    cancelled = {1} if how == "cancelled" else set()
    outcome = outputs.conclude("0-2", cancelled, None if how == "stopped from outside" else 5.0)
    assert (outcome.succeeded, outcome.failed) == ("0", "")
    assert outcome.missing == ("2" if cancelled else "1-2")


def test_of_several_lines_for_a_point_the_first_one_counts(outputs: Outputs) -> None:
    outcome = outputs.ended(0).ended(0, code=1).ended(1, code=1).ended(1).conclude()
    assert (outcome.succeeded, outcome.failed) == ("0", "1")
    assert "2 lines about points that had ended" in str(outcome.note)


@pytest.mark.parametrize("tail", [b'{"index":1,"exitCo', b'{"index":1,"exitCode":0', b"\0\0\0\0", b"\xff\xfe", b"["])
def test_half_a_line_at_the_end_is_no_result(outputs: Outputs, tail: bytes) -> None:
    outcome = outputs.ended(0).raw(tail).conclude("0-1")
    assert (outcome.succeeded, outcome.missing) == ("0", "1")
    assert outcome.note == "results.jsonl: lines that are no JSON object"


@pytest.mark.parametrize(
    "line",
    [
        *(b"null", b"17", b'"x"', b"[]", b"[" * 100_000, b"{}", b'{"index":1}', b'{"exitCode":0}', b"1" * 5000),
        *(b'{"index":true,"exitCode":0}', b'{"index":"1","exitCode":0}', b'{"index":1.0,"exitCode":0}'),
        *(b'{"index":1,"exitCode":null}', b'{"index":1,"exitCode":false}', b'{"index":1,"exitCode":1e3}'),
        *(b'{"index":1,"exitCode":99999999999}', b'{"index":-1,"exitCode":0}', b'{"index":10,"exitCode":0}'),
        *(b'{"index":' + b"9" * 4000 + b',"exitCode":0}', b'{"index":[],"exitCode":0}', b'{"index":1,"exitCode":{}}'),
    ],
)
def test_a_line_that_is_not_what_it_should_be_is_passed_over_and_noted(outputs: Outputs, line: bytes) -> None:
    outcome = outputs.ended(0).raw(line + b"\n").ended(2).conclude()
    assert (outcome.succeeded, outcome.failed) == ("0,2", "")
    assert outcome.note is not None


@pytest.mark.parametrize(
    ("extra", "wanted"),
    [
        ({"seconds": -1}, 0),
        ({"seconds": "x"}, 0),
        ({"seconds": float("inf")}, 0),
        ({"seconds": None}, 0),
        ({"reason": []}, 0),
        ({"reason": "Completed", "seconds": 2}, 2),
        ({"reason": "<b>", "metrics": [1]}, 0),
        ({"other": {"x": 1}}, 0),
    ],
)
def test_what_a_line_says_beside_index_and_exit_code_is_taken_only_if_it_makes_sense(
    outputs: Outputs, extra: dict[str, Any], wanted: float
) -> None:
    outcome = outputs.line(index=1, exitCode=3, **extra).conclude()
    assert shown(outcome) == [{"index": 1, "exitCode": 3, "seconds": wanted, "reason": "ExitCode", "metrics": {}}]


@given(st.lists(json_values | st.fixed_dictionaries({"index": json_values, "exitCode": json_values}), max_size=8))
def test_whatever_is_in_the_file_every_point_is_in_exactly_one_range(
    tmp_path_factory: pytest.TempPathFactory, content: list[Any]
) -> None:
    outputs = Outputs(tmp_path_factory.mktemp("outputs"))
    for value in content:
        outputs.raw(json.dumps(value).encode("utf-8", "surrogatepass") + b"\n")
    outcome = outputs.conclude("0-9", {3, 4}, 1.0)
    found = [*map(Indexes.parse, (outcome.succeeded, outcome.failed, outcome.missing, outcome.skipped))]
    assert sorted(index for part in found for index in part) == list(range(10))
    assert [line["index"] for line in shown(outcome)] == sorted([*found[0], *found[1]])


def test_huge_lines_are_passed_over_and_the_next_one_counts(outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_LINE", 100)
    outputs.ended(0).raw(b'{"index":1,"exitCode":0,"x":"' + b"a" * 350 + b'"}\n').ended(2).raw(b"b" * 230)
    outcome = outputs.conclude()
    assert outcome.succeeded == "0,2"
    assert outcome.note == "results.jsonl: 2 lines longer than 100 bytes"


def test_a_line_of_exactly_the_limit_does_not_take_the_next_one_with_it(
    outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MAX_LINE", 60)
    outputs.raw(b"a" * 59 + b"\n").ended(0).raw(b"a" * 60 + b"\n").ended(1).raw(b"a" * 61 + b"\n").ended(2)
    assert outputs.conclude().succeeded == "0-2"


def test_only_so_much_of_the_file_is_read(outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_FILE", 1000)
    with outputs.ended(0).file.open("ab") as file:
        file.truncate(8 << 30)
    outcome = outputs.conclude()
    assert outcome.succeeded == "0"
    assert "follows after 1000 bytes" in str(outcome.note)


def test_metrics_are_cut_where_they_would_fill_the_memory(outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_METRICS", 40)
    monkeypatch.setattr(results, "MAX_ALL_METRICS", 150)
    many = {f"metric{index}": index for index in range(9)}
    outputs.line(index=0, exitCode=0, metrics=many).of(1, "metrics.json", json.dumps(many)).ended(1)
    for index in range(2, 9):
        outputs.line(index=index, exitCode=0, metrics={"a": 1})
    lines = shown(outputs.conclude())
    assert [line["metricsCut"] for line in lines[:2]] == [True, True]
    assert lines[0]["metrics"] == {f"metric{index}": index for index in range(3)}
    assert lines[2]["metrics"] == {"a": 1}
    assert sum(len(json.dumps(line["metrics"])) for line in lines) < 300


@pytest.mark.parametrize("kind", ["link", "FIFO", "folder", "link to a FIFO", "dangling link"])
def test_a_results_file_that_is_no_file_is_not_opened(outputs: Outputs, tmp_path: Path, kind: str) -> None:
    outputs.ended(0)
    other = tmp_path.with_name(f"{tmp_path.name}-other")
    other.mkdir()
    outputs.file.rename(other / "results.jsonl")
    if kind == "link":
        outputs.file.symlink_to(other / "results.jsonl")
    elif kind == "folder":
        outputs.file.mkdir()
    elif kind == "FIFO":
        os.mkfifo(outputs.file)
    elif kind == "link to a FIFO":
        os.mkfifo(other / "fifo")
        outputs.file.symlink_to(other / "fifo")
    else:
        outputs.file.symlink_to("nowhere")
    outcome = outputs.conclude("0-1")
    assert (outcome.succeeded, outcome.missing) == ("", "0-1")
    assert outcome.note is not None


def test_links_in_place_of_a_points_folder_or_metrics_lead_nowhere(outputs: Outputs, tmp_path: Path) -> None:
    other = tmp_path.with_name(f"{tmp_path.name}-other")
    other.mkdir()
    (other / "metrics.json").write_text('{"secret": 1}')
    (other / "log.txt").touch()
    (outputs.folder / "0").symlink_to(other)
    outputs.of(1, "x", "")
    (outputs.folder / "1" / "metrics.json").symlink_to(other / "metrics.json")
    (outputs.folder / "2").symlink_to(other)
    os.mkfifo(outputs.folder / "3")
    for index in (0, 1, 3):
        outputs.line(index=index, exitCode=0)
    outcome = outputs.conclude("0-3", killed_at=1.0)
    assert [line["metrics"] for line in shown(outcome)] == [{}, {}, {}]
    assert (outcome.failed, outcome.missing) == ("", "2")
    assert b"secret" not in b"".join(Archive(str(outputs.folder)).chunks())


def test_the_bundle_is_without_what_is_left_out_at_its_top_only(outputs: Outputs) -> None:
    outputs.ended(0).of(0, "results.jsonl", "mine")
    archive = Archive(str(outputs.folder), frozenset({"results.jsonl"}))
    assert b"".join(archive.chunks())
    assert [entry["path"] for entry in json.loads(b"[%s]" % archive.entries)] == ["0/log.txt", "0/results.jsonl"]
    assert archive.skipped == []


ranges = st.sets(st.integers(0, 10**7), max_size=900).map(lambda found: str(Indexes.of((i, i) for i in found)))


@given(
    ranges, ranges, ranges, st.lists(st.integers(0, 400), max_size=40), st.text(max_size=2000), st.text(max_size=900)
)
def test_the_message_fits_and_has_all_results_or_none_and_all_ranges_or_none(
    succeeded: str, missing: str, skipped: str, sizes: list[int], error: str, note: str
) -> None:
    lines = tuple(json.dumps({"index": index, "x": "a" * size}).encode() for index, size in enumerate(sizes))
    outcome = Outcome(succeeded=succeeded, failed="", missing=missing, skipped=skipped, lines=lines, note=note)
    summary = Summary(bundle="k", outcome=outcome, error=error, manifest_error=note)
    message = summary.message()
    told = json.loads(message)
    assert len(message) <= MAX_MESSAGE
    assert "metrics" not in told
    if told.get("rangesCut"):
        assert not {"succeeded", "failed", "missing", "skippedPoints", "results"} & set(told)
        assert len(summary.message()) < len(json.dumps(summary.as_dict()))
    else:
        assert (told["succeeded"], told["missing"], told.get("skippedPoints", "")) == (succeeded, missing, skipped)
    if "results" in told:
        assert told["results"] == [json.loads(line) for line in lines]


def test_what_fits_is_told() -> None:
    outcome = Outcome(succeeded="0-49", failed="50", lines=tuple(b'{"index":%d}' % index for index in range(50)))
    told = json.loads(Summary(outcome=outcome).message())
    assert (told["succeeded"], told["failed"], told["missing"]) == ("0-49", "50", "")
    assert told["results"] == [{"index": index} for index in range(50)]
    assert "skippedPoints" not in told
    assert "results" not in json.loads(
        Summary(outcome=Outcome(lines=130 * (b'{"index":1000000000,"exitCode":0}',))).message()
    )


PACK = {
    "SIMOPS_OUTPUTS": "/simops/outputs",
    "SIMOPS_STORE_ENDPOINT": "http://store:9000",
    "SIMOPS_STORE_BUCKET": "simops",
    "SIMOPS_STORE_REGION": "us-east-1",
    "SIMOPS_POD": "heat-6f0c1234-r2-7-abcde",
    "SIMOPS_GRACE_SECONDS": "600",
    "SIMOPS_STOP_SECONDS": "30",
    "SIMOPS_STOP_PORT": "50418",
    "SIMOPS_SWEEP": "heat",
    "SIMOPS_SWEEP_PREFIX": "sweeps/lab/heat/6f0c",
    "SIMOPS_ROUND": "2",
    "JOB_COMPLETION_INDEX": "7",
    "SIMOPS_POINTS_DIR": "/simops/points",
    "SIMOPS_COMMAND": '["sim","a b"]',
    "SIMOPS_TEMPLATE_PARAMS": '{"x":1}',
    "SIMOPS_BATCH": "false",
    "SIMOPS_POINT_SECONDS": "3600",
}


def test_the_objects_of_a_pack_lie_below_its_round() -> None:
    settings = Settings.from_environ(PACK)
    assert settings.key == "sweeps/lab/heat/6f0c/rounds/2/7/heat-6f0c1234-r2-7-abcde"
    assert settings.pack is not None
    assert (settings.pack.command, settings.pack.params, settings.pack.batch) == (("sim", "a b"), {"x": 1}, False)


@pytest.mark.parametrize("name", [name for name in PACK if name != "SIMOPS_SWEEP_PREFIX"])
@pytest.mark.parametrize("value", [None, "["])
def test_a_variable_that_is_missing_or_wrong_is_named(name: str, value: str | None) -> None:
    texts = {"SIMOPS_OUTPUTS", "SIMOPS_POD", "SIMOPS_SWEEP", "SIMOPS_POINTS_DIR", "SIMOPS_BATCH"}
    if value is not None and (name in texts or "STORE" in name):
        return
    environ = {key: text for key, text in PACK.items() if key != name} | ({name: value} if value else {})
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environ(environ)


@pytest.mark.parametrize("command", ["[]", '["a",1]', '{"a":1}', '"sim"'])
def test_a_pack_needs_a_command_unless_it_is_a_batch(command: str) -> None:
    with pytest.raises(ConfigurationError, match="SIMOPS_COMMAND"):
        Settings.from_environ(PACK | {"SIMOPS_COMMAND": command})
    assert Settings.from_environ(PACK | {"SIMOPS_COMMAND": "[]", "SIMOPS_BATCH": "true"}).pack is not None
