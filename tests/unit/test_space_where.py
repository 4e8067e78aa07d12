"""``where`` keeps the points that its words say, refuses what it does not know, and no text makes it slow."""

import ast
import math
import operator
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spaces import axis, grid, listed, zipped

from simops_crds.space import SpaceError, check, expand
from simops_crds.space.evaluation import _Evaluator
from simops_crds.space.points import MAX_STEPS
from simops_crds.v1alpha1.sweep import Space

SHARED: dict[str, Any] = {"k": 0.5, "mode": "fast", "on": True, "n": 3}


def answer(described: Space) -> list[Any] | SpaceError:
    """Return the points of a space, or the error that says what is wrong with it; anything else that is raised is a mistake."""
    try:
        return list(expand(described, SHARED))
    except SpaceError as error:
        return error


def kept(where: str, **values: Any) -> list[Any]:
    """Return the values of x for which a condition is true; it may use SHARED."""
    columns = values or {"x": [-2, -1, 0, 1, 2, 3]}
    found = answer(zipped(*(axis(name, values=several) for name, several in columns.items()), where=where))
    if isinstance(found, SpaceError):
        assert "is left" in found.text
        return []
    return [point["x"] for point in found]


def refusal(where: str, *axes: Any) -> str:
    with pytest.raises(SpaceError) as caught:
        check(grid(*(axes or (axis("x", values=[1, 2]), axis("word", values=["a", "b"]))), where=where), SHARED)
    assert caught.value.field == "spec.space.where"
    return caught.value.text


MEANT = [
    ("x > 1", [2, 3]),
    ("x >= 1 and x != 2", [1, 3]),
    ("x < 0 or x == 3", [-2, -1, 3]),
    ("not x < 2", [2, 3]),
    ("-1 <= x < 2", [-1, 0, 1]),
    ("x == x == 2", [2]),
    ("x ** 2 == 4", [-2, 2]),
    ("-x ** 2 == -4", [-2, 2]),
    ("2 ** 3 ** 2 == 512 and x == 0", [0]),
    ("(x + 1) * 2 - 3 / 2 <= k", [-2, -1, 0]),
    ("x // 2 == -1", [-2, -1]),
    ("x % 3 == 1", [-2, 1]),
    ("+x == abs(x)", [0, 1, 2, 3]),
    ("min(x, 0, 1) == -2 or max(x, 2) == 3", [-2, 3]),
    ("sqrt(x) == 1", [1]),
    ("exp(x) < 1.5 * e", [-2, -1, 0, 1]),
    ("abs(log(x) - 1) < 0.2", [3]),
    ("log10(100 ** x) == 4", [2]),
    ("abs(sin(x * pi / 2)) > 0.5", [-1, 1, 3]),
    ("cos(pi * x) > 0.5 and tan(pi / 4) > 0.99", [-2, 0, 2]),
    ("floor(x / 2) == -1", [-2, -1]),
    ("ceil(x / 2) == 1", [1, 2]),
    ("round(x / 2) == 0", [-1, 0, 1]),
    ("x * n == 6", [2]),
    ("x > .5 and x < 1e1 and x != 3.", [1, 2]),
    ("on and x == 1", [1]),
    ("on == true and x == 1 and not false", [1]),
    ("True and not False and x == 1", [1]),
    ("(x > 0) == on", [1, 2, 3]),
    ("(x > 0) != on", [-2, -1, 0]),
    ("mode == 'fast' and x == 1", [1]),
    ('mode != "fast" or x == 1', [1]),
    ("  x\n>\t1\n", [2, 3]),
]


@pytest.mark.parametrize(("where", "wanted"), MEANT, ids=[where for where, _ in MEANT])
def test_a_condition_keeps_what_it_says(where: str, wanted: list[int]) -> None:
    assert kept(where) == wanted


