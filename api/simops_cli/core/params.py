"""Parameters as they are typed: ``name=value``."""

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from simops_cli.core.inputs import InputError

if TYPE_CHECKING:
    from simops_client.models import Scalar

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SAFE_INTEGER = 2**63
_RESOURCES = {"cpu": (0, "2 or 500m"), "memory": (2**20, "512Mi or 4Gi")}
"""How much of each is too little to be meant, and what is written."""


def scalar(text: str) -> "Scalar":
    """Return the value that a text means.

    ``true`` and ``false`` are booleans, ``12`` an integer, ``1e-3`` a number; anything else is text, and so is what stands in double quotes, in which
    JSON's escapes are read (``'"12"'``).

    Raises:
        InputError: it begins with a double quote and is no JSON string; or it is a number that is too large.
    """
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError as error:
            raise InputError("text in double quotes must end with one, as in JSON", text, 0) from error
        if isinstance(value, str):
            return value
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        number = int(text)
        if abs(number) >= _SAFE_INTEGER:
            raise InputError("an integer has at most 64 bits; write it as 1e30, or as text in double quotes", text, 0)
        return number
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise InputError("the number is too large", text, 0)
        return value
    return text


def written(value: "Scalar") -> str:
    """Return the text that ``scalar`` reads as this value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        try:
            is_plain = scalar(value) == value and isinstance(scalar(value), str)
        except InputError:
            is_plain = False
        return value if is_plain else json.dumps(value, ensure_ascii=False)
    return repr(value)


def assignment(text: str) -> tuple[str, str]:
    """Return name and value of ``name=value``.

    Raises:
        InputError: there is no ``=``, or the name can be none of a parameter.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError("write name=value", text, len(text))
    if not NAME.fullmatch(name):
        wrong = NAME.match(name)
        raise InputError(
            "a parameter's name starts with a letter or '_' and has only letters, digits, '_', '.' and '-', at most 63 of them",
            text,
            wrong.end() if wrong else 0,
        )
    return name, value


def parameters(texts: Iterable[str]) -> "dict[str, Scalar]":
    """Return the parameters of all ``-p``.

    Raises:
        InputError: one cannot be read, or is given twice.
    """
    out: dict[str, Scalar] = {}
    for text in texts:
        name, value = assignment(text)
        if name in out:
            raise InputError(f"parameter {name} is given twice", text, 0)
        out[name] = scalar(value)
    return out


def assignment_of_variable(text: str) -> dict[str, str]:
    """Return an environment variable as a request has it; its value is text as it is.

    Raises:
        InputError: there is no ``=``, or no name before it.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError("a variable is NAME=value", text, 0)
    return {"name": name, "value": value}


def assignment_of_label(text: str) -> tuple[str, str]:
    """Return name and value of a label.

    Raises:
        InputError: there is no ``=``, or no name before it.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError("a label is name=value", text, 0)
    return name, value


def resources(cpu: str | None, memory: str | None) -> dict[str, Any] | None:
    """Return what a simulation asks for and may use, as a request has it; None where nothing is said.

    Raises:
        InputError: it is no quantity of Kubernetes, or one that no simulation can run with.
    """
    wanted = {name: _quantity(name, text) for name, text in (("cpu", cpu), ("memory", memory)) if text is not None}
    return {"requests": wanted, "limits": wanted} if wanted else None


def _quantity(name: str, text: str) -> str:
    from simops_crds.quantities import number_of  # noqa: PLC0415 - slow to load, and not for each command

    least, example = _RESOURCES[name]
    try:
        number = number_of(text)
    except ValueError:
        number = None
    if number is None or number <= 0 or number < least or (name == "memory" and text[-1] in "num"):
        raise InputError(f"--{name} {text}: such as {example}")
    return text
