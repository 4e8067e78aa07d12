"""Kubernetes quantities as exact numbers (pure). The schema depends on no client library, whose parsers take more than the API server does."""

import re
from fractions import Fraction

_FORM = re.compile(r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?P<unit>[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?")
_THOUSANDS = {"n": -3, "u": -2, "m": -1, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


def number_of(quantity: int | str) -> Fraction:
    """Return the number that a quantity such as ``2``, ``500m``, ``4Gi`` or ``1e3`` stands for.

    Raises:
        ValueError: it is no quantity.
    """
    found = _FORM.fullmatch(str(quantity))
    if found is None:
        raise ValueError(f"{str(quantity)[:32]!r} is no Kubernetes quantity, such as 2, 500m or 4Gi")
    number, unit = Fraction(found["number"]), found["unit"] or ""
    if len(unit) > 1:
        return number * (
            Fraction(1024) ** _THOUSANDS.get(unit[0], 1) if unit[1] == "i" else Fraction(10) ** int(unit[1:])
        )
    return number * Fraction(1000) ** _THOUSANDS.get(unit, 0)
