"""Each way in which a simulation can end by itself, with an image that knows nothing of SimOps.

All of them start together; each test waits for its own.
"""

import json
from datetime import datetime, timedelta
from hashlib import sha256

import pytest
from e2e.cluster import Object, Refused, until
from e2e.lab import HELD, STUBBORN, Lab, Run, job

from simops_crds.names import LABEL_NETWORK

LOG_BYTES = 100 << 20
LINE = b"0123456789" * 8 + b"\n"
EXPIRY_SECONDS = 60

ODD_NAMES = {
    "plain.txt",
    "with space",
    "-rf",
    ".hidden",
    "naïve – 温度.txt",
    "quote\"and'quote",
    "back\\slash",
    "new\nline",
    "x" * 255,
    "a/b/c/d/deep",
}
ODD = """
cd "$SIMOPS_OUTPUTS"
mkdir -p a/b/c/d many empty
for name in "$@"; do echo odd > "./$name"; done
ln -s /etc/passwd outside
ln -s plain.txt inside
i=0; while [ $i -lt 2000 ]; do echo $i > many/$i; i=$((i+1)); done
"""
SPY = """
env; ls -a /simops; ls -aR /var/run/secrets /run/secrets /simops/store; cat /proc/mounts
touch /written && echo "root is writable"
id -u; grep -i -e NoNewPrivs -e CapEff -e Seccomp: /proc/self/status
cat "$SIMOPS_PARAMS"; echo; echo "arguments: $*"
exit 0
"""


@pytest.fixture(scope="module", autouse=True)
def batch(simops: Lab) -> dict[str, Run]:
    return simops.start_all(
        job("big-log", f"yes {LINE.decode().strip()} | head -c {LOG_BYTES}"),
        job("expires", "echo kept > $SIMOPS_OUTPUTS/a.txt", artifacts={"expireAfterSeconds": EXPIRY_SECONDS}),
        job("late", STUBBORN, timeoutSeconds=5),
        job("too-much", 'dd if=/dev/zero of="$SIMOPS_OUTPUTS/big" bs=1M count=100; sleep 300'),
        job("no-image", image="localhost/not-there:1"),
        job("fails-always", 'echo "attempt $SIMOPS_ATTEMPT_ID"; exit 1', retries=1),
        job("held", HELD, retries=2),
        job("nowhere", "true", nodeSelector={"no-such": "node"}, pendingTimeoutSeconds=5),
        job("exit3", 'echo hello; echo partial > "$SIMOPS_OUTPUTS/a.txt"; sleep 1; echo "it broke" >&2; exit 3'),
        job("oom", 'echo x > "$SIMOPS_OUTPUTS/a.txt"; tail /dev/zero', resources={"limits": {"memory": "32Mi"}}),
        job("no-command", command=["/nope"]),
        job("odd", command=["sh", "-c", ODD, "sh"], args=sorted(ODD_NAMES)),
        job("spy", command=["sh", "-c", SPY, "sh"], params={"length": 1.5, "name": "$(HOME) $$"}),
        job("nothing", "true", network="Cluster"),
        job("forgotten", "echo result > $SIMOPS_OUTPUTS/a.txt", ttlSecondsAfterFinished=3),
    )


def seconds(status: dict[str, str]) -> float:
    """Return how long a run took from the start of its simulation."""
    begin, end = (datetime.fromisoformat(status[field]) for field in ("startTime", "completionTime"))
    return (end - begin) / timedelta(seconds=1)


def test_a_failed_simulation_tells_its_exit_code_and_its_last_line(batch: dict[str, Run]) -> None:
    run = batch["exit3"]
    status = run.ended("Failed", "ExitCode")
    assert status["exitCode"] == 3
    assert status["message"] == "exited with code 3: it broke"
    assert run.log() == "hello\nit broke\n"
    assert run.files() == {"a.txt": b"partial\n"}
    assert run.condition("ArtifactsStored") == ("True", "Stored")
    assert run.condition("Finished") == ("True", "ExitCode")
    assert ("Warning", "ExitCode") in run.events()


def test_a_simulation_that_used_too_much_memory_is_told_so_and_keeps_what_it_wrote(batch: dict[str, Run]) -> None:
    run = batch["oom"]
    status = run.ended("Failed", "OOMKilled")
    assert "resources.limits.memory" in status["message"]
    assert run.files() == {"a.txt": b"x\n"}


def test_a_command_that_does_not_exist(batch: dict[str, Run]) -> None:
    run = batch["no-command"]
    status = run.ended("Failed", "ContainerCannotRun")
    assert "/nope" in status["message"]
    assert "Running" not in run.phases


