"""Books, rounds and packs of a sweep."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweepworld import sweep_object

from simops_crds.indexes import Indexes
from simops_crds.names import Reason, round_job_name
from simops_io.untrusted import parse
from simops_operator.core.sweeps import results
from simops_operator.core.sweeps.books import Books, Results, Round, Why
from simops_operator.core.sweeps.results import (
    MAX_FILES,
    MAX_ROW,
    SPARE_ROWS,
    Gathered,
    Pack,
    corrected,
    files_left,
    lines_left,
    lines_of,
    merged,
    most_left,
    parse_lines,
    parse_message,
    reusable,
    table_line,
)
from simops_operator.core.sweeps.rounds import next_round, size_for
from simops_operator.core.sweeps.sweep import Sweep, sweep_of
from simops_operator.core.views import Terminated
from simops_operator.pod.fitting import MAX_METRICS
from simops_operator.pod.results import Room


def points(text: str) -> Indexes:
    return Indexes.parse(text)


def sweep(**spec: Any) -> Sweep:
    return sweep_of(sweep_object(**spec))


def after(books: Books, this: str, good: str = "", bad: str = "", retries: int = 0, counts: bool = True) -> Books:
    """Return the books after a round of these points."""
    over = Round(books.rounds, points(this))
    results = Results(points(good), points(bad))
    return books.conclude(over, results, retries=retries, excused=Indexes(), counts=counts)


ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=8).map(
    lambda pairs: Indexes.of((a, a + n) for a, n in pairs)
)


@given(ranges, st.integers(0, 80), st.integers(0, 80))
def test_ranks_are_a_slice(indexes: Indexes, first: int, last: int) -> None:
    assert list(indexes.ranks(first, last)) == list(indexes)[first:last] == indexes.slice(first, last)


@given(ranges, st.integers(1, 7))
def test_packs_are_the_points_of_a_round_in_order(indexes: Indexes, size: int) -> None:
    this = Round(0, indexes, size)
    packs = [list(this.points_of(i)) for i in range(this.packs)]
    assert [index for pack in packs for index in pack] == list(indexes)
    assert all(len(pack) == size for pack in packs[:-1])
    assert this.points_of_all(range(this.packs)) == indexes


def test_a_failed_point_is_pending_until_its_retries_are_used_up() -> None:
    books = after(Books(), "0-3", good="0-1", bad="2-3", retries=2)
    assert (str(books.pending(4, Indexes())), books.rounds) == ("2-3", 1)
    books = after(books, "2-3", good="3", bad="2", retries=2)
    assert str(books.pending(4, Indexes())) == "2"
    assert str(books.exhausted(points("2"), 2)) == "2"
    books = after(books, "2", bad="2", retries=2)
    assert (str(books.failed), str(books.pending(4, Indexes()))) == ("2", "")
    assert books.failures == ()


def test_without_retries_a_failed_point_has_failed() -> None:
    assert str(after(Books(), "0-3", good="0-2", bad="3").failed) == "3"


def test_a_point_that_is_missing_too_often_has_failed_and_is_lost() -> None:
    books = Books()
    for _ in range(3):
        books = after(books, "7")
        assert not books.failed.ranges
    books = after(books, "7")
    assert (str(books.failed), str(books.lost)) == ("7", "7")


def test_points_of_a_job_that_was_taken_away_are_not_held_to_be_missing() -> None:
    assert after(Books(), "0-3", good="0", counts=False).losses == ()


@given(st.lists(st.tuples(ranges, ranges), max_size=6), st.integers(0, 2))
def test_no_point_is_ever_in_two_places(rounds: list[tuple[Indexes, Indexes]], retries: int) -> None:
    books, every = Books(), Indexes.up_to(70)
    for good, bad in rounds:
        pending = books.pending(70, Indexes())
        over = Round(books.rounds, pending)
        results = Results(good & pending, (bad & pending) - good)
        books = books.conclude(over, results, retries=retries, excused=Indexes(), counts=True)
        sets = (books.succeeded, books.failed, books.pending(70, Indexes()))
        assert sum(len(s) for s in sets) == 70
        assert Indexes.of(pair for s in sets for pair in s.ranges) == every
        for levels in (books.failures, books.losses):
            seen = Indexes()
            for level in levels:
                assert not (level & seen).ranges
                assert not (level - books.pending(70, Indexes())).ranges
                seen = seen | level


def test_an_order_brings_points_back_with_all_their_retries() -> None:
    books = after(Books(), "0-9", good="0-7", bad="8-9").close(12)
    assert str(books.dropped) == "10-11"
    assert str(books.reopen("a", "failed", 12).pending(12, Indexes())) == "8-9"
    assert str(books.reopen("a", "missing", 12).pending(12, Indexes())) == "10-11"
    assert str(books.reopen("a", "3,9-50", 12).pending(12, Indexes())) == "3,9-11"


def test_books_are_the_same_after_the_store() -> None:
    books = after(Books(), "0-9", good="0-5", bad="6", retries=1).reopen("x", "3", 10)
    books = Books.from_dict(books.to_dict())
    assert books == Books.from_dict(books.to_dict())
    judged = Books(verdict=Why(Reason.PENDING_TIMEOUT, "too long"))
    assert Books.from_dict(judged.to_dict()) == judged


def test_a_hundred_thousand_points_cost_a_few_ranges() -> None:
    spec = sweep(points=100_000, pointsPerPod=100)
    this = next_round(Books(), spec, 100_000)
    assert this is not None
    assert (this.packs, len(this.points.ranges)) == (1000, 1)
    assert str(this.points_of(999)) == "99900-99999"


def test_lost_points_run_last_and_in_smaller_packs() -> None:
    spec = sweep(points=100, pointsPerPod=16, retriesPerPoint=1)
    books = after(Books(), "0-49", good="0-9", bad="10", retries=1)
    found: list[tuple[str, int, str]] = []
    while (this := next_round(books, spec, 100)) is not None and len(found) < 6:
        found.append((str(this.points), this.points_per_pod, this.reason))
        good = "" if this.reason == "missing" else str(this.points)
        books = after(books, str(this.points), good=good, retries=1)
    assert found[:3] == [("10,50-99", 16, "points"), ("11-49", 4, "missing"), ("11-49", 1, "missing")]


@pytest.mark.parametrize(
    ("seconds", "count", "parallelism", "size"),
    [
        (1.0, 10_000, 10, 60),
        (0.004, 10_000, 2, 5_000),  # a minute's work would leave Pods idle
        (120.0, 10_000, 10, 1),
        (0.0, 10**6, 5, 100_000),
        (None, 100, 1, 1),
        (1.0, 5, 10, 1),
    ],
)
def test_a_pod_is_given_a_minutes_work_if_there_is_enough(
    seconds: float | None, count: int, parallelism: int, size: int
) -> None:
    assert size_for(seconds, count, parallelism) == size


def test_the_probe_is_small_and_spread() -> None:
    this = next_round(Books(), sweep(points=1000, parallelism=4, pointsPerPod="auto"), 1000)
    assert this is not None
    assert (str(this.points), this.reason, this.points_per_pod) == ("0,250,500,750", "probe", 1)


def test_without_a_measure_the_probe_is_not_made_for_ever() -> None:
    spec = sweep(points=1000, parallelism=4, pointsPerPod="auto")
    books = Books()
    reasons = []
    for _ in range(5):
        this = next_round(books, spec, 1000)
        assert this is not None
        reasons.append(this.reason)
        books = books.conclude(this, Results(), retries=0, excused=Indexes(), counts=True)
    assert reasons[:4] == ["probe", "probe", "probe", "points"]


# Results
LINE = {"index": 3, "exitCode": 0, "seconds": 1.5, "reason": "Completed"}


def gather(*lines: dict[str, object], before: Gathered | None = None) -> Gathered:
    return (before or Gathered()).take(Round(0, points("0-9"), 5), [Pack("p", 0, lines)])


def test_a_success_counts_whichever_of_two_results_comes_first() -> None:
    bad = LINE | {"exitCode": 3}
    for lines in ((LINE, bad), (bad, LINE)):
        both = gather(*lines)
        one_by_one = gather(lines[1], before=gather(lines[0]))
        for found in (both, one_by_one):
            assert (str(found.results.succeeded), str(found.results.failed)) == ("3", "")
            assert '"exitCode":0' in found.unwritten[3]
            assert found.results.measured == 1


def test_results_of_points_of_another_round_are_not_counted() -> None:
    assert not gather(LINE | {"index": 10}).results.ended.ranges


def test_half_a_line_is_no_result() -> None:
    assert parse_lines('{"index":1,"exitCode":0}\n{"index":2,"exi') == ({"index": 1, "exitCode": 0},)
    assert parse_lines('{"index":true,"exitCode":0}\n[]\n"x"\n{"index":1}') == ()


def test_a_message_that_tells_only_a_part_sends_to_the_store() -> None:
    whole = parse_message('{"bundle":"b","succeeded":"0-1","failed":"","results":[{"index":0,"exitCode":0}]}')
    assert whole is not None
    assert whole.lines is None
    assert [line["index"] for line in lines_of(whole, points("0-5")) or ()] == [0, 1]
    cut = parse_message('{"bundle":"b","rangesCut":true}')
    assert cut is not None
    assert lines_of(cut, points("0-5")) is None
    assert parse_message("killed") is None
    error = parse_message('{"bundle":"b","error":"only an earlier moment"}')
    assert error is not None
    assert not error.stored


def test_the_pod_knows_better_what_killed_a_point() -> None:
    guess = ({"index": 1, "exitCode": 137, "reason": "OOMKilled"},)
    assert corrected(guess, Terminated(137, "Error"))[0]["reason"] == "ExitCode"
    assert corrected(guess, Terminated(137, "OOMKilled")) == guess


def test_a_later_line_replaces_the_one_of_its_point_in_the_table() -> None:
    table = merged(None, {5: '{"index":5,"exitCode":3,"round":0}', 2: '{"index":2,"exitCode":0,"round":0}'})
    assert merged(table, {5: '{"index":5,"exitCode":0,"round":1}'}).splitlines() == [
        '{"index":2,"exitCode":0,"round":0}',
        '{"index":5,"exitCode":0,"round":1}',
    ]


def test_a_line_ends_where_its_file_says_and_nowhere_else() -> None:
    row = '{"index":3,"exitCode":0,"metrics":{"a\u2028b\x85c":1.0}}'
    (line,) = parse_lines(f'{row}\n{{"index":4,"exi')
    assert line["metrics"] == {"a\u2028b\x85c": 1.0}
    assert merged(f"{row}\n", {1: '{"index":1,"exitCode":0}'}) == f'{{"index":1,"exitCode":0}}\n{row}\n'


@given(ranges, ranges, ranges, ranges)
def test_what_has_succeeded_once_is_given_up_only_for_another_result(
    first: Indexes, again: Indexes, good: Indexes, bad: Indexes
) -> None:
    before = after(Books(), "0-79", good=str(first & Indexes.up_to(80)))
    books = after(
        before.reopen("x", str(again), 80),
        str(again),
        good=str(good & again),
        bad=str((bad & again) - good),
        counts=False,
    )
    assert before.succeeded - (bad - good) - books.close(80).succeeded == Indexes()


def test_ranges_of_other_pods_points_are_not_for_a_message_to_tell_however_long_they_are() -> None:
    told = parse_message('{"bundle":"b","succeeded":"0-99999999999999","failed":""}')
    assert told is not None
    assert [line["index"] for line in lines_of(told, points("3-4")) or ()] == [3, 4]


def test_a_point_that_had_succeeded_and_is_lost_each_time_it_runs_again_keeps_its_result() -> None:
    books = after(Books(), "0-2", good="0-2").reopen("again", "0-1", 3)
    for _ in range(4):
        books = after(books, str(books.pending(3, Indexes())), good="")
    assert not books.pending(3, Indexes()).ranges
    assert (str(books.succeeded), str(books.failed), str(books.lost)) == ("0-2", "", "")


def test_a_point_that_had_succeeded_and_fails_when_it_runs_again_has_failed() -> None:
    books = after(after(Books(), "0-2", good="0-2").reopen("again", "1", 3), "1", bad="1")
    assert (str(books.succeeded), str(books.failed)) == ("0,2", "1")


def test_what_a_pod_left_of_its_points_is_taken_with_known_fields_alone() -> None:
    rows = [
        {
            "index": 3,
            "exitCode": 0,
            "seconds": 1.5,
            "reason": "Completed",
            "metrics": {"a": 1.5, "b": "x", "c": 2},
            "reused": "x",
            "deep": [{}] * 9,
        },
        {"index": 4, "exitCode": 0},  # not its own
        {"index": 2, "exitCode": 1, "metrics": [1]},
        *[{"index": 2, "exitCode": 0}] * 5,
        {"index": 1, "exitCode": 0, "reason": "x" * MAX_ROW},
    ]
    left = "\n".join([*map(json.dumps, rows), '{"index":1,"exi']).encode()
    first, *rest = lines_left(left, Indexes(((1, 3),)))
    assert first == {"index": 3, "exitCode": 0, "seconds": 1.5, "reason": "Completed", "metrics": '{"a":1.5,"c":2}'}
    assert rest == [{"index": 2, "exitCode": 1}, {"index": 2, "exitCode": 0}]
    line = table_line(first, 1, Pack("pod", 0, ()))
    assert json.loads(line)["metrics"] == {"a": 1.5, "c": 2}
    assert parse_lines(line)[0]["metrics"] == {"a": 1.5, "c": 2}


def test_of_another_sweeps_table_successes_with_files_are_taken_with_known_fields_alone() -> None:
    good = {"index": 3, "exitCode": 0, "bundle": "b.zip"}
    rows: list[dict[str, Any]] = [
        good | {"metrics": {"a": 1, "b": "x"}, "reused": {"name": "n", "uid": [1], "deep": {}}, "deep": [{}] * 9},
        good | {"index": 4, "reused": "x"},
        good | {"index": 5},  # not asked for
        good | {"index": 6, "exitCode": 1},
        good | {"index": 7, "bundle": ["b.zip"]},
        good | {"index": 8, "reason": "x" * MAX_ROW},
    ]
    table = "\n".join([*map(json.dumps, rows), "[", '{"index":9'])
    assert reusable(table, {3, 4, 6, 7, 8, 9}) == {
        3: {"index": 3, "exitCode": 0, "metrics": '{"a":1}', "bundle": "b.zip", "reused": {"name": "n"}},
        4: {"index": 4, "exitCode": 0, "bundle": "b.zip"},
    }


def test_of_a_file_of_results_no_more_lines_are_looked_at_and_no_longer_words_kept_than_a_pod_leaves() -> None:
    good = b'{"index":0,"exitCode":0}\n'
    assert lines_left(b"\n" * (SPARE_ROWS + 2) + good, Indexes(((0, 0),)))
    assert not lines_left(b"\n" * (SPARE_ROWS + 3) + good, Indexes(((0, 0),)))
    row = json.dumps({"index": 0, "exitCode": 1, "reason": "x" * 10_000, "metricsError": "y" * 20_000}).encode()
    (line,) = lines_left(row, Indexes(((0, 0),)))
    assert (len(line["reason"]), len(line["metricsError"])) == (300, 300)


def test_a_line_that_is_longer_than_a_pods_is_passed_over_and_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def noted(row: str | bytes) -> Any:
        asked.append(len(row))
        return parse(row)

    monkeypatch.setattr(results, "parse", noted)
    long = json.dumps({"index": 0, "exitCode": 0, "metrics": {f"{i}": 1 for i in range(10_000)}})
    good = '{"index":1,"exitCode":0}'
    assert 100_000 < len(long) < 131_000
    assert [line["index"] for line in lines_left(f"{long}\n{good}\n".encode(), Indexes(((0, 1),)))] == [1]
    assert [line["index"] for line in parse_lines(f"{long}\n{good}")] == [1]
    assert merged(long, {1: good}) == f"{good}\n"
    assert max(asked) == len(good) + 1


def test_the_longest_line_of_a_pod_is_read() -> None:
    metrics = Room().take({f"{'ж' * 100}{number}": 1.234567890123456e-300 for number in range(99)})
    words = json.dumps(
        {"index": 1, "exitCode": 0, "seconds": 1e9, "reason": "Completed", "metricsError": "\U0001f680" * 200}
    )
    row = words[:-1].encode() + metrics + b"}"
    assert 20_000 < len(row) < MAX_ROW
    assert len(row) <= most_left(Indexes(((1, 1),)))
    (line,) = lines_left(row, Indexes(((1, 1),)))
    assert len(line["metrics"].encode()) > MAX_METRICS - 300


def test_few_files_of_a_pack_are_read_and_those_alone_that_pods_of_the_rounds_job_may_have_left() -> None:
    this = Round(0, Indexes(((0, 9),)), 2)
    good = [f"1/j-1-{number}.jsonl" for number in range(MAX_FILES)]
    others = [
        "0/a0.jsonl",
        "1/j-0-aaaaa.jsonl",
        "01/j-01-aaaaa.jsonl",
        "5/j-5-aaaaa.jsonl",
        "x/j-x-a.jsonl",
        "1/j-1-a/b.jsonl",
    ]
    names = [
        *good,
        "1/j-1-z0.jsonl",
        "1/j-1-z1.jsonl",
        *others,
        "2/j-2-aaaaa.jsonl",
        "3/j-3-aaaaa.jsonl",
        "1/j-1-a.zip",
    ]
    wanted, passed_over = files_left(names, this, Indexes(((4, 5),)), "j")
    assert wanted == [*((1, f"j-1-{number}") for number in range(MAX_FILES)), (3, "j-3-aaaaa")]
    assert passed_over == len(names) - len(wanted) - 1, "all but the one of the pack that is complete"
    assert files_left(["3/j-3-aaaaa.jsonl"], this, Indexes(), "j") == ([(3, "j-3-aaaaa")], 0)


def test_of_a_long_name_of_a_job_kubernetes_leaves_out_the_end_in_the_names_of_its_pods() -> None:
    job = round_job_name("s" * 43, "7a1b2c3d-0000-4000-8000-000000000000", 1)
    name = f"{job[:51]}-12345-abcde"
    assert len(name) == 63
    this = Round(1, Indexes(((0, 99_999),)), 1)
    assert files_left([f"12345/{name}.jsonl"], this, Indexes(), job) == ([(12345, name)], 0)


def test_words_of_a_point_have_no_character_that_acts_on_a_terminal() -> None:
    line = {"index": 0, "exitCode": 1, "reason": "Exit\x1b[2J", "metricsError": "of a\u202eb", "seconds": 1.5}
    shown = json.loads(table_line(line, 0, Pack("pod", 0, ())))
    assert (shown["reason"], shown["metricsError"], shown["seconds"]) == ("Exit?[2J", "of a?b", 1.5)


@pytest.mark.parametrize("seconds", [1e999, float("nan"), 10**400, -1, True, "1", 1e300])
def test_a_time_that_is_none_is_told_by_no_table_and_counts_in_no_sum(seconds: Any) -> None:
    line = {"index": 0, "exitCode": 0, "seconds": seconds}
    this = Round(0, Indexes(((0, 0),)), 1)
    gathered = Gathered().take(this, [Pack("pod", 0, (line,))])
    assert (gathered.results.seconds, gathered.results.measured, len(gathered.results.succeeded)) == (0, 0, 1)
    assert "seconds" not in json.loads(gathered.unwritten[0])


def test_of_the_metrics_of_a_point_the_table_has_the_first_8_kib_and_says_so() -> None:
    metrics = {f"metric{number:04d}": number for number in range(1500)}
    (line,) = lines_left(json.dumps({"index": 0, "exitCode": 0, "metrics": metrics}).encode(), Indexes(((0, 0),)))
    shown = json.loads(table_line(line, 0, Pack("pod", 0, ())))
    assert len(line["metrics"]) <= MAX_METRICS + 2
    assert list(shown["metrics"].items()) == list(metrics.items())[: len(shown["metrics"])]
    assert (shown["metricsCut"], len(shown["metrics"]) > 300) == (True, True)


def test_a_hostile_file_of_results_takes_little_more_memory_than_it_has_bytes() -> None:
    metrics = ",".join(f'"{i}":1' for i in range(1500))
    row = f'{{"index":%d,"exitCode":0,"metrics":{{{metrics}}},"x":[{",".join(["{}"] * 5000)}]}}\n'
    left = "".join(row % i for i in range(40)).encode()
    tracemalloc.start()
    try:
        lines = lines_left(left, Indexes(((0, 39),)))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(lines) == 40
    assert kept < 2 * len(left)
