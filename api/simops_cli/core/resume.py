"""Which lines of a log that is read again were given already (pure)."""


class Seen:
    """Remembers by the time before each line, and how many lines had the latest one."""

    def __init__(self) -> None:
        self.last = ""
        """The time of the line that was given last, as the kubelet writes it: of fixed width, so it compares as text."""
        self._count = 0
        self._skip = 0

    def begin_again(self) -> None:
        """The log is read once more, from some time before the last line on."""
        self._skip = self._count

    def is_new(self, stamp: str) -> bool:
        """Whether a line of this time is to be given. It counts as given then."""
        if stamp < self.last:
            return False
        if stamp == self.last:
            if self._skip:
                self._skip -= 1
                return False
            self._count += 1
            return True
        self.last, self._count, self._skip = stamp, 1, 0
        return True
