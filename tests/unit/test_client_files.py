"""What the client brings here: whole, unchanged, and nowhere but where it was told to."""

import hashlib
import io
import stat
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from clients import Gateway, all_of, asking, both, done, job, problem, streamed, sweep, told
from pyarrow import parquet

from simops_client import Conflict, DamagedDownload, Invalid, NotFound, Unavailable
from simops_client.core.unpack import unpack

CUT = httpx.ReadError("reset")
FILES = {"a.txt": b"one", "deep/b.csv": b"x,y\r\n1,2\r\n", "t=0:5.bin": bytes(range(256)) * 40}


def zip_of(files: dict[str, bytes], mode: int = stat.S_IFREG | 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return buffer.getvalue()


BUNDLE = zip_of(FILES)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Store:
    """A gateway with one result, that is cut after so many bytes of each answer."""

    def __init__(self, content: bytes = BUNDLE, cut: int | None = None, **more: Any) -> None:
        self.content = content
        self.cut = cut
        self.etag = '"v1"'
        self.job = job("Succeeded", **more)
        self.sha256: str | None = sha(content)
        self.files = [{"path": name, "bytes": len(data), "sha256": sha(data)} for name, data in FILES.items()]
        self.ranges: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1/jobs/sim-1")
        if path == "/artifacts":
            bundle = {"href": "x", "bytes": len(self.content)} | ({"sha256": self.sha256} if self.sha256 else {})
            return told({"job": "sim-1", "files": self.files, "skipped": [], "partial": False, "bundle": bundle})
        return self.result(request) if path == "/result" else told(self.job)

    def result(self, request: httpx.Request) -> httpx.Response:
        self.ranges.append(request.headers.get("Range"))
        begin, headers, status = 0, {"ETag": self.etag} if self.etag else {}, 200
        if "Range" in request.headers and request.headers["If-Range"] == self.etag:
            begin, status = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-")), 206
            if begin >= len(self.content):
                return problem(416)
            headers["Content-Range"] = f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}"
        rest = self.content[begin:]
        if self.cut is None or len(rest) <= self.cut:
            return streamed(rest, media="application/zip", status=status, **headers)
        return streamed(rest[: self.cut], CUT, media="application/zip", status=status, **headers)


async def fetched(kind: str, store: Store, folder: Path, **options: Any) -> Path:
    with asking(kind, store, retries=options.pop("retries", 20)) as (client, _):
        found: Path = await done((await done(client.job("sim-1"))).download(folder, **options))
    return found


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@both
async def test_a_result_is_unpacked_and_nothing_else_is_left(kind: str, tmp_path: Path) -> None:
    assert await fetched(kind, Store(), tmp_path / "out") == tmp_path / "out"
    assert below(tmp_path) == {f"out/{name}": content for name, content in FILES.items()}


@both
async def test_a_zip_may_be_named_itself_and_a_folder_of_such_a_name_is_one(kind: str, tmp_path: Path) -> None:
    named = tmp_path / "new" / "x.zip"
    assert await fetched(kind, Store(), named, unpack=False) == named
    assert below(tmp_path) == {"new/x.zip": BUNDLE}
    named.unlink()
    named.mkdir()
    assert await fetched(kind, Store(), named, unpack=False) == named / "sim-1.zip"


@both
async def test_a_download_that_is_cut_goes_on_where_it_was(kind: str, tmp_path: Path) -> None:
    store = Store(cut=3000)
    found = await fetched(kind, store, tmp_path, unpack=False)
    assert found == tmp_path / "sim-1.zip"
    assert below(tmp_path) == {"sim-1.zip": BUNDLE}
    assert store.ranges == [None, "bytes=3000-", "bytes=6000-", "bytes=9000-"]


