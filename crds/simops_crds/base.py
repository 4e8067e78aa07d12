"""What both kinds are built of: strict models, Kubernetes rules as data, and the types that the API server cannot name.

A rule in CEL is written next to the field it is about, as data on the model; ``openapi.py`` puts it into the CRD. The API server
gives no CEL access to values of free type (a parameter is a number, a boolean or a string), so the rules about those
carry ``policy=True`` and go into a ValidatingAdmissionPolicy that is installed with the CRDs.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, WithJsonSchema
from pydantic.alias_generators import to_camel

@dataclass(frozen=True)
class Rule:
    """A CEL rule on the object that ``self`` stands for.

    ``expression`` is true for good objects; ``message`` says what to change. ``field`` names the field that an error is reported for.
    """

    expression: str
    message: str
    field: str | None = None

class Model(BaseModel):
    """A part of a kind: camelCase outside, unknown fields refused, values frozen."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    rules: ClassVar[tuple[Rule, ...]] = ()
    """CEL rules of this object, put into the CRD."""
    immutable: ClassVar[tuple[str, ...]] = ()
    """JSON names of fields that cannot change once the object exists."""

    def to_dict(self) -> dict[str, Any]:
        """Return the object as JSON-ready values under its outside names, without the fields that are not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

def _parameter_schema() -> dict[str, Any]:
    # The API server has no union of scalars. An untyped value with these bounds keeps lists and objects out; the policy words it well.
    return {"x-kubernetes-preserve-unknown-fields": True, "maxProperties": 0, "maxItems": 0, "maxLength": 4096}

Scalar = Annotated[StrictBool | StrictInt | StrictFloat | StrictStr, WithJsonSchema(_parameter_schema())]
"""The value of one parameter."""

PARAMETER_NAME = "^[A-Za-z_][A-Za-z0-9_.-]{0,62}$"

def _check_parameter_names(params: dict[str, Any]) -> dict[str, Any]:

    for name in params:
        if not re.fullmatch(PARAMETER_NAME, name):
            raise ValueError(
                f"parameter name {name!r} must start with a letter or underscore, then letters, digits, '_', '.' or '-', at most 63"
            )
    return params

Parameters = Annotated[dict[str, Scalar], Field(max_length=256), AfterValidator(_check_parameter_names)]
"""Parameter name → value, at most 256."""

Quantity = Annotated[
    int | str,
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True, "maxLength": 32}),
]
"""A Kubernetes quantity, such as 2, 500m or 1Gi."""
