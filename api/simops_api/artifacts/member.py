"""One file out of a bundle in the store: which it is, and its bytes."""

import asyncio
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, nullcontext

from simops_api.artifacts.directory import (
    LOCAL_HEADER_BYTES,
    TAIL_BYTES,
    BundleError,
    IncompleteError,
    Member,
    data_offset,
    directory_of,
)
from simops_api.store import Store, StoredObject

_CHUNK = 1 << 18
MAX_FILES = 150_000
"""Files of a bundle that are looked at: while they are listed they take some 200 MB as objects."""
_MAX_DIRECTORY = 16 << 20
"""Bytes of a directory that are read."""
_KEPT_MEMBERS = 200_000
_ENTRY = b"PK\1\2"
"""What each entry of a directory begins with."""


class TooManyFilesError(Exception):
    """The directory of a bundle is larger than the gateway reads."""


class Bundles:
    """Bundles in the store. The directories of a few are remembered: the bytes under an entity tag never change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, str], Mapping[str, Member]] = OrderedDict()
        self._one_large = asyncio.Lock()
        self._one_of = defaultdict[str, asyncio.Lock](asyncio.Lock)

    @asynccontextmanager
    async def one_large(self, bundle: StoredObject) -> AsyncIterator[None]:
        """Let the objects of a long directory or manifest be made: of one at a time there is memory. Namespaces take turns."""
        namespace = bundle.key.split("/")[1]
        async with self._one_of[namespace], self._one_large:
            yield

    async def directory(self, bundle: StoredObject, *, has_turn: bool = False) -> Mapping[str, Member]:
        """Return the files of a bundle by their paths. ``has_turn``: whether who asks is within ``one_large``.

        Raises:
            StoreError: the store does not answer.
            BundleError: it is no zip.
            TooManyFilesError: its directory is too large.
        """
        key = (bundle.key, bundle.etag)
        if (known := self._kept.get(key)) is None:
            known = self._kept[key] = await self._read(bundle, has_turn=has_turn)
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(len(d) + 1 for d in self._kept.values()) > _KEPT_MEMBERS:
            self._kept.popitem(last=False)
        return known

    async def _read(self, bundle: StoredObject, *, has_turn: bool) -> Mapping[str, Member]:
        start = max(0, bundle.size - TAIL_BYTES)
        tail = await self._piece(bundle.key, start, bundle.size - start)
        try:
            return await asyncio.to_thread(directory_of, tail, bundle.size)
        except IncompleteError as error:
            further = error.start
        async with nullcontext() if has_turn else self.one_large(bundle):
            return self._kept.get((bundle.key, bundle.etag)) or await self._read_long(bundle, start, tail, further)

    async def _read_long(self, bundle: StoredObject, start: int, tail: bytes, further: int) -> Mapping[str, Member]:
        while True:
            if bundle.size - further > _MAX_DIRECTORY:
                raise TooManyFilesError
            tail = await self._piece(bundle.key, further, start - further) + tail
            start = further
            if tail.count(_ENTRY) > MAX_FILES:
                raise TooManyFilesError
            try:
                return await asyncio.to_thread(directory_of, tail, bundle.size)
            except IncompleteError as error:
                further = error.start

    async def _piece(self, key: str, start: int, length: int) -> bytes:
        async with aclosing(self._store.read(key, start, length)) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def read(self, bundle: StoredObject, member: Member, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Yield some bytes of a file. When it is read whole its last bytes come only if its checksum is right.

        Raises:
            StoreError: the store does not answer.
            BundleError: the file is damaged.
        """
        header = await self._piece(bundle.key, member.header, LOCAL_HEADER_BYTES)
        at = data_offset(header, member)
        if not member.deflated and length < member.bytes:
            async with aclosing(self._store.read(bundle.key, at + start, length)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        async with aclosing(self._store.read(bundle.key, at, member.packed)) as packed:
            content = inflated(packed) if member.deflated else packed
            async with aclosing(checked(content, member)) as whole, aclosing(cut(whole, start, length)) as part:
                async for chunk in part:
                    yield chunk


async def inflated(packed: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield what was deflated, in pieces of a bounded size, however much a few bytes stand for.

    Raises:
        BundleError: this was not deflated.
    """
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    async for chunk in packed:
        rest = chunk
        while rest and not unpack.eof:
            try:
                # In a thread, since a piece takes a millisecond or more.
                piece = await asyncio.to_thread(unpack.decompress, rest, _CHUNK)
            except zlib.error as error:
                raise BundleError(f"it is damaged: {error}") from error
            rest = unpack.unconsumed_tail
            if piece:
                yield piece
    if tail := unpack.flush():
        yield tail


async def checked(chunks: AsyncIterator[bytes], member: Member) -> AsyncGenerator[bytes, None]:
    """Yield a whole file. The last piece is kept back until size and checksum are found right, so that a damaged file never looks complete.

    Raises:
        BundleError: they are not.
    """
    crc, count, held = 0, 0, b""
    async for chunk in chunks:
        crc = zlib.crc32(chunk, crc)
        count += len(chunk)
        if count > member.bytes:
            break
        if held:
            yield held
        held = chunk
    if (count, crc) != (member.bytes, member.crc32):
        raise BundleError(f"{member.path!r} is damaged: its size or checksum is not what the directory says")
    if held:
        yield held


async def cut(chunks: AsyncIterator[bytes], start: int, length: int) -> AsyncGenerator[bytes, None]:
    """Yield so many bytes from a place on; what comes after them is not read."""
    async for chunk in chunks:
        if start >= len(chunk):
            start -= len(chunk)
            continue
        part = chunk[start : start + length]
        start = 0
        length -= len(part)
        if part:
            yield part
        if length <= 0:
            return
