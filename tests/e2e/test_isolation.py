"""A simulation that tries to get at what is not its own: credentials, tokens, other runs, its node, more processes than it may have."""

import json
from base64 import b64decode
from typing import Any

import pytest
from e2e.bucket import BUCKET
from e2e.lab import NAMESPACE, Lab, Run, job
from minio import Minio, S3Error

from simops_demo import installation
from simops_demo.store import forwarded

SPY = r"""
import glob, json, os, pathlib, socket, ssl, threading, time, urllib.error, urllib.request

def attempt(action):
    try:
        return action()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def ask(url, **headers):
    context = ssl._create_unverified_context()
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=3, context=context) as answer:
            return [answer.status, answer.read(300).decode(errors="replace")]
    except urllib.error.HTTPError as error:
        return [error.code, error.read(300).decode(errors="replace")]

def found(names):
    out = []
    for folder, folders, files in os.walk("/"):
        if folder.startswith(("/proc/", "/sys/")):
            folders.clear()
        out += [os.path.join(folder, name) for name in [*files, *folders] if name in names]
    return out

def environments():
    out = {}
    for path in glob.glob("/proc/[0-9]*/environ"):
        out[path] = attempt(lambda: pathlib.Path(path).read_text(errors="replace"))
    return out

def threads():
    threading.stack_size(32768)
    over = threading.Event()
    made = []
    try:
        while len(made) < 5000:
            thread = threading.Thread(target=over.wait, daemon=True)
            thread.start()
            made.append(thread)
    except RuntimeError:
        pass
    over.set()
    return len(made)

store, namespace, other = os.environ["STORE"], os.environ["PLACE"], os.environ["OTHER"]
api = "https://kubernetes.default.svc"
report = {
    "environment": dict(os.environ),
    "environments": environments(),
    "processes": [pathlib.Path(p).read_text().replace("\0", " ") for p in glob.glob("/proc/[0-9]*/cmdline") if attempt(lambda: pathlib.Path(p).read_text())],
    "found": found({"access-key", "secret-key", "token", "serviceaccount", "containerd.sock", "docker.sock", "kubelet"}),
    "mounts": pathlib.Path("/proc/self/mountinfo").read_text(),
    "secret": attempt(lambda: ask(f"{api}/api/v1/namespaces/{namespace}/secrets/simops-store")),
    "runs": attempt(lambda: ask(f"{api}/apis/simops.dev/v1alpha1/namespaces/{namespace}/simulationjobs")),
    "metadata": attempt(lambda: ask("http://169.254.169.254/latest/meta-data/iam/security-credentials/")),
    "bucket": attempt(lambda: ask(f"{store}/simops/?list-type=2")),
    "object": attempt(lambda: ask(f"{store}/simops/{other}")),
    "raw": attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    "root": attempt(lambda: pathlib.Path("/etc/x").write_text("x")),
    "setuid": attempt(lambda: os.setuid(0)),
    "mount": attempt(lambda: os.listdir("/proc/1/root/simops/store")),
    "signal": attempt(lambda: os.kill(-1, 0)),
    "threads": threads(),
}
pathlib.Path(os.environ["SIMOPS_OUTPUTS"], "report.json").write_text(json.dumps(report, default=str))
"""
REFUSED = (401, 403)


@pytest.fixture(scope="module")
def other(simops: Lab) -> Run:
    """A run of somebody else, whose result the spy would like to have."""
    run = simops.start(job("isolation-other", "echo secret > $SIMOPS_OUTPUTS/secret.txt"))
    run.ended("Succeeded", "Completed")
    return run


