"""Bundles of a great many files: they are listed one at a time, counted before, and refused beyond a bound. Who has a namespace's keys may forge them."""

import asyncio
import json
from collections.abc import Mapping

import pytest
from unit.test_api_holds import ANN, roomy
from unit.test_api_sweep_results import Kept, zipped

from simops_api.artifacts import member, service
from simops_api.artifacts.directory import TAIL_BYTES, Member, directory_of
from simops_api.artifacts.member import Bundles, TooManyFilesError
from simops_api.artifacts.service import Artifacts
from simops_api.holds import NoRoomError, Room
from simops_api.jobs.lookup import Found
from simops_api.settings import Settings
from simops_api.store import StoredObject

MANY = 4000
KEY, SMALL_KEY = "jobs/lab/heat/u1/pod.zip", "jobs/lab/short/u2/pod.zip"
LONG = zipped({f"some/folder/with/a/long/name/file-{number:06}": b"" for number in range(MANY)})
SHORT = zipped({"a": b"x"})
FOUND = Found("lab.heat", "lab", "heat", "u1", "Succeeded", "pod", json.dumps({"artifacts": {"bundle": KEY}}).encode())


def stored(key: str, content: bytes, tag: str = "t") -> StoredObject:
    return StoredObject(key, len(content), tag, 0.0)


def artifacts_of(kept: Kept) -> Artifacts:
    return Artifacts(Settings(auth_mode="none", default_container_image="sim:local"), kept.store)


def test_the_long_one_is_long() -> None:
    assert LONG.count(b"PK\1\2") == MANY
    assert len(LONG) - LONG.index(b"PK\1\2") > TAIL_BYTES


async def test_a_directory_of_too_many_files_is_refused_before_objects_are_made_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundles = Bundles(Kept({KEY: LONG}).store)
    assert len(await bundles.directory(stored(KEY, LONG))) == MANY
    monkeypatch.setattr(member, "MAX_FILES", MANY - 1)
    with pytest.raises(TooManyFilesError):
        await Bundles(Kept({KEY: LONG}).store).directory(stored(KEY, LONG))


async def test_of_long_directories_one_at_a_time_is_made_and_short_ones_do_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = most = 0

    async def counted(tail: bytes, size: int) -> Mapping[str, Member]:
        nonlocal now, most
        is_long = len(tail) > TAIL_BYTES
        now += is_long
        most = max(most, now)
        await asyncio.sleep(0)
        now -= is_long
        return directory_of(tail, size)

    monkeypatch.setattr("simops_api.artifacts.member.asyncio.to_thread", lambda _, tail, size: counted(tail, size))
    bundles = Bundles(Kept({KEY: LONG, SMALL_KEY: SHORT}).store)
    await asyncio.gather(*(bundles.directory(stored(KEY, LONG, f"t{number}")) for number in range(5)))
    assert most == 1
    async with bundles.one_large(stored(KEY, LONG)):
        assert list(await asyncio.wait_for(bundles.directory(stored(SMALL_KEY, SHORT)), 5)) == ["a"]


async def test_a_namespace_with_many_long_lists_keeps_another_one_waiting_for_one_of_them() -> None:
    bundles, order = Bundles(Kept().store), list[str]()

    async def listed(namespace: str) -> None:
        async with bundles.one_large(stored(f"jobs/{namespace}/x/u/pod.zip", b"")):
            order.append(namespace)
            await asyncio.sleep(0)

    await asyncio.gather(*(listed("evil") for _ in range(20)), listed("lab"))
    assert "lab" in order[:3]


@pytest.mark.parametrize("has_manifest", [True, False])
async def test_a_list_for_which_there_is_no_room_is_refused_before_it_is_made(
    monkeypatch: pytest.MonkeyPatch, *, has_manifest: bool
) -> None:
    kept = Kept({KEY: LONG})
    if has_manifest:
        entries = [{"path": f"file-{number}", "bytes": 1} for number in range(MANY)]
        kept.objects[KEY.replace(".zip", ".json")] = json.dumps({"entries": entries}).encode()
    listing = json.loads(await artifacts_of(kept).listing(FOUND, roomy()))
    assert len(listing["files"]) == MANY
    made = []
    monkeypatch.setattr(service, "_listed", lambda *_: made.append(1))
    with Room(1 << 20).hold(ANN) as hold, pytest.raises(NoRoomError):
        await artifacts_of(kept).listing(FOUND, hold)
    assert not made


async def test_a_manifest_of_more_files_than_are_looked_at_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept({KEY: SHORT})
    kept.objects[KEY.replace(".zip", ".json")] = json.dumps({"entries": [{"path": "b"}] * 50}).encode()
    assert len(json.loads(await artifacts_of(kept).listing(FOUND, roomy()))["files"]) == 50
    monkeypatch.setattr(service, "MAX_FILES", 50)
    listing = json.loads(await artifacts_of(kept).listing(FOUND, roomy()))
    assert [file["path"] for file in listing["files"]] == ["a"]


async def test_a_list_is_the_same_text_whatever_characters_the_names_have() -> None:
    names = ["\U0001f600", "ü", 'a"b', "\ud800"]
    kept = Kept({KEY: SHORT})
    kept.objects[KEY.replace(".zip", ".json")] = json.dumps({"entries": [{"path": name} for name in names]}).encode()
    listing = json.loads(await artifacts_of(kept).listing(FOUND, roomy()))
    assert [file["path"] for file in listing["files"]] == ["\U0001f600", "ü", 'a"b', "?"]
    assert listing["skipped"] == []
    assert (listing["job"], listing["partial"]) == ("lab.heat", False)
