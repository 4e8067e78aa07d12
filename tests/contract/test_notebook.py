"""The example notebook, run as it is against a real gateway and a real API server; the sample simulation is the real one."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from contract.player import Player
from contract.server import Api
from s3 import store_in_memory
from unit.test_api_serving import serving, settings_of

from simops_images.catalogue import ROOT

NOTEBOOK = ROOT / "examples" / "notebooks" / "heat.ipynb"
RUNNER = ROOT / "tests" / "notebooks.py"
in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def player(api: Api, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Player, str]]:
    async with store_in_memory(tmp_path_factory.mktemp("store")) as (store, own):
        more = {"default_container_command": ("python", "-m", "simops_sim")}
        async with serving(settings_of(api.kubeconfig, **own, **more)) as session:
            player = Player(api, store, tmp_path_factory.mktemp("played"))
            yield player, str(session._base_url)
            for one in player.made:
                api.delete(one)


async def execute(source: Path, result: Path, player: Player, url: str) -> tuple[int, str]:
    """Run a notebook while the operator is played; return its exit code and what it said. What goes wrong in the play is raised."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SIMOPS_")}
    environ |= {"SIMOPS_URL": url, "IPYTHONDIR": str(result.parent / "ipython"), "NO_PROXY": "127.0.0.1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(RUNNER), str(source), str(result), env=environ, stderr=asyncio.subprocess.PIPE
    )
    playing = asyncio.create_task(player.play())
    running = asyncio.create_task(process.communicate())
    try:
        await asyncio.wait([playing, running], return_when=asyncio.FIRST_COMPLETED)
        if playing.done():
            await playing
        _, said = await running
    finally:
        playing.cancel()
        if process.returncode is None:
            process.terminate()
        await asyncio.gather(playing, running, return_exceptions=True)
    return process.returncode or 0, said.decode()


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def shown(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the cells have displayed, by media type."""
    return [output["data"] for cell in notebook["cells"] for output in cell.get("outputs", []) if "data" in output]


def test_the_notebook_is_kept_without_outputs() -> None:
    for cell in read(NOTEBOOK)["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


@in_one_loop
async def test_the_notebook_runs_and_shows_field_table_and_heat_maps(
    player: tuple[Player, str], tmp_path: Path
) -> None:
    operator, url = player
    code, said = await execute(NOTEBOOK, tmp_path / "heat.ipynb", operator, url)
    assert code == 0, said
    notebook = read(tmp_path / "heat.ipynb")
    data = shown(notebook)
    assert sum("image/png" in one for one in data) == 4
    texts = " ".join("".join(one.get("text/plain", "")) for one in data)
    assert "(201, 51)" in texts
    assert "{'Succeeded': 40}" in texts
    assert "final_center_temp" in texts
    printed = "".join("".join(o.get("text", "")) for cell in notebook["cells"] for o in cell.get("outputs", []))
    assert "temperature_field.npy" in printed
    assert "heat1d: done" in printed
    assert [one["kind"] for one in operator.made] == ["SimulationJob", "SimulationSweep"]


@in_one_loop
async def test_a_cell_that_fails_is_told(player: tuple[Player, str], tmp_path: Path) -> None:
    operator, url = player
    broken = read(NOTEBOOK)
    broken["cells"] = broken["cells"][:2]
    broken["cells"][1]["source"] = "from simops_client import Client\nClient().job('nothing')"
    (tmp_path / "broken.ipynb").write_text(json.dumps(broken))
    code, said = await execute(tmp_path / "broken.ipynb", tmp_path / "result.ipynb", operator, url)
    assert code == 1
    assert "NotFound" in said
