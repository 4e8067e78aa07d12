"""The stop signals. They are caught before the slow imports, so this needs nothing but the standard library."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Interrupted(BaseException):
    """A stop signal came while nothing was left to keep; derived like KeyboardInterrupt so that nobody handles it."""


class Stop:
    """Whether a stop signal has come. While `at_once` it interrupts; else the march ends after the current block."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.at_once = False

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Handle the signal."""
        self.signal = number
        if self.at_once:
            raise Interrupted

    @property
    def exit_code(self) -> int:
        """What a shell reports for a process that the signal ended."""
        return 128 + (self.signal or 0)


@contextmanager
def handling(stop: Stop) -> Iterator[None]:
    """Let the stop signals reach `stop` inside the block."""
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
