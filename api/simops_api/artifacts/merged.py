"""Many bundles as one zip stream, and a part of one: files are copied as they lie, without being unpacked and packed again.

The headers are those of the standard library's ``zipfile``; what is between them is copied from bundle to stream. Each bundle is read once, from its
beginning to its end.
"""

import asyncio
import struct
import tempfile
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar, cast

from simops_api.artifacts.directory import LOCAL_HEADER_BYTES, BundleError, Member, data_offset
from simops_api.artifacts.member import Bundles
from simops_api.artifacts.sink import Sink
from simops_api.holds import PIECE
from simops_api.store import Store, StoredObject

T = TypeVar("T")

_ZIP64_FROM = 1 << 31
_MODE = 0o100644 << 16
_ENTRY = struct.Struct("<IQQQHHH")


@dataclass(frozen=True)
class Part:
    """What is taken of a bundle: the files below some of its folders."""

    bundle: StoredObject
    folders: Mapping[str, str]
    """Folder in the bundle, with a slash at the end, or empty for all of it → folder in the stream."""


class ZipStream:
    """Headers of one zip that is written without going back. A context manager: what it keeps of each file until the end lies in a temporary file."""

    def __init__(self) -> None:
        self._sink = Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", allowZip64=True)
        self._entries = Entries()
        # zipfile adds to it, and at the end goes through it and counts it.
        self._zip.filelist = cast(list[zipfile.ZipInfo], self._entries)

    def __enter__(self) -> "ZipStream":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._zip.fp = None  # one that was broken off has no end, and writes none when it is collected
        self._entries.close()

    def begin(self, path: str, member: Member) -> bytes:
        """Return the header that goes before a file's bytes, which are those that it has in its bundle."""
        info = _plain_file(path, zipfile.ZIP_DEFLATED if member.deflated else zipfile.ZIP_STORED)
        info.CRC, info.compress_size, info.file_size = member.crc32, member.packed, member.bytes
        info.header_offset = self._sink.tell()
        header = info.FileHeader(zip64=max(member.bytes, member.packed) >= _ZIP64_FROM)
        self._entries.append(info)  # the directory that is written at the end is made of these
        self._sink.write(header)
        self._sink.skip(member.packed)
        return self._sink.take()

    async def packed(self, path: str, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Yield a file with its header, packed as it comes."""
        info = _plain_file(path, zipfile.ZIP_DEFLATED)
        self._zip.start_dir = self._sink.tell()
        with self._zip.open(info, "w", force_zip64=True) as file:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
                yield self._sink.take()
        yield self._sink.take()

    async def end(self) -> AsyncGenerator[bytes, None]:
        """Yield the directory, with which a zip ends."""
        self._zip.start_dir = self._sink.tell()
        self._zip._didModify = True  # type: ignore[attr-defined]  # noqa: SLF001 - files were added beside its own methods
        with tempfile.TemporaryFile() as whole:
            self._sink.file = whole
            await asyncio.to_thread(self._zip.close)
            whole.seek(0)
            while chunk := whole.read(PIECE):
                yield chunk


class Entries:
    """What a zip's directory says of its files, in a temporary file: there may be millions, and as objects each takes half a kilobyte."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ``close``
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, info: zipfile.ZipInfo) -> None:
        """Take a file in."""
        name = info.filename.encode(errors="surrogatepass")
        numbers = (info.CRC, info.compress_size, info.file_size, info.header_offset, info.compress_type, info.flag_bits)
        self._file.write(_ENTRY.pack(*numbers, len(name)) + name)
        self._count += 1

    def __iter__(self) -> Iterator[zipfile.ZipInfo]:
        self._file.seek(0)
        while head := self._file.read(_ENTRY.size):
            *numbers, packing, flags, length = _ENTRY.unpack(head)
            info = _plain_file(self._file.read(length).decode(errors="surrogatepass"), packing)
            info.CRC, info.compress_size, info.file_size, info.header_offset = numbers
            info.flag_bits = flags
            yield info

    def close(self) -> None:
        """Forget all of them."""
        self._file.close()


