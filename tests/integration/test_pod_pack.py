"""The Pod of a pack against real stores: the bundle sidecar and the runner as processes, killed and stopped as kubelet would do it."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import packs
import pytest
from integration.servers import SECRET, Proxy, Server, until
from integration.sidecar import Sidecar

from simops_operator.core.sweeps.results import parse_lines, parse_message

MakeProxy = Callable[[Server, Callable[[str], str | None]], Proxy]

pytestmark = pytest.mark.store

ECHO = (
    "sh",
    "-c",
    'printf "%s\\0" "$@" >"$SIMOPS_OUTPUTS/args"; echo "{\\"m\\": $SIMOPS_POINT}" >"$SIMOPS_OUTPUTS/metrics.json"',
)
FAST_LOOK = "from simops_operator.pod import bundle, pack; pack.LOOK_SECONDS = 0.05; raise SystemExit(bundle.main())"


class Pod:
    """The two containers of a Pod, sharing two folders."""

    def __init__(self, make: Callable[..., Sidecar], store: Server, folder: Path, **variables: str) -> None:
        self.store = store
        self.points = folder / "points"
        self.points.mkdir()
        command = json.dumps(["sh", "-c", "exit 0"])
        pack = {
            "SIMOPS_SWEEP_PREFIX": packs.PREFIX,
            "SIMOPS_SWEEP": "heat",
            "SIMOPS_ROUND": "0",
            "JOB_COMPLETION_INDEX": "0",
            "SIMOPS_POINTS_DIR": str(self.points),
            "SIMOPS_COMMAND": command,
            "SIMOPS_TEMPLATE_PARAMS": "{}",
            "SIMOPS_BATCH": "false",
            "SIMOPS_POINT_SECONDS": "60",
        }
        self.bundle = make(store, **pack | variables)
        del self.bundle.environment["SIMOPS_KEY_PREFIX"]
        self.outputs = self.bundle.outputs
        self.key = f"{packs.PREFIX}/rounds/0/{self.bundle.environment['JOB_COMPLETION_INDEX']}/heat-1-abcde"
        self.simulation: subprocess.Popen[bytes] | None = None

    def start(self) -> "Pod":
        self.bundle.start()
        return self

    def ready(self) -> "Pod":
        until((self.points / "ready").exists, "the points are there")
        return self

    def run(self, shell: str = "dash", *command: str) -> "Pod":
        """Start the simulation container: the runner, or a batch simulation. As a session, so that all of it can be killed at once."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/tmp",
            "SIMOPS_OUTPUTS": str(self.outputs),
            "SIMOPS_POINTS": str(self.points / "points.jsonl"),
            "SIMOPS_RESULTS": str(self.outputs / "results.jsonl"),
        }
        argv = command or (*shell.split(), str(self.points / "run.sh"))
        with (self.outputs.parent / "simulation.log").open("ab") as log:
            self.simulation = subprocess.Popen(
                argv, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return self

    def end(self) -> int:
        """Wait until the simulation container has ended by itself."""
        assert self.simulation is not None
        return self.simulation.wait(60)

    def kill(self) -> None:
        """As the kernel does it when the container is out of memory."""
        assert self.simulation is not None
        os.killpg(self.simulation.pid, signal.SIGKILL)
        self.simulation.wait(10)

    def finish(self) -> dict[str, Any]:
        """kubelet stops the sidecar after the simulation."""
        told = self.bundle.finish()
        message = parse_message(self.bundle.message().decode())
        assert message is not None
        assert message.stored
        stored = parse_lines(self.text("jsonl").decode())
        if message.is_whole:
            assert {int(line["index"]) for line in stored} == set(message.succeeded | message.failed)
        if message.lines is not None:
            assert list(message.lines) == list(stored)
        manifest = json.loads(self.text("json"))
        assert manifest.items() >= {key: told[key] for key in told if key not in ("results", "rangesCut")}.items()
        return told

    def text(self, suffix: str) -> bytes:
        return self.store.get(f"{self.key}.{suffix}")

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text("jsonl").splitlines()]

    def files(self) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.text("zip"))) as file:
            assert file.testzip() is None
            return {name: file.read(name) for name in file.namelist()}


Make = Callable[..., Pod]


