"""``decide`` as a table: how things are on the left, what is done and shown on the right."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
from builders import (
    CONFIG,
    JOB,
    PREFIX,
    at,
    bundle_message,
    ended,
    failed_pod,
    job,
    pod,
    run,
    running,
    running_pod,
    succeeded_pod,
    uploading_pod,
    waiting,
)
from contract.objects import BREAKOUTS

from simops_crds.names import FINAL_PHASES
from simops_operator.core import plan
from simops_operator.core.actions import (
    Action,
    ApplyJob,
    ArchiveLog,
    DeleteJob,
    DeleteRun,
    FetchSummary,
    ForbidRetries,
    StopPod,
    SuspendJob,
    WriteRecord,
)
from simops_operator.core.config import JobConfig
from simops_operator.core.events import event_for
from simops_operator.core.run import Run
from simops_operator.core.views import JobView, PodView, Summary, parse_summary

AT_60 = at(60)
MAXIMA = replace(CONFIG, max_timeout_seconds=7200, max_resources=(("memory", "8Gi"), ("a.b/gpu", "0")))
PARTIAL = parse_summary(bundle_message(partial=True))


@dataclass
class Story:
    """What a pass over one situation did."""

    run: Run
    actions: list[Action] = field(default_factory=list)
    statuses: list[Mapping[str, Any]] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    recheck: float | None = None

    @property
    def kinds(self) -> list[str]:
        return [type(a).__name__ for a in self.actions]

    @property
    def status(self) -> Mapping[str, Any]:
        return self.run.status

    @property
    def shown(self) -> tuple[str, str]:
        return self.status["phase"], self.status["reason"]

    def condition(self, kind: str) -> Mapping[str, Any]:
        return next(c for c in self.status["conditions"] if c["type"] == kind)


def follow(
    run: Run,
    job: JobView | None = None,
    *pods: PodView,
    now: datetime = AT_60,
    store: Mapping[str, Summary | None] | None = None,
    readable_logs: bool = True,
    config: JobConfig = CONFIG,
    rejected: str = "",
    store_error: str = "",
) -> Story:
    """Do what is decided, as the reconciler would, until nothing more is to be done without news from outside."""
    story = Story(run)
    logs: dict[str, bool] = {}
    summaries: dict[str, Summary | None] = {}
    for _ in range(12):
        facts = plan.Facts(dict(logs), dict(summaries), rejected, store_error)
        decision = plan.decide(story.run, job, pods, facts, config, now)
        story.actions += decision.actions
        for action in decision.actions:
            match action:
                case ArchiveLog(name):
                    logs[name] = readable_logs
                case FetchSummary(name):
                    summaries[name] = (store or {}).get(name)
        if decision.status is not None:
            event = event_for(story.run.status, decision.status)
            if event is not None:
                story.events.append(event[:2])
            story.statuses.append(decision.status)
            story.run = replace(story.run, status=decision.status)
        elif not any(isinstance(a, ArchiveLog | FetchSummary) for a in decision.actions):
            story.recheck = decision.recheck
            return story
    raise AssertionError(f"no fixed point: {story.kinds}")


def next_run(story: Story, **spec: Any) -> Run:
    """Return the run after a story, with other fields of its spec if a person has changed them."""
    return replace(run(**spec), status=story.status)


STARTED = {
    "phase": "Running",
    "reason": "SimulationStarted",
    "podName": "p1",
    "attempts": 1,
    "startTime": "2026-03-01T12:00:20Z",
    "jobName": JOB,
    "conditions": [{"type": "Started", "status": "True", "reason": "SimulationStarted", "lastTransitionTime": "x"}],
}


class TestARunThatGoesWell:
    def test_a_new_run_gets_its_job_before_its_status_says_so(self) -> None:
        story = follow(run())
        assert story.kinds[0] == "ApplyJob"
        assert story.shown == ("Pending", "JobCreated")
        assert story.status["jobName"] == JOB
        assert story.events == []

    def test_three_statuses_and_one_event_from_creation_to_the_end(self) -> None:
        writes, events, actions = [], [], []
        now = run()
        for the_job, pods in (
            (None, ()),
            (job(), ()),
            (job(), (pod(scheduled=None),)),
            (job(), (pod(simulation=waiting(), bundle=waiting()),)),
            (job(), (pod(simulation=waiting("PodInitializing"), bundle=running(15)),)),
            (job(), (running_pod(),)),
            (job(), (uploading_pod(),)),
            (job(), (succeeded_pod(),)),
            (job(complete=True), (succeeded_pod(),)),
        ):
            # Each with a fresh memory, as if the operator had been restarted between any two events.
            story = follow(now, the_job, *pods, now=at(35 if any(p.started for p in pods) else 20))
            if now.finished:
                assert story.statuses == []
            writes += [(s["phase"], s["reason"]) for s in story.statuses]
            events += story.events
            actions += [kind for kind in story.kinds if kind != "ApplyJob" or the_job is None]
            now = story.run
        assert writes == [("Pending", "JobCreated"), ("Running", "SimulationStarted"), ("Succeeded", "Completed")]
        assert events == [("Normal", "Completed")]
        assert [a for a in actions if a != "ApplyJob"] == ["ArchiveLog", "ArchiveLog", "WriteRecord"]

    def test_the_final_status_tells_everything(self) -> None:
        status = follow(run(status=STARTED), job(), succeeded_pod()).status
        assert status["exitCode"] == 0
        assert status["attempts"] == 1
        assert status["metrics"] == {"max_temperature": 300.0}
        assert status["artifacts"] == {
            "bundle": f"{PREFIX}/p1.zip",
            "files": 5,
            "bytes": 812345,
            "size": 301234,
            "sha256": "ab" * 32,
            "log": f"{PREFIX}/p1.log",
        }
        assert status["imageId"] == "sim@sha256:1"
        assert status["startTime"] == "2026-03-01T12:00:20Z"
        assert status["completionTime"] == "2026-03-01T12:01:00Z"
        assert [(c["type"], c["status"]) for c in status["conditions"]] == [
            ("Accepted", "True"),
            ("Started", "True"),
            ("ArtifactsStored", "True"),
            ("Finished", "True"),
        ]

    def test_log_then_record_then_status(self) -> None:
        story = follow(run(status=STARTED), job(), succeeded_pod())
        assert story.kinds == ["ArchiveLog", "WriteRecord"]
        record = story.actions[1]
        assert isinstance(record, WriteRecord)
        assert record.status == story.status

    def test_success_needs_no_word_from_the_job(self) -> None:
        assert follow(run(status=STARTED), job(), succeeded_pod()).shown == ("Succeeded", "Completed")

    def test_artifacts_that_expire_say_when(self) -> None:
        status = follow(run(status=STARTED, artifacts={"expireAfterSeconds": 3600}), job(), succeeded_pod()).status
        assert status["artifacts"]["expirationTime"] == "2026-03-01T13:01:00Z"


class TestARunThatIsHeld:
    def test_a_suspended_run_gets_a_suspended_job(self) -> None:
        story = follow(run(suspend=True))
        assert isinstance(story.actions[0], ApplyJob)
        assert story.actions[0].manifest["spec"]["suspend"] is True
        assert story.shown == ("Queued", "Suspended")

    def test_it_stays_as_it_is(self) -> None:
        story = follow(follow(run(suspend=True)).run, job(suspend=True))
        assert (story.actions, story.statuses) == ([], [])

    def test_resume_lets_the_job_go(self) -> None:
        held = follow(run(suspend=True))
        story = follow(next_run(held, suspend=False), job(suspend=True))
        assert story.actions[0] == SuspendJob(JOB, suspend=False)
        assert story.shown == ("Pending", "JobCreated")

    def test_suspending_a_running_one_suspends_its_job(self) -> None:
        story = follow(run(status=STARTED, suspend=True), job(), running_pod())
        assert story.actions[0] == SuspendJob(JOB, suspend=True)
        assert story.shown == ("Queued", "Suspended")
        assert story.events == [("Normal", "Suspended")]

    def test_the_log_of_the_attempt_that_was_suspended_is_kept(self) -> None:
        held = follow(run(status=STARTED, suspend=True), job(), running_pod())
        story = follow(held.run, job(suspend=True), uploading_pod(code=143, deleting=True))
        assert ArchiveLog("p1") in story.actions
        assert story.shown == ("Queued", "Suspended")

    def test_a_resumed_run_counts_another_attempt(self) -> None:
        resumed = run(status=STARTED | {"phase": "Pending", "reason": "JobCreated"})
        story = follow(resumed, job(), failed_pod(code=143, gone=True), running_pod("p2", created=100))
        assert story.shown == ("Running", "SimulationStarted")
        assert story.status["attempts"] == 2

    def test_a_queue_starts_the_job_not_we(self) -> None:
        story = follow(run(queueName="gpu"))
        assert isinstance(story.actions[0], ApplyJob)
        assert story.actions[0].manifest["spec"]["suspend"] is True
        assert story.actions[0].manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpu"
        assert story.shown == ("Queued", "Suspended")
        waits = follow(story.run, job(suspend=True))
        assert waits.actions == []
        admitted = follow(story.run, job(suspend=False), running_pod())
        assert admitted.kinds == []
        assert admitted.shown == ("Running", "SimulationStarted")

    def test_a_person_holds_a_queued_run_by_having_no_job(self) -> None:
        assert follow(run(queueName="gpu", suspend=True)).kinds == []
        story = follow(run(status=STARTED, queueName="gpu", suspend=True), job(), running_pod())
        assert story.actions[0] == DeleteJob(JOB)
        assert story.shown == ("Queued", "Suspended")
        assert follow(story.run, job(deleting=True)).kinds == []


class TestARunThatIsCancelled:
    def test_before_it_has_a_job(self) -> None:
        story = follow(run(cancelled=True))
        assert story.kinds == ["WriteRecord"]
        assert story.shown == ("Cancelled", "Cancelled")
        assert story.events == [("Normal", "Cancelled")]

    def test_while_its_pod_waits(self) -> None:
        story = follow(run(cancelled=True), job(), pod())
        assert story.kinds == ["WriteRecord", "DeleteJob"]
        assert story.shown == ("Cancelled", "Cancelled")
        assert story.condition("ArtifactsStored")["reason"] == "NotStarted"

    def test_while_suspended(self) -> None:
        assert follow(run(cancelled=True, suspend=True), job(suspend=True)).kinds == ["WriteRecord", "DeleteJob"]

    def test_while_running_its_pod_is_stopped_in_good_order(self) -> None:
        story = follow(run(status=STARTED, cancelled=True), job(backoff_limit=2), running_pod())
        assert set(story.actions) == {ForbidRetries(JOB), StopPod("p1", CONFIG.stop_grace_seconds)}
        assert story.shown == ("Running", "Cancelled")

    def test_a_pod_that_is_being_stopped_is_left_alone(self) -> None:
        story = follow(run(status=STARTED, cancelled=True), job(), running_pod(deleting=True))
        assert "StopPod" not in story.kinds
        assert story.shown == ("Running", "Cancelled")
        assert story.recheck == plan.STOPPING_RECHECK_SECONDS

    def test_what_it_had_written_is_kept(self) -> None:
        stopped = failed_pod(code=143, deleting=True)
        story = follow(run(status=STARTED, cancelled=True), job(), stopped)
        assert story.kinds[:2] == ["ArchiveLog", "WriteRecord"]
        assert story.shown == ("Cancelled", "Cancelled")
        assert story.status["artifacts"]["bundle"] == f"{PREFIX}/p1.zip"
        assert story.status["exitCode"] == 143

    def test_between_two_attempts(self) -> None:
        story = follow(run(status=STARTED, cancelled=True, retries=2), job(backoff_limit=2), failed_pod())
        assert story.shown == ("Cancelled", "Cancelled")
        assert story.kinds[-1] == "DeleteJob"

    def test_success_wins_the_race(self) -> None:
        story = follow(run(status=STARTED, cancelled=True), job(), succeeded_pod())
        assert story.shown == ("Succeeded", "Completed")

    @pytest.mark.parametrize("reason", ["Cancelled", "DeadlineExceeded"])
    @pytest.mark.parametrize(("until", "is_success"), [(30, True), (45, False)])
    def test_exit_code_0_after_we_stopped_it_is_no_success(self, reason: str, until: float, is_success: bool) -> None:
        told = run(status=STARTED | {"reason": reason}, cancelled=reason == "Cancelled")
        polite = succeeded_pod(simulation=ended(0, until=until), deleting=True, told=40)
        story = follow(told, job(complete=True), polite)
        assert story.status["reason"] == ("Completed" if is_success else reason)
        assert story.status["artifacts"]["bundle"] == f"{PREFIX}/p1.zip"

    def test_the_store_being_down_does_not_keep_a_simulation_running(self) -> None:
        story = follow(run(status=STARTED, cancelled=True), job(), running_pod(), store_error="down")
        assert StopPod("p1", CONFIG.stop_grace_seconds) in story.actions

    def test_a_simulation_that_does_not_stop_is_not_waited_for_once_everything_is_kept(self) -> None:
        cancelling = run(status=STARTED | {"reason": "Cancelled"}, cancelled=True)
        story = follow(cancelling, job(), running_pod(deleting=True), store={"p1": PARTIAL})
        assert story.kinds == ["FetchSummary", "ArchiveLog", "WriteRecord", "DeleteJob"]
        assert story.shown == ("Cancelled", "Cancelled")
        assert story.status["artifacts"]["partial"] is True

    def test_exit_code_0_with_outputs_from_before_its_end_is_no_success(self) -> None:
        cut_short = ended(0, message=bundle_message(partial=True))
        story = follow(run(status=STARTED), job(complete=True), succeeded_pod(bundle=cut_short))
        assert story.shown == ("Failed", "ArtifactUploadFailed")
        assert "taken before it ended" in story.status["message"]
        assert story.status["artifacts"]["partial"] is True


class TestARunThatFails:
    def test_what_it_has_printed_is_told_without_control_characters(self) -> None:
        printed = failed_pod(simulation=ended(3, message="\x1b]0;owned\x07\x1b[2Jred\x9b \x7fthe end\tof it"))
        story = follow(run(status=STARTED), job(failed="BackoffLimitExceeded", failed_pods=1), printed)
        assert story.status["message"].endswith("?]0;owned??[2Jred? ?the end\tof it")

    def test_nothing_that_it_has_printed_lets_a_message_be_shown_in_another_order(self) -> None:
        printed = failed_pod(simulation=ended(3, message="a\u202eb\u2066c\u2069d\u200fe\u061cf, \u200dg"))
        story = follow(run(status=STARTED), job(failed="BackoffLimitExceeded", failed_pods=1), printed)
        assert story.status["message"].endswith(": a?b?c?d?e?f, \u200dg")

    def test_its_exit_code_is_told_with_the_end_of_its_log(self) -> None:
        story = follow(run(status=STARTED), job(failed="BackoffLimitExceeded", failed_pods=1), failed_pod(code=3))
        assert story.shown == ("Failed", "ExitCode")
        assert story.status["message"] == "exited with code 3: boom"
        assert story.status["exitCode"] == 3
        assert story.status["artifacts"]["bundle"] == f"{PREFIX}/p1.zip"
        assert story.events == [("Warning", "ExitCode")]

    @pytest.mark.parametrize(
        ("the_pod", "reason", "part"),
        [
            (failed_pod(code=137, simulation=ended(137, reason="OOMKilled")), "OOMKilled", "memory"),
            (failed_pod(code=143, reason="DeadlineExceeded"), "DeadlineExceeded", "3600 s"),
            (failed_pod(code=137, reason="Evicted", message="emptyDir full"), "Evicted", "emptyDir full"),
            (
                failed_pod(simulation=ended(128, reason="StartError", message="no such file", since=-1_900_000_000)),
                "ContainerCannotRun",
                "no such file",
            ),
            (running_pod(gone=True), "PodLost", "vanished"),
            (pod(phase="Failed", reason="OutOfcpu", message="no cpu"), "PodLost", "no cpu"),
        ],
        ids=["memory", "timeout", "eviction", "start", "gone", "refused by its node"],
    )
    def test_each_way_has_its_reason(self, the_pod: PodView, reason: str, part: str) -> None:
        story = follow(run(status=STARTED), job(failed="BackoffLimitExceeded", failed_pods=1), the_pod)
        assert story.shown == ("Failed", reason)
        assert part in story.status["message"]

    def test_a_process_that_never_ran_did_not_start_in_1970(self) -> None:
        never = pod(phase="Failed", simulation=ended(128, reason="StartError", since=-1_772_366_400))
        status = follow(run(), job(failed="BackoffLimitExceeded", failed_pods=1), never).status
        assert "startTime" not in status
        assert status["attempts"] == 0

    def test_a_spec_that_cannot_be_read(self) -> None:
        story = follow(run(timeoutSeconds="soon"))
        assert story.kinds == ["WriteRecord"]
        assert story.shown == ("Failed", "InvalidSpec")
        assert "timeoutSeconds" in story.status["message"]
        assert story.condition("Accepted")["status"] == "False"

    @pytest.mark.parametrize("name", BREAKOUTS)
    def test_a_field_that_would_let_it_out_of_its_pod_gets_no_job(self, name: str) -> None:
        story = follow(run(**{name: BREAKOUTS[name]}))
        assert story.kinds == ["WriteRecord"]
        assert story.shown == ("Failed", "InvalidSpec")
        assert name in story.status["message"]

    def test_an_image_that_is_not_allowed_gets_no_job(self) -> None:
        story = follow(run(image="evil:latest"))
        assert story.kinds == ["WriteRecord"]
        assert story.shown == ("Failed", "ImageNotTrusted")
        assert "sim:*" in story.status["message"]

    def test_an_image_without_digest_gets_no_job_where_one_is_required(self) -> None:
        config = replace(CONFIG, require_digest=True)
        story = follow(run(image="sim:local"), config=config)
        assert story.kinds == ["WriteRecord"]
        assert story.shown == ("Failed", "ImageNotTrusted")
        assert story.status["message"].startswith("image sim:local is not named by its digest, which is required here")
        assert "ApplyJob" in follow(run(image=f"sim:local@sha256:{'a' * 64}"), config=config).kinds

    @pytest.mark.parametrize(
        ("spec", "words"),
        [
            ({"timeoutSeconds": 7201}, "spec.timeoutSeconds: 7201 seconds are more than 7200,"),
            ({"resources": {"limits": {"memory": "9Gi"}}}, "spec.resources.limits: memory: 9Gi is more than 8Gi,"),
            ({"resources": {"requests": {"memory": "9Gi"}}}, "spec.resources.requests: memory: 9Gi is more than 8Gi,"),
            ({"resources": {"limits": {"a.b/gpu": 1}}}, "spec.resources.limits: a.b/gpu: 1 is more than 0,"),
        ],
    )
    def test_more_time_or_resources_than_there_may_be_get_no_job(self, spec: dict[str, Any], words: str) -> None:
        story = follow(run(**spec), config=MAXIMA)
        assert story.kinds == ["WriteRecord"]
        assert story.shown == ("Failed", "AboveMaximum")
        assert story.status["message"].startswith(words)
        assert story.condition("Accepted")["status"] == "False"

    def test_all_that_there_may_be_gets_its_job(self) -> None:
        most = run(timeoutSeconds=7200, resources={"limits": {"memory": "8Gi", "cpu": 99, "a.b/gpu": 0}})
        assert "ApplyJob" in follow(most, config=MAXIMA).kinds

    def test_what_runs_when_a_maximum_is_lowered_goes_on_for_as_long_as_may_be(self) -> None:
        large = run(status=STARTED, timeoutSeconds=1000, resources={"limits": {"memory": "9Gi"}})
        lower = replace(MAXIMA, max_timeout_seconds=100)
        story = follow(large, job(), running_pod(), config=lower, now=at(60))
        assert story.shown[0] == "Running"
        assert (story.kinds, story.recheck) == ([], 60)
        assert follow(large, job(), running_pod(), config=lower, now=at(120)).kinds == ["StopPod"]
        assert follow(large, job(), config=lower).shown[0] == "Pending"
        again = follow(large, None, failed_pod(gone=True), config=lower)
        assert "ApplyJob" in again.kinds, "its Job was deleted by somebody"

    def test_a_job_that_the_api_server_refuses(self) -> None:
        story = follow(run(), rejected="denied by policy")
        assert story.kinds == ["WriteRecord"]
        assert story.shown == ("Failed", "JobRejected")

    def test_also_when_an_earlier_attempt_is_remembered(self) -> None:
        story = follow(run(status=STARTED), None, failed_pod(gone=True), rejected="denied by policy")
        assert story.shown == ("Failed", "JobRejected")

    def test_an_upload_that_failed_for_good_is_not_a_success(self) -> None:
        lost = succeeded_pod(bundle=ended(1, message=bundle_message(bundle=None, error="no route to store")))
        story = follow(run(status=STARTED), job(complete=True), lost)
        assert story.shown == ("Failed", "ArtifactUploadFailed")
        assert "no route to store" in story.status["message"]
        assert story.condition("ArtifactsStored")["reason"] == "ArtifactUploadFailed"

    def test_a_failed_simulation_says_that_its_outputs_are_lost_too(self) -> None:
        lost = failed_pod(bundle=ended(1, message=bundle_message(bundle=None, error="no route to store")))
        story = follow(run(status=STARTED), job(failed="BackoffLimitExceeded", failed_pods=1), lost)
        assert story.shown == ("Failed", "ExitCode")
        assert "no route to store" in story.status["message"]

    def test_a_simulation_that_takes_too_long_is_stopped_after_the_status_has_told_so(self) -> None:
        short = run(status=STARTED, timeoutSeconds=100)
        assert follow(short, job(), running_pod(), now=at(60)).recheck == 60
        first = plan.decide(short, job(), (running_pod(),), plan.Facts(), CONFIG, at(120))
        assert first.actions == ()
        assert first.status is not None
        assert (first.status["phase"], first.status["reason"]) == ("Running", "DeadlineExceeded")
        story = follow(short, job(), running_pod(), now=at(120))
        assert story.actions == [StopPod("p1", CONFIG.stop_grace_seconds)]

    def test_it_fails_once_it_has_given_what_it_has(self) -> None:
        told = run(status=STARTED | {"reason": "DeadlineExceeded"}, timeoutSeconds=100)
        for the_pod, the_job in (
            (running_pod(deleting=True), job()),
            (running_pod(deleting=True, gone=True), job(failed="BackoffLimitExceeded", failed_pods=1)),
            (running_pod(being_stopped=True), job()),
        ):
            story = follow(told, the_job, the_pod, now=at(130), store={"p1": PARTIAL})
            assert story.shown == ("Failed", "DeadlineExceeded")
            assert story.status["artifacts"]["partial"] is True

    def test_one_that_may_be_retried_runs_again(self) -> None:
        told = run(status=STARTED | {"reason": "DeadlineExceeded"}, timeoutSeconds=100, retries=1)
        held = follow(told, job(backoff_limit=1), running_pod(deleting=True), now=at(130), store={"p1": PARTIAL})
        assert held.shown == ("Running", "DeadlineExceeded")
        ended_now = follow(held.run, job(backoff_limit=1), failed_pod(code=143, deleting=True), now=at(131))
        assert ended_now.shown == ("Pending", "Retrying")

    def test_one_that_ends_in_time_may_be_stored_after_it(self) -> None:
        story = follow(run(status=STARTED, timeoutSeconds=100), job(), uploading_pod(), now=at(500))
        assert "StopPod" not in story.kinds
        assert story.status["reason"] == "StoringArtifacts"
        assert story.events == []

    def test_a_sidecar_that_crashes_beside_a_healthy_simulation_costs_nothing(self) -> None:
        crashed = running_pod(bundle=ended(137, reason="OOMKilled"))
        story = follow(run(status=STARTED), job(), crashed)
        assert story.actions == []


class TestARunThatWaits:
    def test_for_a_node(self) -> None:
        story = follow(run(), job(), pod(unschedulable="0/3 nodes"))
        assert story.shown == ("Pending", "Scheduling")
        assert story.recheck is None

    def test_until_its_pending_timeout(self) -> None:
        slow = run(pendingTimeoutSeconds=100)
        assert follow(slow, job(), pod(), now=at(60)).recheck == 50
        story = follow(slow, job(), pod(), now=at(110))
        assert story.shown == ("Failed", "PendingTimeout")
        assert story.kinds == ["WriteRecord", "DeleteJob"]

    def test_until_the_timeout_of_the_installation_when_it_has_none(self) -> None:
        config = replace(CONFIG, pending_timeout_seconds=40)
        assert follow(run(), job(), pod(), now=at(60), config=config).shown == ("Failed", "PendingTimeout")

    def test_for_an_image_as_long_as_the_grace_lasts(self) -> None:
        failing = pod(simulation=waiting("ErrImagePull", "not found"), bundle=running(15))
        story = follow(run(), job(), failing)
        assert story.shown == ("Pending", "ImagePullFailed")
        assert story.recheck == 300 - (60 - 12)
        assert story.events == [("Warning", "ImagePullFailed")]
        again = pod(simulation=waiting("ImagePullBackOff", "back-off"), bundle=running(15))
        assert follow(story.run, job(), again).statuses == []
        over = follow(story.run, job(), again, now=at(400))
        assert over.shown == ("Failed", "ImagePullFailed")
        assert over.kinds[-1] == "DeleteJob"

    def test_a_hopeless_image_is_given_up_at_once(self) -> None:
        hopeless = pod(simulation=waiting("InvalidImageName", "bad"), bundle=running(15))
        assert follow(run(), job(), hopeless).shown == ("Failed", "ImagePullFailed")

    def test_the_image_of_the_bundle_container_is_named(self) -> None:
        failing = pod(bundle=waiting("ErrImagePull", "not found"), simulation=waiting("PodInitializing"))
        assert "bundle" in follow(run(), job(), failing).status["message"]


class TestAnAttemptThatIsFollowedByAnother:
    def test_a_retry_is_told_and_counted(self) -> None:
        again = follow(run(status=STARTED, retries=1), job(backoff_limit=1), failed_pod())
        assert again.shown == ("Pending", "Retrying")
        assert again.events == [("Warning", "Retrying")]
        assert again.status["attempts"] == 1
        second = follow(again.run, job(backoff_limit=1), failed_pod(), pod("p2", created=50))
        assert second.status["attempts"] == 1
        third = follow(second.run, job(backoff_limit=1), failed_pod(), running_pod("p2", created=50))
        assert third.shown == ("Running", "SimulationStarted")
        assert third.status["attempts"] == 2
        last = follow(third.run, job(complete=True), failed_pod(), succeeded_pod("p2", created=50))
        assert last.shown == ("Succeeded", "Completed")
        assert last.status["attempts"] == 2
        assert last.status["podName"] == "p2"

    def test_the_logs_of_all_attempts_are_kept(self) -> None:
        story = follow(run(status=STARTED), job(complete=True), failed_pod(), succeeded_pod("p2", created=50))
        assert {a for a in story.actions if isinstance(a, ArchiveLog)} == {ArchiveLog("p1"), ArchiveLog("p2")}

    def test_a_disruption_is_no_failure(self) -> None:
        story = follow(run(status=STARTED), job(), failed_pod(code=137, disrupted=True, message="node drained"))
        assert story.shown == ("Pending", "Disrupted")
        assert "node drained" in story.status["message"]

    def test_a_pod_deleted_by_hand(self) -> None:
        again = follow(run(status=STARTED, retries=1), job(backoff_limit=1), running_pod(gone=True))
        assert again.shown == ("Pending", "Disrupted")

    def test_a_last_attempt_that_failed_waits_for_the_job_to_say_so(self) -> None:
        assert follow(run(status=STARTED), job(), failed_pod()).statuses == []

    def test_the_one_that_made_the_job_complete_decides_not_the_one_that_failed(self) -> None:
        lagging = follow(run(status=STARTED), job(complete=True), failed_pod(), running_pod("p2", created=50))
        assert FetchSummary("p2") in lagging.actions
        stored = parse_summary(bundle_message("p2"))
        story = follow(
            run(status=STARTED),
            job(complete=True),
            failed_pod(),
            running_pod("p2", created=50, gone=True),
            store={"p2": stored},
        )
        assert story.shown == ("Succeeded", "Completed")
        assert story.status["artifacts"]["bundle"] == f"{PREFIX}/p2.zip"
        assert story.status["exitCode"] == 0

    def test_a_failed_attempt_alone_never_makes_a_success(self) -> None:
        story = follow(run(status=STARTED), job(complete=True), failed_pod())
        assert story.shown == ("Failed", "ArtifactUploadFailed")


class TestPodsThatAreOlderThanTheirJob:
    @pytest.mark.parametrize(
        ("the_job", "pods", "shows"),
        [
            (job(complete=True), (succeeded_pod(),), True),
            (job(complete=True), (failed_pod(), succeeded_pod("p2")), True),
            (job(complete=True), (failed_pod(),), False),
            (job(complete=True), (), False),
            (job(failed="x", failed_pods=1), (failed_pod(),), True),
            (job(failed="x", failed_pods=2), (failed_pod(),), False),
            (job(failed="x", failed_pods=2), (failed_pod(), running_pod("p2")), False),
            (job(failed="x", failed_pods=1), (failed_pod(disrupted=True),), False),
            (job(failed="x"), (), False),
        ],
    )
    def test_are_told_from_those_that_explain_its_end(
        self, the_job: JobView, pods: tuple[PodView, ...], shows: bool
    ) -> None:
        assert plan.shows_the_end(the_job, pods) is shows


class TestAPodThatCannotTell:
    def test_the_store_is_asked_when_the_message_has_no_summary(self) -> None:
        mute = succeeded_pod(bundle=ended(0, message=""))
        story = follow(run(status=STARTED), job(), mute, store={"p1": parse_summary(bundle_message())})
        assert FetchSummary("p1") in story.actions
        assert story.shown == ("Succeeded", "Completed")

    def test_also_when_the_pod_is_gone(self) -> None:
        story = follow(run(status=STARTED), job(complete=True), store={"p1": parse_summary(bundle_message())})
        assert story.kinds == ["FetchSummary", "WriteRecord"]
        assert story.shown == ("Succeeded", "Completed")
        assert story.status["podName"] == "p1"
        assert "log" not in story.status["artifacts"]

    def test_nothing_anywhere_is_an_upload_that_failed(self) -> None:
        assert follow(run(status=STARTED), job(complete=True)).shown == ("Failed", "ArtifactUploadFailed")

    def test_a_log_that_cannot_be_read_does_not_hold_the_end(self) -> None:
        story = follow(run(status=STARTED), job(), succeeded_pod(), readable_logs=False)
        assert story.shown == ("Succeeded", "Completed")
        assert "log" not in story.status["artifacts"]


class TestAStoreThatIsDown:
    def test_nothing_is_started_whose_results_could_not_be_kept(self) -> None:
        story = follow(run(), store_error="connection refused")
        assert story.actions == []
        assert story.shown == ("Pending", "StoreUnavailable")
        assert "connection refused" in story.status["message"]

    def test_a_run_that_has_ended_waits_for_it(self) -> None:
        story = follow(run(status=STARTED), job(complete=True), succeeded_pod(), store_error="connection refused")
        assert story.shown == ("Running", "StoreUnavailable")
        assert "WriteRecord" not in story.kinds
        assert story.events == [("Warning", "StoreUnavailable")]
        after = follow(story.run, job(complete=True), succeeded_pod())
        assert after.shown == ("Succeeded", "Completed")

    def test_another_wording_of_the_same_trouble_costs_no_write(self) -> None:
        first = follow(run(status=STARTED), job(complete=True), succeeded_pod(), store_error="refused")
        assert follow(first.run, job(complete=True), succeeded_pod(), store_error="timed out").statuses == []


class TestAfterTheEnd:
    FINISHED = STARTED | {"phase": "Failed", "reason": "ExitCode", "completionTime": "2026-03-01T12:01:00Z"}

    def test_nothing_is_left_running(self) -> None:
        assert follow(run(status=self.FINISHED), job()).actions == [DeleteJob(JOB)]
        assert follow(run(status=self.FINISHED), job(deleting=True)).actions == []
        assert follow(run(status=self.FINISHED), job(failed="BackoffLimitExceeded")).actions == []

    def test_a_job_that_is_about_to_notice_its_success_is_left_alone(self) -> None:
        assert follow(run(status=self.FINISHED | {"phase": "Succeeded"}), job()).actions == []

    def test_the_object_goes_when_its_time_has_come(self) -> None:
        short = run(status=self.FINISHED, ttlSecondsAfterFinished=100)
        waits = follow(short, None, now=at(100))
        assert (waits.actions, waits.recheck) == ([], 60)
        assert follow(short, None, now=at(160)).actions == [DeleteRun()]

    def test_a_ttl_of_zero_is_not_the_default(self) -> None:
        assert follow(run(status=self.FINISHED, ttlSecondsAfterFinished=0), None).actions == [DeleteRun()]

    def test_the_default_is_the_installations(self) -> None:
        assert follow(run(status=self.FINISHED), None).recheck == CONFIG.ttl_seconds_after_finished

    @pytest.mark.parametrize("phase", sorted(FINAL_PHASES))
    def test_the_status_never_changes_again(self, phase: str) -> None:
        done = run(status=self.FINISHED | {"phase": phase}, cancelled=True, suspend=True)
        assert follow(done, job(complete=True), succeeded_pod()).statuses == []


class TestARunThatIsDeleted:
    @staticmethod
    def decide(*pods: PodView, **facts: Any) -> plan.Decision | None:
        return plan.decide_deleted(run(status=STARTED), pods, plan.Facts(**facts), at(60))

    def test_its_pods_are_waited_for(self) -> None:
        decision = self.decide(running_pod())
        assert decision is not None
        assert decision.actions == ()

    def test_its_log_is_kept_while_it_can_be_read(self) -> None:
        decision = self.decide(uploading_pod(code=143))
        assert decision is not None
        assert decision.actions == (ArchiveLog("p1"),)

    def test_its_record_says_that_it_was_deleted(self) -> None:
        stopped = failed_pod(code=143, gone=True)
        asks = self.decide(stopped, logs={"p1": True})
        assert asks is not None
        assert asks.actions == (FetchSummary("p1"),)
        decision = self.decide(stopped, logs={"p1": True}, summaries={"p1": parse_summary(bundle_message())})
        assert decision is not None
        (record,) = decision.actions
        assert isinstance(record, WriteRecord)
        assert (record.status["phase"], record.status["reason"]) == ("Cancelled", "Deleted")
        assert record.status["artifacts"]["bundle"] == f"{PREFIX}/p1.zip"

    def test_one_that_never_started_leaves_nothing(self) -> None:
        assert self.decide(pod(gone=True)) is None
        assert self.decide() is None


class TestEvents:
    @pytest.mark.parametrize(
        ("phase", "reason", "kind"),
        [
            ("Pending", "JobCreated", None),
            ("Running", "SimulationStarted", None),
            ("Running", "Cancelled", None),
            ("Pending", "Scheduling", "Warning"),
            ("Pending", "Retrying", "Warning"),
            ("Queued", "Suspended", "Normal"),
            ("Succeeded", "Completed", "Normal"),
            ("Cancelled", "Cancelled", "Normal"),
            ("Failed", "OOMKilled", "Warning"),
        ],
    )
    def test_only_for_what_matters(self, phase: str, reason: str, kind: str | None) -> None:
        event = event_for({}, {"phase": phase, "reason": reason, "message": "m"})
        assert (event[0] if event else None) == kind

    def test_never_twice_for_the_same(self) -> None:
        before = {"phase": "Pending", "reason": "Scheduling"}
        assert event_for(before, {**before, "message": "other words"}) is None