def test_an_image_that_cannot_be_pulled(batch: dict[str, Run]) -> None:
    run = batch["no-image"]
    status = run.ended("Failed", "ImagePullFailed")
    assert "localhost/not-there:1" in status["message"]
    assert run.condition("Started") == ("False", "NotStarted")
    run.podless()


def test_an_image_that_is_not_allowed_is_refused_at_once(simops: Lab) -> None:
    with pytest.raises(Refused, match=r"spec\.image: registry\.example\.com/busybox matches none of the patterns"):
        simops.start(job("untrusted", image="registry.example.com/busybox"))


def let_through(simops: Lab, policy: str, manifest: Object) -> Run:
    """Start a run that a policy forbids, while the policy only looks on."""
    kind = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    (binding,) = [b for b in simops.cluster.items(kind) if b["metadata"]["name"].startswith(f"{policy}.")]
    path = f"{kind}/{binding['metadata']['name']}"

    def started() -> Run | None:
        try:
            return simops.start(manifest)
        except Refused:
            return None  # the API server has not noticed yet

    simops.cluster.merge(path, {"spec": {"validationActions": ["Audit"]}})
    try:
        return until(started, "the policy only looks on", within=60)
    finally:
        simops.cluster.merge(path, {"spec": {"validationActions": ["Deny"]}})


def test_the_operator_refuses_an_image_that_the_policy_let_through(simops: Lab) -> None:
    run = let_through(simops, "simulationjobs-images", job("untrusted", image="registry.example.com/busybox"))
    status = run.ended("Failed", "ImageNotTrusted")
    assert "registry.example.com/busybox is not allowed here" in status["message"]
    assert run.condition("Accepted") == ("False", "ImageNotTrusted")
    assert run.kubernetes_jobs == set()
    assert run.record()["status"]["reason"] == "ImageNotTrusted"


def test_the_operator_refuses_a_timeout_that_the_policy_let_through(simops: Lab) -> None:
    long = job("too-long", timeoutSeconds=604_801)
    with pytest.raises(Refused, match=r"spec\.timeoutSeconds: 604801 seconds are more than 604800"):
        simops.start(long)
    run = let_through(simops, "simulationjobs-limits", long)
    status = run.ended("Failed", "AboveMaximum")
    assert status["message"].startswith("spec.timeoutSeconds: 604801 seconds are more than 604800")
    assert run.kubernetes_jobs == set()


def test_a_pod_that_no_node_takes_is_given_up(batch: dict[str, Run]) -> None:
    run = batch["nowhere"]
    status = run.ended("Failed", "PendingTimeout")
    assert "node" in status["message"]
    run.podless()
    until(lambda: not run.kubernetes_job_exists(), "its Job is deleted")


def test_a_simulation_that_takes_too_long_and_ignores_the_signal_leaves_its_outputs(batch: dict[str, Run]) -> None:
    run = batch["late"]
    status = run.ended("Failed", "DeadlineExceeded")
    assert "5 s" in status["message"]
    assert status["artifacts"]["partial"] is True
    assert run.files() == {"begun.txt": b"begun\n"}
    assert "log" in status["artifacts"]
    assert seconds(status) < 60, "it must not wait for the end of the grace period"
    run.podless()


def test_every_failed_attempt_keeps_its_log(batch: dict[str, Run]) -> None:
    run = batch["fails-always"]
    status = run.ended("Failed", "ExitCode")
    assert status["attempts"] == 2
    objects = run.objects()
    logs = [name for name in objects if name.endswith(".log")]
    bundles = [name for name in objects if name.endswith(".zip")]
    assert len(logs) == len(bundles) == 2
    assert status["podName"] == run.log().split()[1]
    assert [attempt["exitCode"] for attempt in run.record()["attempts"]] == [1, 1]
    assert ("Warning", "Retrying") in run.events()


def test_the_third_attempt_succeeds(batch: dict[str, Run]) -> None:
    run = batch["held"]
    first = run.release(7)
    run.until(lambda s: s.get("reason") == "Retrying", "Retrying")
    second = run.release(8, after=[first])
    third = run.release(0, after=[first, second])
    status = run.ended("Succeeded", "Completed")
    assert status["attempts"] == 3
    assert status["podName"] == third
    assert run.log() == f"attempt {third}\n"
    assert [attempt["exitCode"] for attempt in run.record()["attempts"]] == [7, 8, 0]
    assert len(run.kubernetes_jobs) == 1


