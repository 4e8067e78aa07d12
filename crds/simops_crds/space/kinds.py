"""The three kinds of values that parameters have, as ``where`` tells them apart."""

from collections.abc import Iterable
from enum import StrEnum

from simops_crds.base import Scalar


class Kind(StrEnum):
    """What a value is."""

    NUMBER = "a number"
    BOOLEAN = "true or false"
    TEXT = "a text"


def kind_of(value: Scalar) -> Kind:
    """Return the kind of one value. Python's booleans are integers too, so they are asked for first."""
    if isinstance(value, bool):
        return Kind.BOOLEAN
    return Kind.TEXT if isinstance(value, str) else Kind.NUMBER


def kinds_of(values: Iterable[Scalar]) -> frozenset[Kind]:
    """Return the kinds that occur among values."""
    return frozenset(map(kind_of, values))
