"""The chart without rights of the whole cluster: every object is in a namespace, and who installs it needs to have what it hands out."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from unit.test_chart_gateway import environment
from unit.test_chart_render import CHART, Object, grants, render
from unit.test_chart_values import refusal

NAMESPACED = "rbac.clusterWide=false"
NAMESPACES = "simulations.namespaces={lab,lab-sweeps}"
EVERYTHING = (
    "operator.replicas=2",
    "gateway.autoscaling.enabled=true",
    "gateway.ingress.enabled=true",
    "gateway.ingress.host=simops.example.org",
    "monitoring.serviceMonitor.enabled=true",
    "networkPolicies.metricsFrom[0].namespaceSelector.matchLabels.team=monitoring",
    "monitoring.rules.enabled=true",
    "monitoring.dashboard.enabled=true",
    "images.requireDigest=true",
)


@pytest.mark.parametrize("more", [(), EVERYTHING], ids=["default", "everything"])
@pytest.mark.parametrize("mode", ["kubernetes", "none"])
def test_every_object_is_in_the_releases_or_a_simulation_namespace(more: tuple[str, ...], mode: str) -> None:
    settings = (NAMESPACED, NAMESPACES, "crds.install=false", f"gateway.auth.mode={mode}", *more)
    objects = render(*settings, namespace="lab-system")
    assert {one["metadata"].get("namespace") for one in objects} == {"lab-system", "lab", "lab-sweeps"}
    # A kind that belongs to the cluster could name a namespace all the same.
    assert not [one["kind"] for one in objects if one["kind"].startswith(("Cluster", "Validating", "Custom", "Namesp"))]


def test_the_crds_are_all_that_belongs_to_the_cluster_if_they_are_wanted() -> None:
    wide = [one for one in render(NAMESPACED, NAMESPACES) if "namespace" not in one["metadata"]]
    assert [one["kind"] for one in wide] == ["CustomResourceDefinition"] * 2
    assert wide == [one for one in render() if one["kind"] == "CustomResourceDefinition"]


def test_callers_are_asked_with_their_own_token_where_the_gateway_may_not_ask() -> None:
    assert environment(render(NAMESPACED))["SIMOPS_AUTH_REVIEWS"] == "caller"
    assert environment(render())["SIMOPS_AUTH_REVIEWS"] == "own"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("gateway.auth.audiences={simops.example.org}", "gateway.auth.audiences needs rbac.clusterWide"),
        (
            "gateway.auth.mode=static,gateway.auth.staticTokensSecret=t",
            "gateway.auth.mode=static needs rbac.clusterWide",
        ),
        ("simulations.createNamespaces=true", "simulations.createNamespaces needs rbac.clusterWide"),
    ],
)
def test_what_needs_rights_of_the_whole_cluster_is_refused_without_them(setting: str, says: str) -> None:
    assert says in refusal("--set", f"{NAMESPACED},{setting}")
    assert refusal("--set", setting) == ""


def test_without_a_gateway_its_settings_are_nobodys_concern() -> None:
    assert refusal("--set", f"{NAMESPACED},gateway.enabled=false,gateway.auth.audiences={{a}}") == ""


def installers_rules() -> list[dict[str, Any]]:
    """The rules of the Role that the README hands out."""
    text = (CHART / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- installer: start -->\n```yaml\n(.*?)```", text, re.DOTALL)
    assert found
    role = yaml.safe_load(found[1])
    assert (role["kind"], role["metadata"]["name"]) == ("Role", "simops-installer")
    rules: list[dict[str, Any]] = role["rules"]
    return rules


def installers_role() -> Mapping[tuple[str, str], set[str]]:
    """What that Role allows."""
    return {
        (group, name): set(rule["verbs"])
        for rule in installers_rules()
        for group in rule["apiGroups"]
        for name in rule["resources"]
    }


def given(objects: list[Object]) -> Mapping[tuple[str, str], set[str]]:
    """What the programs of the chart are given."""
    operator, gateway = (grants(objects, program=program) for program in ("operator", "gateway"))
    return {key: operator.get(key, set()) | gateway.get(key, set()) for key in operator.keys() | gateway.keys()}


def test_who_installs_it_has_what_it_hands_out_and_of_that_no_more() -> None:
    objects = render(NAMESPACED)
    role, programs = installers_role(), given(objects)
    made = {f"{one['kind'].lower()}s" for one in objects}
    for key, verbs in programs.items():
        assert verbs <= role[key], key
        assert verbs == role[key] or key[1] in made, key