def test_texts_and_booleans_of_axes_are_compared() -> None:
    values = {"x": [1, 2, 3, 4], "word": ["a", "b", "ä'\"\n", "a"], "flag": [True, False, True, False]}
    assert kept("word == 'a'", **values) == [1, 4]
    assert kept("word != 'a'", **values) == [2, 3]
    assert kept("flag", **values) == [1, 3]
    assert kept("not flag and word == 'a'", **values) == [4]
    assert kept("flag == (x > 2)", **values) == [2, 3]
    assert kept("word == mode", **(values | {"word": ["fast", "a", "b", "fast"]})) == [1, 4]


def test_the_name_of_a_parameter_goes_before_that_of_a_constant() -> None:
    assert kept("e > 2", x=[1, 2], e=[2.5, 1.0]) == [1]


def test_points_of_a_list_take_what_they_lack_from_the_template() -> None:
    points = [{"x": 1}, {"x": 2, "k": 9}, {"x": 3}]
    assert list(expand(listed(*points, where="k < 1"), SHARED)) == [{"x": 1}, {"x": 3}]
    with pytest.raises(SpaceError, match=r"spec.space.points: point 1 has no parameter y, which where needs"):
        expand(listed({"y": 1}, {"x": 2}, where="y > 0"), SHARED)


UNDEFINED = [
    ("1 / x > 0", [1, 2, 3]),
    ("not 1 / x > 0", [-2, -1]),
    ("1 / x == 1 / x", [-2, -1, 1, 2, 3]),
    ("1 / x != 1 / x", []),
    ("1 / (1 / x) == x", [-2, -1, 1, 2, 3]),
    ("x == 0 or 1 / x > 0", [0, 1, 2, 3]),
    ("1 / x > 0 or x == 0", [0, 1, 2, 3]),
    ("x != 0 and 1 / x > 0", [1, 2, 3]),
    ("not (x != 0 and 1 / x > 0)", [-2, -1, 0]),
    ("log(x) < 100", [1, 2, 3]),
    ("sqrt(x) >= 0", [0, 1, 2, 3]),
    ("x ** k >= 0", [0, 1, 2, 3]),
    ("10.0 ** (x * 1000) >= 0", [-2, -1, 0]),
    ("exp(1000 * x) >= 0", [-2, -1, 0]),
    ("(1 / x) ** 0 == 1", [-2, -1, 1, 2, 3]),
    ("1 ** (1 / x) == 1", [-2, -1, 1, 2, 3]),
    ("min(x, 1 / x) < 9", [-2, -1, 1, 2, 3]),
    ("max(1 / x, x) < 9", [-2, -1, 1, 2, 3]),
    ("x % x == 0", [-2, -1, 1, 2, 3]),
    ("x // x == 1", [-2, -1, 1, 2, 3]),
    ("0 * (1 / x) == 0", [-2, -1, 1, 2, 3]),
    ("tan(1 / x) == tan(1 / x)", [-2, -1, 1, 2, 3]),
    ("round(1 / x) < 9 or ceil(1 / x) < 9 or floor(1 / x) < 9", [-2, -1, 1, 2, 3]),
    ("(1 / x > 0) == (1 / x > 0)", [-2, -1, 1, 2, 3]),
]


@pytest.mark.parametrize(("where", "wanted"), UNDEFINED, ids=[where for where, _ in UNDEFINED])
def test_what_has_no_finite_value_is_neither_true_nor_false(where: str, wanted: list[int]) -> None:
    assert kept(where) == wanted


