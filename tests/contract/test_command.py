"""The `simops` command as processes of their own, against the real gateway and straight against the real API server."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from contract.objects import Manifest, job, sweep
from contract.server import Api
from contract.test_client import FILES, World, below, cutting
from s3 import store_in_memory
from terminal import AT_A_TERMINAL
from unit.test_api_serving import serving, settings_of

from simops_cli.core.exits import Exit

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEADLINE = 90


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(api: Api, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with (
        store_in_memory(tmp_path_factory.mktemp("store")) as (store, own),
        serving(settings_of(api.kubeconfig, **own, max_connections=8)) as session,
    ):
        yield World(str(session._base_url), store, api)


@dataclass
class Said:
    """What a command has printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass
class Person:
    """Somebody at a terminal of this machine."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        own = {**os.environ, "SIMOPS_CONFIG": str(self.home / "login.json"), **self.environment}
        command = [*AT_A_TERMINAL, *words]
        return await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=own, cwd=self.home
        )

    async def says(self, *words: str, given: str = "") -> Said:
        process = await self.start(*words)
        out, err = await asyncio.wait_for(process.communicate(given.encode()), DEADLINE)
        return Said(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
def person(world: World, tmp_path: Path) -> Person:
    """One who uses the gateway."""
    return Person(tmp_path, {"SIMOPS_SERVER": world.url})


@pytest.fixture
def direct(world: World, tmp_path: Path) -> Person:
    """One who has a kubeconfig alone."""
    file = tmp_path / "kubeconfig"
    file.write_text(Path(world.api.kubeconfig).read_text())
    return Person(tmp_path, {"KUBECONFIG": str(file)})


@pytest.fixture
def removed(api: Api) -> Iterator[list[Manifest]]:
    made: list[Manifest] = []
    yield made
    for manifest in made:
        with contextlib.suppress(Exception):
            api.delete(manifest)


async def test_a_run_is_submitted_seen_waited_for_and_its_result_is_here(
    person: Person, world: World, removed: list[Manifest]
) -> None:
    said = await person.says(
        "submit", "sim:local", "-p", "length=1.5", "-p", "kind=sine", "-l", "team=heat", "--cpu", "1", "-e", "A=b=c"
    )
    assert said.code == Exit.OK, said.err
    (name,) = said.lines
    removed.append(job(name))
    spec = world.api.read(job(name))["spec"]
    assert spec["params"] == {"kind": "sine", "length": 1.5}
    assert spec["env"] == [{"name": "A", "value": "b=c"}]
    assert spec["resources"] == {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}
    assert (await person.says("list", "-l", "team=heat", "-o", "name")).lines == [name]
    waiting = await person.start("wait", name)
    _, key = world.leave(name)
    world.finish(name, artifacts={"bundle": key}, exitCode=0, metrics={"max": 1.5})
    out, _ = await asyncio.wait_for(waiting.communicate(), DEADLINE)
    assert (waiting.returncode, out.decode().startswith(f"{name}: Succeeded")) == (Exit.OK, True)
    assert json.loads((await person.says("get", name, "-o", "json")).out)["metrics"] == {"max": 1.5}
    said = await person.says("result", name)
    assert said.lines == [name]
    assert below(person.home / name) == FILES
    assert {line.split()[0] for line in (await person.says("files", name)).lines} == set(FILES)


async def test_how_a_run_ended_is_the_exit_code(person: Person, world: World, removed: list[Manifest]) -> None:
    for phase, code in (("Failed", Exit.FAILED), ("Cancelled", Exit.CANCELLED)):
        (name,) = (await person.says("submit", "sim:local")).lines
        removed.append(job(name))
        world.finish(name, phase, reason="ExitCode", message="exited with code 3")
        said = await person.says("wait", name)
        assert (said.code, said.lines) == (code, [f"{name}: {phase} – exited with code 3"])
    assert (await person.says("get", "nobody")).code == Exit.NOT_FOUND
    assert (await person.says("cancel", name)).code == Exit.CONFLICT


async def test_mistakes_are_told_where_they_are_and_make_nothing(person: Person, world: World) -> None:
    before = (await person.says("stats", "-o", "json")).out
    said = await person.says("submit", "sim:local", "--sweep", "d=logspace(1,2)")
    assert said.code == Exit.USAGE
    assert said.err.splitlines()[-1].endswith(f"{' ' * 11}^")
    said = await person.says("submit", "sim:local", "--timeout-seconds", "0")
    assert (said.code, "--timeout-seconds" in said.err) == (Exit.USAGE, True)
    said = await person.says("submit", "sim:local", "--network", "Moon")
    assert (said.code, "network" in said.err) == (Exit.REFUSED, True)
    assert (await person.says("submit")).code == Exit.USAGE
    assert (await person.says("submit", "--no-such-option")).code == Exit.USAGE
    assert (await person.says("stats", "-o", "json")).out == before


async def test_a_sweep_is_forecast_made_and_its_table_fetched(
    person: Person, world: World, removed: list[Manifest]
) -> None:
    words = ["submit", "sim:local", "--sweep", "a=linspace(0,1,3)", "--sweep", "b=1,2", "-p", "c=7"]
    said = await person.says(*words, "--dry-run", "--", "run.sh")
    assert said.out.startswith("6 runs in 6 Pods"), said.err
    (name,) = (await person.says(*words, "--", "run.sh")).lines
    removed.append(sweep(name))
    assert world.api.read(sweep(name))["spec"]["template"]["params"] == {"c": 7}
    counts = {"total": 6, "active": 0, "succeeded": 5, "failed": 1, "cancelled": 0}
    status = {"phase": "Failed", "succeededPoints": "0-4", "failedPoints": "5", "points": counts}
    world.api.patch(sweep(name), {"status": status}, status=True)
    assert (await person.says("wait", name)).code == Exit.FAILED
    listed = (await person.says("list", "--sweeps")).out
    assert next(line for line in listed.splitlines() if line.startswith(name)).split()[2:4] == ["6/6", "1"]
    said = await person.says("list", "--sweep", name, "-o", "name")
    assert said.lines == [f"{name}-{index}" for index in (5, 4, 3, 2, 1, 0)]
    said = await person.says("rerun", name, "--points", "5")
    assert (said.code, world.api.read(sweep(name))["spec"]["rerun"]["points"]) == (Exit.OK, "5")


async def test_a_file_of_several_objects_is_submitted_and_a_wrong_one_not_at_all(
    person: Person, world: World, removed: list[Manifest]
) -> None:
    text = yaml.safe_dump_all([job("first", params={"a": 1}), sweep("second")])
    said = await person.says("submit", "-f", "-", given=text)
    assert said.code == Exit.OK, said.err
    assert said.lines == ["first", "second"]
    removed += [job("first"), sweep("second")]
    again = await person.says("submit", "-f", "-", given=text)
    assert "there is a job first already" in again.err
    assert again.code not in (Exit.OK, Exit.USAGE)
    other = await person.says("submit", "sim:local", "--name", "third")
    removed.append(job("third"))
    assert other.lines == ["third"]
    assert world.api.read(job("first"))["spec"]["params"] == {"a": 1}
    wrong = yaml.safe_dump_all([job("first"), {"kind": "Pod", "apiVersion": "v1"}])
    said = await person.says("submit", "-f", "-", given=wrong)
    assert (said.code, said.out) == (Exit.USAGE, "")


async def test_over_connections_that_break_nothing_is_lost(
    person: Person, world: World, removed: list[Manifest]
) -> None:
    (name,) = (await person.says("submit", "sim:local")).lines
    removed.append(job(name))
    lines = [f"line {number} {'.' * 60}" for number in range(500)]
    world.print(name, lines)
    async with cutting(world.url, 15_000) as url:
        far = Person(person.home, {"SIMOPS_SERVER": url})
        assert (await far.says("wait", name)).code == Exit.OK
        assert (await far.says("logs", "-f", name)).lines == lines
        said = await far.says("result", name, "--out", "far")
        assert said.code == Exit.OK, said.err
    assert below(person.home / "far") == FILES


async def test_ctrl_c_says_how_to_go_on_and_leaves_nothing_behind(
    person: Person, world: World, removed: list[Manifest]
) -> None:
    process = await person.start("submit", "sim:local", "--wait")
    assert process.stdout is not None
    name = (await asyncio.wait_for(process.stdout.readline(), DEADLINE)).decode().strip()
    removed.append(job(name))
    assert process.stderr is not None
    await asyncio.wait_for(process.stderr.readline(), DEADLINE)  # it waits
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert process.returncode == Exit.INTERRUPTED
    assert f"simops wait {name}" in err.decode()
    assert "Traceback" not in err.decode()
    assert not world.api.read(job(name))["spec"].get("cancelled")
    assert list(person.home.iterdir()) == []


async def test_a_gateway_that_is_away_is_said_so(person: Person) -> None:
    said = await Person(person.home, {"SIMOPS_SERVER": "http://127.0.0.1:9"}).says("doctor", "-q")
    assert (said.code, "does not answer" in said.out) == (Exit.UNHEALTHY, True)


async def test_a_gateway_is_remembered_once_it_has_answered(person: Person, world: World) -> None:
    alone = Person(person.home)
    assert (
        await alone.says("login", "--server", "http://127.0.0.1:9", "--token-stdin", given="t\n")
    ).code == Exit.UNREACHABLE
    assert not (person.home / "login.json").exists()
    said = await alone.says("login", "--server", world.url, "--token-stdin", given="secret\n")
    assert said.code == Exit.OK, said.err
    assert (person.home / "login.json").stat().st_mode & 0o077 == 0
    assert (await alone.says("stats")).code == Exit.OK
    assert "forgotten" in (await alone.says("logout")).err


async def test_straight_to_kubernetes_it_does_the_same(direct: Person, world: World, removed: list[Manifest]) -> None:
    said = await direct.says("submit", "sim:local", "-p", "a=1", "-l", "straight=yes", "--env", "A=1", "--env", "B=")
    assert said.code == Exit.OK, said.err
    (name,) = said.lines
    removed.append(job(name))
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": ""}]
    assert world.api.read(job(name))["spec"]["env"] == env
    assert (await direct.says("list", "-l", "straight=yes", "-o", "name")).lines == [name]
    waiting = await direct.start("wait", name)
    assert waiting.stderr is not None
    await asyncio.wait_for(waiting.stderr.readline(), DEADLINE)  # it waits
    world.finish(name, "Failed", reason="ExitCode", message="exited with code 3", observedGeneration=1)
    out, _ = await asyncio.wait_for(waiting.communicate(), DEADLINE)
    assert (waiting.returncode, out.decode()) == (Exit.FAILED, f"{name}: Failed – exited with code 3\n")
    assert (await direct.says("cancel", name)).code == Exit.CONFLICT
    assert (await direct.says("wait", "--timeout", "1", "nobody")).code == Exit.NOT_FOUND
    said = await direct.says("result", name)
    assert (said.code, "port-forward" in said.err) == (Exit.USAGE, True)


async def test_straight_to_kubernetes_one_key_makes_one_run(direct: Person, removed: list[Manifest]) -> None:
    first = await direct.says("submit", "sim:local", "--key", "once")
    removed.append(job(first.lines[0]))
    second = await direct.says("submit", "sim:local", "--key", "once")
    assert (second.code, second.lines) == (Exit.OK, first.lines)


async def test_straight_to_kubernetes_a_sweep_can_be_cancelled_and_a_bad_one_is_refused(
    direct: Person, world: World, removed: list[Manifest]
) -> None:
    (name,) = (await direct.says("submit", "sim:local", "--sweep", "a=1,2", "--", "run.sh")).lines
    removed.append(sweep(name))
    assert (await direct.says("cancel", name)).lines == [name]
    assert world.api.read(sweep(name))["spec"]["cancelled"]
    said = await direct.says("submit", "sim:local", "--sweep", "a=1,2")
    assert (said.code, "command" in said.err) == (Exit.REFUSED, True)
    assert (await direct.says("get", name, "-o", "yaml")).out.startswith(f"id: {name}\n")


async def test_the_doctor_names_what_is_missing_in_a_cluster_without_simops(direct: Person) -> None:
    said = await direct.says("doctor", "-o", "json")
    found: dict[str, Any] = {check["what"]: check for check in json.loads(said.out)}
    assert said.code == Exit.UNHEALTHY
    assert found["API server"]["ok"]
    assert found["CRDs"]["ok"]
    assert (found["operator"]["ok"], "helm" in found["operator"]["remedy"]) == (False, True)
    assert found["you may create runs in default"]["ok"]
