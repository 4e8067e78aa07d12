"""``where``: text → a condition that is checked before any point is looked at (pure, standard library only).

The text passes through two lists of what is allowed, never through one of what is forbidden: first its words and signs, then, parsed by
Python's own parser, the nodes of its tree and what each of them may be applied to. What passes is arithmetic on numbers of double
precision, comparisons, and, or, not; ``evaluation.py`` computes it.
"""

import ast
import keyword
import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from simops_crds.space.errors import WHERE, SpaceError
from simops_crds.space.kinds import Kind, kind_of

CONSTANTS: Final = MappingProxyType({"pi": math.pi, "e": math.e, "true": True, "false": False})
ARITIES: Final = MappingProxyType(
    dict.fromkeys(("abs", "sqrt", "exp", "log", "log10", "sin", "cos", "tan", "floor", "ceil", "round"), (1, 1))
    | dict.fromkeys(("min", "max"), (2, 16))
)
"""Function → the least and the greatest number of what it is applied to."""
MAX_DEPTH: Final = 100
"""Levels of a tree: evaluation goes as deep as the tree, and Python goes 1,000 calls deep."""

_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_EQUALITY = (ast.Eq, ast.NotEq)
_WORDS = frozenset({"and", "or", "not", "True", "False"})
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<text>'[^'\\\n\r\x00]*'|"[^"\\\n\r\x00]*")
    |(?P<sign>\*\*|//|<=|>=|==|!=|[-+*/%<>(),])""",
    re.VERBOSE | re.ASCII,
)
_DOTTED = "parameters whose names have '.' or '-' cannot stand in a condition"
_HINTS = {
    "=": "write == to compare",
    "!": "write not, or != for unequal",
    "&": "write and",
    "|": "write or",
    "^": "write ** for a power",
    ".": f"a number has one point; {_DOTTED}",
    "'": "a text ends with the quote that it begins with, and has no backslash or line break",
    '"': "a text ends with the quote that it begins with, and has no backslash or line break",
}
_GRAMMAR = (
    "a condition is made of parameters, numbers, texts in quotes, + - * / // % **, < <= > >= == !=, and, or, not, parentheses, "
    f"{', '.join(CONSTANTS)} and the functions {', '.join(ARITIES)}"
)


@dataclass(frozen=True)
class Condition:
    """A condition that was found to be good."""

    text: str
    tree: ast.expr
    names: frozenset[str]
    """The parameters in it."""
    steps: int
    """Nodes of the tree: how much there is to compute for each point."""


