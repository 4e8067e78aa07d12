"""The log of a point of a sweep, as it is followed: it comes out of the bundle, which is read once."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from unit.test_api_manifests import SETTINGS
from unit.test_api_sweeps import sweep

from simops_api.artifacts.transfer import Content
from simops_api.auth.caller import Caller
from simops_api.errors import ProblemError
from simops_api.jobs.lookup import Found, _found_point
from simops_api.logs import service
from simops_api.logs.service import Logs
from simops_api.sse import Streams
from simops_api.sweeps.points import Place, Row
from simops_api.sweeps.records import sweep_record_of

ANN = Caller("ann")
DOCUMENT = json.dumps({"id": "scan-3", "status": "Succeeded", "reason": "Completed", "exit_code": 0}).encode()
POINT = Found("scan-3", "default", "scan-3", "u", "Succeeded", "pod", DOCUMENT, folder="3/", place=Place("r/", 0, "3/"))


class Point:
    """Stands for everything around: where the point is found, what tells of changes, and what has its files."""

    def __init__(self, text: bytes | None, unwritten: int = 0) -> None:
        """``unwritten``: how often it is looked at before its result is written down."""
        self.text = text
        self.looks = 0
        self.unwritten = unwritten
        self.reads = 0
        self.open = 0

    async def find(self, caller: Caller, job_id: str) -> Found:
        self.looks += 1
        return POINT if self.looks > self.unwritten else replace(POINT, document=b"{}", is_unwritten=True)

    @contextmanager
    def watching(self, job_id: str) -> Iterator["Point"]:
        yield self

    async def wait(self) -> None:
        """Tell of a change at once."""

    async def file(self, found: Found, path: str) -> Content:
        if found.is_unwritten:
            raise ProblemError(503, "it is being written down")
        if self.text is None:
            raise ProblemError(410, "it was removed")
        return Content(path, len(self.text), "e", self.read)

    async def read(self, start: int, length: int) -> AsyncGenerator[bytes, None]:
        self.reads += 1
        self.open += 1
        try:
            assert self.text is not None
            yield self.text[start : start + length]
        finally:
            self.open -= 1


@pytest.fixture
def no_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PodLogs", lambda _: None)


async def followed(point: Point) -> AsyncGenerator[bytes, None]:
    around = cast(Any, point)
    logs = Logs(SETTINGS, around, around, around, cast(Any, None), Streams(8, 15), around)
    return await logs.lines(ANN, POINT.id, None, None)


@pytest.mark.usefixtures("no_nodes")
async def test_a_log_that_is_followed_is_read_once() -> None:
    point = Point(b"one\ntwo\n")
    text = b"".join([part async for part in await followed(point)]).decode()
    assert [line for line in text.splitlines() if line.startswith("data: ")][1:3] == ["data: one", "data: two"]
    assert "event: end" in text
    assert (point.reads, point.open) == (1, 0)


@pytest.mark.usefixtures("no_nodes")
async def test_what_is_refused_is_refused_before_it_begins_and_who_leaves_then_leaves_nothing_open() -> None:
    with pytest.raises(ProblemError, match="it was removed"):
        await followed(Point(None))
    point = Point(b"one\n")
    await (await followed(point)).aclose()
    assert (point.reads, point.open) == (1, 0)


@pytest.mark.usefixtures("no_nodes")
async def test_who_follows_a_point_that_has_just_ended_waits_until_its_result_is_written_down() -> None:
    point = Point(b"one\ntwo\n", unwritten=3)
    text = b"".join([part async for part in await followed(point)]).decode()
    assert "data: two" in text
    assert "event: gap" not in text


@pytest.mark.usefixtures("no_nodes")
async def test_but_not_for_ever() -> None:
    point = Point(b"one\n", unwritten=10**6)
    text = b"".join([part async for part in await followed(point)]).decode()
    assert "event: gap\ndata: it is being written down" in text


@pytest.mark.parametrize(
    ("phase", "result", "of_sweep", "is_unwritten"),
    [
        ("Succeeded", None, "Running", True),
        ("Failed", None, "Running", True),
        ("Cancelled", None, "Running", False),
        ("Succeeded", {"exitCode": 0}, "Running", False),
        ("Succeeded", None, "Succeeded", False),
        ("Running", None, "Running", False),
    ],
)
def test_a_point_that_has_ended_is_unwritten_until_its_line_is_in_the_table(
    phase: str, result: dict[str, Any] | None, of_sweep: str, *, is_unwritten: bool
) -> None:
    obj = sweep(points=[])
    obj["status"] = {"phase": of_sweep, "points": {"total": 1}, "succeededPoints": "0"}
    record = sweep_record_of(obj, "scan")
    assert _found_point(record, Row(0, phase, {}, result)).is_unwritten is is_unwritten
