"""A page of singles and blocks is what a look at the whole list finds."""

from bisect import bisect_left

from hypothesis import example, given
from hypothesis import strategies as st

from simops_api.blocks import pieces

KEYS = st.lists(st.integers(0, 20), max_size=12, unique=True)
BLOCKS = st.dictionaries(st.integers(0, 20), st.integers(0, 5), max_size=6)


@given(KEYS, BLOCKS, st.integers(0, 40), st.integers(0, 40))
@example([], {}, 0, 5)
@example([1, 3], {2: 0}, 0, 2)
def test_any_part_is_the_part_of_the_whole_list(keys: list[int], blocks: dict[int, int], first: int, last: int) -> None:
    keys.sort()
    order = sorted(blocks)
    whole = sorted(
        [((key, 1), (None, rank)) for rank, key in enumerate(keys)]
        + [((key, 0), (number, i)) for number, key in enumerate(order) for i in range(blocks[key])]
    )
    found = pieces(len(keys), [blocks[key] for key in order], lambda i: bisect_left(keys, order[i]), first, last)
    told = [(piece.block, rank) for piece in found for rank in range(piece.first, piece.last)]
    assert told == [entry for _, entry in whole[first:last]]


def test_only_a_few_blocks_are_asked_for_where_they_stand() -> None:
    asked: list[int] = []

    def before(block: int) -> int:
        asked.append(block)
        return block

    pieces(10_000, [20] * 10_000, before, 100_000, 100_050)
    assert len(asked) < 40