@pytest.fixture
def pod(sidecar: Callable[..., Sidecar], tmp_path: Path) -> Iterator[Make]:
    """Make a Pod of a store that has these objects: `pod(store, packs.objects(…), SIMOPS_BATCH="true")`."""
    made: list[Pod] = []

    def make(store: Server, objects: dict[str, bytes], **variables: str) -> Pod:
        for key in store.keys(packs.PREFIX):
            store.client.remove_object(store.bucket, key)
        for key, data in objects.items():
            put(store, key, data)
        folder = tmp_path / f"pod-{len(made)}"
        folder.mkdir()
        made.append(Pod(sidecar, store, folder, **variables))
        return made[-1]

    yield make
    for one in made:
        if one.simulation is not None and one.simulation.poll() is None:
            one.kill()


def put(store: Server, key: str, data: bytes) -> None:
    store.client.put_object(store.bucket, key, io.BytesIO(data), len(data))


def points(count: int, **params: Any) -> list[packs.Params]:
    return [{"x": index, **params} for index in range(count)]


def shell(text: str) -> str:
    return json.dumps(["sh", "-c", text])


def begun(pod: Pod, index: int) -> Callable[[], bool]:
    return (pod.outputs / str(index) / "log.txt").exists


NASTY = [
    "",
    " ",
    "it's",
    '"',
    "a\nb\n\n",
    "-e",
    "--",
    "\\",
    "$(touch pwned)",
    "`x`",
    "$HOME",
    "*",
    "~",
    "ünï ☃",
    "\x7f\t",
]


@pytest.mark.parametrize("which", ["dash", "bash", "busybox sh"])
def test_a_pack_runs_and_everything_of_it_is_in_the_store(store: Server, pod: Make, which: str) -> None:
    objects = packs.objects([{"x": text, "n": 1 / 3, "b": True} for text in NASTY], size=4, per_pod=6)
    one = pod(store, objects, SIMOPS_COMMAND=json.dumps([*ECHO, "-"]), JOB_COMPLETION_INDEX="1")
    one.start().ready().run(which)
    assert one.end() == 0
    told = one.finish()
    assert (told["succeeded"], told["failed"], told["missing"]) == ("6-11", "", "")
    assert [line["index"] for line in told["results"]] == list(range(6, 12))
    assert one.lines() == told["results"]
    assert [line["metrics"] for line in one.lines()] == [{"m": index} for index in range(6, 12)]
    files = one.files()
    assert sorted(files) == sorted(f"{i}/{name}" for i in range(6, 12) for name in ("args", "log.txt", "metrics.json"))
    for index in range(6, 12):
        wanted = ["--b", "true", "--n", "0.3333333333333333", "--x", NASTY[index]]
        assert files[f"{index}/args"].decode().split("\0")[:-1] == wanted
    assert sorted(store.keys(f"{packs.PREFIX}/rounds/0/")) == [f"{one.key}.{end}" for end in ("json", "jsonl", "zip")]
    assert not list(one.points.parent.rglob("pwned"))


def test_failed_points_are_told_with_their_exit_codes_and_the_rest_goes_on(minio_store: Server, pod: Make) -> None:
    one = pod(minio_store, packs.objects(points(5), per_pod=5), SIMOPS_COMMAND=shell("exit $((SIMOPS_POINT % 3))"))
    one.start().ready().run()
    assert one.end() == 0
    told = one.finish()
    assert (told["succeeded"], told["failed"], told["missing"]) == ("0,3", "1-2,4", "")
    assert [(line["exitCode"], line["reason"]) for line in one.lines()] == [
        (0, "Completed"),
        (1, "ExitCode"),
        (2, "ExitCode"),
        (0, "Completed"),
        (1, "ExitCode"),
    ]


BATCH = """
import json, os, sys
with open(os.environ["SIMOPS_POINTS"]) as points, open(os.environ["SIMOPS_RESULTS"], "a") as results:
    for text in points:
        point = json.loads(text)
        os.makedirs(point["outputs"])
        with open(point["outputs"] + "/x", "w") as file:
            file.write(str(point["params"]["x"]))
        results.write(json.dumps({"index": point["index"], "exitCode": 0, "seconds": 0.5, "metrics": {"m": 1}}) + "\\n")
        results.flush()
        if point["index"] == 5:
            os.kill(os.getpid(), 9)
"""


