"""What has changed lately, once for all who listen: a bounded history of ids, from which each reader goes on by itself.

No reader has a queue of its own, so a slow one costs nothing: who falls behind the history is told to read the lists anew.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from simops_crds.kinds import Kind

_KEPT = 20_000


@dataclass(frozen=True)
class Change:
    """An object that was made, changed or deleted."""

    number: int
    kind: Kind
    id: str


class Feed:
    """The history."""

    def __init__(self, kept: int = _KEPT) -> None:
        """Take how many changes are kept."""
        self.epoch = secrets.token_hex(4)
        """Names this history: another process has another one."""
        self.last = 0
        """The number of the newest change."""
        self._changes: deque[Change] = deque(maxlen=kept)
        self._waiting: set[asyncio.Event] = set()

    def note(self, kind: Kind, ids: Iterable[str]) -> None:
        """Something became of objects."""
        for object_id in ids:
            self.last += 1
            self._changes.append(Change(self.last, kind, object_id))
        for event in self._waiting:
            event.set()

    def since(self, number: int) -> list[tuple[Kind, str]] | None:
        """Return what has changed after a number, each object once, the oldest last change first; None when that is not known any more."""
        if number > self.last or (number < self.last and (not self._changes or self._changes[0].number > number + 1)):
            return None
        found: dict[tuple[Kind, str], None] = {}
        for change in reversed(self._changes):
            if change.number <= number:
                break
            found.setdefault((change.kind, change.id))
        return list(reversed(found))

    async def wait(self, number: int, seconds: float) -> None:
        """Return when there is something after a number, at the latest after so many seconds."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            if self.last <= number:
                async with asyncio.timeout(seconds):
                    await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(event)

    def place(self, number: int) -> str:
        """Return a place in this history as a stream names it."""
        return f"{self.epoch}-{number}"

    def number(self, place: str) -> int | None:
        """Return the number of a place, None when it is of another history."""
        epoch, _, text = place.partition("-")
        return int(text) if epoch == self.epoch and text.isascii() and text.isdecimal() and len(text) < 19 else None