def is_double(value: float) -> bool:
    """Return whether a number is within the range of double precision."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def parse(text: str, parameters: Collection[str], kind: Callable[[str], Kind]) -> Condition:
    """Return the condition that a text says.

    Args:
        text: at most 1,024 characters.
        parameters: the names that may stand in it; they go before the constants of the same name.
        kind: returns what the values of one of them are.

    Raises:
        SpaceError: the text is no condition; names the place in the text and what to write instead.
    """
    _check_words(text, parameters)
    source = _Source(text)
    tree = source.parse()
    # Not by recursion: what is refused here may be as deep as it likes.
    level, depth, steps = [tree], 0, 0
    while level:
        depth, steps = depth + 1, steps + len(level)
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        if depth > MAX_DEPTH:
            raise SpaceError(WHERE, f"it is nested more than {MAX_DEPTH} levels deep: shorten it")
    checker = _Checker(source, parameters, kind)
    if checker.kind(tree) is not Kind.BOOLEAN:
        raise source.refusal(tree, "this is a value and not a condition: compare it with something, such as <= 0.5")
    return Condition(text, tree, frozenset(checker.names), steps)


def _at(place: int, excerpt: str, why: str) -> SpaceError:
    shown = excerpt if len(excerpt) <= 40 else f"{excerpt[:37]}..."
    return SpaceError(WHERE, f"at character {place + 1}, {shown!r}: {why}")


def _check_words(text: str, parameters: Collection[str]) -> None:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            character = text[place]
            is_number = character.isascii() and character.isdigit()
            hint = "a number is written like 3, 0.5 or 1e-3" if is_number else _HINTS.get(character, _GRAMMAR)
            raise _at(place, character, hint)
        word = found["word"]
        if word and keyword.iskeyword(word) and word not in _WORDS:
            hint = _GRAMMAR
            if word in parameters:
                hint = "this word has a meaning of its own in Python, so the parameter of this name cannot stand in a condition"
            raise _at(place, word, hint)
        place = found.end()


class _Source:
    """The text of a condition, and where in it a node of its tree stands."""

    def __init__(self, text: str) -> None:
        # Line breaks would end the expression, and stand where a space can.
        line = re.sub(r"\s", " ", text)
        self._shift = len(line) - len(line.lstrip())
        self._line = line.strip()
        self._bytes = self._line.encode()

    def parse(self) -> ast.expr:
        try:
            return ast.parse(self._line, mode="eval").body
        except SyntaxError as error:
            place = min(max((error.offset or 1) - 1, 0), len(self._line))
            raise _at(
                place + self._shift, self._line[place : place + 40], f"cannot be understood ({error.msg}); {_GRAMMAR}"
            ) from None
        except (ValueError, MemoryError, RecursionError):
            # What Python's parser says of what is nested too deep for it, and of integers of thousands of digits.
            raise SpaceError(
                WHERE, f"it is nested too deep, or has a number that is too long: shorten it; {_GRAMMAR}"
            ) from None

    def refusal(self, node: ast.expr, why: str) -> SpaceError:
        # Columns are counted in bytes.
        before = self._bytes[: node.col_offset].decode()
        excerpt = self._bytes[node.col_offset : node.end_col_offset].decode()
        return _at(self._shift + len(before), excerpt, why)


class _Checker:
    """Finds of what kind each part of a tree is, and refuses what is not on the list."""

    def __init__(self, source: _Source, parameters: Collection[str], kind: Callable[[str], Kind]) -> None:
        self._source = source
        self._parameters = parameters
        self._kind = kind
        self.names: set[str] = set()

    def kind(self, node: ast.expr) -> Kind:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return self._constant(node, value)
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                return self._all((operand,), Kind.NUMBER)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._all((operand,), Kind.BOOLEAN)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _ARITHMETIC):
                return self._all((left, right), Kind.NUMBER)
            case ast.BoolOp(values=values):
                return self._all(values, Kind.BOOLEAN)
            case ast.Compare():
                return self._compare(node)
            case ast.Call():
                return self._call(node)
        raise self._source.refusal(node, _GRAMMAR)

    def _all(self, nodes: Collection[ast.expr], wanted: Kind) -> Kind:
        for node in nodes:
            if (kind := self.kind(node)) is not wanted:
                raise self._source.refusal(node, f"this is {kind}, and {wanted} is needed here")
        return wanted

    def _constant(self, node: ast.expr, value: bool | float | str) -> Kind:
        if not isinstance(value, str) and not is_double(value):
            raise self._source.refusal(node, "this number is too great for double precision")
        return kind_of(value)

    def _name(self, node: ast.expr, name: str) -> Kind:
        if name in self._parameters:
            self.names.add(name)
            return self._kind(name)
        if name in CONSTANTS:
            return kind_of(CONSTANTS[name])
        if name in ARITIES:
            raise self._source.refusal(node, f"this is a function: write {name}(…)")
        known = sorted(self._parameters)
        more = f" and {len(known) - 10} more" if len(known) > 10 else ""
        dotted = f" ({_DOTTED})" if any(set(".-") & set(other) for other in known) else ""
        raise self._source.refusal(
            node, f"there is no parameter of this name; there are {', '.join(known[:10]) or 'none'}{more}{dotted}"
        )

    def _compare(self, node: ast.Compare) -> Kind:
        sides = (node.left, *node.comparators)
        kinds = [self.kind(side) for side in sides]
        for op, left, right, one, other in zip(node.ops, sides, sides[1:], kinds, kinds[1:], strict=False):
            if isinstance(op, _ORDER):
                self._need_number(left, one)
                self._need_number(right, other)
            elif not isinstance(op, _EQUALITY):
                raise self._source.refusal(node, _GRAMMAR)
            elif one is not other:
                raise self._source.refusal(right, f"this is {other}, and it is compared with {one}")
        return Kind.BOOLEAN

    def _need_number(self, node: ast.expr, kind: Kind) -> None:
        if kind is not Kind.NUMBER:
            raise self._source.refusal(
                node, f"this is {kind}, and only numbers can be greater or less: compare by == or !="
            )

    def _call(self, node: ast.Call) -> Kind:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise self._source.refusal(node, _GRAMMAR)
        name = node.func.id
        if name not in ARITIES:
            raise self._source.refusal(node, f"there is no function of this name; there are {', '.join(ARITIES)}")
        least, greatest = ARITIES[name]
        if not least <= len(node.args) <= greatest:
            number = "one number" if greatest == 1 else f"{least} to {greatest} numbers"
            raise self._source.refusal(node, f"{name} is applied to {number}, and here to {len(node.args)}")
        return self._all(node.args, Kind.NUMBER)
