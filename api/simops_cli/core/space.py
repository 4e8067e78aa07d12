"""Axes of a sweep as they are typed: ``diffusivity=logspace(1e-3,1e-1,32)`` or ``steps=10,20,40``. Read by a small grammar, never evaluated."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from simops_cli.core.inputs import InputError
from simops_cli.core.params import assignment, scalar
from simops_client import axes

if TYPE_CHECKING:
    from simops_client.models import Scalar

METHODS = ("grid", "zip", "random", "latinHypercube", "sobol")
_CALL = re.compile(r"(?P<name>[A-Za-z_]+)\((?P<inside>.*)\)", re.DOTALL)
_OPENED = re.compile(r"\s*[A-Za-z_]+\(")
_PART = re.compile(r'\s*(?P<value>"(?:[^"\\]|\\.)*"|[^,]*?)\s*(?:,|\Z)')


def _numbers(values: "Sequence[Scalar]") -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


_MAKERS: dict[str, tuple[Callable[..., axes.Axis], str, tuple[int, ...]]] = {
    "linspace": (axes.linspace, "linspace(first,last,how many)", (3,)),
    "logspace": (axes.logspace, "logspace(first,last,how many)", (3,)),
    "integers": (axes.integers, "integers(lowest,highest) or integers(lowest,highest,step)", (2, 3)),
    "uniform": (axes.uniform, "uniform(low,high)", (2,)),
    "loguniform": (axes.loguniform, "loguniform(low,high)", (2,)),
}


def axis(text: str) -> tuple[str, axes.Axis]:
    """Return the parameter and the values of ``name=linspace(…)``, ``logspace``, ``integers``, ``uniform``, ``loguniform``, or of a list ``name=1,2,5``.

    Raises:
        InputError: it is none of these; with the place of it.
    """
    name, expression = assignment(text)
    offset = len(name) + 1
    call = _CALL.fullmatch(expression.strip())
    if call is None and (opened := _OPENED.match(expression)):
        raise InputError(
            "the ) at its end is missing; text with a parenthesis stands in double quotes",
            text,
            offset + opened.end() - 1,
        )
    if call is None:
        return name, axes.values(_values(text, expression, offset))
    start = offset + len(expression) - len(expression.lstrip())
    maker = _MAKERS.get(call["name"].lower())
    if maker is None:
        raise InputError(
            f"there is no {call['name']}; there are {', '.join(_MAKERS)}, and lists such as 1,2,5", text, start
        )
    make, form, counts = maker
    inside = start + call.start("inside")
    values = _values(text, call["inside"], inside)
    if len(values) not in counts or not _numbers(values):
        raise InputError(f"write {form}, all of them numbers", text, inside)
    if call["name"].lower() in ("linspace", "logspace"):
        _check_count(name, values[2], text, inside + len(call["inside"]))
    return name, make(*values)


def _check_count(name: str, count: "Scalar", text: str, end: int) -> None:
    """See that an axis has so many values; how many is the last of what is written before ``end``."""
    last = text[:end].rpartition(",")[2].lstrip()
    position = end - len(last)
    if not isinstance(count, int):
        raise InputError(f"{name}: how many values there are is an integer", text, position)
    if count < 1:
        raise InputError(f"{name}: how many values there are is at least 1", text, position)


def _values(text: str, part: str, offset: int) -> "list[Scalar]":
    bracketed = part.strip()
    if bracketed.startswith("[") and bracketed.endswith("]"):
        offset += part.index("[") + 1
        part = bracketed[1:-1]
    out: list[Scalar] = []
    position = 0
    while position <= len(part):
        found = _PART.match(part, position)
        if found is None:
            raise InputError("values are separated by commas", text, offset + position)
        if not found["value"]:
            raise InputError("a value is missing here", text, offset + found.start("value"))
        try:
            out.append(scalar(found["value"]))
        except InputError as error:
            raise InputError(error.what, text, offset + found.start("value")) from error
        if found.end() == len(part) and not found[0].endswith(","):
            break
        position = found.end()
    return out


def space(
    texts: Iterable[str],
    *,
    method: str | None = None,
    samples: int | None = None,
    seed: int | None = None,
    where: str | None = None,
) -> dict[str, Any]:
    """Return the space of all ``--sweep``, as the REST API takes it.

    Raises:
        InputError: an axis cannot be read or is given twice, or the method does not go with the options.
    """
    found: dict[str, axes.Axis] = {}
    for text in texts:
        name, values = axis(text)
        if name in found:
            raise InputError(f"axis {name} is given twice", text, 0)
        found[name] = values
    if method is not None and method not in METHODS:
        raise InputError(f"--method is one of {', '.join(METHODS)}")
    sampled = method in ("random", "latinHypercube", "sobol")
    if sampled and samples is None:
        raise InputError(f"--method {method} needs --samples: how many points it draws")
    if samples is not None and not sampled:
        raise InputError("--samples goes with --method random, latinHypercube or sobol")
    drawn = [name for name, values in found.items() if "uniform" in values or "logUniform" in values]
    if drawn and not sampled:
        raise InputError(
            f"{drawn[0]} is to be drawn: that needs --method random, latinHypercube or sobol, and --samples"
        )
    return axes.space_of(found, {"method": method, "samples": samples, "seed": seed, "where": where})
