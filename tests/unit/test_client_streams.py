"""The client's streams: events in any pieces, logs without a gap, and waiting, through cuts and restarts."""

from typing import Any

import httpx
import pytest
from clients import Chunks, Gateway, all_of, asking, both, done, event, job, problem, streamed, sweep, told
from hypothesis import given
from hypothesis import strategies as st

from simops_api.sse import comment
from simops_api.sse import event as written
from simops_client import Forbidden, NotFound, SimulationFailed, Unavailable
from simops_client.core.sse import Event, Reader

END = event("end", {"status": "Succeeded", "reason": "Completed", "exit_code": 0})
CUT = httpx.ReadError("reset")


def line(number: int) -> str:
    return event("line", f"line {number}", id=f"pod/{number}")


# Reading events
WORD = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=8)
DATA = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def in_pieces(text: bytes, cuts: list[int]) -> list[Event]:
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    reader = Reader()
    ends = zip([0, *places], [*places, len(text)], strict=True)
    return [found for begin, end in ends for found in reader.feed(text[begin:end])]


@given(st.lists(st.tuples(WORD, WORD, DATA), max_size=5), st.lists(st.integers(0, 10_000), max_size=20))
def test_what_the_gateway_writes_is_read_in_whatever_pieces_it_comes(
    events: list[tuple[str, str, str]], cuts: list[int]
) -> None:
    text = b"retry: 1000\n\n" + b"".join(
        written(data, name=name, id=id_) + comment("still here") for name, id_, data in events
    )
    expected, last = [], ""
    for name, id_, data in events:
        last = id_ or last
        expected.append(Event(name or "message", data.replace("\r\n", "\n").replace("\r", "\n"), last))
    assert in_pieces(text, cuts) == expected


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=10))
def test_any_bytes_are_read_alike_in_one_piece_and_in_many(text: bytes, cuts: list[int]) -> None:
    assert in_pieces(text, cuts) == in_pieces(text, [])


@given(st.sampled_from(["\n", "\r", "\r\n"]), st.lists(st.integers(0, 100), max_size=10))
def test_all_three_ends_of_a_line_are_read(end: str, cuts: list[int]) -> None:
    text = "\ufeff: hello\nid: 7\nevent: a\ndata: x\ndata\ndata:  y\nretry: 50\nretry: no\nwhat: 3\n\nid\ndata: z\n\n".replace(
        "\n", end
    )
    # What a lone carriage return ends is sure only with the byte that follows.
    assert in_pieces(f"{text}:{end}".encode(), cuts) == [Event("a", "x\n\n y", "7"), Event("message", "z", "")]


def test_an_event_that_was_not_ended_is_none_and_an_id_with_a_nul_is_none() -> None:
    reader = Reader()
    assert list(reader.feed(b"id: a\0b\ndata: 1\n\nevent: lost\n\nid: 2\ndata: 2\n")) == [Event("message", "1", "")]
    assert reader.retry_seconds is None
    assert list(reader.feed(b"retry: 250\n")) == []
    assert reader.retry_seconds == 0.25


# Logs
async def log_of(client: Any, **options: Any) -> list[str]:
    return list(await all_of((await done(client.job("sim-1"))).logs(**options)))


@both
async def test_a_log_as_text_is_its_lines(kind: str) -> None:
    gateway = Gateway(told(job()), httpx.Response(200, content="a\n\nb\x0cc\u2028d\n".encode()), httpx.Response(200))
    with asking(kind, gateway) as (client, _):
        found = await done(client.job("sim-1"))
        assert await all_of(found.logs(tail=3, attempt=1, timestamps=True)) == ["a", "", "b\x0cc\u2028d"]
        assert await all_of(found.logs()) == []
    assert gateway.asked[1:] == ["GET jobs/sim-1/logs?tail=3&attempt=1&timestamps=true", "GET jobs/sim-1/logs"]


@both
async def test_a_followed_log_loses_and_repeats_no_line_however_often_it_is_cut(kind: str) -> None:
    lines = [f"line {number}" for number in range(20)]

    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("sim-1"):
            return told(job())
        last = request.headers.get("Last-Event-ID")
        begin = int(last.removeprefix("pod/")) + 1 if last else 0
        # Three lines a connection, and half of a fourth.
        sent = [line(number) for number in range(begin, min(begin + 3, 20))]
        tail: list[str | Exception] = [END] if begin + 3 >= 20 else [line(begin + 3)[:14], CUT]
        return streamed("retry: 1000\n\n", event("attempt", {"attempt": 1}), "".join(sent), *tail)

    gateway = Gateway(serve)
    with asking(kind, gateway) as (client, slept):
        assert await log_of(client, follow=True) == lines
    assert len(gateway.requests) == 8
    assert gateway.sent("Last-Event-ID")[1:4] == [None, "pod/2", "pod/5"]
    assert max(slept) == 0.5


