"""The zip stream: any tree of files comes out as it went in, and nothing in the tree can break it."""

import hashlib
import io
import json
import os
import shutil
import socket
import stat
import subprocess
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simops_operator.pod import archive
from simops_operator.pod.archive import Archive

ODD_NAMES = [
    b"a\nb",
    b"-rf",
    b"back\\slash\\..\\x",
    b"..x..",
    "e\u0301".encode(),
    "\u00e9".encode(),
    b"\xff\xfe.bin",
    b"%FF%FE.bin",
    b"sp ace ",
    b'tab\t*?"<>|',
    "\U0001f30a.csv".encode(),
    b"x" * 255,
    b"\x01\x7f",
]
SLOW_IS_FINE = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

names = st.one_of(
    st.sampled_from(ODD_NAMES),
    st.binary(min_size=1, max_size=20).map(lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"_")),
    st.text("ab.", min_size=1, max_size=4).map(str.encode),
).filter(lambda raw: raw not in (b".", b".."))
contents = st.one_of(
    st.binary(max_size=300),
    st.integers(0, 3 * archive.SMALL).map(lambda size: b"simops" * (size // 6)),
    st.integers(0, 3 * archive.SMALL).map(lambda size: hashlib.shake_128(b"x").digest(size)),
)
trees = st.recursive(
    st.dictionaries(names, contents, max_size=6), lambda inner: st.dictionaries(names, inner, max_size=4), max_leaves=12
)


def plant(folder: bytes, tree: object) -> dict[bytes, bytes]:
    """Make the tree on disk; return its files by path."""
    files: dict[bytes, bytes] = {}
    assert isinstance(tree, dict)
    for name, content in tree.items():
        path = folder + b"/" + name
        if isinstance(content, dict):
            Path(os.fsdecode(path)).mkdir()
            files.update({name + b"/" + inner: data for inner, data in plant(path, content).items()})
        else:
            Path(os.fsdecode(path)).write_bytes(content)
            files[name] = content
    return files


def zipped(root: Path) -> tuple[Archive, bytes]:
    taken = Archive(str(root))
    return taken, b"".join(taken.chunks())


def read(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        assert len(set(file.namelist())) == len(file.namelist())
        return {name: file.read(name) for name in file.namelist()}


def manifest(taken: Archive) -> list[dict[str, object]]:
    listed = json.loads(b"[" + bytes(taken.entries) + b"]")
    assert isinstance(listed, list)
    return listed


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder


@SLOW_IS_FINE
@given(tree=trees)
def test_any_tree_of_files_comes_out_of_the_zip_as_it_went_in(tmp_path: Path, tree: object) -> None:
    root = tmp_path / "tree"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    files = plant(bytes(root), tree)
    taken, data = zipped(root)
    found = read(data)
    assert sorted(found.values()) == sorted(files.values())
    for path, content in files.items():
        try:
            name = path.decode()
        except UnicodeDecodeError:
            continue
        assert found[name] == content
    assert (taken.files, taken.bytes, taken.skipped) == (len(files), sum(map(len, files.values())), [])
    assert (taken.size, taken.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    lines = manifest(taken)
    assert {line["path"]: line["sha256"] for line in lines} == {
        name: hashlib.sha256(content).hexdigest() for name, content in found.items()
    }
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert [line["crc32"] for line in lines] == [f"{info.CRC:08x}" for info in file.infolist()]


def test_odd_names_are_kept_and_names_that_are_not_utf8_are_escaped_without_clashes(outputs: Path) -> None:
    files = plant(bytes(outputs), {name: name for name in ODD_NAMES})
    found = read(zipped(outputs)[1])
    assert found.pop("%FF%FE.bin~") == b"\xff\xfe.bin"
    assert found == {name.decode(): content for name, content in files.items() if name != b"\xff\xfe.bin"}


def test_the_zip_depends_on_names_contents_and_times_only(outputs: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    for folder, order in ((outputs, "cab"), (again, "bca")):
        for name in order:
            (folder / name).write_text(name)
            os.utime(folder / name, (1, 1_600_000_001))
    (again / "a").chmod(0o640)
    assert zipped(outputs)[1] == zipped(again)[1]


def test_entries_are_sorted_by_their_whole_path(outputs: Path) -> None:
    plant(bytes(outputs), {b"a": {b"x": b""}, b"a.txt": b"", b"a-b": b"", b"B": b""})
    assert list(read(zipped(outputs)[1])) == ["B", "a-b", "a.txt", "a/x"]


@pytest.mark.parametrize("modified", [0, 315_532_799, 1_600_000_001, 2**31, 2**33, -5])
def test_modification_times_are_kept_as_far_as_a_zip_can(outputs: Path, modified: int) -> None:
    (outputs / "a").write_text("a")
    os.utime(outputs / "a", (modified, modified))
    data = zipped(outputs)[1]
    assert read(data) == {"a": b"a"}
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        year = file.infolist()[0].date_time[0]
    assert year == {0: 1980, 315_532_799: 1980, 1_600_000_001: 2020, 2**31: 2038, 2**33: 2106, -5: 1980}[modified]


def test_the_unzip_program_reads_it(outputs: Path, tmp_path: Path) -> None:
    unzip = shutil.which("unzip")
    if unzip is None:
        pytest.skip("unzip is not installed")
    os.utime(outputs, (1, 1))
    plant(
        bytes(outputs), {b"a": {b"big": b"simops" * archive.SMALL}, "é".encode(): b"x", b"noise": os.urandom(1 << 21)}
    )
    target = tmp_path / "a.zip"
    target.write_bytes(zipped(outputs)[1])
    done = subprocess.run([unzip, "-tq", target], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_empty_folder_gives_a_valid_empty_zip(outputs: Path) -> None:
    (outputs / "empty").mkdir()
    taken, data = zipped(outputs)
    assert (taken.files, taken.bytes, read(data)) == (0, 0, {})


def test_a_missing_folder_is_an_error_and_not_an_empty_zip(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        zipped(tmp_path / "none")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/etc/passwd", "outside"),
        ("../secret", "outside"),
        ("../outputs-not/secret", "outside"),
        ("inner/../../secret", "outside"),
        ("/proc/self/environ", "outside"),
        ("/dev/null", "outside"),
        ("loop", "nowhere"),
        ("absent", "nowhere"),
        ("inner", "folder"),
        (".", "outside"),
        ("inner/fifo", "FIFO"),
    ],
)
def test_a_link_that_is_no_file_of_the_outputs_is_skipped_with_the_reason(
    outputs: Path, tmp_path: Path, target: str, why: str
) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "outputs-not").mkdir()
    (tmp_path / "outputs-not" / "secret").write_text("secret")
    (outputs / "inner").mkdir()
    os.mkfifo(outputs / "inner" / "fifo")
    (outputs / "loop").symlink_to(target)
    taken, data = zipped(outputs)
    assert read(data) == {}
    assert why in dict(taken.skipped)["loop"]


@pytest.mark.parametrize("target", ["inner/a", "../outputs/inner/a", "inner/chain", "{root}/inner/a"])
def test_a_link_to_a_file_of_the_outputs_is_bundled_as_that_file(outputs: Path, target: str) -> None:
    (outputs / "inner").mkdir()
    (outputs / "inner" / "a").write_text("a")
    (outputs / "inner" / "chain").symlink_to("a")
    (outputs / "latest").symlink_to(target.format(root=outputs))
    taken, data = zipped(outputs)
    assert read(data)["latest"] == b"a"
    assert taken.skipped == []


def test_sockets_and_fifos_are_skipped_and_never_opened(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(outputs / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(outputs)
        server.bind("sock")
        taken, data = zipped(outputs)
    assert dict(taken.skipped) == {"fifo": "a FIFO", "sock": "a socket"}
    assert read(data) == {}


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes device nodes")
def test_devices_are_skipped(outputs: Path) -> None:
    os.mknod(outputs / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    assert dict(zipped(outputs)[0].skipped) == {"zero": "a device"}


def test_a_file_that_turned_into_something_else_after_it_was_listed_is_not_read(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("secret")
    for name in ("link", "fifo", "gone", "folder"):
        (outputs / name).write_text("as listed")
    listing = archive._listing

    def swap_after_listing(folder: int) -> list[tuple[bytes, str, str]]:
        listed = listing(folder)
        for name in ("link", "fifo", "gone", "folder"):
            (outputs / name).unlink()
        (outputs / "link").symlink_to(tmp_path / "secret")
        os.mkfifo(outputs / "fifo")
        (outputs / "folder").mkdir()
        return listed

    monkeypatch.setattr(archive, "_listing", swap_after_listing)
    taken, data = zipped(outputs)
    assert read(data) == {}
    assert sorted(name for name, _why in taken.skipped) == ["fifo", "folder", "gone", "link"]


def test_a_folder_that_turned_into_a_link_is_not_entered(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (outputs / "inner").mkdir()
    listing = archive._listing

    def swap_after_listing(folder: int) -> list[tuple[bytes, str, str]]:
        listed = listing(folder)
        (outputs / "inner").rmdir()
        (outputs / "inner").symlink_to(outside)
        return listed

    monkeypatch.setattr(archive, "_listing", swap_after_listing)
    taken, data = zipped(outputs)
    assert read(data) == {}
    assert len(taken.skipped) == 1


@pytest.mark.parametrize("compressible", [True, False])
@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_a_file_that_changes_while_it_is_read_gives_a_valid_entry(
    outputs: Path, compressible: bool, factor: float
) -> None:
    size = 8 * archive.SMALL + 1000
    content = b"\0" * size if compressible else os.urandom(size)
    (outputs / "a").write_bytes(content)
    (outputs / "b").write_bytes(b"after")
    taken = Archive(str(outputs))
    stream = taken.chunks()
    head = [next(stream), next(stream)]
    os.truncate(outputs / "a", int(size * factor))
    found = read(b"".join([*head, *stream]))
    assert len(found["a"]) <= size
    assert content.startswith(found["a"][: len(content)])
    assert found["b"] == b"after"


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_skipped_with_the_reason(outputs: Path) -> None:
    (outputs / "a").write_text("a")
    (outputs / "a").chmod(0)
    assert dict(zipped(outputs)[0].skipped) == {"a": "cannot be read: Permission denied"}


def test_a_read_error_skips_a_small_file_and_cuts_a_large_one(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (outputs / "large").write_bytes(b"x" * 4 * archive.SMALL)
    (outputs / "small").write_bytes(b"x")
    real, calls = os.read, iter(range(100))

    def failing(file: int, size: int) -> bytes:
        if next(calls) > 2:
            raise OSError(5, "Input/output error")
        return real(file, size)

    monkeypatch.setattr(os, "read", failing)
    taken, data = zipped(outputs)
    assert list(read(data)) == ["large"]
    assert "cut after" in dict(taken.skipped)["large"]
    assert dict(taken.skipped)["small"] == "cannot be read: Input/output error"


def test_a_tree_that_is_too_deep_is_cut_there_with_the_reason(outputs: Path) -> None:
    folder = os.open(outputs, os.O_RDONLY)
    for _level in range(300):
        os.mkdir("d" * 20, dir_fd=folder)
        inner = os.open("d" * 20, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    (outputs / "x").write_text("x")
    taken, data = zipped(outputs)
    assert list(read(data)) == ["x"]
    assert [why for _name, why in taken.skipped] == ["more than 200 folders deep"]


def test_text_is_deflated_and_noise_is_stored(outputs: Path) -> None:
    plant(
        bytes(outputs),
        {
            b"large-noise": os.urandom(2 * archive.SMALL),
            b"large-text": b"0.125,300.0\n" * archive.SMALL,
            b"noise": os.urandom(5000),
            b"text": b"0.125,300.0\n" * 500,
            b"tail": os.urandom(archive.SMALL) + bytes(archive.SMALL),
        },
    )
    with zipfile.ZipFile(io.BytesIO(zipped(outputs)[1])) as file:
        methods = {info.filename: info.compress_type for info in file.infolist()}
    assert methods == {"large-noise": 0, "large-text": 8, "noise": 0, "tail": 8, "text": 8}


def test_more_than_65535_files_need_zip64_and_get_it(outputs: Path) -> None:
    folder = os.open(outputs, os.O_RDONLY)
    for index in range(65_540):
        os.close(os.open(f"{index}", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    taken, data = zipped(outputs)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert len(file.namelist()) == taken.files == 65_540


def sink(root: Path) -> Iterator[int]:
    for chunk in Archive(str(root)).chunks():
        yield len(chunk)


def test_memory_stays_the_same_whatever_the_size_of_the_outputs(outputs: Path) -> None:
    for name, size in (("holes", 1 << 28), ("noise", 0)):
        with (outputs / name).open("wb") as file:
            file.truncate(size)
            file.writelines(os.urandom(1 << 20) for _block in range(32 if name == "noise" else 0))
    tracemalloc.start()
    try:
        total = sum(sink(outputs))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total > 1 << 25
    assert peak < 4 << 20


def test_sizes_and_offsets_beyond_4_gib_are_written_as_zip64(
    outputs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (outputs / "a").open("wb") as file:
        file.truncate((1 << 32) + 5)
    (outputs / "b").write_text("b")
    monkeypatch.setattr(hashlib, "sha256", Unhashed)
    monkeypatch.setattr(archive, "_shrinks", lambda *_: False)
    zeros, real_read, real_crc = bytes(1 << 18), os.read, zlib.crc32
    monkeypatch.setattr(os, "read", lambda file, size: zeros if size == len(zeros) else real_read(file, size))
    monkeypatch.setattr(zlib, "crc32", lambda data, crc=0: 0 if data is zeros else real_crc(data, crc))
    with (tmp_path / "a.zip").open("w+b") as target:
        for chunk in Archive(str(outputs)).chunks():
            if chunk is zeros:
                target.seek(len(zeros), os.SEEK_CUR)  # 4 GiB of holes instead of 4 GiB on disk.
            else:
                target.write(chunk)
        with zipfile.ZipFile(target) as zipped_file:
            assert [info.file_size for info in zipped_file.infolist()] == [(1 << 32) + 5, 1]
            assert zipped_file.infolist()[1].header_offset > 1 << 32
            assert zipped_file.read("b") == b"b"


class Unhashed:
    """Instead of hashing 4 GiB of zeros."""

    def __init__(self, _data: bytes = b"") -> None:
        pass

    def update(self, _data: bytes) -> None:
        pass

    def hexdigest(self) -> str:
        return "-"