REFUSED = [
    ("x", "at character 1, 'x': this is a value and not a condition"),
    ("x + 1", "at character 1, 'x + 1': this is a value and not a condition"),
    ("x > y", "at character 5, 'y': there is no parameter of this name; there are k, mode, n, on, word, x"),
    ("  x >\n y", "at character 8, 'y'"),
    ("word == 'äö' and x > z", "at character 22, 'z'"),
    ("x > word", "at character 5, 'word': this is a text, and only numbers can be greater or less"),
    ("on > 1", "at character 1, 'on': this is true or false, and only numbers"),
    ("x == 'a'", "at character 6, \"'a'\": this is a text, and it is compared with a number"),
    ("x == true", "at character 6, 'true': this is true or false, and it is compared with a number"),
    ("word * 3 == 'aaa'", "at character 1, 'word': this is a text, and a number is needed here"),
    ("on + 1 > 1", "'on': this is true or false, and a number is needed here"),
    ("-word == 'a'", "'word': this is a text, and a number is needed"),
    ("x and on", "at character 1, 'x': this is a number, and true or false is needed here"),
    ("not x", "at character 5, 'x': this is a number, and true or false"),
    ("sqrt(word) > 1", "at character 6, 'word': this is a text"),
    ("sqrt(x, 2) > 1", "sqrt is applied to one number, and here to 2"),
    ("min(x) > 1", "min is applied to 2 to 16 numbers, and here to 1"),
    ("sqrt > 1", "'sqrt': this is a function: write sqrt(…)"),
    ("pow(x, 2) > 1", "there is no function of this name; there are abs, sqrt"),
    ("x(2) > 1", "there is no function of this name"),
    ("x = 1", "at character 3, '=': write == to compare"),
    ("x > 1 && on", "at character 7, '&': write and"),
    ("x > 1 || on", "write or"),
    ("!on", "write not"),
    ("x ^ 2 > 1", "write ** for a power"),
    ("word == 'a", "a text ends with the quote that it begins with"),
    ("word == 'a\\'", 'at character 9, "\'": a text ends with the quote'),
    ("x.real > 1", "parameters whose names have '.' or '-' cannot stand in a condition"),
    ("0x1 < x", "at character 1, '0': a number is written like 3, 0.5 or 1e-3"),
    ("x > 1_000", "a number is written like"),
    ("x > 1or on", "a number is written like"),
    ("x > 1e999", "this number is too great for double precision"),
    ("x > 1" + "0" * 900, "this number is too great for double precision"),
    ("(x > 1", "at character 1, '(x > 1': cannot be understood"),
    ("x > 1)", "at character 6, ')': cannot be understood"),
    ("word == 'ä' x", "at character 13, 'x': cannot be understood"),
    ("x > 1) or (x < 2", "cannot be understood"),
    ("x >", "cannot be understood"),
    (" ", "cannot be understood"),
    ("x > 1; x", "at character 6, ';': a condition is made of parameters, numbers"),
]


@pytest.mark.parametrize(("where", "words"), REFUSED, ids=[where[:20] for where, _ in REFUSED])
def test_a_text_that_is_no_condition_is_refused_with_its_place_and_what_to_write(where: str, words: str) -> None:
    assert words in refusal(where)


def test_names_that_cannot_stand_in_a_condition_are_told() -> None:
    described = axis("grid-size", values=[1, 2]), axis("lambda", values=[1, 2])
    assert "names have '.' or '-' cannot stand in a condition" in refusal("grid > 1", *described)
    assert "'lambda': this word has a meaning of its own" in refusal("lambda > 1", *described)


def test_a_parameter_in_a_condition_has_one_kind_of_values() -> None:
    assert "x is a number in some points and a text in others" in refusal("x == 1", axis(values=[1, "auto"]))
    check(grid(axis(values=[1, "auto"]), axis("y"), where="y > 1"), {})