def test_a_batch_simulation_runs_and_what_it_did_not_come_to_is_missing(store: Server, pod: Make) -> None:
    one = pod(store, packs.objects(points(8), per_pod=8, cancelled="1"), SIMOPS_BATCH="true", SIMOPS_COMMAND="[]")
    one.start().ready().run("", sys.executable, "-c", BATCH)
    assert one.end() == -signal.SIGKILL
    told = one.finish()
    assert (told["succeeded"], told["failed"], told["missing"], told["skippedPoints"]) == ("0,2-5", "", "6-7", "1")
    assert one.files() == {f"{index}/x": str(index).encode() for index in (0, 2, 3, 4, 5)}
    assert [line["metrics"] for line in one.lines()] == [{"m": 1}] * 5


# Staging
def test_points_come_when_the_store_comes_back(store: Server, pod: Make) -> None:
    one = pod(store, packs.objects(points(3), per_pod=3))
    store.kill()
    one.start()
    until(lambda: "no connection" in one.bundle.text(), "the sidecar sees that the store is down")
    assert not (one.points / "ready").exists()
    store.start()
    one.ready().run()
    assert one.end() == 0
    assert one.finish()["succeeded"] == "0-2"


def test_points_that_are_not_there_yet_are_waited_for(store: Server, pod: Make) -> None:
    objects = packs.objects(points(3), per_pod=3)
    late = f"{packs.PREFIX}/points/0000000.jsonl"
    data = objects.pop(late)
    one = pod(store, objects).start()
    until(lambda: "NoSuchKey" in one.bundle.text(), "the sidecar misses them")
    put(store, late, data.replace(b'"x":2', b'"x":9'))
    until(lambda: "not what was announced" in one.bundle.text(), "the sidecar sees that they are others")
    assert not (one.points / "ready").exists()
    put(store, late, data)
    one.ready()


@pytest.mark.parametrize("mishap", ["reset", "503", "lost", "half"])
@pytest.mark.parametrize("which", ["rounds/0.json", "points/0000000.jsonl", "points/0000100.jsonl", "cancelled.json"])
def test_a_mishap_with_one_request_only_delays_the_points(
    store: Server, pod: Make, proxy: MakeProxy, mishap: str, which: str
) -> None:
    pending = [mishap]

    def spoil(head: str) -> str | None:
        return pending.pop() if pending and which in head.splitlines()[0] else None

    between = proxy(store, spoil)
    objects = packs.objects(points(200), size=100, per_pod=200, cancelled="7")
    one = pod(store, objects, SIMOPS_STORE_ENDPOINT=between.endpoint).start().ready()
    assert between.mishaps == [mishap]
    calls = (one.points / "pack.sh").read_text().splitlines()
    assert [call.split("'")[1] for call in calls if call.startswith("point ")] == [str(index) for index in range(200)]
    assert [path.name for path in (one.points / "cancelled").iterdir()] == ["7"]


def test_where_nobody_may_list_the_bucket_what_is_not_there_is_denied(
    minio_store: Server, pod: Make, proxy: MakeProxy
) -> None:
    between = proxy(minio_store, lambda head: "403" if "cancelled.json" in head.splitlines()[0] else None)
    pod(minio_store, packs.objects(points(2), per_pod=2), SIMOPS_STORE_ENDPOINT=between.endpoint).start().ready()
    assert between.mishaps == ["403"]


def test_keys_that_are_wrong_are_told_and_used_again_once_they_are_right(store: Server, pod: Make) -> None:
    one = pod(store, packs.objects(points(2)))
    (one.bundle.secret / "secret-key").write_text("not-the-secret")
    one.start()
    until(lambda: "check the Secret" in one.bundle.text(), "the sidecar says what is wrong")
    (one.bundle.secret / "secret-key").write_text(SECRET)
    one.ready()


