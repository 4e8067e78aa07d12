"""The points of this Pod: brought before the simulation starts, and watched for cancellation while it runs.

Both happen in threads of their own, since a store may take any time to answer and the main thread must hear a stop signal
at once.
"""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from simops_operator.pod.settings import PackSettings

if TYPE_CHECKING:
    from simops_crds.indexes import Indexes
    from simops_operator.pod.store import Target

READY = "ready"
"""The file that holds the pack; the simulation starts when it is there."""
LOOK_SECONDS = 15.0
"""How often it is asked which points are cancelled."""
_REQUEST_SECONDS = 3600.0

Note = Callable[[str], None]


class Pack:
    """What is known of the points; `points` once `prepare` has ended."""

    def __init__(self, settings: PackSettings, outputs: str) -> None:
        self.settings = settings
        self.points: Indexes
        self.obstacle = ""
        """What has been in the way of bringing them, last."""
        self._outputs = outputs
        self._folder = Path(settings.folder)

    def recall(self) -> bool:
        """Whether the points are in their volume already; then a container before this one has brought them."""
        from simops_crds.indexes import Indexes  # noqa: PLC0415 - imports take time: the signals come first

        try:
            self.points = Indexes.parse((self._folder / READY).read_text())
        except FileNotFoundError:
            return False
        return True

    def prepare(self, target: Callable[[], "Target"], note: Note) -> str | None:
        """Bring the points into their volume; why that cannot be done."""
        from simops_operator.pod import stage, store  # noqa: PLC0415 - 0.3 s of CPU

        began = time.monotonic()

        def obstacle(text: str) -> None:
            note(text)
            self.obstacle = text

        try:
            # For as long as it takes: nothing but being stopped ends the waiting for a store that is away.
            with store.Store(target(), lambda: _REQUEST_SECONDS, obstacle) as connection:
                self.points = stage.stage(self.settings, self._outputs, connection)
        except (stage.VolumeError, store.OutOfTimeError) as error:
            return str(error)
        note(f"{len(self.points)} points are there after {time.monotonic() - began:.2f} s")
        return None

    def cancelled(self) -> set[int]:
        """Return the points of the pack that have been marked as cancelled."""
        from simops_operator.pod import stage  # noqa: PLC0415

        return {int(path.name) for path in (self._folder / stage.CANCELLED).iterdir()}

    def watch(self, target: Callable[[], "Target"], note: Note) -> None:
        """Look from time to time which points are cancelled, until the process ends.

        A pack of one point needs it not: its Pod is stopped as a whole.
        """
        if len(self.points) > 1:
            threading.Thread(target=self._look, args=(target, note), name="cancelled", daemon=True).start()

    def _look(self, target: Callable[[], "Target"], note: Note) -> None:
        from simops_operator.pod import stage, store  # noqa: PLC0415

        told, due = False, 0.0

        def once(text: str) -> None:
            nonlocal told
            if not told:
                note(f"{text} (it is tried again, and not told again until it has worked)")
            told = True

        def take(pieces: Iterable[bytes]) -> None:
            stage.mark_cancelled(self._folder, self.points, b"".join(pieces))

        try:
            connection = store.Store(target(), lambda: due - time.monotonic(), once)
        except store.OutOfTimeError as error:
            note(f"{error} (it is not looked which points are cancelled)")
            return
        while True:
            time.sleep(LOOK_SECONDS)
            due = time.monotonic() + LOOK_SECONDS
            try:
                connection.find(stage.cancelled_key(self.settings), take)
            except (store.OutOfTimeError, stage.VolumeError) as error:
                once(str(error))
            else:
                told = False
