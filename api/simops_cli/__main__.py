"""`simops`, and `python -m simops_cli`. It imports nothing before Ctrl-C has its meaning: the rest takes a second."""

import os
import signal
from types import FrameType

_INTERRUPTED = 130


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)  # nothing has been begun; an import that is broken off would only be told as one


def main() -> None:
    """Be the command."""
    before = signal.signal(signal.SIGINT, _leave)
    from simops_cli import app  # noqa: PLC0415

    signal.signal(signal.SIGINT, before)
    app.main()


if __name__ == "__main__":
    main()
