"""Every command block of docs/tutorial.md, typed in order in one shell on the test cluster; what it shows is what comes.

What is replaced in its text, and nothing else: the cluster is the one of the tests in place of `make demo`'s, so its kubeconfig, its name and a free port
are given, and the namespace is that of the tests (the kubeconfig says so; `examples/heat.yaml` names its own).
"""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import tutorial
import yaml
from e2e.lab import NAMESPACE, RUNS, SWEEPS, Lab

from localcluster.golang import tool
from localcluster.progress import run_logged
from simops_demo import gateway, installation
from simops_images.catalogue import ROOT

OUT = ROOT / "out" / "oscillator"
SECONDS = 540.0


@pytest.fixture
def others(simops: Lab, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What is replaced in the text."""
    cluster = simops.cluster
    gateway.token_for(installation.Cluster(cluster.name, cluster.kubeconfig), NAMESPACE)  # as `make demo` does
    kubeconfig = tmp_path / "kubeconfig"
    shutil.copy(cluster.kubeconfig, kubeconfig)
    context = ["config", "set-context", "--current", f"--namespace={NAMESPACE}"]
    run_logged(
        "Naming the namespace",
        [str(tool("kubectl")), f"--kubeconfig={kubeconfig}", *context],
        tmp_path / "log",
        timeout=60,
    )
    heat = yaml.safe_load((ROOT / "examples" / "heat.yaml").read_text())
    heat["metadata"]["namespace"] = NAMESPACE
    manifest = tmp_path / "heat.yaml"
    manifest.write_text(yaml.safe_dump(heat))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shutil.rmtree(OUT, ignore_errors=True)
    yield {
        "make demo": ":",
        "$(hack/cluster kubeconfig)": str(kubeconfig),
        "examples/heat.yaml": str(manifest),
        "hack/images load": f"hack/images load --cluster={cluster.name}",
        "8000": str(port),
    }
    for path in (f"{RUNS}/heat", f"{SWEEPS}/oscillator"):
        if cluster.find(path):
            cluster.request("DELETE", path)


def test_every_block_of_the_tutorial_does_what_it_says(others: dict[str, str], tmp_path: Path) -> None:
    found = tutorial.blocks(tutorial.PAGE.read_text(encoding="utf-8"))
    for word in others:
        assert any(word in block.commands for block in found), f"the tutorial does not have {word!r} any more"
    printed = tutorial.run(found, others, tmp_path, seconds=SECONDS)
    assert len(printed) == len(found)
    for block, text in zip(found, printed, strict=True):
        tutorial.check(block, text)
    assert (OUT / "heatmap.png").read_bytes().startswith(b"\x89PNG")
    assert len((OUT / "table.csv").read_text().splitlines()) == 51
    assert (OUT / "all.zip").read_bytes().startswith(b"PK")
