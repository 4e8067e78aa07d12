"""The sidecar of a pack as a process against real stores: its points come through, and what is told of them is in the store."""

import io
import json
import time
import zipfile
from collections.abc import Callable

import pytest
from integration.packpod import FASTER, PackPod
from integration.servers import Proxy, Server, until
from integration.sidecar import Sidecar

Make = Callable[..., Sidecar]
MakeProxy = Callable[[Server, Callable[[str], str | None]], Proxy]

pytestmark = pytest.mark.store


def names(pod: PackPod) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(pod.store.get(f"{pod.key}.zip"))) as file:
        assert file.testzip() is None
        return file.namelist()


def test_a_pack_is_staged_run_and_told(store: Server, sidecar: Make) -> None:
    sim = 'case $SIMOPS_POINT in 3) exit 9;; esac; echo "{\\"t\\": $SIMOPS_POINT}" >"$SIMOPS_OUTPUTS/metrics.json"; echo "$@"'
    pod = PackPod(sidecar, store, 5, command=("sh", "-c", sim, "sim")).publish()
    pod.cancel("4")
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    assert pod.simulate() == 0
    told = pod.sidecar.finish()
    assert (told["succeeded"], told["failed"], told["missing"], told["skippedPoints"]) == ("0-2", "3", "", "4")
    assert (told["bundle"], told["error"], told["partial"]) == (f"{pod.key}.zip", None, False)
    assert told["results"] == pod.stored()
    assert [(line["index"], line["exitCode"], line["reason"], line["metrics"]) for line in pod.stored()] == [
        *((index, 0, "Completed", {"t": index}) for index in range(3)),
        (3, 9, "ExitCode", {}),
    ]
    files = [f"{index}/{name}" for index in range(3) for name in ("log.txt", "metrics.json")]
    assert names(pod) == [*files, "3/log.txt"]
    assert (pod.outputs / "1" / "log.txt").read_text() == "--shared true --x 1\n"
    manifest = json.loads(store.get(f"{pod.key}.json"))
    assert manifest.items() >= {key: value for key, value in told.items() if key != "results"}.items()
    assert [entry["path"] for entry in manifest["entries"]] == names(pod)
    assert store.keys(f"{pod.prefix}/rounds/0/0/") == [f"{pod.key}.{end}" for end in ("json", "jsonl", "zip")]


def test_results_that_do_not_fit_into_the_message_are_in_the_store(minio_store: Server, sidecar: Make) -> None:
    pod = PackPod(sidecar, minio_store, 200).publish()
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    pod.ended(*range(200))
    told = pod.sidecar.finish()
    assert (told["succeeded"], "results" in told) == ("0-199", False)
    assert [line["index"] for line in pod.stored()] == list(range(200))


def test_points_that_are_not_there_yet_are_waited_for(store: Server, sidecar: Make) -> None:
    pod = PackPod(sidecar, store)
    pod.sidecar.start()
    until(lambda: "NoSuchKey" in pod.sidecar.text(), "the sidecar says what is missing")
    pod.publish()
    until(pod.ready, "the points are there")
    assert pod.sidecar.finish()["missing"] == "0-4"


def test_the_store_is_away_when_the_pod_starts_and_comes_back(store: Server, sidecar: Make) -> None:
    pod = PackPod(sidecar, store).publish()
    store.kill()
    pod.sidecar.start()
    until(lambda: "no connection" in pod.sidecar.text(), "the sidecar sees that the store is down")
    assert not pod.ready()
    store.start()
    until(pod.ready, "the points are there")


@pytest.mark.parametrize("mishap", ["reset", "503", "lost"])
@pytest.mark.parametrize("what", ["/rounds/0.json", "/cancelled.json", "/points/0000000.jsonl"])
def test_a_mishap_with_one_reading_repeats_it(
    minio_store: Server, sidecar: Make, proxy: MakeProxy, mishap: str, what: str
) -> None:
    pending = [mishap]

    def spoil(head: str) -> str | None:
        return pending.pop() if pending and what in head.splitlines()[0] else None

    between = proxy(minio_store, spoil)
    pod = PackPod(sidecar, minio_store, SIMOPS_STORE_ENDPOINT=between.endpoint).publish()
    pod.cancel("2")
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    assert between.mishaps == [mishap]
    assert (pod.points / "cancelled" / "2").exists()
    assert (pod.points / "pack.sh").read_text().count("\npoint ") == 5


