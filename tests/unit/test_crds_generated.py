"""The generated files are those of the models, and every word that users meet is explained."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simops_crds.__main__ import generated, main
from simops_crds.kinds import KINDS, SIMULATION_JOB
from simops_crds.names import ConditionType, Phase, Reason, key_prefix, kubernetes_job_name
from simops_crds.openapi import crd_for, policies

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", generated())
def test_a_generated_file_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == generated()[name], "run `python -m simops_crds`"


def test_the_check_of_the_command_line_agrees() -> None:
    assert main(["--check"]) == 0


@pytest.mark.parametrize(
    "word", [*Phase, *Reason, *ConditionType], ids=lambda word: f"{type(word).__name__} {word.name}"
)
def test_every_phase_reason_and_condition_is_one_word_with_a_sentence(word: Phase | Reason | ConditionType) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]+", word.value)
    assert re.fullmatch(r"[A-Za-z].{10,}\.", word.sentence)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_immutable_field_exists_and_has_a_rule(kind: object) -> None:
    assert kind in KINDS
    for each, policy in zip(KINDS, policies()[::2], strict=True):
        spec = crd_for(each)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        assert set(each.spec.immutable) <= set(spec["properties"])
        messages = [rule["message"] for rule in (*spec["x-kubernetes-validations"], *policy["spec"]["validations"])]
        for name in each.spec.immutable:
            assert sum(f"{name} cannot be changed" in message for message in messages) == 1


def test_rules_of_the_policies_see_the_object_through_variables_without_a_type() -> None:
    # What stands in no variable is checked against a type that lacks the fields of free type (metadata has none), and gives a warning.
    for policy in policies()[::2]:
        spec = policy["spec"]
        texts = [
            rule[key] for rule in spec["validations"] for key in ("expression", "messageExpression") if key in rule
        ]
        texts += [variable["expression"] for variable in spec["variables"][2:]]
        assert not [text for text in texts if re.search(r"\b(object|oldObject)\.(?!metadata\.)", text)]


def test_every_message_of_a_policy_begins_with_the_path_of_a_field() -> None:
    for policy in policies()[::2]:
        for rule in policy["spec"]["validations"]:
            assert re.match(r"(spec|metadata)(\.[A-Za-z]+(\[\])?)+: \S", rule["message"])
            assert "\n" not in rule["message"]


LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
NAMES = st.from_regex(rf"\A[a-z0-9]([-a-z0-9]{{0,{SIMULATION_JOB.name_limit - 2}}}[a-z0-9])?\Z")
UIDS = st.uuids().map(str)


@given(NAMES, UIDS)
@example("a" * SIMULATION_JOB.name_limit, "6f0c1234-0000-4000-8000-000000000000")
def test_a_kubernetes_job_has_a_name_that_fits_into_a_label(name: str, uid: str) -> None:
    assert len(name) <= SIMULATION_JOB.name_limit
    assert re.fullmatch(LABEL, kubernetes_job_name(name, uid))


@given(NAMES, UIDS, UIDS)
@example("a", "6f0c1234-0000-4000-8000-000000000000", "6f0c1234-1000-4000-8000-000000000000")
def test_jobs_of_the_same_name_and_another_uid_are_told_apart(name: str, uid: str, other: str) -> None:
    same = kubernetes_job_name(name, uid) == kubernetes_job_name(name, other)
    assert same == (uid[:8] == other[:8])


@given(st.tuples(NAMES, NAMES, UIDS), st.tuples(NAMES, NAMES, UIDS))
def test_no_two_objects_share_a_place_in_the_store(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (key_prefix(*one) == key_prefix(*other)) == (one == other)
    assert not key_prefix(*one).endswith("/")
    assert key_prefix(*one).startswith("jobs/")
