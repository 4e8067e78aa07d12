"""Sweeps as a person has them: rounds and packs on real Pods, failures, orders to run again, cancelling, extending."""

import json
from typing import Any

import pytest
from e2e.cluster import until
from e2e.lab import NAMESPACE, Lab, Sweep, sweep

from simops_crds.indexes import Indexes

HEAT: dict[str, Any] = {
    "image": "sim:local",
    "command": ["python", "-m", "simops_sim"],
    "params": {"length": 1.0, "time_steps": 20, "initial_temp": 100.0},
}
ECHO = 'echo "x is $x"; echo "{\\"twice\\": $((2 * x))}" > "$SIMOPS_OUTPUTS/metrics.json"'


def points(text: str) -> Indexes:
    return Indexes.parse(text)


@pytest.fixture(scope="module")
def heat(simops: Lab) -> Sweep:
    axis = {"name": "diffusivity", "linspace": {"start": 0.01, "stop": 0.1, "num": 12}}
    manifest = sweep("heat-sweep", template=HEAT, space={"axes": [axis]}, pointsPerPod=3, parallelism=2)
    made = simops.sweep(manifest)
    made.finished(within=300)
    return made


def test_a_heat_sweep_succeeds_in_one_round_of_packs(heat: Sweep) -> None:
    status = heat.ended("Succeeded", "Completed")
    assert status["points"] == {"total": 12, "active": 0, "succeeded": 12, "failed": 0, "cancelled": 0}
    assert heat.phases == ["Pending", "Running", "Succeeded"]
    assert heat.rounds == [("points", "0-11")]
    assert len(heat.kubernetes_jobs) == 1
    assert len(heat.pods()) == 4
    heat.whole()


def test_its_table_has_the_metrics_of_every_point(heat: Sweep) -> None:
    table = heat.table()
    assert sorted(table) == list(range(12))
    assert all(line["metrics"]["final_center_temp"] > 0 and line["seconds"] > 0 for line in table.values())
    temperatures = [table[index]["metrics"]["final_center_temp"] for index in range(12)]
    assert temperatures == sorted(temperatures, reverse=True), "the more it conducts the colder it gets"


def test_each_point_has_its_files_and_its_log(heat: Sweep) -> None:
    for index in (0, 2, 3, 11):
        files = heat.files_of(index)
        assert {"meta.json", "metrics.json", "result.csv", "log.txt"} <= files.keys()
        assert json.loads(files["metrics.json"]) == heat.table()[index]["metrics"]


def test_kubectl_shows_how_far_it_is(simops: Lab, heat: Sweep) -> None:
    head, line = simops.cluster.kubectl("get", "simsweep", heat.name, f"--namespace={NAMESPACE}").splitlines()
    assert head.split()[:5] == ["NAME", "PHASE", "DONE", "TOTAL", "FAILED"]
    assert line.split()[:5] == ["heat-sweep", "Succeeded", "12", "12", "0"]


def test_nothing_else_of_it_can_be_changed_and_an_extension_runs_the_new_points_only(simops: Lab) -> None:
    made = simops.sweep(sweep("extended", ECHO, points=4))
    made.ended("Succeeded", "Completed")
    before = made.table()
    axis = {"name": "x", "integers": {"low": 0, "high": 6}}
    made.patch(space={"axes": [axis]})
    made.until(lambda s: s["points"]["total"] == 7 and s["phase"] == "Succeeded", "seven points succeeded")
    made.whole()
    assert made.rounds == [("points", "0-3"), ("points", "4-6")]
    after = made.table()
    assert {i: after[i] for i in before} == before
    assert after[6]["metrics"] == {"twice": 12}


def test_one_pod_a_point_without_packs(simops: Lab) -> None:
    made = simops.sweep(sweep("unpacked", ECHO, points=12, parallelism=4))
    made.ended("Succeeded", "Completed")
    made.whole()
    pods = made.pods()
    assert len(pods) == 12
    assert {line["metrics"]["twice"] for line in made.table().values()} == {2 * x for x in range(12)}
    assert made.files_of(7)["log.txt"] == b"x is 7\n"


def test_points_that_fail_are_told_and_run_again_by_an_order(simops: Lab) -> None:
    # The second time they find what is mended in their parameters' place: nothing; so they fail by the hour of their Pod's name.
    script = 'echo run; test "$x" -ne 3 -a "$x" -ne 8 || case "$HOSTNAME" in *-r0-*) exit 9;; esac'
    made = simops.sweep(sweep("failing", script, points=12, pointsPerPod=4))
    status = made.ended("Failed", "PointsFailed")
    assert (status["succeededPoints"], status["failedPoints"]) == ("0-2,4-7,9-11", "3,8")
    assert made.table()[3]["exitCode"] == 9
    made.whole()
    made.patch(rerun={"points": "failed", "id": "once"})
    made.until(lambda s: s["phase"] == "Succeeded", "Succeeded")
    made.whole()
    assert made.rounds == [("points", "0-11"), ("rerun", "3,8")]
    assert {made.table()[i]["round"] for i in (3, 8)} == {1}


