"""The outputs as one zip stream, in bounded memory and without a second copy on disk.

The standard library's writer is not used because it always needs data descriptors on a stream (so that a reader
cannot start before the end of the file), cannot take names that are not UTF-8, and keeps an object for each file.
Here a file up to 1 MiB is read whole and gets a complete header; a larger one is streamed and its sizes follow it.
What is kept per file is its record in the central directory and its line of the manifest, about 300 bytes.

The simulation may still be writing, and is not trusted: every name is opened relative to the descriptor of its folder
and never through a link, what was opened is looked at again (nothing but a regular file is read, a FIFO or device is
not waited for), and an entry never grows past the size that its file had when it was opened. Files that shrink,
vanish or cannot be read change the entry or skip it; the zip stays valid.

The result depends on names, contents and modification times alone: names are sorted, times are UTC, modes are 0644 or
0755.
"""

import hashlib
import json
import os
import stat
import struct
import time
import zlib
from collections.abc import Iterator

SMALL = 1 << 20
_BLOCK = 1 << 18
_SAMPLE = 1 << 15
_MAX_DEPTH = 200
_MAX_NAME = 0xFFFF
_ZIP64_FROM = 1 << 31
_MAX_32 = 0xFFFFFFFF
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STORED, _DEFLATED = 0, 8
_UTF8 = 0x0800
_SIZES_FOLLOW = 0x0008
_UNIX = 3 << 8


class SkippedError(Exception):
    """A file that is not taken; the text says why."""


