"""Sweeps in the cache: which point is where, and points as jobs in the list of all."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_api.index import Index, Query
from simops_api.jobs.listing import PointAt, listing, sweeps_of
from simops_api.jobs.models import Job
from simops_api.records import record_of
from simops_api.sweeps.models import Sweep
from simops_api.sweeps.points import params_of, point_document, split_point
from simops_api.sweeps.records import SweepRecord, sweep_record_of
from simops_crds.indexes import Indexes
from simops_crds.names import FINAL_PHASES, Phase

NUMBERS = st.sets(st.integers(0, 14))
ENDED = [phase.value for phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)]


def text_of(numbers: set[int]) -> str:
    return str(Indexes.of((n, n) for n in numbers))


def sweep(
    name: str = "sweep", second: int = 0, points: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    points = [{"a": 1}, {"a": 2}] if points is None else points
    meta = {
        "name": name,
        "namespace": "lab",
        "uid": f"uid-{name}",
        "resourceVersion": "7",
        "creationTimestamp": f"2026-03-01T12:00:{second:02d}Z",
        "labels": more.pop("labels", {}),
    }
    spec = {
        "template": {"image": "sim:local", "command": ["run"], "params": {"length": 1.0}},
        "space": {"method": "list", "points": points},
        "timeoutSeconds": 60,
        **more.pop("spec", {}),
    }
    return {"metadata": meta, "spec": spec, "status": more}


def record(**more: Any) -> SweepRecord:
    obj = sweep(**more)
    return sweep_record_of(obj, obj["metadata"]["name"])


@given(st.integers(0, 12), NUMBERS, NUMBERS, NUMBERS, st.sampled_from([None, "Running", "Queued", "Cancelled"]))
def test_each_point_is_in_one_phase(
    total: int, succeeded: set[int], failed: set[int], cancelled: set[int], phase: str | None
) -> None:
    found = record(
        points=[{}] * total,
        spec={"cancelledPoints": text_of(cancelled)},
        succeededPoints=text_of(succeeded),
        failedPoints=text_of(failed),
        **({"phase": phase} if phase else {}),
    )
    assert sorted(index for points in found.points.values() for index in points) == list(range(total))
    assert all(found.phase_at(index) == "Succeeded" for index in succeeded if index < total)
    left = set(range(total)) - succeeded - failed
    waiting = "Cancelled" if phase == "Cancelled" else "Queued" if phase == "Queued" else "Pending"
    assert {found.phase_at(index) for index in left - cancelled} <= {waiting}
    assert {found.phase_at(index) for index in left & cancelled} <= {"Cancelled"}
    assert found.count(ENDED) == len([i for i in range(total) if found.phase_at(i) in FINAL_PHASES])


def test_a_sweep_of_two_hundred_thousand_points_is_small() -> None:
    found = sweep_record_of(
        sweep(points=[], spec={"space": {"method": "grid", "axes": []}})
        | {"status": {"points": {"total": 200_000}, "succeededPoints": "0-99999,100001-150000"}},
        "big",
    )
    assert found.total == 200_000
    assert {phase: len(points) for phase, points in found.points.items()} == {"Succeeded": 150_000, "Pending": 50_000}
    assert found.phase_at(100_000) == "Pending"
    assert sum(len(points.ranges) for points in found.points.values()) == 4
    assert len(found.document) + len(found.shared) < 2000


@pytest.mark.parametrize("counted", [-5, 10**12])
def test_a_count_that_cannot_be_is_not_believed(counted: int) -> None:
    found = sweep_record_of(sweep(points=[]) | {"status": {"points": {"total": counted}, "failedPoints": "x"}}, "s")
    assert 0 <= found.total <= 1_000_000
    assert not found.count({"Failed"})


def test_a_point_is_answered_as_a_job_with_its_own_parameters() -> None:
    found = record(points=[{"a": 1}, {"a": 2, "b": "x"}], failedPoints="1")
    job = Job.model_validate_json(point_document(found, 1))
    assert (job.id, job.name, job.sweep, job.index, job.status) == ("sweep-1", "sweep-1", "sweep", 1, Phase.FAILED)
    assert job.params == {"length": 1.0, "a": 2, "b": "x"}
    assert not job.cancelled
    assert params_of(found, 0) == {"length": 1.0, "a": 1}


@pytest.mark.parametrize(
    ("rounds", "seconds"),
    [
        ([("00:00:00", "00:01:00"), ("09:00:00", "09:00:30")], 90),
        ([("00:00:00", "00:01:00"), ("09:00:00", None)], 60),
        ([("00:00:00", None)], None),
        ([(None, "00:01:00")], None),
        ([("00:00:10", "00:01:00")], None),  # earlier ones are not told any more
        ([], None),
    ],
)
def test_how_long_rounds_lasted_has_no_pauses_in_it(
    rounds: list[tuple[str | None, str | None]], seconds: int | None
) -> None:
    def at(time: str | None) -> str | None:
        return f"2026-11-23T{time}Z" if time else None

    told = [{"job": "j", "startTime": at(begin), "completionTime": at(end)} for begin, end in rounds]
    found = Sweep.model_validate_json(record(startTime=at("00:00:05"), rounds=told).document)
    assert found.running_seconds == seconds


def test_a_sweep_is_answered_as_published_without_its_points_written_out() -> None:
    found = Sweep.model_validate_json(record(succeededPoints="0").document)
    assert found.points.by_status == {Phase.SUCCEEDED: 1, Phase.PENDING: 1}
    assert found.space == {"method": "list"}
    assert found.params == {"length": 1.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("heat-0", ("heat", 0)), ("a-b-12", ("a-b", 12)), ("heat-01", None), ("heat", None), ("heat--1", ("heat-", 1))],
)
def test_the_name_of_a_point_is_that_of_its_sweep_and_an_index(text: str, expected: tuple[str, int] | None) -> None:
    assert split_point(text) == expected


SWEEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), NUMBERS, NUMBERS), max_size=4)
JOBS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([*ENDED, "Pending"])), max_size=8)
PHASES = st.none() | st.sets(st.sampled_from([*ENDED, "Pending"]), min_size=1)


def job(number: int, second: int, phase: str) -> dict[str, Any]:
    return sweep(f"m{number}", second) | {"status": {"phase": phase}}


@given(JOBS, SWEEPS, PHASES, st.booleans(), st.integers(0, 20), st.integers(0, 20))
def test_a_page_of_jobs_and_points_is_what_a_look_at_each_finds(
    jobs: list[tuple[int, str]],
    sweeps: list[tuple[int, int, set[int], set[int]]],
    phases: set[str] | None,
    newest_first: bool,
    first: int,
    count: int,
) -> None:
    singles = [record_of(job(n, second, phase), f"m{n}") for n, (second, phase) in enumerate(jobs)]
    blocks = [
        record(
            name=f"{'ac'[n % 2]}{n}", second=s, points=[{}] * size, succeededPoints=text_of(a), failedPoints=text_of(b)
        )
        for n, (s, size, a, b) in enumerate(sweeps)
    ]
    query = Query(phases=phases, newest_first=newest_first)
    found = listing(Index(singles), sweeps_of(Index(blocks), query, {"lab"}), query, first, count)
    whole = [((one.key, 0), one.id, one.phase) for one in singles]
    whole += [((one.key, i), f"{one.id}-{i}", one.phase_at(i)) for one in blocks for i in range(one.total)]
    order = [name for _, name, phase in sorted(whole) if phases is None or phase in phases]
    if newest_first:
        order.reverse()
    assert found.total == len(order)
    ids = [f"{e.sweep.id}-{e.index}" if isinstance(e, PointAt) else json.loads(e)["id"] for e in found.entries]
    assert ids == order[first : first + count]
