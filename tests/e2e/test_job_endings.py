"""Each way in which a simulation can end, with an image that knows nothing of SimOps."""

import pytest
from e2e.lab import Lab, Run, job


@pytest.fixture(scope="module")
def batch(simops: Lab) -> dict[str, Run]:
    return simops.start_all(
        job("exit3", 'echo hello; echo partial > "$SIMOPS_OUTPUTS/a.txt"; echo "it broke" >&2; exit 3'),
        job(
            "oom",
            'echo x > "$SIMOPS_OUTPUTS/a.txt"; tail /dev/zero',
            resources={"limits": {"memory": "32Mi"}},
        ),
    )


def test_a_failed_simulation_tells_its_exit_code_and_its_last_line(batch: dict[str, Run]) -> None:
    run = batch["exit3"]
    status = run.ended("Failed", "ExitCode")
    assert status["exitCode"] == 3
    assert status["message"].endswith("exited with code 3: it broke")
    assert run.log() == "hello\nit broke\n"
    assert run.files() == {"a.txt": b"partial\n"}


def test_a_simulation_that_used_too_much_memory_is_told_so_and_keeps_what_it_wrote(batch: dict[str, Run]) -> None:
    run = batch["oom"]
    status = run.ended("Failed", "OOMKilled")
    assert "resources.limits.memory" in status["message"]
    assert run.files() == {"a.txt": b"x\n"}