@pytest.mark.parametrize("how", ["dead", "hanging", "not there"])
def test_a_stop_signal_while_the_points_are_waited_for_ends_it_at_once(store: Server, sidecar: Make, how: str) -> None:
    pod = PackPod(sidecar, store)
    if how == "dead":
        store.kill()
    elif how == "hanging":
        store.freeze()
    pod.sidecar.start().ready()
    if how != "hanging":
        until(lambda: "read sweeps/" in pod.sidecar.text(), "it has asked")
    began = time.monotonic()
    assert pod.sidecar.stop().wait(10) == 1
    assert time.monotonic() - began < 2
    assert pod.sidecar.told()["error"] == "stopped before its points were there"
    assert pod.sidecar.told()["bundle"] is None
    assert "Traceback" not in pod.sidecar.text()
    assert not pod.ready()
    store.thaw()
    store.start()
    assert store.keys(pod.prefix) == []


def test_a_stop_signal_at_the_very_start_costs_less_than_150_ms_of_cpu(minio_store: Server, sidecar: Make) -> None:
    needed = []
    for _times in range(5):
        pod = PackPod(sidecar, minio_store)
        pod.sidecar.start().stop()
        assert pod.sidecar.wait(10) == 1
        assert pod.sidecar.told()["error"] == "stopped before its points were there"
        needed.append(pod.sidecar.cpu)
    print(f"CPU until stopped: {1000 * min(needed):.0f} ms")  # noqa: T201 - shown with -s
    assert min(needed) < 0.150


def test_points_cancelled_while_the_pack_runs_are_marked(store: Server, sidecar: Make) -> None:
    pod = PackPod(sidecar, store).publish()
    pod.sidecar.program = ["-c", FASTER]
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    pod.cancel("3,77")
    until((pod.points / "cancelled" / "3").exists, "the point is marked")
    pod.ended(0, 1, 2)
    told = pod.sidecar.finish()
    assert (told["succeeded"], told["missing"], told["skippedPoints"]) == ("0-2", "4", "3")
    assert [path.name for path in (pod.points / "cancelled").iterdir()] == ["3"]


def test_an_outage_while_it_looks_for_cancelled_points_does_no_harm(minio_store: Server, sidecar: Make) -> None:
    pod = PackPod(sidecar, minio_store).publish()
    pod.sidecar.program = ["-c", FASTER]
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    minio_store.kill()
    until(lambda: "tried again" in pod.sidecar.text(), "it has met the outage")
    minio_store.start()
    pod.cancel("1")
    until((pod.points / "cancelled" / "1").exists, "the point is marked")
    assert pod.sidecar.text().count("tried again") == 1
    pod.ended(0, 2, 3, 4)
    assert pod.sidecar.finish()["error"] is None


@pytest.mark.parametrize(("count", "looks"), [(1, False), (2, True)])
def test_a_pack_of_one_point_does_not_look_for_cancelled_points(
    minio_store: Server, sidecar: Make, proxy: MakeProxy, count: int, looks: bool
) -> None:
    asked: list[str] = []

    def spoil(head: str) -> None:
        asked.append(head.splitlines()[0])

    between = proxy(minio_store, spoil)
    pod = PackPod(sidecar, minio_store, count, SIMOPS_STORE_ENDPOINT=between.endpoint).publish()
    pod.sidecar.program = ["-c", FASTER]
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    if looks:
        until(lambda: sum("/cancelled.json" in line for line in asked) > 3, "it looks again and again")
    pod.ended(0)
    pod.sidecar.finish()
    assert looks or sum("/cancelled.json" in line for line in asked) == 1


def test_the_point_under_way_has_failed_when_its_container_died_of_itself(minio_store: Server, sidecar: Make) -> None:
    pod = PackPod(sidecar, minio_store).publish()
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    pod.ended(0, 1)
    pod.begun(2)
    told = pod.sidecar.finish()
    assert (told["succeeded"], told["failed"], told["missing"]) == ("0-1", "2", "3-4")
    assert (pod.stored()[2]["exitCode"], pod.stored()[2]["reason"]) == (137, "OOMKilled")


def test_of_a_batch_that_died_no_point_is_blamed(minio_store: Server, sidecar: Make) -> None:
    pod = PackPod(sidecar, minio_store, batch=True).publish()
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    pod.ended(0, 1)
    pod.begun(2)
    told = pod.sidecar.finish()
    assert (told["succeeded"], told["failed"], told["missing"]) == ("0-1", "", "2-4")


