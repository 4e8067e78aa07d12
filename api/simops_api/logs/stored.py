"""Reading the log of an attempt from the store: its end without its beginning, and from the place on where somebody went away."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from zlib import crc32

from simops_api.logs.position import Position
from simops_api.logs.split import Piece, Splitter
from simops_api.store import Store, StoredObject

_BLOCK = 1 << 16
_LARGEST_BLOCK = 1 << 22


async def tail_start(store: Store, log: StoredObject, count: int) -> int:
    """Return where the last ``count`` lines of a log begin. Only its end is read, in blocks that grow."""
    if count == 0:
        return log.size
    end, size, missing = log.size, _BLOCK, count
    is_end = True
    while end > 0:
        begin = max(0, end - size)
        block = b"".join([chunk async for chunk in store.read(log.key, begin, end - begin)])
        stop = len(block)
        if is_end and block.endswith(b"\n"):
            stop -= 1  # the end of the last line begins no other one
        is_end = False
        newlines = block.count(b"\n", 0, stop)
        if newlines >= missing:
            for _ in range(missing):
                stop = block.rindex(b"\n", 0, stop)
            return begin + stop + 1
        missing -= newlines
        end, size = begin, min(size * 2, _LARGEST_BLOCK)
    return 0


async def lines(store: Store, log: StoredObject, begin: int = 0) -> AsyncGenerator[list[Piece], None]:
    """Yield the pieces of a log from a byte on at which a line begins."""
    if begin >= log.size:
        return
    splitter = Splitter(stamped=False, at=begin)
    async with aclosing(store.read(log.key, begin, log.size - begin)) as chunks:
        async for chunk in chunks:
            if pieces := splitter.feed(chunk):
                yield pieces
    if pieces := splitter.end():
        yield pieces


async def is_at(store: Store, log: StoredObject, position: Position) -> bool:
    """Whether the line of a place is where the place says that it is."""
    before = min(position.at, 1)
    begin, end = position.at - before, position.at + position.taken + position.whole
    if begin >= log.size or position.at + position.taken > log.size:
        return False
    crc, count, wanted = 0, 0, before + position.taken
    last = b"\n"
    async with aclosing(store.read(log.key, begin, min(end, log.size) - begin)) as chunks:
        async for chunk in chunks:
            if count == 0 and before and not chunk.startswith(b"\n"):
                return False
            of_line = chunk[max(0, before - count) : max(0, wanted - count)]
            crc = crc32(of_line, crc)
            count += len(chunk)
            last = chunk[-1:]
    if crc != position.crc:
        return False
    return not position.whole or count <= wanted or last == b"\n"


async def search(store: Store, log: StoredObject, position: Position) -> tuple[Position | None, bool]:
    """Look for the line of a place in all of a log; return where it is, the first time, and whether it is there once and only once."""
    found: Position | None = None
    async with aclosing(lines(store, log)) as batches:
        async for pieces in batches:
            for piece in pieces:
                if (piece.taken, piece.whole, piece.crc) == (position.taken, position.whole, position.crc):
                    if found is not None:
                        return found, False
                    found = piece.position(position.pod)
    return found, found is not None
