"""Which images may run is one rule in three places: the API server's policy, the gateway and the operator. Here: what the chart makes of it."""

import re
from typing import Any

import pytest
from unit.test_chart_render import Object, one, render
from unit.test_chart_values import refusal

from simops_crds.images import has_digest

DIGEST = "sha256:" + "a" * 64
FIELDS = {"simulationjobs": "spec.image", "simulationsweeps": "spec.template.image"}


def policy(objects: list[Object], resource: str) -> Any:
    return one(objects, "ValidatingAdmissionPolicy", f"{resource}-images.simops.simops-system.simops.dev")["spec"]


@pytest.mark.parametrize("allowed", ["sim:*", "*"])
@pytest.mark.parametrize("resource", FIELDS)
def test_a_digest_is_asked_for_also_where_every_image_is_allowed(allowed: str, resource: str) -> None:
    spec = policy(render("images.requireDigest=true", f"images.allowed={{{allowed}}}"), resource)
    assert len(spec["validations"]) == (1 if allowed == "*" else 2)
    rule = spec["validations"][-1]
    assert f"object.{FIELDS[resource]}.matches(" in rule["expression"]
    assert rule["message"].startswith(f"{FIELDS[resource]} is not named by its digest")


def test_the_policy_and_the_programs_agree_on_what_a_digest_is() -> None:
    rule = policy(render("images.requireDigest=true"), "simulationjobs")["validations"][-1]["expression"]
    found = re.search(r"matches\('(.*)'\)", rule)
    assert found
    expression = re.compile(found[1])
    for image in (
        *(f"sim@{DIGEST}", f"a.b:5000/c/sim:1@{DIGEST}"),
        *(
            "sim",
            "sim:1",
            f"@{DIGEST}",
            f"sim@{DIGEST}a",
            f"sim@{DIGEST[:-1]}",
            f"sim@{DIGEST.upper()}",
            f"sim:{DIGEST}",
        ),
    ):
        assert bool(expression.search(image)) == has_digest(image), image


def test_nothing_asks_for_a_digest_by_default() -> None:
    (rule,) = policy(render(), "simulationjobs")["validations"]
    assert "sha256" not in rule["expression"]


@pytest.mark.parametrize("setting", ["true", "false"])
def test_gateway_and_operator_are_told_the_same(setting: str) -> None:
    objects = render(f"images.requireDigest={setting}")
    for name in ("simops-operator", "simops-gateway"):
        env = one(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]["env"]
        assert {"name": "SIMOPS_REQUIRE_DIGEST", "value": setting} in env


def test_a_default_image_that_would_be_refused_is_refused_at_once() -> None:
    said = refusal("--set=images.requireDigest=true,gateway.defaultImage=sim:local")
    assert "gateway.defaultImage: sim:local is not named by its digest, which images.requireDigest asks for" in said
    assert refusal(f"--set=images.requireDigest=true,gateway.defaultImage=sim@{DIGEST}") == ""


def test_the_chart_names_the_runtime_class_of_simulations() -> None:
    objects = render("simulations.runtimeClassName=gvisor")
    env = one(objects, "Deployment", "simops-operator")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "SIMOPS_RUNTIME_CLASS_NAME", "value": "gvisor"} in env
    assert "at '/simulations/runtimeClassName'" in refusal("--set=simulations.runtimeClassName=Kata_1")
    # Only simulations are strangers: the programs of SimOps run as before.
    for item in objects:
        if item["kind"] == "Deployment":
            assert "runtimeClassName" not in item["spec"]["template"]["spec"]
