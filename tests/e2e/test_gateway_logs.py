"""Logs by the gateway, of simulations that run: as they are printed, through the death of a gateway, and when the Pod is gone."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.cluster import until
from e2e.gateway import PREFIX, Gateway, running_gateway
from e2e.lab import HELD, PODS, Lab, Run, job

SLOW = 'i=0; while [ $i -lt 80 ]; do i=$((i+1)); echo "step $i"; sleep 0.1; done; printf "the end"'
# Text that is not UTF-8, carriage returns, empty lines, and lines longer than what a container runtime keeps together.
ODD = (
    r'printf "first\n\n  two  \n10 %%\r20 %%\r30 %%\nbad \377\376\n"; '
    r'head -c 100000 /dev/zero | tr "\0" x; printf "\n"; echo error >&2; sleep 1; printf "last"'
)


@dataclass(frozen=True)
class Event:
    name: str
    data: str
    id: str


@pytest.fixture(scope="module")
def gateway(simops: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(simops.cluster, tmp_path_factory.mktemp("gateway")) as found:
        yield found


@contextmanager
def following(gateway: Gateway, path: str, last: str = "") -> Iterator[Iterator[Event]]:
    """Follow; the events end with the stream, however it ends."""
    request = urllib.request.Request(gateway.url + PREFIX + path, headers={"Last-Event-ID": last} if last else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=120) as answer:

        def events() -> Iterator[Event]:
            name, data, own = "", list[str](), ""
            for raw in answer:
                field, _, value = raw.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "id":
                    own = value
                elif field == "data":
                    data.append(value)
                elif not field and data:
                    yield Event(name, "\n".join(data), own)
                    name, data, own = "", [], ""

        yield events()


def known(gateway: Gateway, run: Run) -> None:
    until(lambda: gateway.get(f"/jobs/{run.name}").status == 200, "the gateway knows the job", within=60)


def text_of(events: list[Event]) -> str:
    lines = [(event.data.replace("\n", "\r"), event.name) for event in events if event.name in ("line", "part")]
    return "".join(data + ("\n" if name == "line" else "") for data, name in lines)


# Seconds since this machine started, which containers count like everybody else.
CLOCK = "$(cut -d' ' -f1 /proc/uptime)"


def age_of(event: Event) -> float:
    """Return how long ago a line was printed whose last word is CLOCK, in seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - float(event.data.split()[-1])


def test_a_line_reaches_who_follows_within_a_second(gateway: Gateway, simops: Lab) -> None:
    run = simops.start(job("log-live", HELD))
    known(gateway, run)
    with following(gateway, "/jobs/log-live/logs/stream") as events:
        assert next(event for event in events if event.name == "line").data.startswith("attempt log-live-")
        # Printed while the client waits, and not while it runs this.
        prints = f'for n in 0 1 2 3 4; do sleep 1; echo "printed $n {CLOCK}"; done'
        run.shell(run.attempt(), f"({prints}) > /proc/1/fd/1 2>&1 &")
        ages = []
        for number in range(5):
            event = next(event for event in events if event.name == "line")
            ages.append(age_of(event))
            assert event.data.startswith(f"printed {number} ")
        # The middle one: a busy node may hold any single line up, and says nothing of the gateway by that.
        assert sorted(ages)[2] < 1, ages
        run.release(7)
        end = list(events)[-1]
    assert end.name == "end"
    assert json.loads(end.data)["exit_code"] == 7
    assert json.loads(end.data)["status"] == "Failed"


def test_nothing_is_lost_or_repeated_when_a_gateway_dies_and_another_one_goes_on(
    gateway: Gateway, simops: Lab, tmp_path: Path
) -> None:
    run = simops.start(job("log-slow", SLOW))
    seen: list[Event] = []
    with running_gateway(simops.cluster, tmp_path) as doomed:
        known(doomed, run)
        with following(doomed, "/jobs/log-slow/logs/stream") as events:
            for event in events:
                seen.append(event)
                if len(seen) == 20:
                    os.kill(doomed.pid, signal.SIGKILL)
                    break
    known(gateway, run)
    while seen[-1].name != "end":
        last = [event.id for event in seen if event.id][-1]
        with following(gateway, "/jobs/log-slow/logs/stream", last) as events:
            for event in events:
                seen.append(event)
                if event.name == "line" and event.data.endswith("0"):
                    break  # and this client comes again and again
    run.ended("Succeeded", "Completed")
    assert text_of(seen).removesuffix("\n") == run.log().removesuffix("\n")
    assert "step 80\nthe end" in run.log()


def test_the_log_outlives_its_pod(gateway: Gateway, simops: Lab) -> None:
    run = simops.start(job("log-odd", ODD))
    pod = run.finished()["podName"]
    until(lambda: gateway.get("/jobs/log-odd").json.get("status") == "Succeeded", "the gateway knows its end")
    with following(gateway, "/jobs/log-odd/logs/stream") as events:
        before = list(events)
    simops.cluster.request("DELETE", f"{PODS}/{pod}?gracePeriodSeconds=0")
    run.podless()
    answer = gateway.get("/jobs/log-odd/logs")
    assert (answer.status, answer.headers["SimOps-Log"]) == (200, "store")
    assert answer.content == simops.bucket.read(run.status["artifacts"]["log"])
    # Standard error may come anywhere.
    assert answer.content.replace(b"error\n", b"").rstrip(b"\n") == (
        b"first\n\n  two  \n10 %\r20 %\r30 %\nbad \xff\xfe\n" + b"x" * 100_000 + b"\nlast"
    )
    assert gateway.get("/jobs/log-odd/logs?tail=1").content.rstrip(b"\n") == b"last"
    shown = answer.content.decode(errors="replace").rstrip("\n")
    assert text_of(before).rstrip("\n") == shown
    for number, event in enumerate(before):
        if event.id:
            with following(gateway, "/jobs/log-odd/logs/stream", event.id) as events:
                assert (text_of(before[: number + 1]) + text_of(list(events))).rstrip("\n") == shown


def test_a_retry_is_followed_and_both_attempts_can_be_read(gateway: Gateway, simops: Lab) -> None:
    run = simops.start(job("log-retry", HELD, retries=1))
    known(gateway, run)
    with following(gateway, "/jobs/log-retry/logs/stream") as events:
        first = run.release(1)
        second = run.release(0, after=[first])
        seen = list(events)
    assert [json.loads(event.data)["pod"] for event in seen if event.name == "attempt"] == [first, second]
    assert text_of(seen) == f"attempt {first}\nattempt {second}\n"
    assert json.loads(seen[-1].data)["status"] == "Succeeded"
    for number, pod in ((1, first), (2, second)):
        assert gateway.get(f"/jobs/log-retry/logs?attempt={number}").content == f"attempt {pod}\n".encode()


def test_the_states_of_a_job_are_told_to_its_end(gateway: Gateway, simops: Lab) -> None:
    run = simops.start(job("log-states", HELD))
    known(gateway, run)
    with following(gateway, "/jobs/log-states/events") as events:
        run.release(0)
        seen = list(events)
    states = [json.loads(event.data)["status"] for event in seen if event.name == "state"]
    assert list(dict.fromkeys(states))[-2:] == ["Running", "Succeeded"]
    assert [int(event.id) for event in seen[:-1]] == sorted(int(event.id) for event in seen[:-1])
    assert seen[-1].name == "end"
