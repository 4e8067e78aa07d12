"""Tables, results and pictures of sweeps, from what operator and Pods leave in the store."""

import asyncio
import csv
import gc
import io
import json
import tracemalloc
import zipfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from itertools import pairwise, product
from typing import Any, cast

import matplotlib.axes
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import put_points
from unit.test_api_holds import roomy
from unit.test_api_sweeps import sweep

from simops_api.artifacts.directory import Member
from simops_api.artifacts.member import Bundles
from simops_api.artifacts.merged import Merger, Part, ZipStream
from simops_api.errors import ProblemError
from simops_api.plots.draw import draw
from simops_api.plots.fit import fitted
from simops_api.plots.gather import Gathered, PlotError, groups_of, is_geometric
from simops_api.store import Store, StoredObject, StoreError
from simops_api.sweeps import columnar
from simops_api.sweeps.collected import Collected
from simops_api.sweeps.lines import Lines
from simops_api.sweeps.models import PlotQuery, Point
from simops_api.sweeps.points import Row, point_document, point_row
from simops_api.sweeps.records import SweepRecord, sweep_record_of
from simops_api.sweeps.shelf import Shelf
from simops_api.sweeps.table import MAX_COLUMNS, Columns, columns_of, csv_of, json_of
from simops_crds.names import sweep_prefix

SPACE = {"method": "grid", "axes": [{"name": "a", "integers": {"low": 0, "high": 9999}}]}
FOLDER = sweep_prefix("lab", "sweep", "uid-sweep")


@dataclass
class Kept:
    """A store in memory, as much of it as these modules use; it counts what is asked."""

    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def get(self, key: str, limit: int = 1 << 40) -> bytes | None:
        self.asked.append(key)
        found = self.objects.get(key)
        assert found is None or len(found) <= limit
        return found

    async def stat(self, key: str) -> StoredObject | None:
        content = self.objects.get(key)
        return StoredObject(key, len(content), f"{hash(content):x}", 0.0) if content is not None else None

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        self.asked.append(key)
        content = self.objects[key][offset : None if length is None else offset + length]
        for at in range(0, len(content), 1000):
            yield content[at : at + 1000]

    @property
    def store(self) -> Store:
        return cast(Store, self)


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(
                zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED if len(content) > 100 else zipfile.ZIP_STORED
            )
    return out.getvalue()


