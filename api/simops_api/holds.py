"""How much memory answers take, all together and those of one caller.

What an answer holds is counted in bytes of text before it is made, and until its last byte is sent: objects of Python, and what waits for a slow reader,
are a small multiple of it. A page that is too much is refused; a table waits for its next rows.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from simops_api.auth.caller import Caller
from simops_api.errors import ProblemError
from simops_api.shares import Shares

HELD_BYTES = 256 << 20
"""Of answers that are made or sent, all together."""
SMALL_BYTES = 64 << 10
"""A request that holds no more than this is let through: who holds much keeps nobody else from asking for a run."""
PIECE = 1 << 18
"""Bytes of an answer that are sent at once: so much waits for a slow reader beside what the answer is made of."""
_RETRY_SECONDS = 5
_WAIT_SECONDS = 60.0


class NoRoomError(ProblemError):
    """There is no room for an answer: 429 when it is the caller's share that is used up, else 503."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail, headers={"Retry-After": str(_RETRY_SECONDS)})


class Room:
    """What all answers may hold, in bytes."""

    def __init__(self, limit: int = HELD_BYTES, wait_seconds: float = _WAIT_SECONDS) -> None:
        self.shares = Shares(limit, "bytes of answers under way")
        self._wait_seconds = wait_seconds
        self._freed = asyncio.Event()

    @contextmanager
    def hold(self, caller: Caller) -> Iterator["Hold"]:
        """Count what one answer holds; in the end it holds nothing."""
        hold = Hold(self, caller)
        try:
            yield hold
        finally:
            hold.set(0)

    def freed(self) -> None:
        """Let those who wait look again."""
        self._freed.set()
        self._freed = asyncio.Event()

    async def wait(self, caller: Caller, size: int) -> None:
        """Wait until there is room for so many bytes of a caller.

        Raises:
            NoRoomError: there was none for a minute.
        """
        try:
            async with asyncio.timeout(self._wait_seconds):
                while not self.fits(caller, size):
                    await self._freed.wait()
        except TimeoutError as error:
            raise NoRoomError(503, "as many answers are under way as this gateway has memory for: ask again") from error

    def fits(self, caller: Caller, size: int, part: int = 1) -> bool:
        """Whether there is room for so many bytes, or in a part of all room. What is larger than half of it counts as half: once it must be let through."""
        return self.shares.has_room(caller, min(size, self.shares.share // 2), part)


class Hold:
    """The bytes that one answer holds."""

    def __init__(self, room: Room, caller: Caller) -> None:
        self._room = room
        self._caller = caller
        self.size = 0

    def add(self, size: int) -> None:
        """Hold more.

        Raises:
            NoRoomError: that is more than there may be.
        """
        self.size += size
        if self._room.shares.take(self._caller, size) or self.size <= SMALL_BYTES:
            return
        if self._room.shares.has_room(self._caller, 0, of_all=False):
            raise NoRoomError(503, "as many answers are under way as this gateway has memory for: ask again")
        raise NoRoomError(
            429,
            f"the answers under way to you would have more than {self._room.shares.share >> 20} MiB together, as much as one caller may have: "
            "ask for fewer things at once (size), and for one page after the other",
        )

    def at_least(self, size: int) -> None:
        """Hold so many bytes, if it is less now.

        Raises:
            NoRoomError: as for ``add``.
        """
        if size > self.size:
            self.add(size - self.size)

    def set(self, size: int) -> None:
        """Hold so many bytes in place of those that were held, whether there is room or not."""
        before, self.size = self.size, size
        if size > before:
            self._room.shares.take(self._caller, size - before)
        elif size < before:
            self._room.shares.give_back(self._caller, before - size)
            self._room.freed()

    async def turn(self, size: int) -> None:
        """Hold so many bytes in place of those that were held, once there is room. Meanwhile nothing is held: who waits keeps nobody waiting.

        Raises:
            NoRoomError: there was none for a minute.
        """
        self.set(0)
        await self._room.wait(self._caller, size)
        self.set(size)

    def grow(self, size: int) -> bool:
        """Hold so many bytes in place of those that were held if there is room, and return whether there was."""
        before = self.size
        self.set(0)
        fits = self._room.fits(self._caller, size)
        self.set(size if fits else before)
        return fits

    def early(self, size: int) -> bool:
        """Hold so many bytes if half of the room stays free, and return whether it does: for what is not needed yet."""
        if not self._room.fits(self._caller, size, 2):
            return False
        self.set(self.size + size)
        return True

    @contextmanager
    def another(self) -> Iterator["Hold"]:
        """Count what another part of the same answer holds."""
        with self._room.hold(self._caller) as hold:
            yield hold
