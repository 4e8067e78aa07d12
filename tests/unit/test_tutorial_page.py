"""The tutorial without a cluster: its blocks are found, what it writes into files is right, and a block that fails is told."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import tutorial
import yaml

from localcluster import packages
from simops_crds.space import expand
from simops_crds.v1alpha1 import SimulationSweepSpec
from simops_images import own

TEXT = tutorial.PAGE.read_text(encoding="utf-8")
BLOCKS = tutorial.blocks(TEXT)


def written(name: str) -> str:
    found = re.search(rf"cat > out/oscillator/{name} <<'END'\n(.*?)^END$", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_it_is_one_way_of_some_blocks_that_show_what_they_print() -> None:
    assert len(BLOCKS) >= 12
    assert sum(1 for block in BLOCKS if block.shown) >= 5
    assert BLOCKS[0].commands == "make demo\n"


def test_its_sweep_is_what_the_schema_takes_and_has_fifty_points_over_two_parameters() -> None:
    spec = SimulationSweepSpec.model_validate(yaml.safe_load(written("sweep.yaml"))["spec"])
    points = list(expand(spec.space, {}))
    assert len(points) == 50
    assert {len(point) for point in points} == {2}
    assert points[20] == {"frequency": 1.0, "damping": 0.05}  # the one whose log is shown


def test_its_simulation_is_short_in_another_language_and_begins_with_a_base_that_needs_no_registry() -> None:
    assert len(written("oscillator.go").splitlines()) <= 35
    assert own.bases(written("Dockerfile")) == {own.BASE}


def test_everything_that_it_makes_in_the_cluster_is_removed_at_its_end() -> None:
    assert "kubectl delete simsweep oscillator" in BLOCKS[-1].commands
    assert "kubectl delete simjob heat" in BLOCKS[-1].commands


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ("heat   Succeeded   8s   5 files, 499181 bytes", "heat  Succeeded  1m20s  5 files, 512345 bytes", True),
        ("heat   Succeeded   8s   5 files, 499181 bytes", "heat  Succeeded  8s  4 files, 512345 bytes", False),
        ("0,a,0.0…,1.55…", "0,a,0.012,1.5557", True),
        ("0,a,0.0…,1.55…", "0,a,0.012,1.6", False),
    ],
)
def test_a_line_that_is_shown_means_the_same_words_with_other_ages(shown: str, printed: str, fits: bool) -> None:
    assert bool(tutorial.pattern(shown).search(printed)) == fits


def test_blocks_share_one_shell_and_each_has_what_it_printed(tmp_path: Path) -> None:
    found = [tutorial.Block("A=1\nsleep 60 &\n"), tutorial.Block("echo $A word\n", ("1 other",))]
    printed = tutorial.run(found, {"word": "other"}, tmp_path, seconds=30)
    tutorial.check(found[1], printed[1])
    with pytest.raises(AssertionError, match="not printed: 1 other"):
        tutorial.check(found[1], printed[0])


def test_the_first_command_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    found = [tutorial.Block("echo fine\n"), tutorial.Block("ls /nowhere\n"), tutorial.Block("echo never\n")]
    with pytest.raises(AssertionError, match=r"(?s)exit code 2 in\nls /nowhere.*nowhere"):
        tutorial.run(found, {}, tmp_path, seconds=30)


def test_a_block_that_hangs_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"(?s)not within 1 s in\nsleep 60"):
        tutorial.run([tutorial.Block("sleep 60\n")], {}, tmp_path, seconds=1)


@pytest.mark.parametrize("text", ["```text\nno commands\n```\n", "```python\n1\n```\n", "```\n1\n```\n"])
def test_a_block_that_no_test_would_run_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        tutorial.blocks(text)


OWN_IMAGE = (tutorial.PAGE.parent / "own-image.md").read_text(encoding="utf-8")


def stopped(command: list[str], folder: Path) -> int:
    """Send SIGTERM to a program that would run for very long; return its exit code."""
    program = subprocess.Popen(command, env={**os.environ, "SIMOPS_OUTPUTS": str(folder)}, start_new_session=True)
    try:
        deadline = time.monotonic() + 20
        # Its handler is there when the kernel says so: a program that was only just started is ended by the signal itself.
        while not int(re.findall(r"SigCgt:\t(\w+)", Path(f"/proc/{program.pid}/status").read_text())[0], 16) >> 14 & 1:
            assert time.monotonic() < deadline, "it never gets a handler"
            time.sleep(0.01)
        program.terminate()
        return program.wait(60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def test_the_shell_simulation_of_the_page_about_images_ends_when_it_is_told_to(tmp_path: Path) -> None:
    found = re.search(r"^```sh\n(#!/bin/sh\n.*?)^```$", OWN_IMAGE, re.MULTILINE | re.DOTALL)
    assert found
    history = 'print i, square * hits / i > (out "/history.txt")'
    assert history in found[1]
    (tmp_path / "disc.sh").write_text(found[1].replace(history, ""))  # which would fill the disk
    assert stopped(["sh", str(tmp_path / "disc.sh"), "--n", "1000000000000"], tmp_path) == 143


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_c_simulation_of_the_page_about_images_keeps_the_contract(tmp_path: Path) -> None:
    found = re.search(r"^```c\n(.*?)^```$", OWN_IMAGE, re.MULTILINE | re.DOTALL)
    commands = re.search(r"^(mkdir -p pendulum .*\ngcc .*)$", OWN_IMAGE, re.MULTILINE)
    assert found
    assert commands
    (tmp_path / "pendulum").mkdir()
    (tmp_path / "pendulum" / "pendulum.c").write_text(found[1])
    # Not every machine with a compiler has a static C library.
    command = commands[1].replace("-O2", "-O2 -Wall -Wextra -Werror").replace(" -static", "")
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True, timeout=60)
    program = str(tmp_path / "pendulum" / "pendulum")
    environment = {**os.environ, "SIMOPS_OUTPUTS": str(tmp_path)}
    subprocess.run([program, "--amplitude", "1.5"], env=environment, check=True, timeout=60)
    assert json.loads((tmp_path / "metrics.json").read_text())["period"] == pytest.approx(7.30, abs=0.01)
    assert stopped([program, "--dt", "1e-15"], tmp_path) == 143


def test_the_shell_simulation_of_the_page_about_images_keeps_the_contract(tmp_path: Path) -> None:
    found = re.search(r"^```sh\n(#!/bin/sh\n.*?)^```$", OWN_IMAGE, re.MULTILINE | re.DOTALL)
    assert found
    script = tmp_path / "disc.sh"
    script.write_text(found[1])
    packages.ensure_packages(packages.missing_shells)
    (tmp_path / "awk").symlink_to(shutil.which("busybox") or "")  # as in the test image that the page builds on
    for path in (os.environ["PATH"], f"{tmp_path}:{os.environ['PATH']}"):
        command = ["sh", str(script), "--n", "10000", "--radius", "2", "--seed", "3"]
        environment = {**os.environ, "SIMOPS_OUTPUTS": str(tmp_path), "PATH": path}
        subprocess.run(command, env=environment, check=True, timeout=60)
        assert json.loads((tmp_path / "metrics.json").read_text())["area"] == pytest.approx(12.566, rel=0.05)
        (tmp_path / "metrics.json").unlink()
    sweep = re.search(r"^```yaml\n(.*?)^```$", OWN_IMAGE, re.MULTILINE | re.DOTALL)
    assert sweep
    spec = SimulationSweepSpec.model_validate(yaml.safe_load(sweep[1])["spec"])
    assert len(list(expand(spec.space, {}))) == 60
