"""What the API server refuses and with which words, and what it keeps unchanged."""

import json
from collections.abc import Callable

import pytest
from contract.objects import (
    BAD,
    BREAKOUTS,
    BREAKOUTS_WITHIN,
    GOOD,
    JOB,
    JOB_DEFAULTS,
    SWEEP_DEFAULTS,
    Bad,
    Good,
    Manifest,
    axes,
    axis,
    job,
    sweep,
    with_defaults,
)
from contract.server import Api, Kubectl

pytestmark = pytest.mark.versions


def test_there_are_enough_cases() -> None:
    assert len(BAD) >= 40
    assert len(GOOD) >= 10
    for cases in (BAD, GOOD):
        assert len({case.what for case in cases}) == len(cases)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.what)
def test_a_bad_object_is_refused_with_words_that_say_what_to_change(api: Api, case: Bad) -> None:
    refusal = api.refusal(case.manifest)
    assert refusal is not None, "it was accepted"
    assert refusal.code == 422
    assert "resulted in error" not in refusal.message
    assert refusal.says(case.path, case.words), refusal.causes


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.what)
def test_a_good_object_is_kept_unchanged(api: Api, made: Callable[[Manifest], Manifest], case: Good) -> None:
    made(case.manifest)
    defaults = JOB_DEFAULTS if case.manifest["kind"] == JOB else SWEEP_DEFAULTS
    assert api.read(case.manifest)["spec"] == with_defaults(case.manifest["spec"], defaults)


def test_defaults_within_lists_are_filled_in(api: Api) -> None:
    spec = api.create(job(env=[{"name": "A"}]), dry_run="All")["spec"]
    assert spec["env"] == [{"name": "A", "value": ""}]
    spec = api.create(sweep(space=axes(axis(integers={"low": 1, "high": 2}))), dry_run="All")["spec"]
    assert spec["space"]["axes"][0]["integers"]["step"] == 1


def test_numbers_stay_integers_or_fractions_and_booleans_stay_booleans(api: Api) -> None:
    sent = {"a": 1, "b": 1.5, "c": True, "d": 2**53 + 1, "e": "1"}
    params = api.create(job(params=sent), dry_run="All")["spec"]["params"]
    assert {name: (type(value), value) for name, value in params.items()} == {k: (type(v), v) for k, v in sent.items()}


UNKNOWN = [
    (job(parms={"a": 1}), "spec.parms"),
    (job(resources={"limit": {}}), "spec.resources.limit"),
    (
        job(env=[{"name": "A", "value": "", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
        "spec.env[0].valueFrom",
    ),
    (sweep(template={"retries": 1}), "spec.template.retries"),
    (sweep(space=axes(axis(linspace={"start": 0, "stop": 1, "num": 3, "endpoint": False}))), "linspace.endpoint"),
]


@pytest.mark.parametrize(("manifest", "path"), UNKNOWN, ids=[path for _, path in UNKNOWN])
def test_an_unknown_field_is_refused_and_named(api: Api, manifest: Manifest, path: str) -> None:
    refusal = api.refusal(manifest)
    assert refusal is not None
    assert f'unknown field "{path}' in refusal.message or f'{path}"' in refusal.message


@pytest.mark.parametrize("name", BREAKOUTS)
def test_what_would_let_a_simulation_out_of_its_pod_cannot_be_written(api: Api, name: str) -> None:
    field = {name: BREAKOUTS[name]}
    for manifest, path in ((job(**field), "spec"), (sweep(**field), "spec"), (sweep(template=field), "spec.template")):
        refusal = api.refusal(manifest)
        assert refusal is not None
        assert f'unknown field "{path}.{name}' in refusal.message
        # Who asks the API server to overlook it gets an object without it.
        kept = api.create(manifest, dry_run="All", field_validation="Ignore")["spec"]
        assert name not in kept
        assert name not in kept.get("template", {})


@pytest.mark.parametrize("path", BREAKOUTS_WITHIN)
def test_nor_can_it_within_another_field(api: Api, path: str) -> None:
    manifest = job(**BREAKOUTS_WITHIN[path])
    refusal = api.refusal(manifest)
    assert refusal is not None
    assert f'unknown field "spec.{path}' in refusal.message
    kept = api.create(manifest, dry_run="All", field_validation="Ignore")["spec"]
    assert f'"{path.rpartition(".")[2]}"' not in json.dumps(kept)


def test_a_simulation_cannot_ask_for_the_network_of_its_node(api: Api) -> None:
    refusal = api.refusal(job(network="Host"))
    assert refusal is not None
    assert refusal.says("spec.network", '"None", "Cluster", "Internet"')


def test_kubectl_apply_is_strict_and_shows_the_same_words(kubectl: Kubectl, api: Api) -> None:
    with pytest.raises(AssertionError, match=r"unknown field .*spec\.timeout\b"):
        kubectl("apply", "-f", "-", given=job(timeout=3))
    with pytest.raises(AssertionError, match=r"spec\.params: mesh: the value of a parameter must be a number"):
        kubectl("apply", "-f", "-", given=job(params={"mesh": [1]}))
    with pytest.raises(AssertionError, match=r"spec\.resources\.limits: .*give it a unit, such as 512Mi"):
        kubectl("apply", "-f", "-", given=job(resources={"limits": {"memory": 512}}))


def test_more_than_one_mistake_is_told_at_once(api: Api) -> None:
    refusal = api.refusal(job(image="a b", timeoutSeconds=0, env=[{"name": "SIMOPS_JOB"}]))
    assert refusal is not None
    assert refusal.says("spec.timeoutSeconds", "greater than or equal to 1")
    refusal = api.refusal(job(image="a b", env=[{"name": "SIMOPS_JOB"}]))
    assert refusal is not None
    assert refusal.says("spec.image", "without spaces")
    assert refusal.says("spec.env[0].name", "choose another name")


MOST_COSTLY = [
    axes(*(axis(f"x{i}", values=["x"] * 5_000) for i in range(5)), method="zip"),
    {"method": "list", "points": [{f"x{i}": "x" for i in range(5)}] * 5_000},
]


@pytest.mark.parametrize("space", MOST_COSTLY, ids=["values", "points"])
def test_the_longest_lists_that_are_allowed_cost_less_than_the_policy_may(api: Api, space: Manifest) -> None:
    assert api.refusal(sweep(space=space)) is None


def test_as_many_cancelled_points_as_fit_cost_the_policy_less_than_its_budget(api: Api) -> None:
    assert api.refusal(sweep(cancelledPoints=",".join(["1-2"] * 4096))) is None
    assert api.refusal(sweep(cancelledPoints=",".join(["1"] * 8192))) is None
