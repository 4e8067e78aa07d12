"""What a pack's Pod shall run is in its volume, whole and right, before the simulation starts; whatever the store does meanwhile."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

import packs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_crds.indexes import Indexes
from simops_operator.pod.settings import PackSettings
from simops_operator.pod.stage import VolumeError, line, stage, words
from simops_operator.pod.store import Store

T = TypeVar("T")
Take = Callable[[Iterator[bytes]], T]
SHELLS = ("dash", "bash", "busybox sh")


class MemoryStore:
    """Gives what it has, in pieces; `spoil` may change the answer to the nth request."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects
        self.spoil: dict[int, Callable[[bytes], bytes]] = {}
        self.asked: list[str] = []
        self.on_read: Callable[[str], None] = lambda _key: None

    def read(self, key: str, take: Take[T]) -> T:
        while True:
            try:
                return take(self._pieces(key))
            except (ValueError, LookupError, OSError):
                assert len(self.asked) < 20, "it would ask for ever"

    def find(self, key: str, take: Take[T]) -> T | None:
        return self.read(key, take) if key in self.objects else None

    def _pieces(self, key: str) -> Iterator[bytes]:
        number, data = len(self.asked), self.objects[key]
        self.asked.append(key)
        self.on_read(key)
        if number in self.spoil:
            data = self.spoil[number](data)
        for at in range(0, len(data), 7):
            yield data[at : at + 7]


def settings(folder: Path, **changes: Any) -> PackSettings:
    wanted: dict[str, Any] = {
        "sweep": "heat",
        "prefix": packs.PREFIX,
        "round": 0,
        "pack": 0,
        "folder": str(folder),
        "command": ("sim",),
        "params": {},
        "batch": False,
        "seconds": 60,
    }
    return PackSettings(**wanted | changes)


def staged(folder: Path, store: MemoryStore, **changes: Any) -> Indexes:
    return stage(settings(folder, **changes), "/out", cast(Store, store))


def script(folder: Path, shell: str = "dash") -> list[list[str]]:
    """The calls in pack.sh as a shell understands them: function and arguments."""
    show = 'show() { printf \'%s\\0\' "$#" "$@"; }; for f in pack folders point; do eval "$f() { show $f \\"\\$@\\"; }"; done; . '
    done = subprocess.run([*shell.split(), "-c", f"{show}{folder}/pack.sh"], stdout=subprocess.PIPE, check=True)
    texts = iter(done.stdout.decode().split("\0")[:-1])
    return [[next(texts) for _argument in range(int(count))] for count in texts]


def points_of(folder: Path) -> list[int]:
    return [int(call[1]) for call in script(folder) if call[0] == "point"]


def points(count: int) -> list[packs.Params]:
    return [{"x": index} for index in range(count)]


def test_a_pack_has_its_ranks_of_the_rounds_points(tmp_path: Path) -> None:
    store = MemoryStore(packs.objects(points(20), size=6, ranges="2-4,7,11-19", per_pod=5))
    assert str(staged(tmp_path, store, pack=1)) == "12-16"
    assert points_of(tmp_path) == [12, 13, 14, 15, 16]
    assert script(tmp_path)[:2] == [["pack", "/out", "/tmp", "heat", "60"], ["folders", *map(str, range(12, 17))]]
    assert json.loads((tmp_path / "12.json").read_text()) == {"x": 12}
    assert (tmp_path / "run.sh").read_text().startswith("#!/bin/sh\n")
    assert (tmp_path / "ready").read_text() == "12-16"


def test_the_last_pack_has_what_is_left(tmp_path: Path) -> None:
    store = MemoryStore(packs.objects(points(20), size=6, ranges="2-4,7,11-19", per_pod=5))
    assert str(staged(tmp_path, store, pack=2)) == "17-19"


def test_chunks_without_points_of_the_pack_are_not_read(tmp_path: Path) -> None:
    store = MemoryStore(packs.objects(points(30), size=10, per_pod=10))
    staged(tmp_path, store, pack=1)
    assert store.asked == [f"{packs.PREFIX}/rounds/0.json", f"{packs.PREFIX}/points/0000010.jsonl"]


