"""Builders of parameter spaces for tests: each case shows only what matters."""

from typing import Any

from hypothesis import strategies as st

from simops_crds.v1alpha1.sweep import Axis, Method, Space

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5),
)
"""What a parameter may be."""


def axis(name: str = "x", /, **how: Any) -> Axis:
    """Return an axis; without anything else it has two values."""
    return Axis.model_validate({"name": name, **(how or {"values": [1, 2]})})


def space(method: str, *axes: Axis, **more: Any) -> Space:
    """Return a space."""
    return Space(method=Method(method), axes=list(axes) or None, **more)


def grid(*axes: Axis, **more: Any) -> Space:
    """Return a grid."""
    return space("grid", *axes, **more)


def zipped(*axes: Axis, **more: Any) -> Space:
    """Return a zip."""
    return space("zip", *axes, **more)


def listed(*points: dict[str, Any], **more: Any) -> Space:
    """Return a list of points."""
    return space("list", points=list(points), **more)
