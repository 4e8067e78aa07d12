"""pydantic models → structural CRDs and their admission policy (pure).

A structural schema (KEP-1979) is a narrow part of OpenAPI 3.0: no ``$ref``, no ``anyOf`` with null, booleans for the exclusive bounds, a type
everywhere. ``structural`` turns what pydantic writes (JSON Schema 2020-12) into that, and adds each model's CEL rules.
"""

import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel

from simops_crds.base import Model, Rule
from simops_crds.kinds import HAS_FEW_LABELS, KINDS, Kind, PolicyRule
from simops_crds.names import GROUP, MANAGED_BY, VERSION

Schema = dict[str, Any]

# Names within maps (propertyNames) cannot be bounded here; where it matters a rule does.
_DROPPED = ("title", "examples", "$defs", "propertyNames")
_FREE_TYPE = "x-kubernetes-preserve-unknown-fields"


def structural(model: type[Model]) -> Schema:
    """Return the structural schema of a model, its CEL rules included.

    Raises:
        ValueError: the model uses something that a structural schema cannot say.
    """
    raw = model.model_json_schema(by_alias=True, mode="validation")
    definitions: dict[str, Schema] = raw.get("$defs", {})
    models = {m.__name__: m for m in _models_in(model)}
    return _convert({**raw, "title": model.__name__}, definitions, models)


def _models_in(model: type[BaseModel]) -> Iterator[type[Model]]:
    """Yield a model and every model that its fields mention, however deep."""
    if issubclass(model, Model):
        yield model
    for field in model.model_fields.values():
        for inner in _leaves(field.annotation):
            if inspect.isclass(inner) and issubclass(inner, BaseModel):
                yield from _models_in(inner)


def _leaves(annotation: Any) -> Iterator[Any]:
    arguments = typing.get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _leaves(argument)


def _convert(node: Schema, definitions: dict[str, Schema], models: dict[str, type[Model]]) -> Schema:
    node = _resolved(_without_null(_resolved(node, definitions)), definitions)

    def convert(inner: Schema) -> Schema:
        return _convert(inner, definitions, models)

    out: Schema = {}
    for key, value in node.items():
        if key not in _DROPPED:
            out |= _keyword(key, value, convert)
    model = models.get(node.get("title", ""))
    if model is not None and out.get("type") == "object" and (rules := _validations(model, out)):
        out["x-kubernetes-validations"] = rules
    if "description" in out:
        out["description"] = " ".join(out["description"].split())
    return out


def _keyword(key: str, value: Any, convert: Callable[[Schema], Schema]) -> Schema:
    match key:
        case "properties":
            return {key: {name: convert(schema) for name, schema in value.items()}}
        case "items" | "additionalProperties":
            return {key: convert(value)} if isinstance(value, dict) else {}
        case "exclusiveMinimum" | "exclusiveMaximum":
            return {key: True, key.replace("exclusiveM", "m"): value}
        case "const":
            return {"enum": [value]}
        case "default":
            # The defaults of an object's own fields fill an empty one.
            return {} if value is None else {key: {} if isinstance(value, dict) else value}
        case "$ref" | "oneOf" | "allOf" | "prefixItems":
            raise ValueError(f"a structural schema cannot say {key}: {value!r}")
    return {key: value}


def _resolved(node: Schema, definitions: dict[str, Schema]) -> Schema:
    while "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[-1]
        # What stands beside the reference (description, default) is about this use and wins.
        node = {**definitions[name], **{k: v for k, v in node.items() if k != "$ref"}}
    return node


def _without_null(node: Schema) -> Schema:
    options = node.get("anyOf")
    if not options or "x-kubernetes-int-or-string" in node:
        return node
    kept = [option for option in options if option.get("type") != "null"]
    if len(kept) != 1:
        raise ValueError(f"a structural schema has no union of types: {node!r}")
    rest = {k: v for k, v in node.items() if k != "anyOf"}
    return {**kept[0], **rest}