@both
async def test_a_followed_log_goes_on_after_refusals_that_pass(kind: str) -> None:
    gateway = Gateway(
        told(job()),
        streamed(line(0)),
        problem(503, headers={"Retry-After": "5"}),
        httpx.ConnectError("refused"),
        problem(429),
        streamed(line(1) + END),
    )
    with asking(kind, gateway) as (client, slept):
        assert await log_of(client, follow=True) == ["line 0", "line 1"]
    assert slept == [0.5, 5.0, 2.0, 4.0]


@both
async def test_a_long_line_in_parts_is_one_line(kind: str) -> None:
    first, cut = event("part", "aa", id="1"), event("part", "bb", id="2")
    gateway = Gateway(told(job()), streamed(first + cut, CUT), streamed(event("line", "cc", id="3") + END))
    with asking(kind, gateway) as (client, _):
        assert await log_of(client, follow=True) == ["aabbcc"]
    assert gateway.sent("Last-Event-ID")[-1] == "2"


@both
async def test_a_gap_is_told(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway(told(job()), streamed(event("gap", "the node has rotated the log") + END))
    with asking(kind, gateway) as (client, _):
        assert await log_of(client, follow=True) == []
    assert "the node has rotated the log" in caplog.text


@both
async def test_a_log_that_may_not_be_read_is_not_tried_again(kind: str) -> None:
    gateway = Gateway(told(job()), streamed(line(0), CUT), problem(403))
    with asking(kind, gateway) as (client, _), pytest.raises(Forbidden):
        await log_of(client, follow=True)


@both
async def test_a_gateway_that_is_away_is_told_once_and_so_is_its_return(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    away = [httpx.ConnectError("refused")] * 6
    gateway = Gateway(told(job()), streamed(line(0), CUT), *away, streamed(line(1), event("end", {})))
    with asking(kind, gateway) as (client, _):
        assert await log_of(client, follow=True) == ["line 0", "line 1"]
    said = [record.getMessage() for record in caplog.records if record.name == "simops_client"]
    assert [text.partition(";")[0] for text in said] == [
        "the gateway did not answer: refused",
        "the gateway answers again",
    ]


@both
async def test_a_gateway_that_is_gone_for_long_is_given_up(kind: str) -> None:
    gateway = Gateway(told(job()), streamed(line(0), CUT), httpx.ConnectError("refused"))
    with asking(kind, gateway) as (client, slept), pytest.raises(Unavailable, match="refused"):
        await log_of(client, follow=True)
    assert 600 <= sum(slept) <= 620


@both
async def test_who_stops_reading_leaves_no_connection(kind: str) -> None:
    body = Chunks(line(0).encode(), line(1).encode())
    answer = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, extensions={"body": body}, stream=body)
    with asking(kind, Gateway(told(job()), answer)) as (client, _):
        lines = (await done(client.job("sim-1"))).logs(follow=True)
        assert (await anext(lines) if kind == "async" else next(lines)) == "line 0"
        await (lines.aclose() if kind == "async" else done(lines.close()))
    assert body.closed


@both
async def test_an_interrupt_leaves_no_connection(kind: str) -> None:
    class Interrupted(Chunks):
        def __iter__(self) -> Any:
            yield event("state", job(), id="1").encode()
            raise KeyboardInterrupt

    body = Interrupted()
    answer = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, extensions={"body": body}, stream=body)
    with asking(kind, Gateway(told(job()), answer)) as (client, _):
        found = await done(client.job("sim-1"))
        with pytest.raises(KeyboardInterrupt):
            await done(found.wait())
    assert body.closed


@both
async def test_a_followed_log_has_no_tail(kind: str) -> None:
    with asking(kind, Gateway(told(job()))) as (client, _), pytest.raises(ValueError, match="tail"):
        await log_of(client, follow=True, tail=1)


# Waiting
async def waited(client: Any, **options: Any) -> Any:
    return await done((await done(client.job("sim-1"))).wait(**options))


def state(status: str, version: int, **more: Any) -> str:
    return event("state", job(status, **more), id=str(version))


@both
async def test_a_wait_ends_with_the_last_event_and_goes_on_after_a_cut(kind: str) -> None:
    told_progress: list[str] = []
    gateway = Gateway(
        told(job("Pending")),
        streamed("retry: 1000\n\n", state("Pending", 1), ": still here\n\n", state("Running", 2), CUT),
        told(job("Running")),
        streamed(state("Succeeded", 3, exit_code=0, metrics={"m": 1.5}) + END),
    )
    with asking(kind, gateway) as (client, _):
        found = await waited(client, progress=lambda one: told_progress.append(one.status), check=True)
    assert (found.status, found.info.exit_code, found.metrics) == ("Succeeded", 0, {"m": 1.5})
    assert gateway.asked[1:] == ["GET jobs/sim-1/events", "GET jobs/sim-1", "GET jobs/sim-1/events"]
    assert gateway.sent("Last-Event-ID")[-1] == "2"
    assert told_progress == ["Pending", "Running", "Succeeded"]


