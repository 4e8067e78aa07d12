"""The directory of a zip, read from the zip's end (pure).

``directory_of`` is given the last bytes of a bundle and says which file lies where, or from where on it must see the bundle for that.
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, cast

TAIL_BYTES = 128 << 10
"""How much of a bundle's end is looked at first: the directory of about a thousand files, or the whole of a small bundle."""
LOCAL_HEADER_BYTES = 30
_LOCAL_HEADER = struct.Struct("<4s5HLLLHH")
_ENCRYPTED = 0x1
_MAX_PATH = 4096


class BundleError(Exception):
    """The bundle in the store is not what it should be; the text says how."""


class IncompleteError(Exception):
    """More of the bundle's end must be seen."""

    def __init__(self, start: int) -> None:
        super().__init__(f"needed from byte {start} on")
        self.start = start


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a bundle."""

    path: str
    bytes: int
    packed: int
    """Bytes that it takes in the bundle."""
    crc32: int
    deflated: bool
    """Whether it is compressed; otherwise its bytes are in the bundle as they are."""
    header: int
    """Where in the bundle its local header begins; its bytes follow that."""


def is_path(text: str) -> bool:
    """Whether this may be the path of a file in a bundle: relative, and not leading out of it."""
    if not text or len(text) > _MAX_PATH or "\0" in text:
        return False
    return not any(part in ("", ".", "..") for part in text.split("/"))


def directory_of(tail: bytes, size: int) -> Mapping[str, Member]:
    """Return the files of a bundle of ``size`` bytes, of which ``tail`` is the end, by their paths.

    Raises:
        IncompleteError: the directory begins before ``tail``.
        BundleError: this is no zip.
    """
    window = cast(IO[bytes], _Window(tail, size))
    try:
        with zipfile.ZipFile(window) as opened:
            found = [member_of(info) for info in opened.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, struct.error, NotImplementedError, ValueError, OSError) as error:
        raise BundleError(f"it is no zip that can be read: {error}") from error
    return {member.path: member for member in found if is_path(member.path)}


def member_of(info: zipfile.ZipInfo) -> Member:
    """Return what matters of an entry.

    Raises:
        BundleError: it is packed in a way that no bundle is.
    """
    if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"{info.filename!r} is encrypted or compressed by another method than deflate")
    is_deflated = info.compress_type == zipfile.ZIP_DEFLATED
    if not is_deflated and info.compress_size != info.file_size:
        raise BundleError(f"{info.filename!r} is not compressed and yet has two sizes")
    return Member(info.filename, info.file_size, info.compress_size, info.CRC, is_deflated, info.header_offset)


def data_offset(header: bytes, member: Member) -> int:
    """Return where in the bundle the bytes of a file begin, given the first 30 bytes of its local header.

    Raises:
        BundleError: this is no such header.
    """
    if len(header) != LOCAL_HEADER_BYTES or not header.startswith(b"PK\3\4"):
        raise BundleError(f"{member.path!r} does not begin where its directory says")
    *_, name, extra = _LOCAL_HEADER.unpack(header)
    return member.header + LOCAL_HEADER_BYTES + int(name) + int(extra)


class _Window:
    """The whole file to a reader that looks only at its end."""

    def __init__(self, tail: bytes, size: int) -> None:
        self._tail = tail
        self._start = size - len(tail)
        self._size = size
        self._at = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("it would begin before the bundle does")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def read(self, length: int = -1) -> bytes:
        """Return what is there.

        Raises:
            IncompleteError: this part has not been given.
        """
        if self._at < self._start:
            raise IncompleteError(self._at)
        begin = self._at - self._start
        part = self._tail[begin:] if length < 0 else self._tail[begin : begin + length]
        self._at += len(part)
        return part
