"""What a finished sweep answers of its points, to the command and to who follows them; operator and Pods are played, the sample simulation is real."""

import asyncio
import contextlib
from pathlib import Path

import aiohttp
import pytest
from contract.player import Player
from contract.server import Api
from contract.test_command import Person
from contract.test_notebook import player
from sse import events_of
from unit.test_api_serving import problem_in

from simops_cli.core.exits import Exit

__all__ = ["player"]  # a fixture

pytestmark = pytest.mark.asyncio(loop_scope="module")
SWEEP = ("submit", "sim:local", "-s", "diffusivity=0.01,0.02", "-s", "time_steps=20,40", "--batch", "--wait")
COMMAND = ("--", "python", "-m", "simops_sim")


async def test_the_log_of_a_point_is_followed_and_its_metrics_are_drawn_in_the_terminal(
    player: tuple[Player, str], api: Api, tmp_path: Path
) -> None:
    played, url = player
    person = Person(tmp_path, {"SIMOPS_SERVER": url, "COLUMNS": "200"})
    playing = asyncio.create_task(played.play())
    try:
        said = await person.says(*SWEEP, "--name", "pointed", *COMMAND)
        assert (said.code, said.lines) == (Exit.OK, ["pointed"]), said.err
    finally:
        playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await playing
    plain = await person.says("logs", "pointed-2")
    assert plain.lines
    followed = await person.says("logs", "-f", "pointed-2")
    assert (followed.code, followed.lines) == (Exit.OK, plain.lines), followed.err

    async with aiohttp.ClientSession(url) as session:
        path = "/api/v1/jobs/pointed-2/logs/stream"
        async with session.get(path) as response:
            events = [event async for event in events_of(response)]
        lines = [event for event in events if event.name == "line"]
        assert [event.data for event in lines] == plain.lines
        assert (events[0].name, events[-1].name) == ("attempt", "end")
        async with session.get(path, headers={"Last-Event-ID": lines[0].id}) as response:
            rest = [event.data async for event in events_of(response) if event.name == "line"]
        assert rest == plain.lines[1:]
        other = lines[0].id.replace("point/", "heat-6f0c1234-x7k2p/")
        async with session.get(path, headers={"Last-Event-ID": other}) as response:
            await problem_in(response, 422)

    drawn = await person.says("plot", "pointed", "--metric", "max_temp", "--x", "diffusivity", "--y", "time_steps")
    assert drawn.code == Exit.OK, drawn.err
    assert "max_temp over diffusivity and time_steps" in drawn.out
    wrong = await person.says("plot", "pointed", "--metric", "cost", "--x", "diffusivity")
    assert wrong.code == Exit.USAGE
    assert "max_temp" in wrong.err

    for words, hint in ((("logs", "pointed"), "simops logs pointed-0"), (("table", "pointed-0"), "is a run")):
        said = await person.says(*words)
        assert (said.code, hint in said.err) == (Exit.USAGE, True), said.err

    (tmp_path / "pointed").mkdir()
    (tmp_path / "pointed" / "precious").write_text("mine")
    said = await person.says("result", "pointed")
    assert (said.code, "--overwrite" in said.err) == (Exit.USAGE, True), said.err
    assert [path.name for path in (tmp_path / "pointed").iterdir()] == ["precious"]
    assert (await person.says("result", "pointed", "--overwrite")).code == Exit.OK
    assert (tmp_path / "pointed" / "precious").read_text() == "mine"
    assert (tmp_path / "pointed" / "3" / "metrics.json").is_file()
