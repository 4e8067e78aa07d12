"""From an outcome to a status: what is written, when, and what stays."""

from typing import Any

import pytest
from builders import at, pod, run, running_pod
from hypothesis import given
from hypothesis import strategies as st

from simops_crds.names import Phase, Reason
from simops_crds.v1alpha1 import SimulationJobStatus
from simops_operator.core.status import MESSAGE_LIMIT, Outcome, differs, shorten, status_for

outcomes = st.builds(
    Outcome,
    phase=st.sampled_from(list(Phase)),
    reason=st.sampled_from(list(Reason)),
    message=st.text(max_size=30),
    accepted=st.booleans(),
    pod=st.sampled_from([None, pod(), running_pod(), running_pod("p2")]),
)


def times(status: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["lastTransitionTime"] for c in status["conditions"]}


class TestConditions:
    @given(st.lists(outcomes, min_size=2, max_size=5))
    def test_a_transition_time_changes_with_the_status_and_only_then(self, story: list[Outcome]) -> None:
        before: dict[str, Any] = status_for(run(), story[0], at(0))
        for number, outcome in enumerate(story[1:], 1):
            after = status_for(run(status=before), outcome, at(number))
            for old, new in zip(before["conditions"], after["conditions"], strict=True):
                assert (old["lastTransitionTime"] == new["lastTransitionTime"]) == (old["status"] == new["status"])
            before = after

    @given(outcomes)
    def test_every_status_fits_the_schema(self, outcome: Outcome) -> None:
        SimulationJobStatus.model_validate(status_for(run(), outcome, at(0)))

    @given(outcomes)
    def test_the_same_outcome_is_never_written_twice(self, outcome: Outcome) -> None:
        status = status_for(run(), outcome, at(0))
        assert not differs(status, status_for(run(status=status), outcome, at(100)))

    def test_started_is_about_the_latest_attempt(self) -> None:
        first = status_for(run(), Outcome(Phase.RUNNING, Reason.SIMULATION_STARTED, "", pod=running_pod()), at(0))
        second = status_for(run(status=first), Outcome(Phase.PENDING, Reason.JOB_CREATED, "", pod=pod("p2")), at(1))
        assert [c["status"] for c in first["conditions"] if c["type"] == "Started"] == ["True"]
        assert [c["status"] for c in second["conditions"] if c["type"] == "Started"] == ["False"]
        assert second["startTime"] == first["startTime"]


class TestDiffers:
    BEFORE = status_for(run(), Outcome(Phase.PENDING, Reason.SCHEDULING, "0/3 nodes"), at(0))

    def test_other_words_are_no_news(self) -> None:
        again = status_for(run(status=self.BEFORE), Outcome(Phase.PENDING, Reason.SCHEDULING, "0/4 nodes"), at(9))
        assert not differs(self.BEFORE, again)

    def test_the_name_of_a_pod_that_waits_is_no_news(self) -> None:
        again = status_for(run(status=self.BEFORE), Outcome(Phase.PENDING, Reason.SCHEDULING, "", pod=pod()), at(9))
        assert not differs(self.BEFORE, again)

    def test_another_reason_is(self) -> None:
        again = status_for(run(status=self.BEFORE), Outcome(Phase.PENDING, Reason.JOB_CREATED, ""), at(9))
        assert differs(self.BEFORE, again)

    def test_a_spec_that_was_seen_is(self) -> None:
        assert differs(self.BEFORE, self.BEFORE | {"observedGeneration": 2})

    def test_a_first_status_is(self) -> None:
        assert differs({}, self.BEFORE)


class TestMessages:
    @given(st.text(max_size=3000))
    def test_fit(self, text: str) -> None:
        assert len(shorten(text)) <= MESSAGE_LIMIT

    @pytest.mark.parametrize("acts", [*"\x1b\x9b\u2028\u2029\u202a\u202e\u2066\u2069\u200e\u200f\u061c"])
    def test_have_no_character_that_acts_on_what_is_shown(self, acts: str) -> None:
        assert shorten(f"so{acts}far\t\n\u200d.") == "so?far\t\n\u200d."

    def test_keep_their_end(self) -> None:
        assert shorten("x" * 5000 + "the error").endswith("the error")