def _has_free_type(schema: Schema) -> bool:
    if schema.get(_FREE_TYPE):
        return True
    nested = [*schema.get("properties", {}).values()]
    nested += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return any(_has_free_type(inner) for inner in nested)


def _validations(model: type[Model], schema: Schema) -> list[dict[str, Any]]:
    properties = schema["properties"]
    unchanged = [
        Rule(_unchanged(name, "self", "oldSelf"), _immutable_message(name), name)
        for name in model.immutable
        if not _has_free_type(properties[name])
    ]
    return [_cel(rule) for rule in (*model.rules, *unchanged)]


def _cel(rule: Rule) -> dict[str, Any]:
    out = {"rule": rule.expression, "message": rule.message}
    if rule.field:
        out["fieldPath"] = f".{rule.field}"
    return out


def _unchanged(field: str, new: str, old: str) -> str:
    return f"has({new}.{field}) == has({old}.{field}) && (!has({new}.{field}) || {new}.{field} == {old}.{field})"


def _immutable_message(field: str) -> str:
    return f"{field} cannot be changed once the object exists: make a new object under another name"


def crd_for(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    spec = structural(kind.spec)
    status = structural(kind.status)
    name_rule = {
        "rule": f"self.metadata.name.size() <= {kind.name_limit} && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        "message": f"the name must have at most {kind.name_limit} characters: lower-case letters, digits and '-', "
        "without dots, since names of Jobs and Pods are made of it",
        "fieldPath": ".metadata",
    }
    schema = {
        "description": kind.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {**spec, "description": kind.spec.__doc__},
            "status": {**status, "description": kind.status.__doc__},
        },
        "x-kubernetes-validations": [name_rule],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{GROUP}",
            # Uninstalling the chart must not delete every run with it.
            "annotations": {"helm.sh/resource-policy": "keep"},
            "labels": {"app.kubernetes.io/name": MANAGED_BY},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": list(kind.short_names),
                "categories": ["simops"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                    "selectableFields": [{"jsonPath": ".status.phase"}],
                    "additionalPrinterColumns": [column.to_dict() for column in kind.columns],
                }
            ],
        },
    }


# ``dyn`` leaves the type open: the API server's type check does not know fields that hold values of free type.
_POLICY_VARIABLES = (("spec", "dyn(object.spec)"), ("old", "oldObject == null ? dyn(null) : dyn(oldObject.spec)"))


def policies() -> list[dict[str, Any]]:
    """Return the ValidatingAdmissionPolicy and binding of each kind: what CEL in the CRD cannot see."""
    out = []
    for kind in KINDS:
        name = f"{kind.plural}.{GROUP}"
        metadata = {"name": name, "labels": {"app.kubernetes.io/name": MANAGED_BY}}
        binding = {"policyName": name, "validationActions": ["Deny"]}
        out.append(_admission("ValidatingAdmissionPolicy", metadata, _policy(kind)))
        out.append(_admission("ValidatingAdmissionPolicyBinding", metadata, binding))
    return out


def _admission(kind: str, metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _policy(kind: Kind) -> dict[str, Any]:
    properties = structural(kind.spec)["properties"]
    unchanged = [
        PolicyRule(
            f"variables.old == null || ({_unchanged(name, 'variables.spec', 'variables.old')})",
            f"spec.{name}",
            _immutable_message(name),
        )
        for name in kind.spec.immutable
        if _has_free_type(properties[name])
    ]
    resources = {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": ["CREATE", "UPDATE"],
        "resources": [kind.plural],
        "scope": "*",
    }
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [resources]},
        # An object that a newer rule would refuse can still lose a finalizer or gain a label.
        "matchConditions": [
            {
                "name": "spec-changes",
                "expression": f"oldObject == null || object.spec != oldObject.spec || !({HAS_FEW_LABELS})",
            }
        ],
        "variables": [
            {"name": name, "expression": expression} for name, expression in (*_POLICY_VARIABLES, *kind.variables)
        ],
        "validations": [rule.to_dict() for rule in (*kind.policy, *unchanged)],
    }
