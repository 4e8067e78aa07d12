"""Keys that wait in groups, of which each has its turn (pure): what one namespace has in thousands keeps no other one waiting.

Round robin between groups, first come first served within one: fair queueing with one key as the unit (Nagle, RFC 970).
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Turns(Generic[K, V]):
    """Keys, each at most once, with a value each."""

    def __init__(self, group: Callable[[K], Hashable]) -> None:
        self._group = group
        self._waiting: OrderedDict[Hashable, dict[K, V]] = OrderedDict()  # the next turn first; no group is empty

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __contains__(self, key: K) -> bool:
        return key in self._waiting.get(self._group(key), {})

    def put(self, key: K, value: V) -> None:
        """Let a key wait; one that waits already keeps its place and its value."""
        self._waiting.setdefault(self._group(key), {}).setdefault(key, value)

    def take(self, group: Hashable | None = None) -> K:
        """Return the key whose turn it is, of this group if one is given, which waits no more; its group goes to the end of the line.

        Raises:
            StopIteration: none waits.
        """
        group = next(iter(self._waiting)) if group is None else group
        key = next(iter(self._waiting.get(group, ())))
        self._waiting.move_to_end(group)
        self.discard(key)
        return key

    def discard(self, key: K) -> None:
        """Let a key wait no more; one that does not is fine."""
        group = self._group(key)
        keys = self._waiting.get(group, {})
        keys.pop(key, None)
        if not keys:
            self._waiting.pop(group, None)

    def groups(self) -> list[Hashable]:
        """Return the groups that have keys, the next turn first."""
        return list(self._waiting)

    def heads(self) -> Iterator[V]:
        """Yield the value of each group's first key."""
        return (next(iter(keys.values())) for keys in self._waiting.values())
