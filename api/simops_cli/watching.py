"""How much of a download has arrived, seen from the file that it goes into."""

import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from simops_cli import terminal
from simops_client.core.files import PartFile
from simops_client.core.requests import archive_path

_LOOK_SECONDS = 0.2


class Arriving:
    """Shows how a download grows while it lasts."""

    def __init__(self, folder: Path, identity: str, *, unpack: bool, quiet: bool) -> None:
        """Take where it will be."""
        self._part = PartFile(archive_path(folder, identity, hidden=unpack))
        self._words, self._quiet = identity, quiet
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Arriving":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        with ExitStack() as stack:
            bar = stack.enter_context(terminal.bar(self._words, quiet=self._quiet, is_bytes=True))
            while not self._over.wait(_LOOK_SECONDS):
                bar.at(self._part.size, None, self._words)