def test_outputs_beyond_their_limit_get_the_pod_evicted(batch: dict[str, Run]) -> None:
    run = batch["too-much"]
    status = run.ended("Failed", "Evicted")
    assert "outputs" in status["message"]
    # kubelet leaves it a second, and takes the log with the container.
    assert status.get("artifacts", {}).keys() <= {"bundle", "files", "bytes", "size", "sha256", "partial", "log"}
    assert run.condition("ArtifactsStored") in {("True", "Stored"), ("False", "ArtifactUploadFailed")}


def test_odd_names_and_many_small_files_come_back_whole(batch: dict[str, Run]) -> None:
    run = batch["odd"]
    run.ended("Succeeded", "Completed")
    files = run.files()
    many = {name: content for name, content in files.items() if name.startswith("many/")}
    assert many == {f"many/{number}": f"{number}\n".encode() for number in range(2000)}
    assert {name: content for name, content in files.items() if name not in many} == dict.fromkeys(
        [*ODD_NAMES, "inside"], b"odd\n"
    )
    manifest = json.loads(run.stored(".json", but="record.json"))
    assert [entry["path"] for entry in manifest["skippedEntries"]] == ["outside"]
    assert len(manifest["entries"]) == len(files)


def test_a_simulation_sees_neither_credentials_nor_a_token(batch: dict[str, Run]) -> None:
    run = batch["spy"]
    run.ended("Succeeded", "Completed")
    log = run.log()
    lines = log.splitlines()
    assert {line for line in lines if line.startswith("SIMOPS_")} == {
        "SIMOPS_OUTPUTS=/simops/outputs",
        "SIMOPS_PARAMS=/simops/params/params.json",
        "SIMOPS_JOB=spy",
        f"SIMOPS_ATTEMPT_ID={run.status['podName']}",
    }
    for forbidden in ("access-key", "secret-key", "/simops/store ", "serviceaccount", "MINIO", "root is writable"):
        assert forbidden not in log
    assert "10001" in lines
    assert any(line.split() == ["CapEff:", "0000000000000000"] for line in lines)
    assert any(line.split() == ["NoNewPrivs:", "1"] for line in lines)
    assert any(line.split() == ["Seccomp:", "2"] for line in lines)
    assert '{"length":1.5,"name":"$(HOME) $$"}' in lines
    assert "arguments: --length 1.5 --name $(HOME) $$" in lines


def test_the_network_field_is_the_label_that_policies_select_by(batch: dict[str, Run]) -> None:
    batch["nothing"].ended("Succeeded", "Completed")
    (pod,) = batch["nothing"].pods()
    assert pod["metadata"]["labels"][LABEL_NETWORK] == "Cluster"
    batch["spy"].finished()
    (pod,) = batch["spy"].pods()
    assert pod["metadata"]["labels"][LABEL_NETWORK] == "None"


def test_a_simulation_that_writes_nothing_has_an_empty_bundle(batch: dict[str, Run]) -> None:
    run = batch["nothing"]
    status = run.ended("Succeeded", "Completed")
    assert status["message"] == "0 files, 0 bytes"
    assert run.files() == {}
    assert run.log() == ""


def test_a_log_of_100_mb_is_stored_to_the_byte(simops: Lab, batch: dict[str, Run]) -> None:
    run = batch["big-log"]
    status = run.ended("Succeeded", "Completed")
    key = status["artifacts"]["log"]
    assert run.objects()[key.removeprefix(run.prefix)] == LOG_BYTES
    expected = (LINE * (LOG_BYTES // len(LINE) + 1))[:LOG_BYTES]
    assert sha256(simops.bucket.read(key)).digest() == sha256(expected).digest()


def test_a_finished_run_goes_after_its_time_to_live_and_its_record_stays(batch: dict[str, Run]) -> None:
    run = batch["forgotten"]
    run.gone()
    run.podless()
    assert run.record()["status"]["phase"] == "Succeeded"
    assert {name.rsplit(".")[-1] for name in run.objects()} == {"zip", "json", "log"}


def test_artifacts_expire_and_the_record_says_so(batch: dict[str, Run]) -> None:
    run = batch["expires"]
    status = run.ended("Succeeded", "Completed")
    finished, expires = (
        datetime.fromisoformat(text) for text in (status["completionTime"], status["artifacts"]["expirationTime"])
    )
    assert expires - finished == timedelta(seconds=EXPIRY_SECONDS)
    until(lambda: set(run.objects()) == {"record.json"}, lambda: f"only the record is left: {run.objects()}")
    assert datetime.now(expires.tzinfo) >= expires
    assert run.record()["artifactsExpired"] is True
