"""A condition → for which of many points it is true (pure).

``simpleeval`` walks the tree, with a vocabulary that is given to it here: nothing of its own, and no node, operator or function that
is not listed. A name stands for the values of a whole block of points, so that each step costs a few nanoseconds a point, and numbers
are of double precision, so that no power or product can become large.

A value that is no finite number (1/0, the logarithm of 0, an overflow) is undefined. A comparison with it is neither true nor false,
nor is what needs that comparison to be decided: ``x == 0 or 1/x > 2`` is true for x = 0, in either order, and ``1/x > 2`` and
``not 1/x > 2`` are both not true. A point stays where the whole is true.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simpleeval import SimpleEval

from simops_crds.base import Scalar
from simops_crds.space.kinds import Kind, kind_of
from simops_crds.space.where import CONSTANTS, Condition

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Truth:
    """For which points something is true, and for which it is false; undefined for the others. Shapes: (points,) or ()."""

    yes: Booleans
    no: Booleans

    @classmethod
    def of(cls, yes: Any) -> "_Truth":
        known = np.asarray(yes, dtype=bool)
        return cls(known, ~known)

    def negated(self) -> "_Truth":
        return _Truth(self.no, self.yes)

    def both(self, other: "_Truth") -> "_Truth":
        return _Truth(self.yes & other.yes, self.no | other.no)

    def either(self, other: "_Truth") -> "_Truth":
        return _Truth(self.yes | other.yes, self.no & other.no)

    def equal(self, other: "_Truth") -> "_Truth":
        return _Truth(self.yes & other.yes | self.no & other.no, self.yes & other.no | self.no & other.yes)


def _defined(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operation whose result is NaN where it is undefined."""

    def apply(*operands: Any) -> Any:
        result = operation(*operands)
        return np.where(np.isfinite(result), result, np.nan)

    return apply


def _power(base: Any, exponent: Any) -> Any:
    # IEEE 754 has 1 for what is undefined to the power of 0, and for 1 to the power of it.
    return np.where(np.isnan(base) | np.isnan(exponent), np.nan, np.power(base, exponent))


def _order(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], _Truth]:
    def compare(one: Any, other: Any) -> _Truth:
        yes, known = operation(one, other), ~(np.isnan(one) | np.isnan(other))
        return _Truth(yes & known, ~yes & known)

    return compare


_equal_numbers = _order(np.equal)


def _equal(one: Any, other: Any) -> _Truth:
    if isinstance(one, _Truth):
        return one.equal(other)
    # A text is a str, many are an array of objects.
    if isinstance(one, str) or one.dtype == object:
        return _Truth.of(one == other)
    return _equal_numbers(one, other)


_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: _defined(np.add),
    ast.Sub: _defined(np.subtract),
    ast.Mult: _defined(np.multiply),
    ast.Div: _defined(np.divide),
    ast.FloorDiv: _defined(np.floor_divide),
    ast.Mod: _defined(np.remainder),
    ast.Pow: _defined(_power),
    ast.USub: np.negative,
    ast.UAdd: np.positive,
    ast.Not: _Truth.negated,
    ast.Lt: _order(np.less),
    ast.LtE: _order(np.less_equal),
    ast.Gt: _order(np.greater),
    ast.GtE: _order(np.greater_equal),
    ast.Eq: _equal,
    ast.NotEq: lambda one, other: _equal(one, other).negated(),
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": _defined(np.abs),
    "min": _defined(lambda *numbers: reduce(np.minimum, numbers)),
    "max": _defined(lambda *numbers: reduce(np.maximum, numbers)),
    "sqrt": _defined(np.sqrt),
    "exp": _defined(np.exp),
    "log": _defined(np.log),
    "log10": _defined(np.log10),
    "sin": _defined(np.sin),
    "cos": _defined(np.cos),
    "tan": _defined(np.tan),
    "floor": _defined(np.floor),
    "ceil": _defined(np.ceil),
    "round": _defined(np.rint),
}


class _Evaluator(SimpleEval):  # type: ignore[misc] # the package has no types
    """simpleeval with the nodes of ``where`` and no others."""

    def __init__(self) -> None:
        super().__init__(operators=dict(_OPERATORS), functions=dict(_FUNCTIONS), names={})
        self.nodes = {
            ast.Constant: self._constant,
            ast.Name: self._eval_name,
            ast.UnaryOp: self._eval_unaryop,
            ast.BinOp: self._eval_binop,
            ast.Call: self._eval_call,
            ast.BoolOp: self._bool,
            ast.Compare: self._compare,
        }

    def _constant(self, node: ast.Constant) -> Any:
        return _single(node.value)  # type: ignore[arg-type] # no other constants pass the check

    def _bool(self, node: ast.BoolOp) -> _Truth:
        join = _Truth.both if isinstance(node.op, ast.And) else _Truth.either
        truths: list[_Truth] = [self._eval(value) for value in node.values]
        return reduce(join, truths)

    def _compare(self, node: ast.Compare) -> _Truth:
        sides = [self._eval(side) for side in (node.left, *node.comparators)]
        pairs = zip(node.ops, sides, sides[1:], strict=False)
        truths: list[_Truth] = [self.operators[type(op)](one, other) for op, one, other in pairs]
        return reduce(_Truth.both, truths)


def _single(value: Scalar) -> Any:
    match kind_of(value):
        case Kind.BOOLEAN:
            return _Truth.of(value)
        case Kind.TEXT:
            return value
    return np.float64(value)


def _column(values: Sequence[Scalar]) -> Any:
    match kind_of(values[0]):
        case Kind.BOOLEAN:
            return _Truth.of(values)
        case Kind.TEXT:
            return np.array(values, dtype=object)
    return np.array(values, dtype=np.float64)


class Filter:
    """Finds the points for which a condition is true."""

    def __init__(self, condition: Condition, shared: Mapping[str, Scalar]) -> None:
        """Keep the condition, and the parameters that all points share (what a point says goes before them)."""
        self._condition = condition
        self._shared = {name: value for name, value in shared.items() if name in condition.names}
        self._evaluator = _Evaluator()

    def keep(self, points: Sequence[Mapping[str, Scalar]]) -> Booleans:
        """Return for each of some points, at least one, whether the condition is true, shape (points,)."""
        columns = {name: _column([self._value(point, name) for point in points]) for name in self._condition.names}
        self._evaluator.names = {name: _single(value) for name, value in CONSTANTS.items()} | columns
        with np.errstate(all="ignore"):
            truth = self._evaluator.eval(self._condition.text, self._condition.tree)
        return np.broadcast_to(truth.yes, (len(points),))

    def _value(self, point: Mapping[str, Scalar], name: str) -> Scalar:
        value = point.get(name)
        return self._shared[name] if value is None else value