def test_a_pack_that_is_being_stopped_tells_what_has_ended_and_again_when_more_has(
    store: Server, sidecar: Make
) -> None:
    pod = PackPod(sidecar, store).publish()
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    pod.ended(0)
    pod.begun(1)
    pod.sidecar.notice()
    until(lambda: "done" in pod.sidecar.text(), "the outputs are taken as they are")
    told = pod.sidecar.told()
    assert (told["partial"], told["succeeded"], told["failed"], told["missing"]) == (True, "0", "", "1-4")
    assert [line["index"] for line in pod.stored()] == [0]
    with (pod.outputs / "results.jsonl").open("a") as file:
        file.write('{"index":1,"exitCode":1,"seconds":3}\n')
    told = pod.sidecar.finish()
    assert (told["partial"], told["succeeded"], told["failed"], told["missing"]) == (False, "0", "1", "2-4")
    assert [line["index"] for line in pod.stored()] == [0, 1]


def test_a_runner_that_was_told_to_stop_leaves_its_point_missing(minio_store: Server, sidecar: Make) -> None:
    pod = PackPod(sidecar, minio_store).publish()
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    pod.ended(0)
    pod.begun(1)
    with (pod.outputs / "results.jsonl").open("a") as file:
        file.write('{"stopped":true}\n')
    told = pod.sidecar.finish()
    assert (told["succeeded"], told["failed"], told["missing"]) == ("0", "", "1-4")


def test_a_sidecar_that_is_started_again_goes_on_with_its_pack_and_stages_nothing(
    minio_store: Server, sidecar: Make
) -> None:
    pod = PackPod(sidecar, minio_store).publish()
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    pod.sidecar.close()
    script = pod.points / "pack.sh"
    before = script.stat()
    pod.ended(0, 1, 2, 3, 4)
    minio_store.client.remove_object(minio_store.bucket, f"{pod.prefix}/rounds/0.json")
    told = pod.sidecar.start().finish()
    assert (told["succeeded"], told["missing"]) == ("0-4", "")
    after = script.stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_without_its_results_in_the_store_a_pack_is_not_stored(
    minio_store: Server, sidecar: Make, proxy: MakeProxy
) -> None:
    between = proxy(
        minio_store, lambda head: "503" if head.startswith("PUT") and ".jsonl" in head.splitlines()[0] else None
    )
    pod = PackPod(sidecar, minio_store, SIMOPS_STORE_ENDPOINT=between.endpoint, SIMOPS_GRACE_SECONDS="5").publish()
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    pod.ended(0)
    assert pod.sidecar.stop().wait() == 1
    told = pod.sidecar.told()
    assert told["bundle"] is None
    assert "results were not uploaded" in told["error"]
    assert minio_store.keys(f"{pod.prefix}/rounds/0/0/") == [f"{pod.key}.zip"]


def test_outputs_that_lead_outside_bring_nothing_from_there(minio_store: Server, sidecar: Make) -> None:
    pod = PackPod(sidecar, minio_store).publish()
    secret = pod.outputs.parent / "secret-place"
    secret.mkdir()
    (secret / "metrics.json").write_text('{"stolen": 1}')
    pod.sidecar.start()
    until(pod.ready, "the points are there")
    (pod.outputs / "0").symlink_to(secret)
    with (pod.outputs / "results.jsonl").open("w") as file:
        file.write('{"index":0,"exitCode":0,"seconds":1}\n')
    told = pod.sidecar.finish()
    assert told["results"][0]["metrics"] == {}
    assert names(pod) == []
    assert b"stolen" not in minio_store.get(f"{pod.key}.zip") + minio_store.get(f"{pod.key}.jsonl")
    assert (secret / "metrics.json").read_text() == '{"stolen": 1}'


def test_a_thousand_points_are_staged_within_seconds_and_little_memory(minio_store: Server, sidecar: Make) -> None:
    pod = PackPod(sidecar, minio_store, 1000).publish()
    pod.sidecar.start()
    until(pod.ready, "the points are there", 15)
    assert len(list(pod.points.glob("*.json"))) == 1000
    pod.ended(*range(1000))
    assert pod.sidecar.finish()["succeeded"] == "0-999"
    assert pod.sidecar.max_rss_mib < 120
