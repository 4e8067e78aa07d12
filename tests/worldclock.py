"""The time of whichever world a test has made last, in place of the operator's own clock."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from builders import T0
from sweepworld import SweepWorld

from simops_operator.clock import CLOCK


class Clock:
    """Knows the world whose time it is."""

    world: Any = None


def world_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the operator take the world's time for now, T0 while there is no world, as long as a fixture yields from this."""

    def now() -> datetime:
        moment: datetime = Clock.world.now if Clock.world is not None else T0
        return moment

    monkeypatch.setattr(CLOCK, "now", now)
    yield
    Clock.world = None


class TimedWorld(SweepWorld):
    """A world that sets the clock."""

    def restart(self) -> None:
        Clock.world = self
        super().restart()
