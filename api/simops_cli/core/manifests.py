"""Objects of SimOps become orders of the REST API, and orders become objects (pure)."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from simops_cli.core.inputs import InputError
from simops_cli.ports import Manifest, Order
from simops_crds.kinds import KINDS, SIMULATION_JOB, SIMULATION_SWEEP, Kind
from simops_crds.names import API_VERSION
from simops_crds.v1alpha1 import SweepTemplate

_TEMPLATE = {field.alias or name for name, field in SweepTemplate.model_fields.items()}
_ORDERS_ALONE = {"rerun", "cancelledPoints", "cancelled"}
"""Fields that say what is to happen to something that is there already."""


def documents(text: str, source: str) -> Iterator[Mapping[str, Any]]:
    """Give the objects of a YAML or JSON text; an object of kind List gives those that it has.

    Raises:
        InputError: it cannot be read, or something in it is no object.
    """
    for one in _parsed(text, source):
        if one is None:
            continue
        if not isinstance(one, dict):
            raise InputError(f"{source}: an object is expected, and not {json.dumps(one, default=str)[:60]}")
        if str(one.get("kind", "")).endswith("List") and isinstance(one.get("items"), list):
            for item in one["items"]:
                yield _mapping(item, source, "an item of the List")
        else:
            yield one


def order_of(document: Mapping[str, Any], source: str) -> Order:
    """Return the order that an object is: a manifest of one of the kinds, or the body of a request of the REST API.

    Raises:
        InputError: it is of another kind, or what it says is wrong.
    """
    if "kind" not in document and "apiVersion" not in document:
        return Order(dict(document))
    kind = _kind_of(document, source)
    meta = _mapping(document.get("metadata") or {}, source, "metadata")
    spec = dict(_mapping(document.get("spec") or {}, source, "spec"))
    try:
        kind.spec.model_validate(spec)
    except ValidationError as error:
        lines = "".join(f"\n  spec.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InputError(f"{source}: {kind.kind} {meta.get('name', '')} is wrong:{lines}") from error
    told = _ORDERS_ALONE & spec.keys()
    if any(spec[name] for name in told):
        raise InputError(f"{source}: {', '.join(sorted(told))} is for an object that is there already: leave it out")
    body = {name: value for name, value in spec.items() if name not in _ORDERS_ALONE}
    template = body.pop("template", {})
    body = {**template, **body}
    for name in ("namespace", "labels"):
        if meta.get(name):
            body[name] = meta[name]
    return Order(body, name=meta.get("name"))


def _mapping(value: Any, source: str, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{source}: {what} is to be an object, and not {json.dumps(value, default=str)[:60]}")
    return value


def _parsed(text: str, source: str) -> list[Any]:
    """Return the documents: JSON by its own rules, YAML by those of its version 1.2, by which ``1e-3`` is a number and a date is text."""
    try:
        return [json.loads(text)]
    except ValueError:
        pass
    import yaml  # noqa: PLC0415 - where there is a file alone

    from simops_cli.core.yamls import Loader  # noqa: PLC0415 - as above

    try:
        return list(yaml.load_all(text, Loader))
    except yaml.YAMLError as error:
        raise InputError(f"{source} is no YAML: {' '.join(str(error).split())}") from error


def _kind_of(document: Mapping[str, Any], source: str) -> Kind:
    kind = next((k for k in KINDS if k.kind == document.get("kind")), None)
    if kind is None or document.get("apiVersion") != API_VERSION:
        expected = " or ".join(k.kind for k in KINDS)
        found = f"{document.get('apiVersion')} {document.get('kind')}"
        raise InputError(f"{source}: {expected} of {API_VERSION} is expected, and not {found}")
    return kind


def manifest_of(order: Order, namespace: str) -> tuple[Kind, Manifest]:
    """Return the object that an order becomes where no gateway makes it.

    Raises:
        InputError: it says something that is wrong, or that a gateway alone can do.
    """
    body = {_camel(name): value for name, value in order.body.items()}
    labels, where = body.pop("labels", None), body.pop("namespace", None)
    if "containerImage" in body:
        body["image"] = body.pop("containerImage")
    if not body.get("image"):
        raise InputError("an image is needed")
    if "sweep" in body:
        body["space"] = {"method": "list", "points": body.pop("sweep")}
    kind = SIMULATION_SWEEP if "space" in body else SIMULATION_JOB
    if kind is SIMULATION_SWEEP:
        template = {name: body.pop(name) for name in list(body) if name in _TEMPLATE}
        if "retries" in body:
            body["retriesPerPoint"] = body.pop("retries")
        body["template"] = template
    try:
        kind.spec.model_validate(body)
    except ValidationError as error:
        lines = "".join(f"\n  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InputError(f"the request is wrong:{lines}") from error
    meta: Manifest = {"namespace": where or namespace} | ({"labels": labels} if labels else {})
    suffix = hashlib.sha256((order.key or "").encode()).hexdigest()[:10]
    # By its key, so that who sends it again makes the same thing.
    meta["name"] = order.name or f"{_slug(str(_image(body)))}-{suffix}"
    return kind, {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": meta, "spec": body}


def _image(spec: Mapping[str, Any]) -> Any:
    return spec.get("image") or spec["template"]["image"]


def _slug(image: str) -> str:
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
    return "".join(c if c.isalnum() and c.isascii() else "-" for c in last)[:30].strip("-") or "job"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