def test_failed_points_are_tried_again_as_often_as_is_allowed(simops: Lab) -> None:
    script = 'test "$x" -ne 1 || case "$HOSTNAME" in *-r2-*) ;; *) exit 4;; esac'
    made = simops.sweep(sweep("retried", script, points=3, retriesPerPoint=2))
    made.ended("Succeeded", "Completed")
    assert made.rounds == [("points", "0-2"), ("retry", "1"), ("retry", "1")]
    made.whole()


def test_a_cancelled_sweep_keeps_what_has_ended(simops: Lab) -> None:
    script = 'echo "x $x"; test "$x" -lt 4 || sleep 300'
    made = simops.sweep(sweep("cancelled", script, points=40, pointsPerPod=8, parallelism=2, timeoutSeconds=600))
    made.until(lambda s: (s.get("points") or {}).get("active"), "points run")
    until(
        lambda: all((p["status"].get("phase") == "Running") for p in made.pods()) and made.pods(),
        "its Pods run",
    )
    # The first pack has passed its four short points and sleeps in the fifth.
    pod = made.pods()[0]["metadata"]["name"]
    until(lambda: made.has_begun(pod, 4), "the fifth point is under way")
    made.patch(cancelled=True)
    status = made.ended("Cancelled", "Cancelled")
    assert status["succeededPoints"] == "0-3"
    assert status["points"]["cancelled"] == 36
    made.whole()
    made.podless()
    assert not made.kubernetes_job_exists()


def test_points_are_cancelled_one_by_one(simops: Lab) -> None:
    script = 'test "$x" -ne 1 || sleep 300'
    made = simops.sweep(sweep("some-points", script, points=8, parallelism=2, suspend=True, timeoutSeconds=600))
    made.until(lambda s: s.get("phase") == "Queued", "Queued")
    made.patch(cancelledPoints="6-7")
    made.patch(suspend=False)
    made.until(lambda s: s.get("activePoints") == "1" and s["points"]["succeeded"] == 5, "only one point is left")
    made.patch(cancelledPoints="1,6-7")
    status = made.ended("Succeeded", "Completed")
    assert (status["succeededPoints"], status["cancelledPoints"]) == ("0,2-5", "1,6-7")
    assert made.rounds == [("points", "0-5")]
    made.whole()


def test_suspended_it_stops_and_goes_on_with_what_is_left(simops: Lab) -> None:
    script = 'test "$x" -ne 2 || case "$HOSTNAME" in *-r0-*) sleep 300;; esac'
    made = simops.sweep(sweep("held", script, points=6, pointsPerPod=6, timeoutSeconds=600))
    pod = made.attempt()
    until(lambda: made.has_begun(pod, 2), "the third point is under way")
    made.patch(suspend=True)
    made.until(lambda s: s["reason"] == "Suspended" and s["phase"] == "Queued", "Queued")
    assert made.indexes("succeeded") == points("0-1")
    assert not made.kubernetes_job_exists()
    made.patch(suspend=False)
    made.ended("Succeeded", "Completed")
    assert made.rounds == [("points", "0-5"), ("points", "2-5")]
    made.whole()


def test_auto_measures_and_then_packs(simops: Lab) -> None:
    made = simops.sweep(sweep("measured", "true", points=100, parallelism=2, pointsPerPod="auto"))
    made.ended("Succeeded", "Completed")
    assert [reason for reason, _ in made.rounds] == ["probe", "points"]
    assert len(made.pods()) == 2 + 2
    made.whole()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"space": {"axes": [{"name": "x", "values": [1]}], "where": "x > 2"}}, "InvalidSpace"),
        # Without `where` the API server counts them itself, and refuses the object.
        (
            {"space": {"axes": [{"name": "x", "integers": {"low": 1, "high": 900_000}}], "where": "x > 0"}},
            "TooManyPoints",
        ),
    ],
)
def test_a_space_that_cannot_be_run_fails_before_anything_runs(
    simops: Lab, change: dict[str, Any], reason: str
) -> None:
    manifest = sweep(f"space-{reason.lower()}", "true")
    manifest["spec"] |= change
    made = simops.sweep(manifest)
    status = made.ended("Failed", reason)
    assert status["message"]
    assert not made.kubernetes_jobs
    assert ("Warning", reason) in made.events()


def test_a_finished_sweep_goes_after_its_time_to_live_and_its_record_stays(simops: Lab) -> None:
    made = simops.sweep(sweep("forgotten-sweep", ECHO, points=2, pointsPerPod=2, ttlSecondsAfterFinished=3))
    made.gone(within=180)
    record = made.wait_for_record()
    assert record["status"]["phase"] == "Succeeded"
    assert sorted(made.table()) == [0, 1]