@pytest.mark.parametrize("how", ["dead", "hanging", "empty"])
def test_a_stop_signal_while_points_are_awaited_ends_the_sidecar_at_once(
    minio_store: Server, pod: Make, how: str
) -> None:
    one = pod(minio_store, {} if how == "empty" else packs.objects(points(3)))
    if how == "dead":
        minio_store.kill()
    elif how == "hanging":
        minio_store.freeze()
    one.start().bundle.ready()
    if how != "hanging":
        until(lambda: "read sweeps/" in one.bundle.text(), "it has tried")
    began = time.monotonic()
    one.bundle.stop()
    assert one.bundle.wait(30) == 1
    assert time.monotonic() - began < 2
    told = one.bundle.told()
    assert told["bundle"] is None
    assert told["error"].startswith("stopped before its points were there")
    assert {"dead": "no connection", "hanging": "", "empty": "NoSuchKey"}[how] in told["error"]
    assert "Traceback" not in one.bundle.text()
    minio_store.thaw()
    minio_store.start()
    assert minio_store.keys(f"{packs.PREFIX}/rounds/0/") == []


def test_a_volume_that_cannot_be_written_is_told(minio_store: Server, pod: Make) -> None:
    one = pod(minio_store, packs.objects(points(3)))
    shutil.rmtree(one.points)
    assert one.start().bundle.wait() == 1
    assert one.bundle.told()["error"].startswith("cannot write ")


def test_a_sidecar_that_is_started_again_touches_nothing_and_knows_its_points(minio_store: Server, pod: Make) -> None:
    one = pod(minio_store, packs.objects(points(3), per_pod=3)).start().ready().run()
    assert one.end() == 0
    one.bundle.send(signal.SIGKILL)
    one.bundle.wait()
    before = {path: path.stat().st_mtime_ns for path in one.points.rglob("*")}
    for key in minio_store.keys(packs.PREFIX):
        minio_store.client.remove_object(minio_store.bucket, key)
    # It is stopped before it can do anything: the simulation ended while there was no sidecar.
    one.start()
    assert one.finish()["succeeded"] == "0-2"
    assert {path: path.stat().st_mtime_ns for path in one.points.rglob("*")} == before


def test_10_000_points_are_there_in_seconds_and_told_of(minio_store: Server, pod: Make) -> None:
    objects = packs.objects(points(10_000), per_pod=10_000)
    one = pod(minio_store, objects, SIMOPS_BATCH="true", SIMOPS_COMMAND="[]").start().ready()
    with (one.outputs / "results.jsonl").open("w") as file:
        for index in range(10_000):
            file.write(json.dumps({"index": index, "exitCode": index % 2, "metrics": {"max": index / 7}}) + "\n")
    told = one.finish()
    assert told["rangesCut"] is True
    assert len(one.lines()) == 10_000
    assert one.bundle.max_rss_mib < 120


# While the simulation runs
def test_points_that_are_cancelled_meanwhile_are_not_started(store: Server, pod: Make) -> None:
    objects = packs.objects(points(4), per_pod=4)
    wait = shell('[ "$SIMOPS_POINT" != 1 ] || until [ -e "$SIMOPS_OUTPUTS/go" ]; do sleep 0.02; done')
    one = pod(store, objects, SIMOPS_COMMAND=wait)
    one.bundle.program = ["-c", FAST_LOOK]
    one.start().ready().run()
    until(begun(one, 1), "the second point runs")
    put(store, f"{packs.PREFIX}/cancelled.json", b'{"points":"0-2,7-9"}')
    until((one.points / "cancelled" / "2").exists, "the runner is told")
    (one.outputs / "1" / "go").touch()
    assert one.end() == 0
    told = one.finish()
    assert (told["succeeded"], told["missing"], told["skippedPoints"]) == ("0-1,3", "", "2")
    assert sorted(path.name for path in (one.points / "cancelled").iterdir()) == ["0", "1", "2"]


@pytest.mark.parametrize(("count", "looks"), [(1, False), (2, True)])
def test_a_pack_of_one_point_does_not_look_which_points_are_cancelled(
    minio_store: Server, pod: Make, proxy: MakeProxy, count: int, looks: bool
) -> None:
    asked: list[str] = []

    def record(head: str) -> None:
        if "/cancelled.json" in head.splitlines()[0]:
            asked.append(head)

    between = proxy(minio_store, record)
    one = pod(minio_store, packs.objects(points(count), per_pod=count), SIMOPS_STORE_ENDPOINT=between.endpoint)
    one.bundle.program = ["-c", FAST_LOOK]
    one.start().ready().run()
    if looks:
        until(lambda: len(asked) > 3, "it looks again and again")
    assert one.end() == 0
    one.finish()
    assert looks or len(asked) == 1


