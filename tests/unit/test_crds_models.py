"""The models refuse what the API server refuses, as far as types and bounds can say it, and keep what it keeps."""

import json
import math
from typing import Any

import pytest
from contract.objects import BAD, GOOD, JOB_DEFAULTS, SWEEP_DEFAULTS, Bad, Good, job, with_defaults
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simops_crds.base import Model, check_ranges
from simops_crds.kinds import KINDS
from simops_crds.v1alpha1 import Artifacts, EnvVar, Network, Resources, SimulationJobSpec, Toleration

MODELS: dict[str, type[Model]] = {kind.kind: kind.spec for kind in KINDS}
DEFAULTS = dict(zip(MODELS, (JOB_DEFAULTS, SWEEP_DEFAULTS), strict=True))


@pytest.mark.parametrize("case", [case for case in BAD if case.model], ids=lambda case: case.what)
def test_the_model_refuses_a_bad_object(case: Bad) -> None:
    with pytest.raises(ValidationError):
        MODELS[case.manifest["kind"]].model_validate(case.manifest["spec"])


@pytest.mark.parametrize("case", [case for case in BAD if not case.model], ids=lambda case: case.what)
def test_the_model_leaves_to_the_api_server_what_only_a_rule_says(case: Bad) -> None:
    MODELS[case.manifest["kind"]].model_validate(case.manifest["spec"])


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.what)
def test_the_model_keeps_a_good_object_and_its_defaults_are_those_of_the_api_server(case: Good) -> None:
    kind = case.manifest["kind"]
    parsed = MODELS[kind].model_validate(case.manifest["spec"])
    assert parsed.to_dict() == with_defaults(case.manifest["spec"], DEFAULTS[kind])
    assert MODELS[kind].model_validate(json.loads(json.dumps(parsed.to_dict()))) == parsed


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**400])
def test_an_integer_that_would_lose_digits_on_its_way_is_refused(value: int) -> None:
    with pytest.raises(ValidationError, match="64 bits"):
        SimulationJobSpec(image="sim:local", params={"x": value})
    SimulationJobSpec(image="sim:local", params={"x": 2**63 - 1, "y": -(2**63), "z": float(2**63)})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_does_not_know_is_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        SimulationJobSpec.model_validate(job(params={"a": value})["spec"])


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="parms"):
        SimulationJobSpec.model_validate(job(parms={})["spec"])


def test_a_spec_cannot_be_changed_in_place() -> None:
    spec = SimulationJobSpec(image="a")
    with pytest.raises(ValidationError, match="frozen"):
        spec.image = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "must be index ranges"), ("a", "must be index ranges"), ("1,9-7", "write 7-9"), ("10-9", "write 9-10")],
)
def test_bad_index_ranges_are_refused_with_a_remedy(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_ranges(text)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PROCESS_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
COUNT = st.integers(0, 100)
SCALARS = (
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | PROCESS_TEXT
)
PARAMS = st.dictionaries(st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_.-]{0,62}\Z"), SCALARS, max_size=4)
QUANTITIES = st.dictionaries(TEXT, st.integers() | TEXT, max_size=3)


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


SPECS = st.builds(
    SimulationJobSpec,
    image=TEXT.filter(bool),
    command=_maybe(st.lists(PROCESS_TEXT, max_size=3)),
    args=_maybe(st.lists(PROCESS_TEXT, max_size=3)),
    params=_maybe(PARAMS),
    env=_maybe(st.lists(st.builds(EnvVar, name=TEXT.filter(bool), value=PROCESS_TEXT), max_size=2)),
    resources=_maybe(st.builds(Resources, requests=_maybe(QUANTITIES), limits=_maybe(QUANTITIES))),
    priority_class_name=_maybe(TEXT.filter(bool)),
    node_selector=_maybe(st.dictionaries(TEXT, TEXT, max_size=2)),
    tolerations=_maybe(
        st.lists(
            st.builds(
                Toleration,
                key=_maybe(TEXT),
                operator=st.sampled_from([None, "Exists", "Equal"]),
                value=_maybe(TEXT),
                effect=st.sampled_from([None, "NoSchedule", "PreferNoSchedule", "NoExecute"]),
                toleration_seconds=_maybe(COUNT),
            ),
            max_size=2,
        )
    ),
    queue_name=_maybe(TEXT.filter(bool)),
    network=st.sampled_from(Network),
    metadata=_maybe(st.dictionaries(TEXT, TEXT, max_size=2)),
    timeout_seconds=st.integers(1, 31_536_000),
    pending_timeout_seconds=_maybe(st.integers(1, 31_536_000)),
    retries=COUNT,
    ttl_seconds_after_finished=_maybe(st.integers(0, 3_153_600_000)),
    artifacts=st.builds(
        Artifacts, delete_with_job=st.booleans(), expire_after_seconds=_maybe(st.integers(60, 3_153_600_000))
    ),
    suspend=st.booleans(),
    cancelled=st.booleans(),
)


@given(SPECS)
def test_every_valid_spec_survives_the_way_through_json(spec: SimulationJobSpec) -> None:
    back = SimulationJobSpec.model_validate(json.loads(json.dumps(spec.to_dict())))
    assert back == spec
    assert {k: type(v) for k, v in (back.params or {}).items()} == {k: type(v) for k, v in (spec.params or {}).items()}
    assert back.to_dict() == spec.to_dict()