class Archive:
    """One pass over the outputs. The totals are valid once `chunks` has been read to its end."""

    def __init__(self, root: str, leave_out: frozenset[str] = frozenset()) -> None:
        """Bundle everything below `root` but what is named in `leave_out`."""
        self._root = root
        self._leave_out = leave_out
        self.files = 0
        self.bytes = 0
        self.size = 0
        self.skipped: list[tuple[str, str]] = []
        self.entries = bytearray()
        """The manifest's entries as JSON, without the brackets."""
        self._central = bytearray()
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The digest of what has been handed out so far."""
        return self._digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """Yield the zip piece by piece. OSError means that the folder itself cannot be read."""
        root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        place = _place(root)
        for folder, raw, name, kind in self._walk(root):
            try:
                file = _open_link(raw, folder, place) if kind == "link" else open_file(raw, folder)
                try:
                    yield from map(self._count, self._entry(file, name))
                finally:
                    os.close(file)
            except SkippedError as reason:
                self.skipped.append((name, str(reason)))
        for chunk in self._end():
            yield self._count(chunk)

    def _count(self, chunk: bytes) -> bytes:
        self.size += len(chunk)
        self._digest.update(chunk)
        return chunk

    def _walk(self, root: int) -> Iterator[tuple[int, bytes, str, str]]:
        """Folder descriptor, name on disk, name in the zip and kind of everything that may be a result."""
        stack = [(root, "", iter(_listing(root)))]
        try:
            while stack:
                folder, prefix, names = stack[-1]
                found = next(names, None)
                if found is None:
                    os.close(stack.pop()[0])
                    continue
                raw, plain, kind = found
                name = prefix + plain
                if name in self._leave_out:
                    continue
                try:
                    if kind == "folder":
                        inner = open_folder(raw, folder, len(stack))
                        stack.append((inner, name + "/", iter(_folder_listing(inner))))
                        continue
                    _check(name, kind)
                except SkippedError as reason:
                    self.skipped.append((name, str(reason)))
                    continue
                yield folder, raw, name, kind
        finally:
            for folder, _prefix, _names in stack:
                os.close(folder)

    def _entry(self, file: int, name: str) -> Iterator[bytes]:
        status = os.fstat(file)
        header = _Header(name.encode(), status, self.size)
        if status.st_size <= SMALL:
            data = _read(file, status.st_size)
            packed = zlib.compress(data, 1, wbits=-zlib.MAX_WBITS) if data else data
            header.method = _DEFLATED if len(packed) < len(data) else _STORED
            header.sized(zlib.crc32(data), len(packed) if header.method else len(data), len(data))
            yield header.local() + (packed if header.method else data)
            digest = hashlib.sha256(data)
        else:
            digest = hashlib.sha256()
            yield from self._streamed(file, name, header, digest)
        self._central += header.central()
        self.files += 1
        self.bytes += header.bytes
        line = {"path": name, "bytes": header.bytes, "crc32": f"{header.crc:08x}", "sha256": digest.hexdigest()}
        self.entries += (b"," if self.entries else b"") + json.dumps(line, separators=(",", ":")).encode()

    def _streamed(self, file: int, name: str, header: "_Header", digest: "hashlib._Hash") -> Iterator[bytes]:
        header.streamed = True
        header.method = _DEFLATED if _shrinks(file, header.limit) else _STORED
        yield header.local()
        pack = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS) if header.method else None
        crc = packed = done = 0
        while done < header.limit:
            try:
                block = os.read(file, min(_BLOCK, header.limit - done))
            except OSError as error:
                self.skipped.append((name, f"cut after {done} bytes: {error.strerror}"))
                break
            if not block:
                break  # It has become shorter since it was opened.
            done += len(block)
            crc = zlib.crc32(block, crc)
            digest.update(block)
            out = pack.compress(block) if pack else block
            packed += len(out)
            if out:
                yield out
        rest = pack.flush() if pack else b""
        header.sized(crc, packed + len(rest), done)
        yield rest + header.descriptor()

    def _end(self) -> Iterator[bytes]:
        start, length, count = self.size, len(self._central), self.files
        for at in range(0, length, _BLOCK):
            yield bytes(self._central[at : at + _BLOCK])
        if count >= 0xFFFF or start >= _MAX_32 or length >= _MAX_32:
            yield struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, _UNIX | 45, 45, 0, 0, count, count, length, start)
            yield struct.pack("<4sLQL", b"PK\6\7", 0, start + length, 1)
        some = min(count, 0xFFFF)
        yield struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, some, some, min(length, _MAX_32), min(start, _MAX_32), 0)


class _Header:
    """The headers of one entry (PKWARE APPNOTE 4.3.7, 4.3.9, 4.3.12; extended timestamp 0x5455)."""

    def __init__(self, name: bytes, status: os.stat_result, offset: int) -> None:
        self.limit = status.st_size
        self.method = _STORED
        self.streamed = False
        self.crc = self.packed = self.bytes = 0
        self._name = name
        self._offset = offset
        self._mode = stat.S_IFREG | (0o755 if status.st_mode & 0o100 else 0o644)
        self._flags = 0 if name.isascii() else _UTF8
        self._time, self._date, self._stamp = _times(status.st_mtime)
        self._large = status.st_size >= _ZIP64_FROM

    def sized(self, crc: int, packed: int, size: int) -> None:
        """Set what is known once the file has been read."""
        self.crc, self.packed, self.bytes = crc, packed, size

    def local(self) -> bytes:
        """Return the header before the data. A streamed entry's sizes are zero, of eight bytes if it is large."""
        size, packed, extra = self.bytes, self.packed, self._stamp
        if self.streamed and self._large:
            size = packed = _MAX_32
            extra = struct.pack("<HHQQ", 1, 16, 0, 0) + extra
        return self._fields(b"PK\3\4", b"", packed, size, extra) + self._name + extra

    def descriptor(self) -> bytes:
        """Return the sizes that follow a streamed entry."""
        layout = "<4sLQQ" if self._large else "<4sLLL"
        return struct.pack(layout, b"PK\7\x08", self.crc, self.packed, self.bytes)

    def central(self) -> bytes:
        """Return the record in the central directory."""
        wide = [value for value in (self.bytes, self.packed, self._offset) if value >= _MAX_32]
        extra = (struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b"") + self._stamp
        version = struct.pack("<H", _UNIX | 45)
        sizes = min(self.packed, _MAX_32), min(self.bytes, _MAX_32)
        tail = struct.pack("<HHHLL", 0, 0, 0, self._mode << 16, min(self._offset, _MAX_32))
        return self._fields(b"PK\1\2", version, *sizes, extra) + tail + self._name + extra

    def _fields(self, magic: bytes, version: bytes, packed: int, size: int, extra: bytes) -> bytes:
        need = 45 if self._large or self._offset >= _MAX_32 else 20
        flags = self._flags | (_SIZES_FOLLOW if self.streamed else 0)
        common = (need, flags, self.method, self._time, self._date, self.crc, packed, size, len(self._name), len(extra))
        return magic + version + struct.pack("<HHHHHLLLHH", *common)


def _check(name: str, kind: str) -> None:
    if kind not in ("file", "link"):
        raise SkippedError(kind)
    if len(name.encode()) > _MAX_NAME:
        raise SkippedError("its path is longer than a zip can hold")


def open_file(name: bytes, folder: int) -> int:
    """Open a regular file of the folder for reading, or say why not."""
    try:
        file = os.open(name, _OPEN_FILE, dir_fd=folder)
    except OSError as error:
        raise SkippedError(_why(error)) from error
    return _regular(file)


