"""How many Jobs may wait for Kubernetes to make their Pods (pure but for the clock that it is given).

Kubernetes' Job controller works in the order of arrival at a limited rate: whoever hands it thousands of Jobs at once makes everybody who comes later wait
behind them. So only as many are handed to it as keep it busy, and namespaces take turns. What counts is a Job that has no Pod yet: Pods that wait for a
node wait in the scheduler, which sees all of them. A Job that gets no Pod for a minute (a quota) stops counting, so that it holds up nobody for long.
"""

from collections.abc import Callable

from simops_operator.cache import Key
from simops_operator.turns import Turns

PATIENCE_SECONDS = 60.0


class Pace:
    """Places for Jobs that have no Pod yet, and the runs that wait for one."""

    def __init__(self, places: int, clock: Callable[[], float]) -> None:
        """``places``: how many; 0: any number. ``clock``: seconds that never go back."""
        self._places = places
        self._clock = clock
        self._taken: dict[str, float] = {}  # UID of the run → since when, the longest first
        self._waiting: Turns[Key, None] = Turns(lambda key: key.namespace)
        self._called: list[Key] = []

    @property
    def waiting(self) -> int:
        """Runs that wait for a place."""
        return len(self._waiting)

    def enter(self, key: Key) -> bool:
        """Whether the Job of a run may be made now; if not, the run waits for its turn, which ``called`` tells."""
        if not self._places or key.uid in self._taken:
            return True
        self._waiting.put(key, None)
        self._fill()
        if key.uid not in self._taken:
            return False
        self._called.remove(key)
        return True

    def leave(self, key: Key) -> None:
        """Give a run's place back: its Job has a Pod, or needs none any more. One that has none is fine."""
        self._waiting.discard(key)
        if self._taken.pop(key.uid, None) is not None:
            self._fill()

    def called(self) -> list[Key]:
        """Return the runs that were given a place since this was asked last."""
        called, self._called = self._called, []
        return called

    def _fill(self) -> None:
        now = self._clock()
        while self._taken and now - next(iter(self._taken.values())) > PATIENCE_SECONDS:
            del self._taken[next(iter(self._taken))]
        while self._waiting and len(self._taken) < self._places:
            key = self._waiting.take()
            self._taken[key.uid] = now
            self._called.append(key)
