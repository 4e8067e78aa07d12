"""The points of this Pod: brought before the simulation starts, and watched for cancellation while it runs.

Both happen in threads of their own, since a store may take any time to answer and the main thread must hear a stop signal
at once.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from simops_operator.pod.settings import PackSettings

if TYPE_CHECKING:
    from simops_crds.indexes import Indexes
    from simops_operator.pod.store import Target

LOOK_SECONDS = 15.0
"""How often it is asked which points are cancelled."""
_REQUEST_SECONDS = 3600.0

Note = Callable[[str], None]


class Pack:
    """What is known of the points; `points` once `prepare` has ended."""

    def __init__(self, settings: PackSettings, outputs: str) -> None:
        self.settings = settings
        self.points: Indexes
        self._outputs = outputs
        self._folder = Path(settings.folder)

    def prepare(self, target: Callable[[], "Target"], note: Note) -> None:
        """Bring the points into their volume, unless a container before this one has done it."""
        from simops_crds.indexes import Indexes  # noqa: PLC0415 - imports take time: the signals come first
        from simops_operator.pod import stage, store  # noqa: PLC0415

        ready = self._folder / stage.READY
        if ready.exists():
            self.points = Indexes.parse(ready.read_text())
            return
        began = time.monotonic()
        # For as long as it takes: nothing but being stopped ends the waiting for a store that is away.
        with store.Store(target(), lambda: _REQUEST_SECONDS, note) as connection:
            self.points = stage.stage(self.settings, self._outputs, connection)
        note(f"{len(self.points)} points are there after {time.monotonic() - began:.2f} s")

    def cancelled(self) -> set[int]:
        """Return the points of the pack that have been marked as cancelled."""
        from simops_operator.pod import stage  # noqa: PLC0415

        return {int(path.name) for path in (self._folder / stage.CANCELLED).iterdir()}

    def watch(self, target: "Target", note: Note) -> None:
        """Look from time to time which points are cancelled, until the process ends.

        A pack of one point needs it not: its Pod is stopped as a whole.
        """
        if len(self.points) > 1:
            threading.Thread(target=self._look, args=(target, note), name="cancelled", daemon=True).start()

    def _look(self, target: "Target", note: Note) -> None:
        from simops_operator.pod import stage, store  # noqa: PLC0415

        key, told, due = stage.cancelled_key(self.settings), False, 0.0

        def once(text: str) -> None:
            nonlocal told
            if not told:
                note(f"{text} (it is tried again, and not told again until it has worked)")
            told = True

        with store.Store(target, lambda: due - time.monotonic(), once) as connection:
            while True:
                time.sleep(LOOK_SECONDS)
                due = time.monotonic() + LOOK_SECONDS
                try:
                    connection.find(
                        key, lambda pieces: stage.mark_cancelled(self._folder, self.points, b"".join(pieces))
                    )
                except store.OutOfTimeError:
                    continue
                told = False