def test_a_store_that_is_away_meanwhile_stops_nothing_and_is_told_of_once(store: Server, pod: Make) -> None:
    wait = shell('until [ -e "$SIMOPS_OUTPUTS/go" ]; do sleep 0.02; done')
    one = pod(store, packs.objects(points(2), per_pod=2), SIMOPS_COMMAND=wait)
    one.bundle.program = ["-c", FAST_LOOK]
    one.start().ready().run()
    until(begun(one, 0), "the first point runs")
    for data in (b"null", b'{"points":[1]}', b"{", b'{"points":"x"}'):
        put(store, f"{packs.PREFIX}/cancelled.json", data)
    until(lambda: "tried again" in one.bundle.text(), "it is told that this is no list of points")
    store.kill()
    (one.outputs / "0" / "go").touch()
    until(begun(one, 1), "the simulation goes on")
    store.start()
    put(store, f"{packs.PREFIX}/cancelled.json", b'{"points":"1"}')
    until((one.points / "cancelled" / "1").exists, "it looks again")
    (one.outputs / "1" / "go").touch()
    assert one.end() == 0
    assert one.finish()["succeeded"] == "0-1"
    assert one.bundle.text().count("tried again") <= 3


# Its end
def test_the_point_under_which_the_container_is_killed_has_failed(store: Server, pod: Make) -> None:
    hang = shell('[ "$SIMOPS_POINT" != 1 ] || exec sleep 600')
    one = pod(store, packs.objects(points(4), per_pod=4), SIMOPS_COMMAND=hang).start().ready().run()
    until(begun(one, 1), "the second point runs")
    one.kill()
    told = one.finish()
    assert (told["succeeded"], told["failed"], told["missing"]) == ("0", "1", "2-3")
    assert (one.lines()[1]["exitCode"], one.lines()[1]["reason"]) == (137, "OOMKilled")
    assert "1/log.txt" in one.files()


def test_the_point_under_which_the_runner_is_told_to_stop_is_missing(store: Server, pod: Make) -> None:
    hang = shell('[ "$SIMOPS_POINT" != 1 ] || exec sleep 600')
    one = pod(store, packs.objects(points(4), per_pod=4), SIMOPS_COMMAND=hang).start().ready().run()
    until(begun(one, 1), "the second point runs")
    assert one.simulation is not None
    one.simulation.send_signal(signal.SIGTERM)
    assert one.end() == 143
    told = one.finish()
    assert (told["succeeded"], told["failed"], told["missing"]) == ("0", "", "1-3")
    assert "1/log.txt" in one.files()


def test_after_a_notice_from_outside_the_point_under_way_is_missing(minio_store: Server, pod: Make) -> None:
    one = pod(minio_store, packs.objects(points(4), per_pod=4), SIMOPS_COMMAND=shell("exec sleep 600"))
    one.bundle.program = [
        "-c",
        "from simops_operator.pod import bundle, notice; notice.is_local = lambda _: False; raise SystemExit(bundle.main())",
    ]
    one.bundle.environment["SIMOPS_STOP_SECONDS"] = "60"
    one.start().ready().run()
    until(begun(one, 0), "the first point runs")
    one.bundle.notice()
    one.kill()
    told = one.finish()
    assert (told["succeeded"], told["failed"], told["missing"]) == ("", "", "0-3")


def test_a_simulation_that_goes_on_after_the_notice_is_taken_as_it_is_and_again_at_its_end(
    minio_store: Server, pod: Make
) -> None:
    wait = shell('[ "$SIMOPS_POINT" = 0 ] || until [ -e "$SIMOPS_OUTPUTS/go" ]; do sleep 0.02; done')
    one = pod(minio_store, packs.objects(points(2), per_pod=2), SIMOPS_COMMAND=wait).start().ready().run()
    until(begun(one, 1), "the second point runs")
    one.bundle.notice()
    until(lambda: "done" in one.bundle.text(), "the outputs are taken as they are")
    told = one.bundle.told()
    assert (told["partial"], told["succeeded"], told["failed"], told["missing"]) == (True, "0", "", "1")
    (one.outputs / "1" / "go").touch()
    assert one.end() == 0
    told = one.finish()
    assert (told["partial"], told["succeeded"], told["missing"]) == (False, "0-1", "")


