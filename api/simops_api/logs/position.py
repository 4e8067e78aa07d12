"""A place in the log of an attempt, as the ``id`` of an event says it (pure)."""

import re
from dataclasses import dataclass

_ID = re.compile(
    r"(?P<pod>[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?)/(?P<at>\d{1,15})/(?P<taken>\d{1,15})(?P<whole>[.+])"
    r"/(?P<crc>[0-9a-f]{8})/(?P<time>\d{1,19})/(?P<turn>\d{1,9})",
    re.ASCII,
)
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Position:
    """Just after a line, or in the middle of a long one."""

    pod: str
    """The attempt."""
    at: int
    """Where the line begins, in bytes of the log."""
    taken: int
    """Bytes of the line up to here."""
    whole: bool
    """Whether that is all of the line."""
    crc: int
    """CRC-32 of these bytes."""
    time: int = 0
    """When the line was printed, in nanoseconds since 1970; 0 when that is not known."""
    turn: int = 0
    """Which one it is of the lines with this time, from 1 on."""

    @property
    def next(self) -> int:
        """Where the log goes on, in bytes."""
        return self.at + self.taken + self.whole

    def __str__(self) -> str:
        mark = "." if self.whole else "+"
        return f"{self.pod}/{self.at}/{self.taken}{mark}/{self.crc:08x}/{self.time}/{self.turn}"


def parse_position(text: str) -> Position | None:
    """Return the place that an ``id`` says, None if it says none."""
    found = _ID.fullmatch(text)
    if found is None:
        return None
    return Position(
        pod=found["pod"],
        at=int(found["at"]),
        taken=int(found["taken"]),
        whole=found["whole"] == ".",
        crc=int(found["crc"], 16),
        time=int(found["time"]),
        turn=int(found["turn"]),
    )
