"""How much time and which resources an installation gives to a simulation (pure): one rule for operator and gateway; the chart writes the same as CEL."""

import re
from typing import Any

from simops_crds.quantities import number_of
from simops_crds.v1alpha1.job import RESOURCE_NAME, Resources, SimulationJobSpec

Maxima = tuple[tuple[str, str], ...]
"""Pairs of a resource and the most of it that a simulation may ask for. What is not named has no maximum."""

DEFAULT_TIMEOUT_SECONDS: int = SimulationJobSpec.model_fields["timeout_seconds"].default
"""What an object has that gives no timeout."""


def parse_maxima(value: Any) -> Any:
    """Return the maxima that a text such as ``cpu=64,memory=256Gi,nvidia.com/gpu=8`` stands for. What is no text stays what it is.

    Raises:
        ValueError: the text names no resource, no quantity, or a resource twice.
    """
    if not isinstance(value, str):
        return value
    out: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, _, quantity = (text.strip() for text in part.partition("="))
        if not re.fullmatch(RESOURCE_NAME, name):
            raise ValueError(f"{part!r} must be a resource and its maximum, such as memory=256Gi or nvidia.com/gpu=8")
        if name in out:
            raise ValueError(f"{name} is named twice")
        number_of(quantity)
        out[name] = quantity
    return tuple(out.items())


def why_too_long(seconds: int, maximum: int) -> str | None:
    """Return why a timeout is refused, as the end of a sentence that starts with the field; None: it is not."""
    if seconds <= maximum:
        return None
    hint = f"; what gives none has {DEFAULT_TIMEOUT_SECONDS}" if maximum < DEFAULT_TIMEOUT_SECONDS else ""
    return f"{seconds} seconds are more than {maximum}, the most that this installation allows: give a shorter timeout{hint}"


def why_too_large(resources: Resources | None, maxima: Maxima) -> tuple[str, str] | None:
    """Return what of the resources is refused and why; None: nothing is.

    Returns:
        The field below resources, and the end of a sentence that starts with it.
    """
    for field in ("requests", "limits"):
        given = (resources and getattr(resources, field)) or {}
        for name, maximum in maxima:
            if name in given and (why := _why_more(given[name], maximum)):
                return field, f"{name}: {why}"
    return None


def _why_more(quantity: int | str, maximum: str) -> str | None:
    try:
        is_more = number_of(quantity) > number_of(maximum)
    except ValueError as error:
        return str(error)
    return (
        f"{quantity} is more than {maximum}, the most that this installation allows: ask for less" if is_more else None
    )