@both
async def test_a_download_may_be_cut_as_often_as_it_likes_while_something_arrives(kind: str, tmp_path: Path) -> None:
    store = Store(cut=100)
    await fetched(kind, store, tmp_path, unpack=False, retries=1)
    assert below(tmp_path) == {"sim-1.zip": BUNDLE}
    assert len(store.ranges) == -(-len(BUNDLE) // 100)
    store.cut = 0
    with pytest.raises(Unavailable):
        await fetched(kind, store, tmp_path, unpack=False, retries=1)


@both
async def test_a_later_call_goes_on_with_what_an_earlier_one_has_left(kind: str, tmp_path: Path) -> None:
    store = Store(cut=3000)
    with pytest.raises(Unavailable):
        await fetched(kind, store, tmp_path, unpack=False, retries=0)
    assert (tmp_path / "sim-1.zip.part").stat().st_size == 3000
    store.cut = None
    await fetched(kind, store, tmp_path, unpack=False)
    assert store.ranges == [None, "bytes=3000-"]
    assert below(tmp_path) == {"sim-1.zip": BUNDLE}


@both
async def test_what_has_changed_in_between_is_fetched_anew(kind: str, tmp_path: Path) -> None:
    store = Store(cut=3000)
    with pytest.raises(Unavailable):
        await fetched(kind, store, tmp_path, unpack=False, retries=0)
    other = Store(zip_of({"a.txt": b"two"}))
    other.etag = '"v2"'
    await fetched(kind, other, tmp_path, unpack=False)
    assert below(tmp_path) == {"sim-1.zip": other.content}


@both
async def test_without_a_tag_nothing_is_gone_on_with(kind: str, tmp_path: Path) -> None:
    store = Store(cut=8000)
    store.etag = ""
    with pytest.raises(Unavailable):
        await fetched(kind, store, tmp_path, unpack=False, retries=2)
    assert store.ranges == [None, None, None]


@both
async def test_a_whole_part_that_was_never_renamed_is_no_reason_to_stop(kind: str, tmp_path: Path) -> None:
    (tmp_path / "sim-1.zip.part").write_bytes(BUNDLE)
    (tmp_path / "sim-1.zip.part.tag").write_text('"v1"')
    await fetched(kind, Store(), tmp_path, unpack=False)
    assert below(tmp_path) == {"sim-1.zip": BUNDLE}


@both
async def test_a_wrong_checksum_is_tried_once_more_and_then_told(kind: str, tmp_path: Path) -> None:
    store = Store()
    store.sha256 = "0" * 64
    with pytest.raises(DamagedDownload, match="checksum"):
        await fetched(kind, store, tmp_path, unpack=False)
    assert (len(store.ranges), below(tmp_path)) == (2, {})


@both
async def test_a_file_in_the_zip_is_held_to_its_own_checksum(kind: str, tmp_path: Path) -> None:
    store = Store()
    store.files[0]["sha256"] = "0" * 64
    with pytest.raises(DamagedDownload, match=r"'a\.txt': its checksum"):
        await fetched(kind, store, tmp_path)
    assert below(tmp_path) == {}


def test_a_name_that_steers_a_terminal_is_written_out_where_it_is_told(tmp_path: Path) -> None:
    name = "\x1b[2J\u202ex.txt"
    (tmp_path / "x.zip").write_bytes(zip_of({name: b"1"}))
    with pytest.raises(DamagedDownload) as told_of:
        unpack(tmp_path / "x.zip", tmp_path / "out", {name: "0" * 64})
    assert str(told_of.value).startswith("'\\x1b[2J\\u202ex.txt': its checksum")


@both
async def test_the_zip_of_a_point_is_not_held_to_the_checksum_of_the_whole_bundle(kind: str, tmp_path: Path) -> None:
    store = Store(sweep="s-1", index=1)
    store.sha256 = "0" * 64
    await fetched(kind, store, tmp_path)
    assert set(below(tmp_path)) == set(FILES)


@both
@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/etc/out.txt", "deep/../../../out.txt"])
async def test_no_path_leads_out_of_the_folder(kind: str, name: str, tmp_path: Path) -> None:
    store = Store(zip_of({"first.txt": b"1", name: b"2"}))
    with pytest.raises(DamagedDownload, match="leads out of the folder"):
        await fetched(kind, store, tmp_path / "out")
    assert below(tmp_path) == {}


@both
async def test_an_id_leads_nowhere_either(kind: str, tmp_path: Path) -> None:
    store = Store()
    store.job["id"] = "../../x"
    with asking(kind, lambda request: store(_named(request))) as (client, _):
        await done((await done(client.job("sim-1"))).download(tmp_path / "a" / "b", unpack=False))
    assert below(tmp_path) == {"a/b/..%2F..%2Fx.zip": BUNDLE}


def _named(request: httpx.Request) -> httpx.Request:
    path = request.url.raw_path.replace(b"..%2F..%2Fx", b"sim-1").decode()
    return httpx.Request(request.method, f"http://gateway{path}", headers=request.headers)


def test_a_link_in_the_archive_or_in_the_folder_leads_nowhere(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "kept.txt").write_text("kept")
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of({"link": b"../outside"}, stat.S_IFLNK | 0o777))
    with pytest.raises(DamagedDownload, match="no plain file"):
        unpack(archive, folder)
    (folder / "link").symlink_to(outside)
    (folder / "kept.txt").symlink_to(outside / "kept.txt")
    for name in ("link/new.txt", "kept.txt"):
        archive.write_bytes(zip_of({name: b"bad"}))
        with pytest.raises(DamagedDownload, match="by a link"):
            unpack(archive, folder)
    assert below(outside) == {"kept.txt": b"kept"}


