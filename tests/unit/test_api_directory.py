"""The directory of a zip, seen from its end: it says what zipfile says, and asks for no more than it needs."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simops_api.artifacts.directory import (
    LOCAL_HEADER_BYTES,
    TAIL_BYTES,
    BundleError,
    IncompleteError,
    Member,
    data_offset,
    directory_of,
    is_path,
)
from simops_operator.pod.archive import Archive

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..")
)
FILES = st.dictionaries(NAMES, st.tuples(st.binary(max_size=3000), st.booleans()), max_size=12)


class Pipe(io.BytesIO):
    """Cannot go back, so that the sizes of a file follow it."""

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def zipped(files: dict[str, tuple[bytes, bool]], *, streamed: bool = False) -> bytes:
    out = Pipe() if streamed else io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, (content, deflated) in files.items():
            method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def seen(bundle: bytes, first: int) -> tuple[dict[str, Member], int]:
    """Return the directory, and how much of the bundle's end had to be seen; begin with so many bytes."""
    start = max(0, len(bundle) - first)
    while True:
        try:
            return dict(directory_of(bundle[start:], len(bundle))), len(bundle) - start
        except IncompleteError as error:
            further = error.start
        assert further < start
        start = further


def content_of(bundle: bytes, member: Member) -> bytes:
    start = data_offset(bundle[member.header : member.header + LOCAL_HEADER_BYTES], member)
    packed = bundle[start : start + member.packed]
    content = zlib.decompress(packed, -zlib.MAX_WBITS) if member.deflated else packed
    assert (len(content), zlib.crc32(content)) == (member.bytes, member.crc32)
    return content


@given(files=FILES, first=st.integers(1, 5000), streamed=st.booleans())
def test_every_file_is_what_zipfile_reads(files: dict[str, tuple[bytes, bool]], first: int, streamed: bool) -> None:
    bundle = zipped(files, streamed=streamed)
    directory, read = seen(bundle, first)
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        assert {path: content_of(bundle, member) for path, member in directory.items()} == {
            name: archive.read(name) for name in archive.namelist()
        }
        assert read <= max(first, len(bundle) - archive.start_dir)


@settings(max_examples=20, deadline=None)
@given(
    files=st.dictionaries(
        st.text("abcü ", min_size=1, max_size=9).filter(str.strip), st.binary(max_size=90_000), max_size=5
    )
)
def test_what_the_bundle_container_writes_is_read(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("outputs")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    bundle = b"".join(Archive(str(folder)).chunks())
    directory, _ = seen(bundle, TAIL_BYTES)
    assert {path: content_of(bundle, member) for path, member in directory.items()} == files


def test_sizes_of_more_than_32_bits_are_understood() -> None:
    # 5 GiB of nothing, of which only the end is ever there.
    size = 5 << 30
    head = struct.pack("<4s5HLLLHH", b"PK\3\4", 45, 0, 0, 0, 0, 0, 0, 0, 3, 0) + b"big"
    extra = struct.pack("<HHQQ", 1, 16, size, size)
    central = struct.pack(
        "<4s6H3L5HLL", b"PK\1\2", 45, 45, 0, 0, 0, 0, 7, *[0xFFFFFFFF] * 2, 3, len(extra), 0, 0, 0, 0, 0
    )
    central += b"big" + extra
    at = len(head) + size
    end = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(central), at)
    end += struct.pack("<4sLQL", b"PK\6\7", 0, at + len(central), 1)
    end += struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 1, 1, len(central), 0xFFFFFFFF, 0)
    directory = directory_of(central + end, at + len(central) + len(end))
    assert directory == {"big": Member("big", size, size, 7, deflated=False, header=0)}


@given(data=st.data(), files=FILES)
def test_what_is_damaged_is_said_to_be(data: st.DataObject, files: dict[str, tuple[bytes, bool]]) -> None:
    bundle = bytearray(zipped(files))
    for _ in range(data.draw(st.integers(1, 8))):
        bundle[data.draw(st.integers(0, len(bundle) - 1))] = data.draw(st.integers(0, 255))
    try:
        directory, _ = seen(bytes(bundle), len(bundle))
    except (BundleError, AssertionError):
        return
    for path, member in directory.items():
        assert is_path(path)
        assert member.bytes >= 0


@pytest.mark.parametrize("tail", [b"", b"PK", b"no zip at all" * 99])
def test_what_is_no_zip_is_said_to_be_none(tail: bytes) -> None:
    with pytest.raises(BundleError, match="no zip"):
        directory_of(tail, len(tail))


def test_a_directory_that_claims_to_be_as_large_as_the_bundle_is_not_made_room_for() -> None:
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 1, 1, 0xFFFFFFF0, 0, 0)
    with pytest.raises(IncompleteError) as error:
        directory_of(bytes(99) + end, (1 << 40) + len(end))
    assert error.value.start == (1 << 40) - 0xFFFFFFF0


@pytest.mark.parametrize(
    "path", ["", "/", "/etc/passwd", "..", "a/../b", "./a", "a//b", "a/", "a\0b", "../../x", "x" * 5000]
)
def test_a_path_that_leads_elsewhere_is_none(path: str) -> None:
    assert not is_path(path)


@pytest.mark.parametrize("path", ["a", "a/b.csv", "...", "a..b", "..a/b", "ü/λ.txt", "a b", "a\\b", "a\nb"])
def test_any_other_name_is_one(path: str) -> None:
    assert is_path(path)


def test_an_encrypted_file_is_not_served() -> None:
    bundle = bytearray(zipped({"a": (b"secret", False)}))
    at = bundle.index(b"PK\1\2")
    bundle[at + 8] |= 1
    with pytest.raises(BundleError, match="encrypted"):
        directory_of(bytes(bundle), len(bundle))


def test_a_directory_that_leads_to_something_else_is_found_out() -> None:
    member = Member("a", 1, 1, 0, deflated=False, header=0)
    with pytest.raises(BundleError, match="does not begin"):
        data_offset(b"x" * LOCAL_HEADER_BYTES, member)


def test_the_folder_of_a_zip_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("folder")
        archive.writestr("folder/a", b"")
    assert set(directory_of(path.read_bytes(), path.stat().st_size)) == {"folder/a"}