@both
async def test_where_events_do_not_come_through_the_job_is_asked_for(kind: str) -> None:
    looks = iter(["Pending", "Pending", "Running", "Running", "Failed"])

    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return httpx.Response(404, text="no such page")
        return told(job(next(looks)))

    with asking(kind, Gateway(serve)) as (client, slept):
        assert (await waited(client)).status == "Failed"
    assert slept == [0.5, 1.0, 2.0, 0.0]


@both
async def test_a_job_that_is_gone_ends_a_wait(kind: str) -> None:
    gateway = Gateway(told(job()), streamed(state("Running", 1), CUT), problem(404))
    with asking(kind, gateway) as (client, _), pytest.raises(NotFound):
        await waited(client)


@both
@pytest.mark.parametrize("status", ["Failed", "Cancelled"])
async def test_a_checked_wait_raises_when_the_run_failed(kind: str, status: str) -> None:
    end = event("end", {"status": status, "reason": "ExitCode", "message": "exit code 3", "exit_code": 3})
    gateway = Gateway(told(job()), streamed(state("Running", 1) + end))
    with asking(kind, gateway) as (client, _):
        with pytest.raises(SimulationFailed, match=rf"sim-1 is {status} \(ExitCode: exit code 3\)") as caught:
            await waited(client, check=True)
        assert caught.value.info.exit_code == 3  # type: ignore[union-attr]


@both
async def test_a_wait_ends_in_time_though_the_stream_lives(kind: str) -> None:
    times = [0.0]

    class Beating(Chunks):
        def __iter__(self) -> Any:
            yield event("state", job("Running"), id="1").encode()
            while True:
                # As the gateway does: a comment every 15 seconds; and as httpx does: an error after the silence that was allowed.
                silence = silences[-1]
                times[0] += min(15.0, silence)
                if silence < 15:
                    raise httpx.ReadTimeout("silent")
                yield b": still here\n\n"

    silences: list[float] = []

    def serve(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/events"):
            return told(job("Running"))
        silences.append(request.extensions["timeout"]["read"])
        body = Beating()
        return httpx.Response(
            200, headers={"Content-Type": "text/event-stream"}, extensions={"body": body}, stream=body
        )

    with asking(kind, Gateway(serve)) as (client, _):
        client.clock = lambda: times[0]
        with pytest.raises(TimeoutError, match="sim-1 is still Running after 100 s"):
            await waited(client, timeout=100)
    assert 100 <= times[0] <= 101


@both
async def test_progress_is_a_line_on_standard_error(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    gateway = Gateway(told(job()), streamed(state("Running", 1) + state("Succeeded", 2) + END))
    with asking(kind, gateway) as (client, _):
        await waited(client, progress=True)
    assert capsys.readouterr().err == "sim-1: Succeeded (Completed)\n"


@both
async def test_a_sweep_is_waited_for_by_asking(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    gateway = Gateway(told(sweep()), told(sweep()), told(sweep()), problem(503), told(sweep("Succeeded")))
    with asking(kind, gateway, retries=0) as (client, slept):
        found = await done(client.get_sweep("s-1"))
        assert (await done(found.wait(progress=True, check=True))).status == "Succeeded"
    assert slept == [0.5, 0.75, 1.125]
    words = capsys.readouterr().err.splitlines()
    assert words == [
        "s-1: Running, 2 points: 1 succeeded, 1 running",
        "s-1: Succeeded, 2 points: 1 succeeded, 1 running",
    ]


@both
async def test_a_wait_for_a_sweep_ends_in_time(kind: str) -> None:
    with asking(kind, Gateway(told(sweep()))) as (client, slept):
        found = await done(client.get_sweep("s-1"))
        with pytest.raises(TimeoutError, match="s-1 is still Running after 20 s"):
            await done(found.wait(timeout=20))
    assert sum(slept) == pytest.approx(20)


@both
async def test_a_failed_sweep_raises_when_it_is_checked(kind: str) -> None:
    gateway = Gateway(told(sweep()), told(sweep("Failed", reason="PointsFailed")))
    with asking(kind, gateway) as (client, _), pytest.raises(SimulationFailed, match="PointsFailed"):
        await done((await done(client.get_sweep("s-1"))).wait(check=True))