def test_results_come_after_the_bundle_and_before_the_manifest(
    minio_store: Server, pod: Make, proxy: MakeProxy
) -> None:
    sent: list[str] = []

    def record(head: str) -> None:
        if head.startswith("PUT"):
            sent.append(head.split()[1].rpartition(".")[2])

    between = proxy(minio_store, record)
    one = pod(minio_store, packs.objects(points(1)), SIMOPS_STORE_ENDPOINT=between.endpoint).start().ready().run()
    assert one.end() == 0
    one.finish()
    assert sent == ["zip", "jsonl", "json"]


def test_a_pack_whose_results_cannot_be_stored_says_so(minio_store: Server, pod: Make, proxy: MakeProxy) -> None:
    between = proxy(minio_store, lambda head: "503" if head.startswith("PUT") and ".jsonl " in head else None)
    one = pod(
        minio_store,
        packs.objects(points(1)),
        SIMOPS_STORE_ENDPOINT=between.endpoint,
        SIMOPS_GRACE_SECONDS="4",
    )
    one.start().ready().run()
    assert one.end() == 0
    one.bundle.stop()
    assert one.bundle.wait(30) == 1
    told = one.bundle.told()
    assert told["bundle"] is None
    assert ".jsonl" in told["error"]
    assert minio_store.keys(f"{packs.PREFIX}/rounds/0/0/") == [f"{one.key}.zip"]


def test_a_store_that_is_away_at_the_end_only_delays_it(store: Server, pod: Make) -> None:
    one = pod(store, packs.objects(points(3), per_pod=3)).start().ready().run()
    assert one.end() == 0
    store.kill()
    one.bundle.stop()
    until(lambda: "no connection" in one.bundle.text(), "the sidecar sees that the store is down")
    starts = threading.Timer(0.5, store.start)
    starts.start()
    told = one.finish()
    starts.join()
    assert told["succeeded"] == "0-2"


def test_a_simulation_that_plants_links_and_forges_results_gets_nothing_from_outside(
    minio_store: Server, pod: Make
) -> None:
    evil = shell(
        'cd "$SIMOPS_OUTPUTS/.."; ln -s /etc/passwd "$SIMOPS_OUTPUTS/metrics.json"; ln -s /etc 1; rm -rf 2; ln -s / 2; mkfifo 3.fifo;'
        'printf \'{"index":99,"exitCode":0}\\n{"index":\' >>results.jsonl; exit 0'
    )
    one = pod(minio_store, packs.objects(points(1)), SIMOPS_COMMAND=evil).start().ready().run()
    assert one.end() == 0
    told = one.finish()
    assert told["failed"] == "0"  # its own line was spoiled by the half line before it
    assert told["resultsError"].startswith("results.jsonl: ")
    assert sorted(one.files()) == ["0/log.txt"]
    assert told["skipped"] == 4


# What it costs
def test_it_can_be_stopped_within_150_ms_of_cpu(minio_store: Server, pod: Make) -> None:
    needed = []
    for _times in range(5):
        one = pod(minio_store, packs.objects(points(1)))
        one.bundle.program = [
            "-c",
            "from simops_operator.pod import bundle, lifecycle\n"
            "lifecycle.Sidecar._prepare = lambda *_: None\n"  # what comes after that can be stopped at any time
            "raise SystemExit(bundle.main())",
        ]
        one.start().bundle.ready()
        until(lambda one=one: asleep(one.bundle), "it waits for the stop signal")  # type: ignore[misc]
        needed.append(one.bundle.cpu_seconds())
    print(f"CPU until it can be stopped: {1000 * min(needed):.0f} ms")  # noqa: T201 - shown with -s
    assert min(needed) < 0.150


def asleep(sidecar: Sidecar) -> bool:
    assert sidecar.process is not None
    return Path(f"/proc/{sidecar.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