def result(index: int, **more: Any) -> dict[str, Any]:
    bundle = f"{FOLDER}/rounds/0/{index // 10}/pod-{index // 10}.zip"
    good = {"index": index, "exitCode": 0, "reason": "Completed", "seconds": 0.5, "metrics": {"error": 1 / (index + 1)}}
    return good | {"round": 0, "pack": index // 10, "bundle": bundle} | more


def swept(total: int, ended: int, failed: int | None = None, **status: Any) -> tuple[SweepRecord, Kept]:
    """A sweep of which the first points have ended, each pack of ten with a bundle."""
    kept = Kept()
    index = put_points(kept.objects, FOLDER, ({"a": i} for i in range(total)))
    for ref in index.chunks:
        lines = [
            result(i, **({"exitCode": 3, "reason": "ExitCode", "metrics": {}} if i == failed else {}))
            for i in range(ref.first, min(ref.first + ref.count, ended))
        ]
        kept.objects[f"{FOLDER}/table/{ref.file}"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    for pack in range(-(-ended // 10)):
        files = {
            f"{i}/{name}": f"{name} of {i} {'x' * i}".encode()
            for i in range(pack * 10, min(pack * 10 + 10, ended))
            for name in ("log.txt", "out/data.csv")
        }
        kept.objects[f"{FOLDER}/rounds/0/{pack}/pod-{pack}.zip"] = zipped(files)
    good = f"0-{ended - 1}" if failed is None else f"0-{failed - 1},{failed + 1}-{ended - 1}"
    obj = sweep(points=[], spec={"space": SPACE})
    obj["status"] = {
        "phase": "Running",
        "pointsDigest": index.digest,
        "points": {"total": total},
        "succeededPoints": good,
    }
    obj["status"] |= ({"failedPoints": str(failed)} if failed else {}) | status
    return sweep_record_of(obj, "sweep"), kept


async def test_a_page_has_parameters_and_results_and_costs_two_objects() -> None:
    record, kept = swept(20_000, 12_000, failed=1)
    shelf = Shelf(kept.store)
    rows = await shelf.rows(record, range(50))
    assert [(row.index, row.status, row.params["a"]) for row in rows[:2]] == [(0, "Succeeded", 0), (1, "Failed", 1)]
    assert rows[2].metrics == {"error": 1 / 3}
    assert sorted(key.rsplit("/", 2)[1] for key in kept.asked) == [
        "points",
        "points",
        "table",
    ]  # the index is one of them
    kept.asked.clear()
    (late,) = await shelf.rows(record, [19_999])
    assert (late.params, late.status, late.result) == ({"length": 1.0, "a": 19_999}, "Pending", None)
    assert len(kept.asked) == 2


@given(st.lists(st.one_of(st.integers(100, 130), st.sampled_from(["", "{", "[]", '{"a": 1}', '{"index": "x"}']))))
def test_the_lines_of_a_chunk_are_found_whichever_are_there(told: list[int | str]) -> None:
    indexes = sorted({one for one in told if isinstance(one, int)})
    rubbish = [one for one in told if isinstance(one, str)]
    text = "\n".join([*rubbish[:2], *(json.dumps({"index": i, "v": i * 2}) for i in indexes), *rubbish[2:]])
    found = Lines(text.encode(), 100).at(range(90, 140))
    assert found == {i: {"index": i, "v": i * 2} for i in indexes}


async def test_a_page_of_points_of_many_chunks_asks_for_some_of_them_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    record, kept = swept(30_000, 30_000)
    now = most = 0
    get = kept.get

    async def counted(key: str, limit: int = 1 << 40) -> bytes | None:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(0)
        now -= 1
        return await get(key, limit)

    monkeypatch.setattr(kept, "get", counted)
    rows = await Shelf(kept.store).rows(record, range(7, 30_000, 1000))
    assert [row.index for row in rows] == list(range(7, 30_000, 1000))
    assert [row.metrics for row in rows] == [{"error": 1 / (row.index + 1)} for row in rows]
    assert 4 < most <= 8


async def test_chunks_are_kept_as_long_as_there_is_room_for_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    record, kept = swept(5000, 5000, phase="Succeeded")
    sizes = sorted(len(text) for key, text in kept.objects.items() if "/table/" in key or "/points/0" in key)
    monkeypatch.setattr("simops_api.sweeps.shelf._KEPT_BYTES", sum(sizes[-2:]))
    shelf = Shelf(kept.store)
    for first in range(0, 5000, 1000):
        await shelf.rows(record, [first])
        assert sum(lines.size for _, lines in shelf._kept.values()) == shelf._kept_bytes <= sum(sizes[-2:])
    kept.asked.clear()
    await shelf.rows(record, [4000])
    assert kept.asked == []
    await shelf.rows(record, [0])
    assert kept.asked


async def test_a_store_that_does_not_answer_is_said_as_it_is_for_pages_of_many_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record, kept = swept(3000, 3000)
    get = kept.get

    async def refused(key: str, limit: int = 1 << 40) -> bytes | None:
        if "/table/" in key:
            raise StoreError("no")
        return await get(key, limit)

    monkeypatch.setattr(kept, "get", refused)
    with pytest.raises(StoreError):
        await Shelf(kept.store).rows(record, [1, 2000])


async def test_points_of_a_running_pod_run_and_those_that_are_not_wanted_are_cancelled() -> None:
    record, _ = swept(20, 5, activePoints="5-9", cancelledPoints="8,15")
    assert [record.phase_at(i) for i in (0, 5, 8, 10, 15)] == [
        "Succeeded",
        "Running",
        "Cancelled",
        "Pending",
        "Cancelled",
    ]


async def test_states_that_are_too_long_for_the_object_are_read_from_the_store() -> None:
    record, kept = swept(20, 4, rangesInStore=True)
    kept.objects[f"{FOLDER}/state.json"] = b'{"succeededPoints":"0,2","failedPoints":"1,3"}'
    settled = await Shelf(kept.store).settled(record)
    assert [settled.phase_at(i) for i in range(5)] == ["Succeeded", "Failed", "Succeeded", "Failed", "Pending"]
    asked = len(kept.asked)
    shelf = Shelf(kept.store)
    assert await shelf.settled(record) is await shelf.settled(record)
    assert len(kept.asked) == asked + 1  # once for each version of the object


def test_how_many_points_are_where_is_known_also_where_which_ones_is_not() -> None:
    counts = {"total": 20, "succeeded": 12, "failed": 3, "cancelled": 0, "active": 2}
    record, _ = swept(20, 4, rangesInStore=True, points=counts)
    assert record.counts == {"Succeeded": 12, "Failed": 3, "Running": 2, "Pending": 3}
    assert json.loads(record.document)["points"]["by_status"] == record.counts


async def test_before_the_points_are_stored_the_object_says_what_it_knows() -> None:
    record = sweep_record_of(sweep(points=[{"a": 1}, {"a": 2}]), "sweep")
    rows = await Shelf(Kept().store).rows(record, [0, 1])
    assert [row.params for row in rows] == [{"length": 1.0, "a": 1}, {"length": 1.0, "a": 2}]


def test_points_of_a_list_in_the_store_are_known_before_the_operator_has_counted_them() -> None:
    named = {"digest": "sha256:" + "0" * 64, "points": 12_000}
    record = sweep_record_of(sweep(points=[], spec={"space": {"method": "list", "pointsFrom": named}}), "sweep")
    assert (record.total, record.phase_at(11_999), record.counts) == (12_000, "Pending", {"Pending": 12_000})


async def test_a_point_is_a_job_with_its_result() -> None:
    record, kept = swept(20, 4)
    row = await Shelf(kept.store).row(record, 3)
    document = json.loads(point_document(record, 3, row))
    assert (document["metrics"], document["exit_code"], document["seconds"]) == ({"error": 0.25}, 0, 0.5)
    assert document["artifacts"]["bundle"].endswith("/rounds/0/0/pod-0.zip")
    assert Point.model_validate(point_row(record, row)).metrics == {"error": 0.25}


async def test_a_point_says_how_it_failed_and_what_is_wrong_with_its_metrics() -> None:
    record, kept = swept(20, 4, failed=1)
    rows = await Shelf(kept.store).rows(record, range(4))
    assert json.loads(point_document(record, 1, rows[1]))["message"] == "exited with code 3: its log says more"
    error = "metrics.json: 1 values are no finite numbers: a"
    row = replace(rows[2], result={**(rows[2].result or {}), "metricsError": error})
    assert json.loads(point_document(record, 2, row))["message"] == error
    assert "message" not in json.loads(point_document(record, 0, rows[0]))


async def test_points_of_a_sweep_that_are_not_what_the_index_says_are_told_as_such() -> None:
    record, kept = swept(20, 4)
    kept.objects[f"{FOLDER}/points/index.json"] = b"{}"
    with pytest.raises(ProblemError) as caught:
        await Shelf(kept.store).rows(record, [0])
    assert caught.value.status == 502


@pytest.mark.parametrize("total", [1, 999, 1000, 1001, 2500])
async def test_a_table_has_a_row_for_each_point(total: int) -> None:
    record, kept = swept(total, max(1, total // 2))
    shelf = Shelf(kept.store)
    columns = await columns_of(shelf.blocks(record, roomy()))
    text = b"".join([part async for part in csv_of(record, columns, shelf.blocks(record, roomy()))]).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["index"] for row in rows] == [str(i) for i in range(total)]
    assert {row["length"] for row in rows} == {"1.0"}
    assert [row["a"] for row in rows] == [str(i) for i in range(total)]
    ended = [float(row["error"]) for row in rows if row["error"]]
    assert ended == [1 / (i + 1) for i in range(max(1, total // 2))]
    points = json.loads(b"".join([part async for part in json_of(record, shelf.blocks(record, roomy()))]))
    assert [Point.model_validate(point).index for point in points] == list(range(total))


async def test_a_parquet_file_has_the_types_of_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import parquet  # noqa: PLC0415 - half a second, for this test alone

    record, kept = swept(1500, 700, failed=3)
    shelf = Shelf(kept.store)
    columns = await columns_of(shelf.blocks(record, roomy()))
    monkeypatch.setattr(columnar, "GROUP_CELLS", 5_000)
    content = b"".join([part async for part in columnar.parquet_of(record, columns, shelf.blocks(record, roomy()))])
    assert parquet.ParquetFile(io.BytesIO(content)).num_row_groups == 3
    table = parquet.read_table(io.BytesIO(content))
    assert table.num_rows == 1500
    types = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert types["index"] == types["a"] == types["exit_code"] == "int64"
    assert types["length"] == types["error"] == types["seconds"] == "double"
    assert table.column("exit_code").to_pylist()[:5] == [0, 0, 0, 3, 0]


def test_what_has_more_names_than_a_table_has_columns_makes_none() -> None:
    columns = Columns()
    columns.take([row(0, 1.0, **{f"p{number}": 1 for number in range(MAX_COLUMNS - 1)})])
    with pytest.raises(ProblemError, match="take JSON"):
        columns.take([row(1, 1.0, other=1)])


def test_columns_of_one_name_are_told_apart() -> None:
    columns = Columns()
    columns.take([Row(0, "Succeeded", {"status": "x", "error": 1}, {"metrics": {"error": 2.0}})])
    assert columns.heads[-3:] == ["error", "params.status", "metrics.error"]
    assert len(set(columns.heads)) == len(columns.heads)


async def merged(kept: Kept, record: SweepRecord) -> dict[str, bytes]:
    collected = Collected(Shelf(kept.store), kept.store, Merger(kept.store, Bundles(kept.store)))
    _, stream = await collected.zip(record, roomy())
    data = b"".join([chunk async for chunk in stream])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


async def test_all_results_are_one_zip_with_a_folder_for_each_point_a_table_and_a_manifest() -> None:
    record, kept = swept(50, 33)
    files = await merged(kept, record)
    assert len(files) == 33 * 2 + 2
    assert files["17/out/data.csv"] == b"out/data.csv of 17 " + b"x" * 17
    assert files["table.csv"].startswith(b"index,id,status,reason,exit_code,seconds,a,length,error\r\n")
    assert json.loads(files["manifest.json"])["missing"] == []


async def test_only_what_counts_of_a_bundle_is_taken_and_what_is_gone_is_named() -> None:
    record, kept = swept(20, 20)
    table = f"{FOLDER}/table/0000000.jsonl"
    other = f"{FOLDER}/rounds/1/0/again.zip"
    lines = [result(i, **({"bundle": other} if i == 3 else {})) for i in range(20)]
    kept.objects[table] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    kept.objects[other] = zipped({"3/again.txt": b"again", "4/stray.txt": b"no"})
    del kept.objects[f"{FOLDER}/rounds/0/1/pod-1.zip"]
    files = await merged(kept, record)
    assert "3/again.txt" in files
    assert not {"3/log.txt", "4/stray.txt", "12/log.txt"} & set(files)
    assert json.loads(files["manifest.json"])["missing"] == [f"{FOLDER}/rounds/0/1/pod-1.zip"]


async def test_results_that_have_expired_are_told_as_such() -> None:
    record, kept = swept(20, 20, phase="Succeeded", artifacts={"expirationTime": "2026-03-01T12:00:00Z"})
    for key in list(kept.objects):
        del kept.objects[key]
    with pytest.raises(ProblemError, match="have expired") as caught:
        await merged(kept, record)
    assert caught.value.status == 410
    row = await Shelf(kept.store).row(record, 3)
    assert json.loads(point_document(record, 3, row))["artifacts"] == {"expirationTime": "2026-03-01T12:00:00Z"}


def test_a_sweep_that_is_there_says_by_its_spec_when_its_results_go() -> None:
    obj = sweep(
        spec={"artifacts": {"expireAfterSeconds": 60}}, phase="Succeeded", completionTime="2026-03-01T12:00:00Z"
    )
    record = sweep_record_of(obj, "sweep")
    assert record.expires is not None
    assert (record.has_expired(record.expires), record.has_expired(record.expires - 1)) == (True, False)


async def test_a_table_that_names_what_belongs_to_others_gives_none_of_it() -> None:
    record, kept = swept(20, 1)
    kept.objects[f"{FOLDER}/table/0000000.jsonl"] = json.dumps(
        result(0, bundle="sweeps/lab/other/u/rounds/0/0/p.zip")
    ).encode()
    with pytest.raises(ProblemError) as caught:
        await merged(kept, record)
    assert caught.value.status == 409


def reused(point: int, key: str, /, **origin: Any) -> dict[str, Any]:
    return result(point, bundle=key, round=-1, pack=-1, reused=origin)


def with_results_of_others() -> tuple[SweepRecord, Kept]:
    """Point 0 is that of another sweep, 1 and 2 both that of one job, 3 is like point 0, and 4 claims what is not where it says."""
    record, kept = swept(6, 6)
    job, other = "jobs/lab/heat/uid-heat", "sweeps/lab/other/u"
    kept.objects |= {
        f"{job}/p.zip": zipped({"log.txt": b"no log", "out/data.csv": b"of the job"}),
        f"{other}/rounds/0/0/p.zip": zipped({"7/log.txt": b"log of 7", "7/a.csv": b"seven", "8/a.csv": b"eight"}),
    }
    sweep7 = {"kind": "SimulationSweep", "name": "other", "uid": "u", "index": 7}
    heat = {"kind": "SimulationJob", "name": "heat", "uid": "uid-heat"}
    lines = [
        reused(0, f"{other}/rounds/0/0/p.zip", **sweep7),
        reused(1, f"{job}/p.zip", **heat),
        reused(2, f"{job}/p.zip", **heat),
        reused(3, f"{other}/rounds/0/0/p.zip", **sweep7),
        reused(4, "jobs/lab/secret/u/p.zip", **heat),
        result(5),
    ]
    kept.objects[f"{FOLDER}/table/0000000.jsonl"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    return record, kept


async def test_a_point_says_whose_result_it_has() -> None:
    record, kept = with_results_of_others()
    shelf = Shelf(kept.store)
    rows = await shelf.rows(record, range(6))
    assert [point_row(record, row).get("reused") for row in rows] == [
        "other-7",
        "heat",
        "heat",
        "other-7",
        "heat",
        None,
    ]
    assert json.loads(point_document(record, 0, rows[0]))["reused"] == "other-7"
    columns = await columns_of(shelf.blocks(record, roomy()))
    text = b"".join([part async for part in csv_of(record, columns, shelf.blocks(record, roomy()))]).decode()
    assert [row["reused"] for row in csv.DictReader(io.StringIO(text, newline=""))][-2:] == ["heat", ""]


async def test_results_of_others_are_in_the_zip_as_those_of_the_point() -> None:
    record, kept = with_results_of_others()
    files = await merged(kept, record)
    assert files["0/a.csv"] == files["3/a.csv"] == b"seven"
    assert files["1/out/data.csv"] == files["2/out/data.csv"] == b"of the job"
    assert files["5/log.txt"].startswith(b"log.txt of 5")
    assert not [name for name in files if name.startswith("4/") or "8" in name]


FILES = st.dictionaries(
    st.tuples(
        st.integers(0, 3),
        st.text("abc/", min_size=1, max_size=6).filter(lambda t: not set(t.split("/")) & {"", ".", ".."}),
    ),
    st.binary(max_size=400),
    max_size=8,
)


@given(st.lists(FILES, max_size=4))
def test_whatever_files_bundles_have_comes_out_of_the_merged_zip_as_it_went_in(
    bundles: list[dict[tuple[int, str], bytes]],
) -> None:
    import asyncio  # noqa: PLC0415

    kept = Kept()
    for number, files in enumerate(bundles):
        kept.objects[f"b{number}"] = zipped({f"{folder}/{name}": content for (folder, name), content in files.items()})

    async def run() -> bytes:
        merger = Merger(kept.store, Bundles(kept.store))
        parts = []
        for number in range(len(bundles)):
            stored = await kept.stat(f"b{number}")
            assert stored is not None
            parts.append(Part(stored, {f"{i}/": f"{number}-{i}/" for i in (0, 2)}))
        return b"".join([chunk async for chunk in merger.stream(parts)])

    with zipfile.ZipFile(io.BytesIO(asyncio.run(run()))) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {
        f"{number}-{folder}/{name}": content
        for number, files in enumerate(bundles)
        for (folder, name), content in files.items()
        if folder in (0, 2)
    }


async def test_a_zip_of_very_many_files_has_a_part_of_them_in_memory() -> None:
    count = 60_000
    members = [Member(f"f{number}", 0, 0, 0, deflated=False, header=0) for number in range(count)]
    out = bytearray()
    tracemalloc.start()
    try:
        with ZipStream() as stream:
            for number, member in enumerate(members):
                out += stream.begin(f"point-{number}/ä.txt", member)
            held = tracemalloc.get_traced_memory()[0] - len(out)
            async for chunk in stream.end():
                out += chunk
    finally:
        tracemalloc.stop()
    assert held < 50 * count
    with zipfile.ZipFile(io.BytesIO(out)) as archive:
        names = archive.namelist()
        assert (names[0], names[-1], len(names)) == ("point-0/ä.txt", f"point-{count - 1}/ä.txt", count)
        assert archive.read(names[1234]) == b""


async def test_a_zip_that_is_broken_off_leaves_nothing() -> None:
    async def endless() -> AsyncGenerator[bytes, None]:
        while True:
            yield b"x" * 100

    stream = ZipStream()
    with stream:
        chunks = stream.packed("table.csv", endless())
        await anext(chunks)
        await chunks.aclose()
    del stream, chunks
    gc.collect()


# Pictures
def gathered(rows: list[Row], metric: str = "error", *names: str) -> Gathered:
    found = Gathered(metric, dict(zip(("x", "y", "group"), names or ("a",), strict=False)))
    found.take(rows)
    return found


def row(index: int, value: float, **params: Any) -> Row:
    return Row(index, "Succeeded", params, {"metrics": {"error": value}, "seconds": 0.1})


def test_the_order_of_convergence_is_found() -> None:
    steps = [0.1 / 2**i for i in range(6)]
    fit = fitted(steps, [3 * h**2 for h in steps])
    assert fit.order == pytest.approx(2)
    assert fit.factor == pytest.approx(3)
    assert fit.r_squared == pytest.approx(1)


def test_an_order_needs_two_places_and_logarithms() -> None:
    for x, error in (([1.0], [1.0]), ([1.0, 1.0], [1.0, 2.0]), ([0.0, 1.0], [1.0, 2.0]), ([1.0, 2.0], [0.0, 1.0])):
        with pytest.raises(PlotError):
            fitted(x, error)


@pytest.mark.parametrize("kind", ["line", "convergence", "heatmap"])
@pytest.mark.parametrize("form", ["png", "svg"])
def test_every_kind_of_picture_is_drawn_and_the_same_points_give_the_same_bytes(kind: str, form: str) -> None:
    rows = [row(i, 0.5 ** (i % 8), a=2.0 ** -(i % 8), b=i // 8, c="xy"[i % 2]) for i in range(40)]
    query = PlotQuery.model_validate(
        {
            "metric": "error",
            "x": "a",
            "kind": kind,
            "format": form,
            **({"y": "b"} if kind == "heatmap" else {"group": "b"}),
        }
    )
    found = gathered(rows, "error", "a", "b")
    picture = draw(found, query)
    assert picture.startswith(b"\x89PNG" if form == "png" else b"<?xml")
    assert b"<script" not in picture
    assert draw(found, query) == picture


@pytest.mark.parametrize(
    "places", [{"a": [3.0], "b": [1, 2, 3, 4]}, {"a": [0.1, 0.01, 0.001], "b": ["x"]}, {"a": [0], "b": [7]}]
)
def test_a_heat_map_with_one_value_along_an_axis_has_cells(
    places: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Any, ...]] = []
    mesh = matplotlib.axes.Axes.pcolormesh

    def noted(axes: Any, *of: Any, **how: Any) -> Any:
        drawn.append(of)
        return mesh(axes, *of, **how)

    monkeypatch.setattr("matplotlib.axes.Axes.scatter", lambda *_, **__: pytest.fail("points instead of cells"))
    monkeypatch.setattr("matplotlib.axes.Axes.pcolormesh", noted)
    rows = [row(i, 1.0 + i, a=a, b=b) for i, (a, b) in enumerate(product(places["a"], places["b"]))]
    assert draw(gathered(rows, "error", "a", "b"), PlotQuery(metric="error", x="a", y="b"))
    across, up, _ = drawn[0]
    assert (len(across), len(up)) == (len(places["a"]) + 1, len(places["b"]) + 1)
    assert all(b > a for edges in (across, up) for a, b in pairwise(edges))


@pytest.mark.filterwarnings("ignore:Glyph")  # the font has no such letters: a box stands for each
@pytest.mark.parametrize("name", ["$x_{1}$", "\\frac{1}{", "a" * 63, "µ_温度", "\x01\x02", "<b>&amp;"])
def test_names_are_text_and_nothing_else(name: str) -> None:
    rows = [Row(i, "Succeeded", {name: f"${i % 3}", "a": i}, {"metrics": {name: i + 1.0}}) for i in range(9)]
    for form in ("png", "svg"):
        found = gathered(rows, name, name, name)
        assert draw(found, PlotQuery(metric=name, x=name, group=name, format=cast(Any, form)))


def test_fifty_thousand_points_are_drawn_too() -> None:
    rows = [row(i, (i % 997) + 1.0, a=i % 311, b=i % 173) for i in range(50_000)]
    assert len(draw(gathered(rows), PlotQuery(metric="error", x="a", format="svg"))) < 3_000_000
    assert draw(gathered(rows, "error", "a", "b"), PlotQuery(metric="error", x="a", y="b"))


def test_what_cannot_be_drawn_is_said_with_what_there_is() -> None:
    rows = [row(i, 1.0, a=i, b=f"t{i}") for i in range(60)]
    with pytest.raises(PlotError, match="there is no parameter 'z'; there are: a, b"):
        _ = gathered(rows, "error", "z").nothing
    with pytest.raises(PlotError, match="there is no metric 'speed'; there are: error"):
        _ = gathered(rows, "speed", "a").nothing
    with pytest.raises(PlotError, match="more than 50 of them"):
        draw(gathered(rows, "error", "b"), PlotQuery(metric="error", x="b"))
    with pytest.raises(PlotError, match="cannot be told apart"):
        draw(gathered(rows[:20], "error", "a", "b"), PlotQuery(metric="error", x="a", group="b"))
    with pytest.raises(PlotError, match="greater than 0"):
        draw(gathered(rows), PlotQuery(metric="error", x="a", scale="log"))
    with pytest.raises(PlotError, match="needs y"):
        draw(gathered(rows), PlotQuery(metric="error", x="a", kind="heatmap"))
    assert gathered([Row(0, "Pending", {"a": 1})]).nothing == "has succeeded"


def test_an_axis_is_logarithmic_where_its_values_are_spaced_so() -> None:
    assert is_geometric([10.0**i for i in range(-3, 2)])
    assert not is_geometric([0.1 * i for i in range(1, 100)])
    assert not is_geometric([0.0, 1.0, 10.0, 100.0])


async def test_a_parquet_file_has_what_64_bits_do_not_hold_and_what_is_mixed_as_texts() -> None:
    from pyarrow import parquet  # noqa: PLC0415 - half a second, for this test alone

    values: list[dict[str, Any]] = [
        {"big": 2**70, "mixed": 1, "flag": True},
        {"big": 1, "mixed": "x", "flag": None},
        {"f": 1},
        {"f": 0.5},
    ]
    rows = [row(i, 1.0, **params) for i, params in enumerate(values)]

    async def blocks() -> AsyncGenerator[list[Row], None]:
        for one in rows:
            yield [one]

    columns = Columns()
    columns.take(rows)
    record, _ = swept(4, 4)
    content = b"".join([part async for part in columnar.parquet_of(record, columns, blocks())])
    table = parquet.read_table(io.BytesIO(content)).to_pydict()
    assert table["big"] == [str(2**70), "1", None, None]
    assert table["mixed"] == ["1", "x", None, None]
    assert table["f"] == [None, None, 1.0, 0.5]
    assert table["flag"] == ["true", None, None, None]


async def test_a_table_of_long_texts_is_in_memory_in_parts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "GROUP_CHARACTERS", 100_000)
    texts = [f"{number:04}" + "\N{SNOWMAN}" * 4000 for number in range(1000)]
    columns = Columns()
    columns.take([row(0, 1.0, text="t")])
    record, _ = swept(4, 4)

    async def blocks() -> AsyncGenerator[list[Row], None]:
        for number, text in enumerate(texts):
            yield [row(number, 1.0, text=text + "")]

    alive: list[int] = []
    group = columnar._File.group

    def counted(self: columnar._File, rows: list[list[Any]]) -> bytes:
        alive.append(len(rows))
        return group(self, rows)

    monkeypatch.setattr(columnar._File, "group", counted)
    sizes = [len(part) async for part in columnar.parquet_of(record, columns, blocks())]
    assert sum(alive) == 1000
    assert max(alive) <= 26
    assert len(sizes) == len(alive)


def test_a_picture_keeps_each_text_once_and_refuses_too_many() -> None:
    rows = [row(i, 1.0, a=i, b="x" * 100 + str(i % 3)) for i in range(300)]
    found = gathered(rows, "error", "a", "b")
    assert len({id(values[1]) for _, values in found.points}) == 3
    with pytest.raises(PlotError, match="more than 50") as caught:
        gathered([row(i, 1.0, a=i, b=f"t{i}") for i in range(60)], "error", "a", "b")
    assert caught.value.field == "y"


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        ([0.5, 1.0, 0.5], {"0.5": [0, 2], "1": [1]}),
        ([1.0000001, 1.0000002, 0.1], {"0.1": [2], "1.0000001": [0], "1.0000002": [1]}),
        ([1, "1", 2], {"1": [0, 1], "2": [2]}),
    ],
)
def test_no_point_is_lost_when_groups_are_alike_in_six_digits(labels: list[Any], groups: dict[str, list[int]]) -> None:
    assert groups_of(labels, 10) == groups
