"""Lists of points as people send them: lines, a JSON list, a table; and lists in requests that are too long for an object."""

import asyncio
import csv
import io
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.test_api_manifests import SETTINGS, SUFFIX
from unit.test_space_listed import POINTS

from simops_api.auth.access import Access
from simops_api.auth.caller import Caller
from simops_api.errors import ProblemError
from simops_api.jobs.manifests import manifest_of, upload_of
from simops_api.jobs.requests import JobRequest
from simops_api.store import Store
from simops_api.uploads import service
from simops_api.uploads.body import points_of, rows_of, value_of
from simops_api.uploads.service import Uploads, _read, in_time
from simops_crds.names import upload_key
from simops_crds.space import SpaceError, listed

ANN = Caller("ann")
CSV, LINES, LIST = "text/csv", "application/x-ndjson", "application/json"


@given(POINTS)
def test_lines_and_a_list_say_the_same(points: list[dict[str, Any]]) -> None:
    assert list(points_of(json.dumps(points).encode(), LIST)) == points
    lines = "\r\n".join(json.dumps(point) for point in points)
    assert list(points_of(lines.encode(), f"{LINES}; charset=utf-8")) == points


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(
    st.lists(
        st.tuples(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), TEXTS), max_size=6
    )
)
def test_cells_are_numbers_and_booleans_where_json_has_them_so_and_else_text(rows: list[tuple[Any, ...]]) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["i", "f", "b", "t"])
    writer.writerows([[json.dumps(value) for value in row[:3]] + [row[3]] for row in rows])
    found = list(rows_of(out.getvalue()))
    assert [(p["i"], p["f"], p["b"]) for p in found] == [row[:3] for row in rows]
    assert [type(p["f"]) for p in found] == [float for _ in rows]
    assert [str(p["t"]) if isinstance(p["t"], str) else json.dumps(p["t"]) for p in found] == [
        row[3] if isinstance(value_of(row[3]), str) else json.dumps(value_of(row[3])) for row in rows
    ]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1", 1),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("true", True),
        *((text, text) for text in ("007", "+1", ".5", "1.", "NaN", "True", "null", " 1", "0x1", "1_0", "١")),
    ],
)
def test_what_a_cell_means(cell: str, value: object) -> None:
    assert (value_of(cell), type(value_of(cell))) == (value, type(value))


def test_an_empty_cell_leaves_its_parameter_out_and_an_empty_line_is_none() -> None:
    assert list(points_of(b"a,b\r\n1,\r\n\r\n,x\r\n", CSV)) == [{"a": 1}, {"b": "x"}]
    assert list(points_of("\ufeffa\n1\n".encode(), CSV)) == [{"a": 1}]


@pytest.mark.parametrize(
    ("data", "kind", "status", "words"),
    [
        (b"a\n1\n", "text/plain", 415, "text/csv"),
        (b"a\n1\n", "", 415, "x-ndjson"),
        (b"\xff", CSV, 422, "UTF-8"),
        (b"", CSV, 422, "no points"),
        (b"a,a\n1,2\n", CSV, 422, "each once"),
        (b"a,\n1,2\n", CSV, 422, "none of them empty"),
        (b"a,b\n1\n", CSV, 422, "row 1 has 1 cells"),
        (b'a\n"1\n', CSV, 422, "row"),
        (b"1a\n1\n", CSV, 422, "row 1: parameter name"),
        (b"a\n99999999999999999999\n", CSV, 422, "64 bits"),
        (b"a\n1e400\n", CSV, 422, "row 1: a"),
        (b'{"a": 1}', LIST, 422, "no list"),
        (b"[", LIST, 422, "no JSON"),
        (b"[" * 100_000, LIST, 422, "no JSON"),
        (b'[{"a": 1, "a": 2}]', LIST, 422, "twice"),
        (b"[]", LIST, 422, "no points"),
        (b'[{"a": 1},]', LIST, 422, "point 2 is no JSON"),
        (b'[{"a": 1} {"a": 2}]', LIST, 422, "neither a comma nor ]"),
        (b'[{"a": 1}] x', LIST, 422, "after its list"),
        (b'[{"a": 1}, [2]]', LIST, 422, "point 2 is no JSON object"),
        (b'[{"a": {"b": 1}}]', LIST, 422, "point 1 is no JSON object"),
        (b'[{"a": }]', LIST, 422, "point 1 is no JSON object"),
        (b'{"a": 1}\n{', LINES, 422, "line 2"),
    ],
)
def test_what_is_no_list_of_points_is_refused_in_words(data: bytes, kind: str, status: int, words: str) -> None:
    with pytest.raises(ProblemError) as caught:
        _read(data, kind, 100)
    assert caught.value.status == status
    assert words in caught.value.detail


