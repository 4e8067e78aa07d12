"""From the bytes of a log to its lines (pure). A long line is cut into pieces, always at the same places, wherever reading began."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from zlib import crc32

from simops_api.logs.position import NANO, Position

PIECE_BYTES = 1 << 16
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ")
_STAMP_BYTES = 40
_NOISE_BYTES = 500
_TURNS = 64
"""Of how many times the lines are counted. Lines of one time stand together, or nearly so where standard error comes between."""


class Piece(NamedTuple):
    """A line, or a part of a long one."""

    data: bytes
    at: int
    """Where its line begins, in bytes of the log."""
    taken: int
    """Bytes of the line up to the end of this piece."""
    whole: bool
    """Whether the line ends here."""
    crc: int
    """CRC-32 of the line up to the end of this piece."""
    time: int
    turn: int

    @property
    def key(self) -> tuple[int, int, int, bool]:
        """What is the same for everyone who reads this piece, wherever they began."""
        return (self.time, self.turn, self.taken, self.whole)

    def position(self, pod: str, shift: int = 0) -> Position:
        """Return the place after it."""
        return Position(pod, self.at + shift, self.taken, self.whole, self.crc, self.time, self.turn)


class Splitter:
    """Takes a log in chunks of any size."""

    def __init__(self, *, stamped: bool, at: int = 0, piece_bytes: int = PIECE_BYTES) -> None:
        """``stamped``: each line has the time before it, as of ``timestamps=true``. ``at``: where in the log the first byte is."""
        self._noise = ""
        self._stamped = stamped
        self._limit = piece_bytes
        self._rest = b""
        self._started = False
        self._is_noise = False
        self._at = at
        self._taken = 0
        self._crc = 0
        self._time = 0
        self._turn = 0
        self._turns: dict[int, int] = {}
        self._second = (b"", 0)

    def feed(self, chunk: bytes) -> list[Piece]:
        """Return what a chunk completes. The unfinished end of a line is kept back."""
        out: list[Piece] = []
        *ended, rest = (self._rest + chunk).split(b"\n") if self._rest else chunk.split(b"\n")
        for text in ended:
            out.extend(self._take(text, ends=True))
        self._rest = rest
        if len(rest) > self._limit + _STAMP_BYTES:
            out.extend(self._take(rest, ends=False))
        return out

    def end(self) -> list[Piece]:
        """Return the last line, if the log has ended in the middle of it."""
        rest, self._rest = self._rest, b""
        return list(self._take(rest, ends=True)) if rest or self._taken else []

    def fault(self) -> str:
        """Return what the log ended with that is no line of it, such as an error of the kubelet; empty when there is nothing."""
        if self._stamped and not self._started and self._rest and not _STAMP.match(self._rest):
            return self._rest[:_NOISE_BYTES].decode(errors="replace")
        return self._noise

    def _take(self, text: bytes, *, ends: bool) -> Iterator[Piece]:
        if not self._started:
            text = self._start(text)
        if self._is_noise:
            self._noise = text[:_NOISE_BYTES].decode(errors="replace")
            self._rest = b""
        else:
            begin = 0
            while len(text) - begin > self._limit:
                cut = _boundary(text, begin + self._limit)
                yield self._piece(text[begin:cut], whole=False)
                begin = cut
            self._rest = text[begin:]
        if ends:
            if not self._is_noise:
                yield self._piece(self._rest, whole=True)
                self._at += self._taken + 1
            self._started, self._is_noise, self._taken, self._crc = False, False, 0, 0

    def _start(self, text: bytes) -> bytes:
        self._started = True
        if not self._stamped:
            return text
        stamp = _STAMP.match(text)
        if stamp is None:
            self._is_noise = True
            return text
        time = self._nanoseconds(stamp)
        self._time, self._turn = time, self._turns.get(time, 0) + 1
        self._turns[time] = self._turn
        if len(self._turns) > _TURNS:
            del self._turns[next(iter(self._turns))]
        return text[stamp.end() :]

    def _nanoseconds(self, stamp: re.Match[bytes]) -> int:
        moment, fraction, zone = stamp[1], stamp[2] or b"", stamp[3]
        if self._second[0] != moment + zone:
            try:
                seconds = int(datetime.fromisoformat((moment + zone).decode()).timestamp())
            except ValueError:
                seconds = 0  # such as the 30th of February: then it is no order that is lost but a date
            self._second = (moment + zone, seconds)
        return self._second[1] * NANO + int(fraction.ljust(9, b"0"))

    def _piece(self, data: bytes, *, whole: bool) -> Piece:
        self._noise = ""
        self._taken += len(data)
        self._crc = crc32(data, self._crc)
        return Piece(data, self._at, self._taken, whole, self._crc, self._time, self._turn)


def _boundary(text: bytes, cut: int) -> int:
    """Return where to cut so that no character of UTF-8 is cut in two."""
    for back in range(4):
        if text[cut - back] & 0xC0 != 0x80:
            return cut - back
    return cut