@pytest.mark.parametrize("content", [b"", b"no zip", BUNDLE[:-30], BUNDLE.replace(b"one", b"two")])
def test_what_is_no_good_zip_is_told_and_leaves_no_half_file(content: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    with pytest.raises(DamagedDownload, match="no zip that can be read"):
        unpack(archive, tmp_path / "out")
    assert not below(tmp_path / "out")


@both
async def test_a_download_from_the_store_goes_on_at_a_new_address(kind: str, tmp_path: Path) -> None:
    store = Store(cut=6000)
    asked: list[tuple[str, str | None]] = []

    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.host == "store":
            asked.append((request.url.query.decode(), request.headers.get("Authorization")))
            return store.result(request)
        if request.url.path.endswith("/result"):
            return httpx.Response(307, headers={"Location": f"http://store/pod.zip?signed={len(asked)}"})
        return store(request)

    with asking(kind, serve, retries=5) as (client, _):
        await done((await done(client.job("sim-1"))).download(tmp_path, unpack=False))
    assert below(tmp_path) == {"sim-1.zip": BUNDLE}
    assert asked == [("signed=0", None), ("signed=1", None)]
    assert store.ranges == [None, "bytes=6000-"]


# Single files
PNG = b"\x89PNG\r\n\x1a\n and so on"


@both
async def test_a_figure_is_a_picture_that_a_notebook_shows(kind: str) -> None:
    def listed(*names: str) -> httpx.Response:
        return told({"job": "sim-1", "files": [{"path": name, "bytes": 9} for name in names], "bundle": {"bytes": 9}})

    answers = [told(job()), listed("a.csv", "plots/b.PNG"), httpx.Response(200, content=PNG)]
    answers += [listed("a.csv"), listed("a.png", "b.jpg"), httpx.Response(200, content=b"<svg/>")]
    gateway = Gateway(*answers)
    with asking(kind, gateway) as (client, _):
        found = await done(client.job("sim-1"))
        picture = await done(found.figure())
        assert (bytes(picture), picture._repr_png_(), picture._repr_jpeg_()) == (PNG, PNG, None)
        assert repr(picture) == f"<Picture png, {len(PNG)} bytes>"
        with pytest.raises(ValueError, match="has left no picture"):
            await done(found.figure())
        with pytest.raises(ValueError, match=r"say which: a\.png, b\.jpg"):
            await done(found.figure())
        with pytest.raises(ValueError, match="neither PNG nor JPEG"):
            await done(found.figure("x.svg"))
    assert gateway.asked[2] == "GET jobs/sim-1/artifacts/plots/b.PNG"


@both
async def test_a_file_is_bytes_or_json_or_an_array(kind: str) -> None:
    buffer, pickled = io.BytesIO(), io.BytesIO()
    np.save(buffer, np.arange(6).reshape(2, 3))
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    bodies = (b"\0\1", b'{"l2_error": 0.5}', buffer.getvalue(), pickled.getvalue())
    gateway = Gateway(told(job()), *(httpx.Response(200, content=body) for body in bodies), problem(404))
    with asking(kind, gateway) as (client, _):
        found = await done(client.job("sim-1"))
        assert await done(found.file("deep/ä b#.bin")) == b"\0\1"
        assert await done(found.json("summary.json")) == {"l2_error": 0.5}
        assert (await done(found.array("x.npy"))).tolist() == [[0, 1, 2], [3, 4, 5]]
        with pytest.raises(ValueError, match="allow_pickle"):
            await done(found.array("x.npy"))
        with pytest.raises(NotFound):
            await done(found.file("none"))
    assert gateway.asked[1] == "GET jobs/sim-1/artifacts/deep/%C3%A4%20b%23.bin"


@both
async def test_the_files_of_a_result_are_listed(kind: str) -> None:
    with asking(kind, Store()) as (client, _):
        listed = await done((await done(client.job("sim-1"))).artifacts())
    assert {one.path: one.bytes for one in listed.files} == {name: len(content) for name, content in FILES.items()}
    gateway = Gateway(told(job()), problem(409, "job sim-1 is Running"))
    with asking(kind, gateway) as (client, _), pytest.raises(Conflict, match="is Running"):
        await done((await done(client.job("sim-1"))).artifacts())


# Sweeps
POINTS: list[dict[str, Any]] = [
    {
        "index": 0,
        "id": "s-1-0",
        "status": "Succeeded",
        "params": {"d": 0.1, "id": 7},
        "seconds": 0.5,
        "metrics": {"err": 1.0, "d": 2.0},
    },
    {"index": 1, "id": "s-1-1", "status": "Pending", "params": {"d": 0.2, "id": 8}},
]
HEADS = ["index", "id", "status", "reason", "exit_code", "seconds", "d", "params.id", "metrics.d", "err"]


@both
async def test_rows_have_the_columns_that_the_gateway_gives_its_own_tables(kind: str) -> None:
    with asking(kind, Gateway(told(sweep()), told(POINTS))) as (client, _):
        found = await done(client.get_sweep("s-1"))
        first, second = await done(found.rows())
        assert await done(found.table(as_="rows")) == [first, second]
    assert list(first) == list(second) == HEADS
    assert (first["d"], first["params.id"], first["metrics.d"], first["err"]) == (0.1, 7, 2.0, 1.0)
    assert (second["err"], second["status"]) == (None, "Pending")


@both
async def test_a_table_is_a_data_frame_or_an_arrow_table(kind: str) -> None:
    sink = io.BytesIO()
    parquet.write_table(pa.table({"index": [0, 1], "err": [1.0, None]}), sink)
    gateway = Gateway(told(sweep()), httpx.Response(200, content=sink.getvalue()))
    with asking(kind, gateway) as (client, _):
        found = await done(client.get_sweep("s-1"))
        frame = await done(found.table())
        assert isinstance(frame, pd.DataFrame)
        assert list(frame.columns) == ["index", "err"]
        table = await done(found.table(as_="arrow"))
        assert table.column("err").to_pylist() == [1.0, None]
    assert gateway.asked[1:] == ["GET sweeps/s-1/table?format=parquet"] * 2


@both
async def test_without_pyarrow_a_data_frame_is_made_of_json(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simops_client.core.tables.find_spec", lambda name: name == "pandas" or None)
    with asking(kind, Gateway(told(sweep()), told(POINTS))) as (client, _):
        frame = await done((await done(client.get_sweep("s-1"))).table())
    assert list(frame.columns) == HEADS
    monkeypatch.setattr("simops_client.core.tables.find_spec", lambda _: None)
    with asking(kind, Gateway(told(sweep()), told(POINTS))) as (client, _):
        assert isinstance(await done((await done(client.get_sweep("s-1"))).table()), list)


@both
async def test_points_are_given_page_by_page(kind: str) -> None:
    gateway = Gateway(told(sweep()), told({"items": POINTS, "page": 1, "size": 200, "total": 2}))
    with asking(kind, gateway) as (client, _):
        found = await done(client.get_sweep("s-1"))
        assert [(one.index, one.params["d"]) for one in await all_of(found.points(status="failed"))] == [
            (0, 0.1),
            (1, 0.2),
        ]
    assert gateway.requests[1].url.params["status"] == "failed"


@both
async def test_a_plot_is_bytes(kind: str) -> None:
    gateway = Gateway(told(sweep()), httpx.Response(200, content=b"\x89PNG"), problem(422))
    with asking(kind, gateway) as (client, _):
        found = await done(client.get_sweep("s-1"))
        assert await done(found.plot("err", "d", group="m", kind="line")) == b"\x89PNG"
        with pytest.raises(Invalid):
            await done(found.plot("err", "nothing"))
    assert gateway.asked[1] == "GET sweeps/s-1/plot?metric=err&x=d&group=m&kind=line&format=png"


@both
async def test_the_results_of_a_sweep_are_one_folder(kind: str, tmp_path: Path) -> None:
    content = zip_of({"s-1-0/a.txt": b"1", "table.csv": b"index\r\n"})
    gateway = Gateway(
        told(sweep()), streamed(content[:50], CUT, media="application/zip"), streamed(content, media="application/zip")
    )
    with asking(kind, gateway) as (client, _):
        found = await done(client.get_sweep("s-1"))
        await done(found.result(tmp_path / "out"))
    assert below(tmp_path) == {"out/s-1-0/a.txt": b"1", "out/table.csv": b"index\r\n"}