def test_a_cell_of_a_million_digits_takes_no_time_and_is_text() -> None:
    assert value_of("1" * 1_000_000) == "1" * 1_000_000


class Bucket:
    """Takes what is put."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data


class Everyone:
    """Permits everything, and says what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def require(self, *what: Any) -> None:
        self.asked.append(what[1:])


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    """Yield a request's body."""
    for chunk in chunks:
        yield chunk


async def slow(begun: asyncio.Event) -> AsyncIterator[bytes]:
    """Yield a body of which one byte comes, and then none for an hour."""
    yield b"a"
    begun.set()
    await asyncio.sleep(3600)


async def test_the_body_of_who_may_not_is_not_even_read() -> None:
    class Nobody:
        async def require(self, *_: Any) -> None:
            raise ProblemError(403, "no")

    async def read() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    uploads = Uploads(SETTINGS, cast(Access, Nobody()), cast(Store, Bucket()))
    with pytest.raises(ProblemError, match="no"):
        await uploads.take(ANN, None, read(), CSV)


async def test_an_upload_is_stored_under_its_digest_for_who_may_make_sweeps_there() -> None:
    bucket, access = Bucket(), Everyone()
    uploads = Uploads(SETTINGS, cast(Access, access), cast(Store, bucket))
    caller = ANN
    found = await uploads.take(caller, None, body(b"b,a\n1,2\n3,\n"), CSV)
    assert (found.points, found.names) == (2, ["a", "b"])
    namespace = SETTINGS.default_namespace
    assert bucket.objects == {upload_key(namespace, found.digest): b'{"a":2,"b":1}\n{"b":3}\n'}
    assert found.digest == listed.digest_of(next(iter(bucket.objects.values())))
    ((verb, kind, place),) = access.asked
    assert (verb.value, kind.kind, place) == ("create", "SimulationSweep", namespace)
    with pytest.raises(ProblemError, match="not served"):
        await uploads.take(caller, "elsewhere", body(b"a\n1\n"), CSV)


async def test_more_points_than_a_sweep_may_have_are_refused_with_their_number() -> None:
    bucket = Bucket()
    settings = SETTINGS.model_copy(update={"max_sweep_points": 3})
    uploads = Uploads(settings, cast(Access, Everyone()), cast(Store, bucket))
    with pytest.raises(ProblemError, match="it has 4 points, and a sweep has at most 3 here"):
        await uploads.take(ANN, None, body(b"a\n1\n2\n3\n4\n"), CSV)
    assert bucket.objects == {}


async def test_slow_lists_of_one_caller_keep_nobody_else_from_sending_theirs() -> None:
    uploads = Uploads(SETTINGS, cast(Access, Everyone()), cast(Store, Bucket()))
    async with asyncio.TaskGroup() as group:
        waiting = []
        for _ in range(2):
            begun = asyncio.Event()
            waiting.append(group.create_task(uploads.take(ANN, None, slow(begun), CSV)))
            await begun.wait()
        with pytest.raises(ProblemError, match="2 lists") as refused:
            await uploads.take(ANN, None, body(b"a\n1\n"), CSV)
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "5"})
        assert (await uploads.take(Caller("bob"), None, body(b"a\n1\n"), CSV)).points == 1
        for task in waiting:
            task.cancel()
    assert (await uploads.take(ANN, None, body(b"a\n1\n"), CSV)).points == 1


