"""Ranks in the union of sorted lists, without making the union (pure).

A page deep in a list of 100,000 must not cost the reading of everything before it. Lists are disjoint and sorted, and no element
occurs twice.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar

T = TypeVar("T", bound=tuple[Any, ...])


def cut(lists: Sequence[Sequence[T]], starts: Sequence[int], rank: int) -> list[int]:
    """Return where to cut each list so that, from ``starts`` on, exactly the ``rank`` smallest of all elements lie before the cuts."""
    low, high = list(starts), [len(one) for one in lists]
    while True:
        widest = max(range(len(lists)), key=lambda i: high[i] - low[i])
        if high[widest] == low[widest]:
            return low
        middle = (low[widest] + high[widest]) // 2
        pivot = lists[widest][middle]
        places = [bisect_left(one, pivot, low[i], high[i]) for i, one in enumerate(lists)]
        if sum(places) - sum(starts) < rank:
            low = places
            low[widest] = middle + 1
        else:
            high = places


def ranked(lists: Sequence[Sequence[T]], starts: Sequence[int], first: int, last: int) -> list[T]:
    """Return the elements of rank ``first`` to ``last - 1`` of the union of the lists from ``starts`` on, in order."""
    if not lists or first >= last:
        return []
    if len(lists) == 1:
        return list(lists[0][starts[0] + first : starts[0] + last])
    begins, ends = cut(lists, starts, first), cut(lists, starts, last)
    return sorted(chain.from_iterable(one[b:e] for one, b, e in zip(lists, begins, ends, strict=True)))
