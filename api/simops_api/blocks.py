"""Ranks in a list of single things among which blocks of many stand (pure).

A sweep of 200,000 points is one block and not 200,000 entries. The order of all is: singles in the order of their keys, and each block as
a whole where its own key stands.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple


class Piece(NamedTuple):
    """A part of the list: the ranks ``first`` to ``last - 1`` among the singles, or within one block."""

    block: int | None
    """Number of the block; None: singles."""
    first: int
    last: int


def pieces(singles: int, sizes: Sequence[int], before: Callable[[int], int], first: int, last: int) -> list[Piece]:
    """Return what the ranks ``first`` to ``last - 1`` of the whole list are, in order.

    Args:
        singles: how many singles there are.
        sizes: how many entries each block has, in the order of the blocks.
        before: number of a block → how many singles stand before it; asked for only a few blocks.
        first: the first rank wanted.
        last: the rank after the last one wanted.
    """
    ends = list(accumulate(sizes, initial=0))
    last = min(last, singles + ends[-1])
    # The first block that begins after `first`; the one before it may still cover `first`.
    block = max(bisect_right(range(len(sizes)), first, key=lambda i: ends[i] + before(i)) - 1, 0)
    out: list[Piece] = []
    while first < last:
        if block == len(sizes):
            out.append(Piece(None, first - ends[-1], last - ends[-1]))
            break
        start = ends[block] + before(block)
        if first < start:
            stop = min(start, last)
            out.append(Piece(None, first - ends[block], stop - ends[block]))
            first = stop
        elif first < start + sizes[block]:
            stop = min(start + sizes[block], last)
            out.append(Piece(block, first - start, stop - start))
            first = stop
        else:
            block += 1
    return out
