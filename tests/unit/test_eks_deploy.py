"""hack/eks/deploy, with recorders in the place of the programs that reach AWS: what is called, and with which digests."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "ab" * 32
RECORDER = """#!/bin/sh
printf '%s' "${0##*/}" >>"$CALLS"
for word in "$@"; do printf ' %s' "$word" >>"$CALLS"; done
echo >>"$CALLS"
"""
ANSWERS = {
    "aws": f"""case "$*" in
  *describe-images*) for word in "$@"; do case $word in simops/*) at="$PUSHED/${{word#simops/}}" ;; esac; done
    [ -e "$at" ] || exit 254
    echo {DIGEST} ;;
  *get-login-password*) echo password ;;
esac""",
    "docker": """case "$1" in
  login) cat >/dev/null ;;
  push) at="$PUSHED/${3#registry.example.com/simops/}"; at=${at%:*}; mkdir -p "${at%/*}"; touch "$at" ;;
esac""",
    "terraform": 'case "$4" in simulation_namespace) echo lab ;; registry) echo registry.example.com ;; name) echo simops ;; *) echo "of-$4" ;; esac',
    "git": "echo v1-3-gabc",
    "helm": "",
    "kubectl": "",
    "make": "",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of what the script reads, and the recorders."""
    for name in ("hack/eks/deploy", "examples/heat.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for name, answer in ANSWERS.items():
        program = tmp_path / "bin" / name
        program.write_text(f"{RECORDER}{answer}\n")
        program.chmod(0o755)
    return tmp_path


def deploy(checkout: Path, **more: str) -> tuple[int, list[str]]:
    calls = checkout / "calls"
    calls.unlink(missing_ok=True)
    places = {
        "CALLS": str(calls),
        "PUSHED": str(checkout / "pushed"),
        "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        [str(checkout / "hack/eks/deploy")], env=os.environ | places | more, capture_output=True, text=True, check=False
    )
    return done.returncode, calls.read_text(encoding="utf-8").splitlines()


def test_what_is_installed_is_named_by_the_digests_that_the_registry_gave(checkout: Path) -> None:
    code, calls = deploy(checkout)
    assert code == 0
    pushes = [call.rpartition("/simops/")[2] for call in calls if call.startswith("docker push")]
    assert pushes == ["operator:v1-3-gabc", "api:v1-3-gabc", "simulations/sim:v1-3-gabc"]
    (simops,) = [call for call in calls if call.startswith("helm upgrade --install simops ")]
    assert f"operator.image.digest={DIGEST},gateway.image.digest={DIGEST}" in simops
    assert "--values hack/eks/values.yaml --values out/eks-values.yaml" in simops
    assert (checkout / "out/eks-values.yaml").read_text(encoding="utf-8") == "of-chart_values\n"


def test_the_first_job_is_ready_to_be_applied(checkout: Path) -> None:
    deploy(checkout)
    job = yaml.safe_load((checkout / "out/eks-heat.yaml").read_text(encoding="utf-8"))
    assert job["metadata"]["namespace"] == "lab"
    assert job["spec"]["image"] == f"registry.example.com/simops/simulations/sim@{DIGEST}"


def test_a_second_call_pushes_nothing_that_is_there(checkout: Path) -> None:
    deploy(checkout)
    code, calls = deploy(checkout)
    assert code == 0
    assert not [call for call in calls if call.startswith("docker push")]
    assert any(call.startswith("helm upgrade --install simops ") for call in calls)


def test_a_push_that_fails_installs_nothing(checkout: Path) -> None:
    program = checkout / "bin" / "docker"
    program.write_text(f"{RECORDER}[ $1 != push ]\n")
    code, calls = deploy(checkout)
    assert code != 0
    assert not [call for call in calls if call.startswith("helm")]
