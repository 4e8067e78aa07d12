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

READY = "ready"
"""The file that says that everything is there, and which points: a simulation waits for it."""
CANCELLED = "cancelled"
"""The folder with a file for each cancelled point."""
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

    def load(self) -> bool:
        """Read what a container before this one has staged; whether it had."""
        from simops_crds.indexes import Indexes  # noqa: PLC0415 - imports take time: the signals come first

        try:
            self.points = Indexes.parse((self._folder / READY).read_text())
        except FileNotFoundError:
            return False
        return True

    def prepare(self, target: Callable[[], "Target"], note: Note) -> None:
        """Bring the points into their volume."""
        from simops_operator.pod import stage, store  # noqa: PLC0415 - importing minio takes 0.3 s

        began = time.monotonic()
        # For as long as it takes: nothing but being stopped ends the waiting for a store that is away.
        with store.Store(target(), lambda: _REQUEST_SECONDS, note) as connection:
            self.points = stage.stage(self.settings, self._outputs, connection)
        note(f"{len(self.points)} points are there after {time.monotonic() - began:.2f} s")

    def cancelled(self) -> set[int]:
        """Return the points of the pack that have been marked as cancelled."""
        return {int(path.name) for path in (self._folder / CANCELLED).iterdir()}

    def watch(self, target: Callable[[], "Target"], note: Note) -> None:
        """Look from time to time which points are cancelled, until the process ends.

        A pack of one point needs it not: its Pod is stopped as a whole.
        """
        if len(self.points) > 1:
            threading.Thread(target=self._look, args=(target, note), name="cancelled", daemon=True).start()

    def _look(self, target: Callable[[], "Target"], note: Note) -> None:
        from simops_operator.pod import stage, store  # noqa: PLC0415

        key, told, due = stage.cancelled_key(self.settings), False, 0.0

        def once(text: str) -> None:
            nonlocal told
            if not told:
                note(f"{text} (it is tried again, and not told again until it has worked)")
            told = True

        with store.Store(target(), lambda: due - time.monotonic(), once) as connection:
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