async def test_a_list_that_comes_too_slowly_is_ended_and_one_that_comes_fast_enough_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "_FIRST_SECONDS", 0.05)
    with pytest.raises(ProblemError, match="more slowly") as ended:
        await in_time(slow(asyncio.Event()))
    assert (ended.value.status, ended.value.headers) == (408, {"Connection": "close"})

    async def steady() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield bytes(8 << 20)  # a minute's worth of bytes
            await asyncio.sleep(0.03)

    assert len(await in_time(steady())) == 32 << 20


def requested(count: int, wide: int = 0, **more: Any) -> JobRequest:
    points = [{"x": x} | {f"p{i}": i for i in range(wide)} for x in range(count)]
    return JobRequest.model_validate(
        {"image": "sim:local", "command": ["run"], "sweep": points, "params": {"y": 1}, **more}
    )


def test_a_list_that_fits_stays_in_the_object() -> None:
    assert upload_of(requested(10_000)) is None
    assert upload_of(JobRequest.model_validate({"image": "sim:local", "params": {"x": 1}})) is None


@pytest.mark.parametrize("request_", [requested(10_001), requested(9_000, wide=2)])
def test_a_list_that_is_too_long_for_the_object_is_named_there(request_: JobRequest) -> None:
    upload = upload_of(request_)
    assert upload is not None
    _, made = manifest_of(request_, SETTINGS, SUFFIX, upload=upload.uploaded)
    assert made["spec"]["space"] == {
        "method": "list",
        "pointsFrom": {"digest": upload.uploaded.digest, "points": upload.uploaded.points},
    }
    assert list(listed.from_lines(upload.data))[5]["x"] == 5
    assert made["spec"]["template"]["params"] == {"y": 1}
    assert len(json.dumps(made)) < 2000


def test_the_limit_of_points_holds_for_it() -> None:
    request = requested(10_001)
    settings = SETTINGS.model_copy(update={"max_sweep_points": 10_000})
    upload = upload_of(request)
    assert upload is not None
    with pytest.raises(ProblemError, match="10,001 points"):
        manifest_of(request, settings, SUFFIX, upload=upload.uploaded)


def test_values_that_params_fill_in_count_too() -> None:
    points: list[dict[str, Any]] = [{"x": 0, "a": 1, "b": 2}, *({"x": x} for x in range(1, 9_000))]
    body = {"image": "sim:local", "command": ["run"], "sweep": points, "params": {"a": 1, "b": 1}}
    upload = upload_of(JobRequest.model_validate(body))
    assert upload is not None
    assert upload.uploaded.names == ["a", "b", "x"]


def table_of_long_names() -> tuple[bytes, str]:
    head = ",".join(f"p{number:062}" for number in range(256))
    return (head + "\n" + (",".join(["1"] * 256) + "\n") * 4000).encode(), CSV


def nested_lists() -> tuple[bytes, str]:
    return b"[" + b",".join([b"[" * 90 + b"]" * 90] * 5000) + b"]", LIST


def one_line_of_lists() -> tuple[bytes, str]:
    return b'{"a": [' + b"[]," * 500_000 + b"1]}\n", LINES


@pytest.mark.parametrize("hostile", [table_of_long_names, nested_lists, one_line_of_lists])
def test_a_body_that_grows_when_it_is_read_is_refused_before_it_has_grown(
    hostile: Callable[[], tuple[bytes, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listed, "MAX_LIST_BYTES", 4 << 20)
    data, kind = hostile()
    tracemalloc.start()
    try:
        with pytest.raises(ProblemError) as caught:
            _read(data, kind, 10_000)
        assert tracemalloc.get_traced_memory()[1] < 8 * len(data) + (8 << 20)
    finally:
        tracemalloc.stop()
    assert caught.value.status == 422


ANYTHING = st.none() | st.integers() | st.text() | st.lists(st.booleans())
ITEMS = st.lists(st.dictionaries(st.sampled_from("abc"), ANYTHING, max_size=3), max_size=3)


@given(st.text(max_size=200) | ITEMS.map(json.dumps))
def test_a_list_is_read_as_json_reads_it_or_refused(text: str) -> None:
    try:
        found = list(listed.from_array(text))
    except SpaceError:
        return
    assert found == json.loads(text)
