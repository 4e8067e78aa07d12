"""The history of changes: whoever goes on from a place in it misses no last state, or is told to read everything."""

import json
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from unit.test_api_serving import settings_of

from simops_api.events.feed import Feed
from simops_api.events.many import FeedQuery, Many
from simops_api.holds import PIECE
from simops_crds.kinds import SIMULATION_JOB, SIMULATION_SWEEP

IDS = st.lists(st.sampled_from("abcdef"), max_size=60)


@given(before=IDS, after=IDS, kept=st.integers(1, 30))
def test_what_has_changed_since_a_place_is_told_once_or_the_place_is_not_known_any_more(
    before: list[str], after: list[str], kept: int
) -> None:
    feed = Feed(kept)
    feed.note(SIMULATION_JOB, before)
    place = feed.place(feed.last)
    feed.note(SIMULATION_JOB, after)
    number = feed.number(place)
    assert number == len(before)
    found = feed.since(number)
    if len(after) > kept:
        assert found is None
    else:
        newest_last = list(dict.fromkeys(reversed(after)))[::-1]
        assert found == [(SIMULATION_JOB, one) for one in newest_last]


def test_a_place_of_another_process_or_of_the_future_is_not_known() -> None:
    feed = Feed()
    feed.note(SIMULATION_SWEEP, ["a"])
    assert feed.number(Feed().place(1)) is None
    for text in ("", "-", f"{feed.epoch}-x", f"{feed.epoch}-{'9' * 40}", f"{feed.epoch}-²"):
        assert feed.number(text) is None
    assert feed.since(2) is None


async def test_who_waits_is_told_of_a_change_and_forgotten_afterwards() -> None:
    feed = Feed()
    await feed.wait(0, 0.01)
    assert feed.last == 0
    feed.note(SIMULATION_JOB, ["a"])
    await feed.wait(0, 60)
    assert feed.since(0) == [(SIMULATION_JOB, "a")]


async def test_events_of_long_objects_are_told_a_few_at_a_time() -> None:
    document = json.dumps({"id": "x", "params": {"text": "y" * 100_000}}).encode()
    index = SimpleNamespace(get=lambda _: SimpleNamespace(document=document, labels=()))
    caches = SimpleNamespace(of=lambda _: SimpleNamespace(index=index))
    many = Many(settings_of("none"), cast(Any, None), cast(Any, caches), Feed(), cast(Any, None))
    changes = [(SIMULATION_JOB, f"lab.x{number}") for number in range(300)]
    pieces = list(many._pieces(changes, FeedQuery(), {SIMULATION_JOB: frozenset({"lab"})}))
    assert sum(piece.count(b"event: job\n") for piece in pieces) == 300
    assert max(map(len, pieces)) < PIECE + 2 * len(document)
    assert len(list(many._pieces([*changes[:3]], FeedQuery(), {SIMULATION_JOB: frozenset()}))) == 0