def _open_link(name: bytes, folder: int, root: str) -> int:
    """Open the file that a link names if it is inside `root`.

    O_PATH finds the target without opening it; where that is is asked of the descriptor, so nobody can change the link
    in between.
    """
    try:
        found = os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise SkippedError(f"a symbolic link that leads nowhere ({_why(error)})") from error
    try:
        if not _place(found).startswith(root.rstrip("/") + "/"):
            raise SkippedError("a symbolic link that points outside the outputs")
        kind = os.fstat(found).st_mode
        if stat.S_ISDIR(kind):
            raise SkippedError("a symbolic link to a folder; the folder itself is bundled")
        if not stat.S_ISREG(kind):
            raise SkippedError(f"a symbolic link to {_kind(kind)}")
        return _regular(os.open(f"/proc/self/fd/{found}", _OPEN_FILE & ~os.O_NOFOLLOW))
    except OSError as error:
        raise SkippedError(_why(error)) from error
    finally:
        os.close(found)


def _place(descriptor: int) -> str:
    """Where an open file is, whatever name led to it."""
    return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - a Path changes names that are not UTF-8


def _regular(file: int) -> int:
    """Check what has been opened: the name may have been given to something else after it was listed."""
    mode = os.fstat(file).st_mode
    if stat.S_ISREG(mode):
        return file
    os.close(file)
    raise SkippedError(_kind(mode))


def open_folder(name: bytes, parent: int, depth: int = 0) -> int:
    """Open a folder in another one, never through a link, or say why not."""
    if depth > _MAX_DEPTH:
        raise SkippedError(f"more than {_MAX_DEPTH} folders deep")
    try:
        return os.open(name, _OPEN_FOLDER, dir_fd=parent)
    except OSError as error:
        raise SkippedError(_why(error)) from error


def _folder_listing(folder: int) -> list[tuple[bytes, str, str]]:
    try:
        return _listing(folder)
    except OSError as error:
        os.close(folder)
        raise SkippedError(_why(error)) from error


def _listing(folder: int) -> list[tuple[bytes, str, str]]:
    """Names on disk, names in the zip and kinds, in the order of whole paths (a folder sorts as `name/`)."""
    with os.scandir(folder) as entries:
        found = [(os.fsencode(entry.name), _entry_kind(entry, folder)) for entry in entries]
    found.sort(key=lambda item: item[0] + b"/" if item[1] == "folder" else item[0])
    taken: set[str] = {raw.decode() for raw, _kind in found if _is_utf8(raw)}
    result = []
    for raw, kind in found:
        name = raw.decode() if _is_utf8(raw) else _escaped(raw, taken)
        result.append((raw, name, kind))
    return result


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _escaped(raw: bytes, taken: set[str]) -> str:
    """Return a name that is not UTF-8 with its odd bytes as %XX, different from every other name of its folder."""
    text = raw.decode("utf-8", "surrogateescape")
    name = "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in text)
    while name in taken:
        name += "~"
    taken.add(name)
    return name


def _entry_kind(entry: "os.DirEntry[str]", folder: int) -> str:
    try:
        if entry.is_symlink():
            return "link"
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        if entry.is_file(follow_symlinks=False):
            return "file"
        return _kind(os.stat(entry.name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError as error:
        return _why(error)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a FIFO", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}
    return kinds.get(stat.S_IFMT(mode), "a folder" if stat.S_ISDIR(mode) else "no regular file")


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it was there a moment ago"
    return f"cannot be read: {error.strerror}"


def _read(file: int, size: int) -> bytes:
    """Up to `size` bytes: less if the file has shrunk."""
    blocks = []
    while size:
        try:
            block = os.read(file, size)
        except OSError as error:
            raise SkippedError(_why(error)) from error
        if not block:
            break
        size -= len(block)
        blocks.append(block)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _shrinks(file: int, size: int) -> bool:
    """Whether samples of start, middle and end get at least 5% smaller; images and archives do not."""
    try:
        samples = [os.pread(file, _SAMPLE, at) for at in (0, size // 2, max(0, size - _SAMPLE))]
    except OSError:
        return False
    return any(len(zlib.compress(sample, 1)) < 0.95 * len(sample) for sample in samples)


def _times(modified: float) -> tuple[int, int, bytes]:
    """DOS time and date in UTC, and the exact second as an extended timestamp."""
    seconds = int(min(max(modified, -(1 << 31)), (1 << 32) - 1))
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    stamp = struct.pack("<HHBl", 0x5455, 5, 1, seconds) if seconds < 1 << 31 else b""
    if year < 1980:
        return 0, 0x21, stamp
    return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day, stamp