HOSTILE = [
    "9**9**9 > 1",
    "9**9**9**9**9**9 > 1",
    "(9**9)**(9**9)**x > 1",
    "x > 9**" * 100 + "9",
    "x" + "**x" * 340 + " > 1",
    "2**(2**(2**(2**(2**(2**x))))) > 1",
    "1 << 100000 > x",
    "1 >> x",
    "~x > 1",
    "'a' * 999999999 == word",
    "'a' * 10 ** 10 == word",
    "word + word == word",
    "'" + "a" * 1000 + "' == word",
    "'%999999999d' % x == word",
    "f'{x:999999999}' == word",
    "b'a' == word",
    "u'a' == word",
    "(" * 500 + "x" + ")" * 500,
    "(" * 150 + "x" + ")" * 150 + " > 1",
    "-" * 1000 + "x > 1",
    "not " * 250 + "on",
    "x" + "+x" * 500 + " > 1",
    "abs(" * 190 + "x" + ")" * 190 + " > 1",
    "[" * 500,
    "[x for x in [1]] == 1",
    "(x for x in word) == 1",
    "{x: x} == 1",
    "[1, 2][0] > x",
    "x.__class__ == 1",
    "word.__class__.__mro__[1].__subclasses__() == 1",
    "''.__class__ == 1",
    "().__class__ == 1",
    "__import__('os') == 1",
    "__builtins__ == 1",
    "eval('1') == x",
    "abs.__call__(x) > 1",
    "min(*x) > 1",
    "min(**x) > 1",
    "abs(x=1) > 1",
    "abs(abs)(x) > 1",
    "(abs if on else sqrt)(x) > 1",
    "x if on else x",
    "lambda: x",
    "(y := x) > 1",
    "yield x",
    "await x",
    "x is x",
    "x in (1, 2)",
    "x, x",
    "...",
    "None == None",
    "x > 1j",
    "x @ x > 1",
    "x > 1 # and so on",
    "x \\\n > 1",
    "x\x00 > 1",
    "\ufefex > 1",
    "ｘ > 1",
    "x > ²",
    "9" * 1020 + ">x",
    "1e308 * 1e308 > x",
    "import os",
    "print(x)",
    "assert x > 1",
]


def _asked(where: str) -> tuple[float, Any]:
    """Return how many seconds of the processor a condition takes for 4,000 points, and what becomes of it."""
    described = grid(
        axis("x", linspace={"start": 1, "stop": 2, "num": 2000}), axis("word", values=["a", "b"]), where=where[:1024]
    )
    begin = time.process_time()
    found = answer(described)
    return time.process_time() - begin, found


@pytest.fixture(scope="module")
def longest() -> float:
    """How long an ordinary condition takes that is about as long as one may be."""
    return min(_asked(" and ".join(["x * 2 < 9"] * 35))[0] for _ in range(3))


@pytest.mark.parametrize("where", HOSTILE, ids=[ascii(where)[:25] for where in HOSTILE])
def test_a_hostile_condition_is_refused_or_computed_at_once(where: str, longest: float) -> None:
    asked = [_asked(where) for _ in range(3)]
    found = asked[0][1]
    assert min(took for took, _ in asked) < 10 * longest
    assert isinstance(found, list) or (found.field == "spec.space.where" and len(found.text) < 700)


@pytest.mark.parametrize("where", ["9**9**9 > 1", "x**" * 50 + "x >= 1", "on or 1 / 0 > x"])
def test_powers_and_quotients_without_bound_have_a_value_or_none(where: str) -> None:
    assert kept(where, x=[1]) == ([] if where.startswith("9") else [1])


LETTERS = st.text("xk()+-*/%<>=!.,'\" 0129eandortmi[]{}:@&|^~_\\\n", max_size=60)
PARTS = [
    "x",
    "k",
    "on",
    "mode",
    "'a'",
    "1",
    "2.5",
    "pi",
    "true",
    "min(",
    "abs(",
    "(",
    ")",
    ",",
    "not ",
    " and ",
    " or ",
]
PARTS += [" < ", " == ", " != ", " + ", " - ", " * ", " / ", " // ", " % ", " ** "]


@given(
    st.one_of(LETTERS, st.lists(st.sampled_from(PARTS), max_size=20).map("".join), st.text(max_size=30)).filter(bool)
)
@example("x" * 1024)
@settings(max_examples=1000, deadline=None)
def test_any_text_is_a_condition_or_refused_and_nothing_else(where: str) -> None:
    found = answer(grid(axis("x", values=[1, 2, 0.5]), where=where))
    assert isinstance(found, list) or found.field == "spec.space.where"


