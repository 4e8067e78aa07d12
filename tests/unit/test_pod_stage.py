"""What a pack is given to run: exactly its points, checked, and nothing can begin before all of it is there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shells import Pack
from sweepstore import PREFIX, FakeStore, compact, objects, settings_of

from simops_crds.indexes import Indexes
from simops_operator.pod import stage
from simops_operator.pod.store import Store


def staged(folder: Path, store: FakeStore, **changes: Any) -> Indexes:
    folder.mkdir(exist_ok=True)
    return stage.stage(settings_of(str(folder), **changes), "/simops/outputs", cast("Store", store))


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"x": index} for index in range(count)]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@given(st.sets(st.integers(0, 99), min_size=1), st.integers(1, 40), st.integers(1, 50))
def test_the_packs_of_a_round_are_its_points_each_once_and_in_order(indexes: set[int], per_pod: int, size: int) -> None:
    text = str(Indexes.of((index, index) for index in indexes))
    told = objects(numbered(100), text, per_pod, size=size)[f"{PREFIX}/rounds/0.json"]
    found: list[int] = []
    for pack in range(-(-len(indexes) // per_pod)):
        parts = stage.parts_of(told, settings_of("", pack=pack))
        assert 0 < sum(len(own) for _chunk, own in parts) <= per_pod
        assert all(chunk.first <= index < chunk.first + chunk.count for chunk, own in parts for index in own)
        found += [index for _chunk, own in parts for index in own]
    assert found == sorted(indexes)
    with pytest.raises(ValueError, match="does not say"):
        stage.parts_of(told, settings_of("", pack=-(-len(indexes) // per_pod)))


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"round":1,"points":"0","pointsPerPod":1,"chunks":[]}'])
def test_what_is_no_file_of_this_round_is_refused(text: bytes) -> None:
    with pytest.raises((ValueError, LookupError)):
        stage.parts_of(text, settings_of(""))


def test_a_pack_gets_its_points_and_nothing_else(tmp_path: Path) -> None:
    store = FakeStore(objects(numbered(30), "0-4,8-29", 10, size=10))
    assert str(staged(tmp_path, store, pack=1)) == "13-22"
    assert files(tmp_path) == {"cancelled", "ready", "run.sh", "pack.sh"} | {f"{index}.json" for index in range(13, 23)}
    assert (tmp_path / "ready").read_text() == "13-22"
    assert store.asked == [
        f"{PREFIX}/rounds/0.json",
        f"{PREFIX}/points/0000010.jsonl",
        f"{PREFIX}/points/0000020.jsonl",
    ]


def test_a_points_parameters_win_over_those_of_the_template_and_all_are_in_its_file(tmp_path: Path) -> None:
    store = FakeStore(objects([{"b": "é\n", "x": 1.5}], "0", 1))
    staged(tmp_path, store, command=("sim", "run"), params={"a": True, "x": 2})
    assert json.loads((tmp_path / "0.json").read_bytes()) == {"a": True, "b": "é\n", "x": 1.5}
    assert "point '0' 'sim' 'run' '--a' 'true' '--b' 'é\n' '--x' '1.5'\n" in (tmp_path / "pack.sh").read_text()


@pytest.mark.parametrize("shell", ["dash", "busybox", "bash"])
def test_what_is_staged_can_be_run(tmp_path: Path, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Pack(tmp_path, shell)
    monkeypatch.setattr(stage, "SCRATCH", str(one.scratch))
    store = FakeStore(objects([{"text": f"it's {index}\n"} for index in range(250)], "0-249", 250))
    settings = settings_of(str(one.points), command=("printf", "%s|"))
    stage.stage(settings, str(one.outputs), cast("Store", store))
    one.script = [(one.points / "pack.sh").read_bytes()]
    one.run()
    assert one.codes() == dict.fromkeys(range(250), 0)
    assert one.log(249) == b"--text|it's 249\n|"


def test_a_batch_simulation_gets_one_file_without_the_points_that_are_cancelled(tmp_path: Path) -> None:
    store = FakeStore(objects(numbered(6), "1-5", 3, size=2) | {f"{PREFIX}/cancelled.json": compact({"points": "2,5"})})
    assert str(staged(tmp_path, store, batch=True, params={"a": 0})) == "1-3"
    assert files(tmp_path) == {"cancelled", "ready", "points.jsonl"}
    assert [json.loads(line) for line in (tmp_path / "points.jsonl").read_text().splitlines()] == [
        {"index": 1, "params": {"a": 0, "x": 1}, "outputs": "/simops/outputs/1"},
        {"index": 3, "params": {"a": 0, "x": 3}, "outputs": "/simops/outputs/3"},
    ]
    assert files(tmp_path / "cancelled") == {"2"}


def test_what_was_cancelled_before_the_pod_began_is_marked(tmp_path: Path) -> None:
    store = FakeStore(objects(numbered(6), "0-5", 3) | {f"{PREFIX}/cancelled.json": compact({"points": "0,2-4"})})
    assert str(staged(tmp_path, store)) == "0-2"
    assert files(tmp_path / "cancelled") == {"0", "2"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-3],
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b":4", b":5"),
        lambda data: data + data[:12],
        lambda _data: b"",
        lambda data: b"".join(reversed(data.splitlines(keepends=True))),
    ],
)
def test_a_damaged_chunk_is_read_again_and_leaves_nothing_of_what_it_said(tmp_path: Path, damage: Any) -> None:
    left = [damage]

    def spoil(key: str, data: bytes) -> bytes:
        return left.pop()(data) if left and "/points/" in key else data

    whole = FakeStore(objects(numbered(20), "3-7", 5))
    spoilt = FakeStore(whole.objects, spoil)
    staged(tmp_path / "whole", whole)
    staged(tmp_path / "spoilt", spoilt)
    assert len(spoilt.asked) == len(whole.asked) + 1
    for name in files(tmp_path / "whole") - {"cancelled"}:
        assert (tmp_path / "spoilt" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_nothing_is_ready_before_everything_is_there(tmp_path: Path) -> None:
    seen: list[bool] = []

    def spoil(_key: str, data: bytes) -> bytes:
        seen.append((tmp_path / "ready").exists())
        return data

    staged(tmp_path, FakeStore(objects(numbered(20), "0-19", 20, size=5), spoil))
    assert seen == 5 * [False]
    assert (tmp_path / "ready").exists()


def test_staging_again_after_a_death_in_its_middle_gives_the_same(tmp_path: Path) -> None:
    def die(key: str, data: bytes) -> bytes:
        if key.endswith("0000010.jsonl"):
            raise KeyboardInterrupt
        return data

    told = objects(numbered(20), "0-19", 20, size=10)
    with pytest.raises(KeyboardInterrupt):
        staged(tmp_path, FakeStore(told, die))
    assert not (tmp_path / "ready").exists()
    staged(tmp_path, FakeStore(told))
    assert (tmp_path / "pack.sh").read_text().count("\npoint ") == 20


def test_a_pack_is_read_with_nothing_that_takes_time_to_import() -> None:
    program = "import sys; from simops_operator.pod import lifecycle, results; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert not {"pydantic", "yaml", "minio", "urllib3", "kubernetes"} & set(done.stdout.split())