def _plain_file(path: str, packing: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path)
    info.compress_type = packing
    info.external_attr, info.create_system = _MODE, 3  # Unix, to which the mode means something
    return info


class Merger:
    """Writes zips of what other zips in the store have."""

    def __init__(self, store: Store, bundles: Bundles) -> None:
        self._store = store
        self._bundles = bundles

    async def chosen(self, part: Part) -> list[tuple[str, Member]]:
        """Return the files that a part has, with their paths in the stream, in the order in which they lie in the bundle.

        Raises:
            StoreError: the store does not answer.
            BundleError, TooManyFilesError: the bundle is damaged, or has too many files.
        """
        directory = await self._bundles.directory(part.bundle)
        found = [
            (part.folders[folder] + path.removeprefix(folder), member)
            for path, member in directory.items()
            for folder in ("", f"{path.split('/', 1)[0]}/")
            if folder in part.folders and len(path) > len(folder)
        ]
        return sorted(found, key=lambda one: one[1].header)

    async def stream(
        self,
        parts: AsyncIterator[Part] | Iterable[Part],
        last: AsyncIterator[tuple[str, AsyncIterator[bytes]]] | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Yield a zip of the parts, and of some more files after them.

        Raises:
            StoreError, BundleError, TooManyFilesError: as for ``chosen``.
        """
        with ZipStream() as out:
            async for part in _each(parts):
                async with aclosing(self._copied(out, part)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            if last is not None:
                async for path, content in last:
                    async with aclosing(out.packed(path, content)) as chunks:
                        async for chunk in chunks:
                            yield chunk
            async with aclosing(out.end()) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _copied(self, out: ZipStream, part: Part) -> AsyncGenerator[bytes, None]:
        chosen = await self.chosen(part)
        if not chosen:
            return
        begin = chosen[0][1].header
        final = chosen[-1][1]
        # The last one's own header may be longer than its fixed part: by a name and an extra field of at most 64 KiB each.
        end = min(part.bundle.size, final.header + LOCAL_HEADER_BYTES + 2 * 0xFFFF + final.packed)
        async with aclosing(self._store.read(part.bundle.key, begin, end - begin)) as chunks:
            source = _Reader(chunks, begin)
            for path, member in chosen:
                await source.skip_to(member.header)
                header = await source.exactly(LOCAL_HEADER_BYTES)
                at = data_offset(header, member)
                await source.skip_to(at)
                yield out.begin(path, member)
                async for chunk in source.through(member.packed):
                    yield chunk


class _Reader:
    """A stream that knows where it is."""

    def __init__(self, chunks: AsyncIterator[bytes], offset: int) -> None:
        self._chunks = chunks
        self._offset = offset
        self._rest = b""

    async def _more(self) -> None:
        chunk = await anext(self._chunks, b"")
        if not chunk:
            raise BundleError("it ends before its files do")
        self._rest += chunk

    async def exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            await self._more()
        out, self._rest = self._rest[:count], self._rest[count:]
        self._offset += count
        return out

    async def skip_to(self, offset: int) -> None:
        if offset < self._offset:
            raise BundleError("its files overlap")
        async for _ in self.through(offset - self._offset):
            pass

    async def through(self, count: int) -> AsyncGenerator[bytes, None]:
        """Yield the next bytes as they come."""
        while count > 0:
            if not self._rest:
                await self._more()
            chunk, self._rest = self._rest[:count], self._rest[count:]
            self._offset += len(chunk)
            count -= len(chunk)
            yield chunk


async def _each(items: AsyncIterator[T] | Iterable[T]) -> AsyncGenerator[T, None]:
    if isinstance(items, AsyncIterator):
        async for item in items:
            yield item
        return
    for item in items:
        yield item
