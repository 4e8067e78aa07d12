"""The time of whichever world a test has made last, in place of the operator's own clock."""

from collections.abc import Iterator
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
from sweepworld import SweepWorld


class Clock:
    """Knows the world whose time it is."""

    world: Any = None


def world_time(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> Iterator[None]:
    """Let modules take the world's time for now, as long as a fixture yields from this."""

    def now() -> datetime:
        assert Clock.world is not None
        moment: datetime = Clock.world.now
        return moment

    for module in modules:
        monkeypatch.setattr(module, "_now", now)
    yield
    Clock.world = None


class TimedWorld(SweepWorld):
    """A world that sets the clock."""

    def restart(self) -> None:
        Clock.world = self
        super().restart()