@given(
    st.integers(1, 40), st.integers(1, 12), st.integers(1, 12), st.sets(st.integers(0, 39), min_size=1), st.booleans()
)
def test_each_point_of_a_round_is_in_exactly_one_pack(
    total: int, size: int, per_pod: int, wanted: set[int], batch: bool
) -> None:
    wanted = {index % total for index in wanted}
    ranges = str(Indexes.of((index, index) for index in wanted))
    store = MemoryStore(packs.objects(points(total), size=size, ranges=ranges, per_pod=per_pod))
    found: list[int] = []
    for pack in range(-(-len(wanted) // per_pod)):
        store.asked.clear()
        with TemporaryDirectory() as name:  # for each example a new one
            folder = Path(name)
            own = list(staged(folder, store, pack=pack, batch=batch))
            if batch:
                listed = [json.loads(text)["index"] for text in (folder / "points.jsonl").read_text().splitlines()]
            else:
                listed = [int(path.stem) for path in sorted(folder.glob("*.json"), key=lambda path: int(path.stem))]
            assert listed == own
            found += own
    assert found == sorted(wanted)


def test_parameters_come_in_alphabetical_order_and_a_points_own_win(tmp_path: Path) -> None:
    store = MemoryStore(packs.objects([{"b": 1.5, "a": True}]))
    staged(tmp_path, store, command=("run it", "-v"), params={"c": "text", "b": 9, "d": False})
    wanted = ["run it", "-v", "--a", "true", "--b", "1.5", "--c", "text", "--d", "false"]
    assert script(tmp_path)[2] == ["point", "0", *wanted]
    assert list(json.loads((tmp_path / "0.json").read_text()).items()) == [
        ("a", True),
        ("b", 1.5),
        ("c", "text"),
        ("d", False),
    ]


NASTY = [
    "",
    " ",
    "a b",
    "it's",
    "'",
    "''",
    '"',
    "two\nlines",
    "trailing\n\n",
    "\r\n",
    "\t",
    "-e",
    "-n",
    "--",
    "\\",
    "\\n",
    "\\'",
    "$(touch pwned)",
    "`id`",
    "$HOME",
    "${x}",
    "*",
    "[a-z]?",
    "~",
    "!",
    "#",
    ";",
    "&& exit",
    "ünïcödé ☃ 𝄞",
    "\x1b[31m",
    "\x7f",
    "\u2028",
    "%s%n",
]


@pytest.mark.parametrize("shell", SHELLS)
def test_any_text_arrives_as_it_is(tmp_path: Path, shell: str) -> None:
    store = MemoryStore(packs.objects([{"x": text} for text in NASTY], per_pod=1000))
    staged(tmp_path, store, command=("sim", *NASTY))
    calls = [call for call in script(tmp_path, shell) if call[0] == "point"]
    assert [call[-1] for call in calls] == NASTY
    assert calls[0][2:-2] == ["sim", *NASTY]
    assert [json.loads((tmp_path / f"{index}.json").read_text())["x"] for index in range(len(NASTY))] == NASTY


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20), max_size=5))
def test_a_shell_takes_every_line_for_what_was_said(texts: list[str]) -> None:
    show = b"f() { printf '%s\\0' \"$@\"; }; "
    done = subprocess.run(["dash"], input=show + line("f", *texts), stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode() == "".join(f"{text}\0" for text in texts) or not texts


def test_a_nul_character_fails_its_point_and_no_other() -> None:
    assert "\0" not in "".join(words(("sim",), {"x": "a\0b"}))
    done = subprocess.run(words(("sim",), {"x": "a\0b"}), stderr=subprocess.PIPE, check=False)
    assert done.returncode == 126
    assert b"NUL" in done.stderr


def test_a_batch_simulation_is_given_all_points_in_one_file(tmp_path: Path) -> None:
    store = MemoryStore(packs.objects(points(3), per_pod=10, cancelled="1"))
    staged(tmp_path, store, batch=True, params={"k": "v"})
    assert [json.loads(text) for text in (tmp_path / "points.jsonl").read_text().splitlines()] == [
        {"index": 0, "params": {"k": "v", "x": 0}, "outputs": "/out/0"},
        {"index": 2, "params": {"k": "v", "x": 2}, "outputs": "/out/2"},
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"points.jsonl", "cancelled", "ready"}


def test_a_point_that_is_cancelled_before_its_pod_starts_is_marked(tmp_path: Path) -> None:
    staged(tmp_path, MemoryStore(packs.objects(points(9), per_pod=3, cancelled="1-3,5")), pack=1)
    assert {path.name for path in (tmp_path / "cancelled").iterdir()} == {"3", "5"}
    assert points_of(tmp_path) == [3, 4, 5]


def other_numbers(data: bytes) -> bytes:
    """Valid JSON: that of a chunk has another digest. What says which chunks there are has none."""
    return data[:-5] if data.startswith(b'{"round"') else data.replace(b"7", b"8")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        other_numbers,
        lambda data: data + data,
        lambda data: b"[" * len(data),
        lambda data: b"null\n" * 9,
        lambda data: b"\xff" * len(data),
    ],
)
@pytest.mark.parametrize("request_number", [0, 1, 2])
@pytest.mark.parametrize("batch", [True, False])
def test_what_comes_damaged_is_asked_again_and_leaves_no_trace(
    tmp_path: Path, spoil: Callable[[bytes], bytes], request_number: int, batch: bool
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    found = packs.objects([{"x": 7}] * 17, size=10, per_pod=17)
    for folder in (good, bad):
        folder.mkdir()
        store = MemoryStore(found)
        if folder is bad:
            store.spoil = {request_number: spoil}
        staged(folder, store, batch=batch)
        assert len(store.asked) == 3 + (folder is bad)
    name = "points.jsonl" if batch else "pack.sh"
    assert (bad / name).read_bytes() == (good / name).read_bytes()


def test_another_rounds_file_or_a_pack_that_it_does_not_have_is_not_taken(tmp_path: Path) -> None:
    found = packs.objects(points(4), per_pod=2)
    found[f"{packs.PREFIX}/rounds/1.json"] = found[f"{packs.PREFIX}/rounds/0.json"]
    for change in ({"round": 1}, {"pack": 2}):
        with pytest.raises(AssertionError, match="for ever"):
            staged(tmp_path, MemoryStore(found), **change)
    assert not (tmp_path / "ready").exists()


def test_ready_is_the_last_thing_that_comes(tmp_path: Path) -> None:
    store = MemoryStore(packs.objects(points(20), size=5, per_pod=20, cancelled="3"))

    def look(_key: str) -> None:
        assert not (tmp_path / "ready").exists()

    store.on_read = look
    staged(tmp_path, store)
    assert len(store.asked) == 6
    assert (tmp_path / "ready").exists()
    newest = max(tmp_path.rglob("*"), key=lambda path: path.stat().st_mtime_ns)
    assert newest in (tmp_path / "ready", tmp_path)


def test_after_a_death_in_the_middle_everything_is_brought_again(tmp_path: Path) -> None:
    def die(key: str) -> None:
        if key.endswith("0000010.jsonl"):
            raise KeyboardInterrupt

    found = packs.objects(points(20), size=10, per_pod=20)
    store = MemoryStore(found)
    store.on_read = die
    with pytest.raises(KeyboardInterrupt):
        staged(tmp_path, store)
    assert not (tmp_path / "ready").exists()
    staged(tmp_path, MemoryStore(found))
    assert points_of(tmp_path) == list(range(20))


def test_a_volume_that_cannot_be_written_is_told_and_not_taken_for_the_store(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="cannot write"):
        staged(tmp_path / "missing", MemoryStore(packs.objects(points(3))))
    (tmp_path / "0.json").mkdir()
    store = MemoryStore(packs.objects(points(3)))
    with pytest.raises(VolumeError, match=r"0\.json"):
        staged(tmp_path, store)
    assert len(store.asked) == 2
