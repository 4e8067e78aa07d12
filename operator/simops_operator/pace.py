"""How many Jobs may wait for Kubernetes to make their Pods (pure but for the clock that it is given).

Kubernetes' Job controller works in the order of arrival at a limited rate: whoever hands it thousands of Jobs at once makes everybody who comes later wait
behind them. So only as many are handed to it as keep it busy, and namespaces take turns. What counts is a Job that has no Pod yet: Pods that wait for a
node wait in the scheduler, which sees all of them. A Job that gets no Pod for a minute (a quota) stops counting, so that it holds up nobody for long.

Nor do a namespace's Jobs that get none (a priority class that does not exist) hold up others within that minute: a namespace that has less than its share
of the places gets one also when others have taken all of them.
"""

from collections import Counter
from collections.abc import Callable, Hashable

from simops_operator.cache import Key
from simops_operator.turns import Turns

PATIENCE_SECONDS = 60.0


class Pace:
    """Places for Jobs that have no Pod yet, and the runs that wait for one."""

    def __init__(self, places: int, clock: Callable[[], float]) -> None:
        """``places``: how many; 0: any number. ``clock``: seconds that never go back."""
        self._places = places
        self._clock = clock
        self._taken: dict[str, tuple[float, str]] = {}  # UID → since when, the longest first; namespace
        self._held: Counter[Hashable] = Counter()  # namespace → how many of these
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
        if key.uid in self._taken:
            self._free(key.uid)
            self._fill()

    def called(self) -> list[Key]:
        """Return the runs that were given a place since this was asked last."""
        called, self._called = self._called, []
        return called

    def _fill(self) -> None:
        now = self._clock()
        while self._taken and now - next(iter(self._taken.values()))[0] > PATIENCE_SECONDS:
            self._free(next(iter(self._taken)))
        while self._waiting and len(self._taken) < self._places:
            self._give(self._waiting.take(), now)
        while (short := self._short()) is not None:
            self._give(self._waiting.take(short), now)

    def _short(self) -> Hashable | None:
        """Return a namespace that waits and has less than its share, None when there is none."""
        waiting = self._waiting.groups()
        share = self._places // max(1, len({*waiting, *self._held}))
        return next((namespace for namespace in waiting if self._held[namespace] < share), None)

    def _give(self, key: Key, now: float) -> None:
        self._taken[key.uid] = now, key.namespace
        self._held[key.namespace] += 1
        self._called.append(key)

    def _free(self, uid: str) -> None:
        _, namespace = self._taken.pop(uid)
        self._held[namespace] -= 1
        if not self._held[namespace]:
            del self._held[namespace]