def test_the_evaluator_knows_nothing_but_what_conditions_are_made_of() -> None:
    evaluator = _Evaluator()
    assert set(evaluator.nodes) == {ast.Constant, ast.Name, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.Call}
    assert not {"rand", "int", "str"} & set(evaluator.functions)
    assert not {ast.LShift, ast.BitAnd, ast.In, ast.Is, ast.Invert} & set(evaluator.operators)
    for text in ("x.real", "[1]", "x[0]", "f'{x}'", "1 if x else 2", "(lambda: 1)()"):
        with pytest.raises(Exception, match=r"not available|not implemented"):
            evaluator.eval(text)


def test_a_condition_that_would_take_minutes_is_refused_with_how_long_it_may_be() -> None:
    where = " or ".join(["x < 1"] * 100)
    described = grid(axis("x", integers={"low": 1, "high": 1_000_000}), where=where)
    assert refusal(where, *described.axes or ()).startswith(
        f"it has 301 steps and would be tried for 1,000,000 points: shorten it to {MAX_STEPS // 1_000_000} steps"
    )


def test_a_hundred_thousand_points_are_tried_in_far_less_than_five_seconds() -> None:
    described = grid(
        axis("dt", linspace={"start": 0, "stop": 1, "num": 100}),
        axis("dx", logspace={"start": 0.01, "stop": 1, "num": 1000}),
        where="dt * k / dx**2 <= 0.5 or (dt < 0.1 and sqrt(dx) > 0.5)",
    )
    begin = time.process_time()
    assert 0 < len(expand(described, SHARED)) < 100_000
    assert time.process_time() - begin < 5


# ---- the same by plain Python, one point after another ------------------------------------------------------------------------

NUMBERS: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(["a", "b", "0", "1", "2.5", "1e308", "k"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(lambda t: f"({' '.join(t)})"),
        st.tuples(st.sampled_from(["abs", "sqrt", "floor", "ceil", "round", "-"]), inner).map(
            lambda t: f"{t[0]}({t[1]})"
        ),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=6,
)
COMPARISONS = st.tuples(NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS).map(" ".join)
CONDITIONS: st.SearchStrategy[str] = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map(lambda t: f"({''.join(t)})"),
        inner.map(lambda text: f"(not {text})"),
    ),
    max_leaves=4,
)
BINARY: dict[type[ast.AST], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
CALLS: dict[str, Any] = {
    "abs": abs,
    "sqrt": math.sqrt,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "min": min,
    "max": max,
}


def plain(node: ast.expr, names: dict[str, float]) -> Any:
    """Return a number or a boolean, None for what is undefined."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name):
            return names[name]
        case ast.BoolOp(op=op, values=values):
            found, decides = [plain(value, names) for value in values], isinstance(op, ast.Or)
            return decides if decides in found else None if None in found else not decides
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            value = plain(operand, names)
            return None if value is None else not value
        case ast.UnaryOp(operand=operand):
            return finite(operator.neg, plain(operand, names))
        case ast.BinOp(left=left, op=op, right=right):
            return finite(BINARY[type(op)], plain(left, names), plain(right, names))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            sides = plain(left, names), plain(right, names)
            return None if None in sides else BINARY[type(op)](*sides)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return finite(CALLS[name], *(plain(argument, names) for argument in arguments))
    raise AssertionError(ast.dump(node))


def finite(operation: Any, *operands: float | None) -> float | None:
    if None in operands:
        return None
    try:
        value = float(operation(*operands))
    except (ZeroDivisionError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


POINTS = [(-1.5, 0.0), (0.0, 0.0), (1.0, 3.0), (0.1, -0.3), (1e300, 1e-300), (2.5, 2.5), (-1e308, 1e308)]


@given(CONDITIONS)
@settings(max_examples=500, deadline=None)
def test_many_points_at_once_are_judged_as_plain_python_judges_each(where: str) -> None:
    tree = ast.parse(where, mode="eval").body
    wanted = [number for number, (a, b) in enumerate(POINTS) if plain(tree, {"a": a, "b": b, "k": 0.5}) is True]
    columns = {"a": [a for a, _ in POINTS], "b": [b for _, b in POINTS]}
    assert kept(where, x=list(range(len(POINTS))), **columns) == wanted
