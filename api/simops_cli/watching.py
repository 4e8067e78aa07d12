"""How much of a download has arrived, seen from the file that it goes into."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simops_cli import terminal
from simops_client.core.files import PartFile
from simops_client.core.requests import archive_path

_LOOK_SECONDS = 0.2


@contextmanager
def arriving(folder: Path, identity: str, *, unpack: bool, quiet: bool) -> Iterator[None]:
    """Show how a download into a folder grows while it lasts."""
    part = PartFile(archive_path(folder, identity, hidden=unpack))
    over = threading.Event()

    def look() -> None:
        with terminal.bar(identity, quiet=quiet, is_bytes=True) as bar:
            while not over.wait(_LOOK_SECONDS):
                bar.at(part.size, None, identity)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