@pytest.fixture(scope="module")
def report(simops: Lab, other: Run) -> dict[str, Any]:
    """What a simulation has found that tried all of it."""
    (service,) = simops.cluster.items(
        "/api/v1/namespaces/simops-system/services", labelSelector="app.kubernetes.io/component=minio"
    )
    env = {
        "STORE": f"http://{service['spec']['clusterIP']}:9000",
        "PLACE": NAMESPACE,
        "OTHER": other.status["artifacts"]["bundle"],
    }
    variables = [{"name": name, "value": value} for name, value in env.items()]
    # The network that lets it reach most.
    spy = job("isolation-spy", image="sim:local", command=["python", "-c", SPY], env=variables, network="Cluster")
    run = simops.start(spy)
    run.ended("Succeeded", "Completed")
    found: dict[str, Any] = json.loads(run.files()["report.json"])
    return found


def test_no_environment_that_it_can_read_has_credentials(simops: Lab, report: dict[str, Any]) -> None:
    secret = simops.cluster.request("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/simops-store")["data"]
    everything = json.dumps(report)
    for value in secret.values():
        assert b64decode(value).decode() not in everything
    assert all("MINIO" not in text and "ACCESS_KEY" not in text for text in report["environments"].values())


def test_it_sees_its_own_processes_only(report: dict[str, Any]) -> None:
    assert report["processes"]
    assert all("python -c" in command for command in report["processes"]), report["processes"]


def test_neither_keys_nor_tokens_nor_the_sockets_of_its_node_are_mounted(report: dict[str, Any]) -> None:
    assert report["found"] == []
    assert "/simops/store" not in report["mounts"]
    assert "serviceaccount" not in report["mounts"]


def test_the_api_server_tells_it_nothing(report: dict[str, Any]) -> None:
    for question in ("secret", "runs"):
        answer = report[question]
        assert isinstance(answer, str) or answer[0] in REFUSED, answer


def test_the_store_gives_it_nothing_without_credentials(report: dict[str, Any]) -> None:
    for question in ("bucket", "object"):
        answer = report[question]
        assert isinstance(answer, str) or answer[0] in REFUSED, answer
        assert "secret\n" not in str(answer)


def test_nobody_tells_it_its_nodes_identity(report: dict[str, Any]) -> None:
    """An address that nothing answers at, or that a policy or the node keeps from it; never a role's name."""
    answer = report["metadata"]
    assert isinstance(answer, str) or answer[0] >= 400, answer


def test_it_can_neither_become_root_nor_write_outside_nor_open_raw_sockets(report: dict[str, Any]) -> None:
    for attempt in ("raw", "root", "setuid", "mount"):
        assert report[attempt].startswith(("PermissionError", "OSError", "FileNotFoundError")), (
            attempt,
            report[attempt],
        )


def test_it_has_no_more_processes_than_its_node_allows_a_pod(report: dict[str, Any]) -> None:
    """`podPidsLimit` is kubelet's: 1,024 in the local clusters, in production the node's configuration says it."""
    assert 100 < report["threads"] < 1024


def test_the_keys_of_its_namespace_are_not_those_of_the_store_and_open_its_own_results_only(
    simops: Lab, other: Run
) -> None:
    """Whoever may read Secrets in a namespace has its keys."""
    secrets = [
        simops.cluster.request("GET", f"/api/v1/namespaces/{place}/secrets/simops-store")["data"]
        for place in (NAMESPACE, "simops-system")
    ]
    (access, secret), root = ([b64decode(keys[k]).decode() for k in ("access-key", "secret-key")] for keys in secrets)
    assert not {access, secret} & set(root)
    installed = installation.Cluster(simops.cluster.name, simops.cluster.kubeconfig)
    with forwarded(installed, "service/simops-minio", 9000) as address:
        theirs = Minio(address, access_key=access, secret_key=secret, secure=False, region="us-east-1")
        assert theirs.stat_object(BUCKET, other.status["artifacts"]["bundle"]).size
        for key in ("jobs/elsewhere/a/b", "archive/lab/0", "uploads/lab/x"):
            with pytest.raises(S3Error) as error:
                theirs.get_object(BUCKET, key)
            assert error.value.code == "AccessDenied"
        with pytest.raises(S3Error):
            list(theirs.list_objects(BUCKET))
