"""Maximum time and resources are one rule in three places, as allowed images are. Here: what the chart makes of them."""

from typing import Any

import pytest
from unit.test_chart_render import Object, one, render
from unit.test_chart_values import refusal

from simops_crds.limits import DEFAULT_TIMEOUT_SECONDS, parse_maxima, why_too_long

RUNS = {"simulationjobs": "spec", "simulationsweeps": "spec.template"}
MANY = (
    "simulations.maxResources.cpu=64",
    "simulations.maxResources.memory=256Gi",
    r"simulations.maxResources.nvidia\.com/gpu=0",
    "simulations.maxResources.ephemeral-storage=",
)


def policy(objects: list[Object], resource: str) -> Any:
    name = f"{resource}-limits.simops.simops-system.simops.dev"
    binding = one(objects, "ValidatingAdmissionPolicyBinding", name)["spec"]
    assert (binding["policyName"], binding["validationActions"]) == (name, ["Deny"])
    return one(objects, "ValidatingAdmissionPolicy", name)["spec"]


@pytest.mark.parametrize("resource", RUNS)
def test_by_default_time_is_limited_and_resources_are_not(resource: str) -> None:
    (rule,) = policy(render(), resource)["validations"]
    assert rule["expression"] == "object.spec.timeoutSeconds <= 604800"


@pytest.mark.parametrize("resource", RUNS)
def test_each_maximum_holds_for_requests_and_for_limits(resource: str) -> None:
    spec = policy(render(*MANY, "simulations.namespaces={a,b,a}"), resource)
    assert spec["failurePolicy"] == "Fail"
    fields = [rule["message"].partition(" is more than ")[::2] for rule in spec["validations"][1:]]
    assert [(field, rest.partition(",")[0]) for field, rest in fields] == [
        (f"{RUNS[resource]}.resources.{field}: {name}", maximum)
        for name, maximum in (("cpu", "64"), ("memory", "256Gi"), ("nvidia.com/gpu", "0"))
        for field in ("requests", "limits")
    ]


def test_the_policy_holds_in_the_namespaces_of_simulations_only() -> None:
    objects = render("simulations.namespaces={a,b,a}")
    name = "simulationjobs-limits.simops.simops-system.simops.dev"
    (selector,) = one(objects, "ValidatingAdmissionPolicyBinding", name)["spec"]["matchResources"]["namespaceSelector"][
        "matchExpressions"
    ]
    assert selector["values"] == ["a", "b"]


@pytest.mark.parametrize("program", ["simops-operator", "simops-gateway"])
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ((), ""),
        (MANY, "cpu=64,memory=256Gi,nvidia.com/gpu=0"),
        (
            ("simulations.maxResources.cpu=null", "simulations.maxResources.memory=1073741824000"),
            "memory=1073741824000",
        ),
    ],
    ids=["none", "many", "a large number"],
)
def test_gateway_and_operator_are_told_the_same(program: str, settings: tuple[str, ...], text: str) -> None:
    container = one(render(*settings), "Deployment", program)["spec"]["template"]["spec"]["containers"][0]
    env = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert env["SIMOPS_MAX_RESOURCES"] == text
    parse_maxima(text)


@pytest.mark.parametrize("maximum", [60, DEFAULT_TIMEOUT_SECONDS - 1, DEFAULT_TIMEOUT_SECONDS, 7200])
def test_policy_and_programs_say_the_same_of_a_long_timeout(maximum: int) -> None:
    rule = policy(render(f"simulations.maxTimeoutSeconds={maximum}"), "simulationjobs")["validations"][0]
    words = rule["messageExpression"].rpartition("+ '")[2].rstrip("'")
    assert why_too_long(9999, maximum) == f"9999{words}"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("cpu=many", "at '/simulations/maxResources/cpu': 'many' does not match"),
        ("memory=4GB", "at '/simulations/maxResources/memory': '4GB' does not match"),
        ("cpu=-1", "at '/simulations/maxResources/cpu': minimum: got -1, want 0"),
        ("gpu=1", "at '/simulations/maxResources': additional properties 'gpu' not allowed"),
        (r"nvidia\.com/gpu=x", "at '/simulations/maxResources/nvidia.com~1gpu': 'x' does not match"),
        ("cpu=1900m", "simulations.maxResources.cpu: 1900m is less than simulations.resources.limits.cpu (2)"),
        ("memory=2097151Ki", "maxResources.memory: 2097151Ki is less than simulations.resources.limits.memory (2Gi)"),
    ],
)
def test_a_maximum_that_cannot_be_meant_is_refused(setting: str, words: str) -> None:
    assert words in refusal("--set", f"simulations.maxResources.{setting}")


@pytest.mark.parametrize(
    "setting", ["cpu=2000m", "cpu=2", "memory=2097152Ki", "memory=2147483648", "memory=2.2G", "memory=1Pi"]
)
def test_a_maximum_may_be_what_a_simulation_has_that_asks_for_none(setting: str) -> None:
    assert refusal("--set", f"simulations.maxResources.{setting}") == ""
