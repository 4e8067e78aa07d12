"""The store is away while simulations end: everything waits for it and nothing is lost."""

import time

import pytest
from e2e.lab import HELD, Lab, Run, job

from simops_crds.names import FINAL_PHASES

OUTAGE_SECONDS = 60
RUNS = 4


@pytest.fixture(scope="module")
def batch(simops: Lab) -> dict[str, Run]:
    """Runs that end while the store is away; it is back when the tests begin."""
    lab = simops
    runs = lab.start_all(*(job(f"stored-{number}", HELD) for number in range(RUNS)), job("stored-failed", HELD))
    for run in runs.values():
        run.attempt()
        run.running()
    lab.cluster.scale("minio", 0)
    try:
        away = time.monotonic()
        for run in runs.values():
            run.release(3 if run.name == "stored-failed" else 0)
        late = lab.start(job("stored-late", "echo begun > $SIMOPS_OUTPUTS/begun.txt"))
        while time.monotonic() < away + OUTAGE_SECONDS:
            ended = [run.name for run in runs.values() if run.status.get("phase") in FINAL_PHASES]
            assert not ended, f"{ended} have ended without their results"
            time.sleep(1)
        told = {run.name: run.status for run in runs.values()}
    finally:
        lab.cluster.scale("minio", 1)
    for status in told.values():
        assert (status["phase"], status["reason"]) == ("Running", "StoreUnavailable")
        assert "the store" in status["message"]
    return runs | {late.name: late}


def test_every_run_ends_as_it_would_have(batch: dict[str, Run]) -> None:
    for run in batch.values():
        expected = ("Failed", "ExitCode") if run.name == "stored-failed" else ("Succeeded", "Completed")
        run.ended(*expected, within=300)


def test_every_bundle_opens_and_every_log_and_record_is_there(batch: dict[str, Run]) -> None:
    for run in batch.values():
        files = run.files()
        assert files["begun.txt"] == b"begun\n"
        if run.name != "stored-late":
            assert files["ended.txt"] == b"ended\n"
            assert run.log() == f"attempt {run.status['podName']}\n"
        assert run.record()["status"] == run.status
        assert run.status["attempts"] == 1
        assert len(run.kubernetes_jobs) == 1
