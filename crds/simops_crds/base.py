"""What both kinds are built of: strict models, Kubernetes rules as data, and the types that the API server cannot name.

A rule in CEL is written next to the field it is about, as data on the model; ``openapi.py`` puts it into the CRD. There CEL sees no
field that holds values of free type (a parameter is a number, a boolean or a string), and a rule must be cheap for the longest
object that the bounds allow. The rules that this excludes are in ``kinds.py``: they go into a ValidatingAdmissionPolicy that is
installed with the CRDs.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    WithJsonSchema,
)
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
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()
    """CEL rules of this object, put into the CRD."""
    immutable: ClassVar[tuple[str, ...]] = ()
    """JSON names of fields that cannot change once the object exists."""

    def to_dict(self) -> dict[str, Any]:
        """Return the object as JSON-ready values under its outside names, without the fields that are not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


NO_NUL = r"^[^\x00]*$"


def _check_nul(value: Any) -> Any:
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("must not contain the character NUL (\\u0000): no process can be given it")
    return value


def _check_int(value: Any) -> Any:
    # JSON readers make a floating-point number of a larger one, and digits are lost without a word.
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("an integer must fit into 64 bits: write it with a decimal point, or as a string")
    return value


ProcessText = Annotated[str, AfterValidator(_check_nul), Field(json_schema_extra={"pattern": NO_NUL})]
"""Text that becomes an argument or an environment variable of a process."""

# The API server has no union of scalars: any value passes the schema, and the policy says in words what a parameter may be.
Scalar = Annotated[
    StrictBool | StrictInt | StrictFloat | Annotated[StrictStr, StringConstraints(max_length=4096)],
    AfterValidator(_check_nul),
    AfterValidator(_check_int),
    # The API server drops a null that is not allowed without a word; the policy refuses it in words.
    WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True, "nullable": True}),
]
"""The value of one parameter."""

PARAMETER_NAME = "^[A-Za-z_][A-Za-z0-9_.-]{0,62}$"


def _check_parameter_names(params: dict[str, Any]) -> dict[str, Any]:
    for name in params:
        if not re.fullmatch(PARAMETER_NAME, name):
            raise ValueError(
                f"parameter name {name[:100]!r} must start with a letter or '_', then letters, digits, '_', '.' or '-', at most 63"
            )
    return params


Parameters = Annotated[dict[str, Scalar], Field(max_length=256), AfterValidator(_check_parameter_names)]
"""Parameter name → value, at most 256."""

INT_OR_STRING = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}

Quantity = Annotated[StrictInt | StrictStr, WithJsonSchema({**INT_OR_STRING, "maxLength": 32})]
"""A Kubernetes quantity, such as 2, 500m or 1Gi."""

SAFE_INT = 2**53 - 1
"""Greatest integer that every reader of JSON keeps exactly."""

INDEX_RANGES = "^[0-9]{1,7}(-[0-9]{1,7})?(,[0-9]{1,7}(-[0-9]{1,7})?)*$"


def check_ranges(text: str) -> str:
    """Return the text if it is index ranges such as ``3,7-9``; the policy says the same to who uses ``kubectl``."""
    if not re.fullmatch(INDEX_RANGES, text):
        raise ValueError(f"{text!r} must be index ranges such as 3,7-9")
    for part in text.split(","):
        first, _, last = part.partition("-")
        if last and int(first) > int(last):
            raise ValueError(f"the range {part} is reversed: write {last}-{first}")
    return text
