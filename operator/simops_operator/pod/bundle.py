"""The `bundle` sidecar: `python -m simops_operator.pod.bundle`.

It waits beside a simulation until the simulation has ended and then brings its outputs to the store. This file holds
only what must happen first: the signal handlers. As PID 1 of a container a process has no default handlers, so a
SIGTERM that comes before they are installed would be dropped and the outputs with it. Everything else is imported
after that; `env --block-signal=TERM python -m …` closes the gap that the interpreter's own start leaves, because a
blocked signal stays pending until it is unblocked here.

It must not import anything outside the standard library, and nothing that takes time.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType


class Signals:
    """Remembers when the stop signal came and wakes the loop that waits for it."""

    def __init__(self) -> None:
        self.stopped_at: float | None = None
        self.reader, self._writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self._writer, False)

    def install(self) -> None:
        """Handle SIGTERM and SIGINT from now on, also those that were sent while they were blocked."""
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))

    def wake(self) -> None:
        """Wake the waiting loop from another thread."""
        with suppress(BlockingIOError):  # The pipe is full: the loop is awake anyway.
            os.write(self._writer, b"\0")

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopped_at is None:  # A second signal changes nothing, and does not move the deadline.
            self.stopped_at = time.monotonic()


def main() -> int:
    """Run the sidecar; the exit code is 0 when the bundle is in the store."""
    signals = Signals()
    signals.install()
    from simops_operator.pod import lifecycle  # noqa: PLC0415 - after the handlers, see above

    return lifecycle.main(os.environ, signals)


if __name__ == "__main__":
    sys.exit(main())
