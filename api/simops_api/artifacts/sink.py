"""A file that is written and sent at the same time."""

import io
from typing import IO


class Sink(io.RawIOBase):
    """Where a library writes a file to: what has been written since the last ``take``, at an offset that goes on."""

    def __init__(self) -> None:
        self._offset = 0
        self._buffer = bytearray()
        self.file: IO[bytes] | None = None
        """Where to write to instead from now on, for what would be too long for memory."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return False: what is sent is gone."""
        return False

    def tell(self) -> int:
        """Return how long the file is by now."""
        return self._offset

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Take more of the file."""
        if self.file is not None:
            self.file.write(data)
        else:
            self._buffer += data
        self._offset += len(data)
        return len(data)

    def skip(self, count: int) -> None:
        """Take note of bytes that go past it."""
        self._offset += count

    def take(self) -> bytes:
        """Return what was written."""
        out = bytes(self._buffer)
        self._buffer.clear()
        return out
