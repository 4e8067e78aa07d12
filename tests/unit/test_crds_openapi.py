"""From JSON Schema to a structural schema, one feature at a time."""

from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field

from simops_crds.base import Model, Parameters, Quantity, Rule
from simops_crds.kinds import KINDS
from simops_crds.openapi import crd_for, structural


class Inner(Model):
    """What is inside."""

    rules: ClassVar = (Rule("self.size > 1", "size must be greater", "size"),)

    size: int = 2
    """How large."""


class Outer(Model):
    """What is outside."""

    immutable: ClassVar = ("innerOne", "free")

    inner_one: Inner
    """This use of it."""
    maybe: Inner | None = None
    several: Annotated[list[Inner], Field(max_length=3)] | None = None
    preset: Inner = Inner(size=5)
    above: Annotated[float, Field(gt=0, lt=9)] = 1.0
    names: Annotated[dict[Annotated[str, Field(max_length=5)], str], Field(max_length=2)] | None = None
    free: Parameters | None = None
    amount: Quantity | None = None
    choice: Literal["a", "b"] | None = None
    only: Literal["x"] = "x"


PROPERTIES: dict[str, Any] = structural(Outer)["properties"]


def _everything(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [each for item in node for each in _everything(item)]
    if not isinstance(node, dict):
        return []
    return [node, *(each for item in node.values() for each in _everything(item))]


def test_a_reference_is_written_out_and_what_is_said_of_its_use_wins() -> None:
    assert PROPERTIES["innerOne"]["properties"]["size"] == {
        "type": "integer",
        "default": 2,
        "description": "How large.",
    }
    assert PROPERTIES["innerOne"]["description"] == "This use of it."
    assert PROPERTIES["several"]["items"]["description"] == "What is inside."


def test_what_may_be_left_out_is_no_union_with_null() -> None:
    assert PROPERTIES["maybe"]["type"] == "object"
    assert "anyOf" not in PROPERTIES["maybe"]
    assert "default" not in PROPERTIES["maybe"]


def test_the_rules_of_a_model_stand_wherever_it_is_used() -> None:
    rule = {"rule": "self.size > 1", "message": "size must be greater", "fieldPath": ".size"}
    for schema in (PROPERTIES["innerOne"], PROPERTIES["maybe"], PROPERTIES["several"]["items"]):
        assert schema["x-kubernetes-validations"] == [rule]


def test_bounds_that_are_excluded_are_a_bound_and_a_boolean() -> None:
    assert PROPERTIES["above"] == {
        "type": "number",
        "default": 1.0,
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 9,
        "exclusiveMaximum": True,
    }


def test_a_map_keeps_its_bound_and_says_nothing_of_its_names() -> None:
    assert PROPERTIES["names"] == {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string"}}


def test_the_default_of_an_object_is_empty_and_filled_by_those_of_its_fields() -> None:
    assert PROPERTIES["preset"]["default"] == {}


def test_choices_are_an_enumeration() -> None:
    assert PROPERTIES["choice"] == {"type": "string", "enum": ["a", "b"]}
    assert PROPERTIES["only"]["enum"] == ["x"]


def test_a_value_of_free_type_has_no_type_and_a_quantity_has_two() -> None:
    assert PROPERTIES["free"]["additionalProperties"] == {
        "x-kubernetes-preserve-unknown-fields": True,
        "nullable": True,
    }
    assert PROPERTIES["amount"]["x-kubernetes-int-or-string"] is True
    assert "type" not in PROPERTIES["amount"]


def test_only_fields_that_cel_can_see_get_their_immutability_in_the_crd() -> None:
    assert [rule["fieldPath"] for rule in structural(Outer)["x-kubernetes-validations"]] == [".innerOne"]


class Union(Model):
    """A union."""

    field: int | str


class Tuple(Model):
    """A tuple."""

    field: tuple[int, str]


@pytest.mark.parametrize("model", [Union, Tuple])
def test_what_a_structural_schema_cannot_say_is_refused(model: type[Model]) -> None:
    with pytest.raises(ValueError, match="a structural schema"):
        structural(model)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_nothing_but_structural_schemas_comes_out(kind: Any) -> None:
    schema = crd_for(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for node in _everything(schema):
        assert not {"$ref", "$defs", "oneOf", "allOf", "prefixItems", "propertyNames", "const"} & set(node)
        if "anyOf" in node and not isinstance(node["anyOf"], dict):
            assert node.get("x-kubernetes-int-or-string")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_field_is_described_for_kubectl_explain(kind: Any) -> None:
    for part in (kind.spec, kind.status):
        for node in _everything(structural(part)):
            for name, field in node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ():
                assert field.get("description"), name
