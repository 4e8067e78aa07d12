"""A metric of a sweep drawn with characters."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import plotext

from simops_cli.core.inputs import InputError
from simops_cli.core.output import aligned
from simops_io.texts import one_line

_SIZE = (90, 25)
_RAMP = ((0, 32, 76), (124, 123, 120), (255, 234, 70))
"""Colours of a heat map from low to high, told apart by people who do not see all of them."""


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a table as JSON with its parameters and metrics as columns, named as in the table as CSV."""
    params, metrics = (dict(row.get(name) or {}) for name in ("params", "metrics"))
    first = {name: value for name, value in row.items() if name not in ("params", "metrics")}
    for kind, values in (("params", params), ("metrics", metrics)):
        first |= {f"{kind}.{name}" if name in first else name: value for name, value in values.items()}
    return first


def rows_of(table: Sequence[Mapping[str, Any]], metric: str) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON as they are drawn.

    Raises:
        InputError: it has points, and none has told a metric yet, this one or another.
    """
    rows = [flat(row) for row in table]
    if rows and not any(metric in row for row in rows) and not any(row.get("metrics") for row in table):
        raise InputError("no point has a metric yet")
    return rows


def drawn(
    rows: Sequence[Mapping[str, Any]],
    metric: str,
    x: str,
    y: str | None,
    group: str | None,
    *,
    is_log: bool = False,
    colour: bool = True,
) -> str:
    """Return a picture of a metric over a parameter; with ``y`` a heat map, with ``group`` a line for each of its values.

    Raises:
        InputError: no row has these; it says what there is.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in filter(None, (metric, x, y, group)):
        if name not in columns:
            near = "".join(f" (did you mean {one}?)" for one in get_close_matches(name, columns, 1))
            raise InputError(f"the table has no column {name}{near}; it has {', '.join(columns) or 'no rows yet'}")
    rows = [{name: one_line(v) if isinstance(v, str) else v for name, v in row.items()} for row in rows]
    places = [name for name in (x, y) if name is not None]
    good = [row for row in rows if _is_number(row.get(metric)) and all(row.get(name) is not None for name in places)]
    if not good:
        raise InputError(f"no point has {metric} yet")
    if y is not None:  # its cells are nothing but colours
        return _heat(good, metric, x, y) if colour else _table(good, metric, x, y)
    plotext.clear_figure()
    plotext.plotsize(*_SIZE)
    plotext.title(f"{metric} over {x}")
    _lines(good, metric, x, group, is_log=is_log)
    picture = str(plotext.build())
    return picture if colour else str(plotext.uncolorize(picture))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _lines(rows: Sequence[Mapping[str, Any]], metric: str, x: str, group: str | None, *, is_log: bool) -> None:
    series: dict[Any, list[tuple[Any, float]]] = defaultdict(list)
    for row in rows:
        series[row.get(group) if group else ""].append((row[x], float(row[metric])))
    numeric = all(_is_number(row[x]) for row in rows)
    if is_log and numeric and all(row[x] > 0 and row[metric] > 0 for row in rows):
        plotext.xscale("log")
        plotext.yscale("log")
    labels = sorted({str(row[x]) for row in rows}) if not numeric else []
    for name, points in series.items():
        points.sort(key=lambda pair: pair[0] if numeric else str(pair[0]))
        xs = [pair[0] for pair in points] if numeric else [labels.index(str(pair[0])) for pair in points]
        plotext.plot(
            xs, [pair[1] for pair in points], label=f"{group}={_named(name)}" if group else None, marker="braille"
        )
    if labels:
        plotext.xticks(range(len(labels)), labels)
    plotext.xlabel(x)


def _heat(rows: Sequence[Mapping[str, Any]], metric: str, x: str, y: str) -> str:
    """Return a heat map of coloured cells, the largest y above; neighbours share a cell where there are more than fit."""
    xs, ys, found = _cells(rows, metric, x, y)
    across, up = _shared(xs, _SIZE[0] - 20), _shared(ys, _SIZE[1])
    means = [
        [_mean([v for a in some for b in those for v in found.get((a, b), ())]) for some in across] for those in up
    ]
    known = [value for line in means for value in line if value is not None]
    low, high = min(known), max(known)
    width = max(1, min(8, (_SIZE[0] - 20) // len(across)))
    names = [_shown(those[0]) for those in up]
    margin = max(map(len, names))
    lines = [f"{metric} over {x} and {y}", f"{'':{margin}}   {y}"]
    for name, line in reversed(list(zip(names, means, strict=True))):
        lines.append(f"{name:>{margin}} ┤ {''.join(_cell(value, low, high, width) for value in line)}")
    first, last = _shown(xs[0]), _shown(xs[-1]) if len(xs) > 1 else ""
    lines.append(f"{'':{margin}}   {first}{last:>{max(width * len(across) - len(first), len(last) + 1)}}   {x}")
    scale = "".join(_cell(float(i), 0.0, 15.0, 1) for i in range(16))
    return "\n".join([*lines, f"{'':{margin}}   {_shown(low)} {scale} {_shown(high)}   {metric}"])


def _shared(values: Sequence[Any], most: int) -> list[Sequence[Any]]:
    """Return values in groups of neighbours, at most so many."""
    size = -(-len(values) // most)
    return [values[at : at + size] for at in range(0, len(values), size)]


def _cell(value: float | None, low: float, high: float, width: int) -> str:
    if value is None:
        return "·".center(width)
    share = (value - low) / (high - low) * (len(_RAMP) - 1) if high > low else 0.0
    at = min(int(share), len(_RAMP) - 2)
    r, g, b = (round(a + (b - a) * (share - at)) for a, b in zip(_RAMP[at], _RAMP[at + 1], strict=True))
    return f"\x1b[48;2;{r};{g};{b}m{'':{width}}\x1b[0m"


def _table(rows: Sequence[Mapping[str, Any]], metric: str, x: str, y: str) -> str:
    """Return a heat map in numbers: a line for each value of y, a column for each of x."""
    xs, ys, found = _cells(rows, metric, x, y)
    lines = [[f"{y} \\ {x}", *map(_shown, xs)]]
    lines += [[_shown(b), *(_shown(_mean(found.get((a, b), ()))) for a in xs)] for b in ys]
    return "\n".join([f"{metric} over {x} and {y}", *aligned(lines)])


def _named(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cells(
    rows: Sequence[Mapping[str, Any]], metric: str, x: str, y: str
) -> tuple[list[Any], list[Any], dict[tuple[Any, Any], list[float]]]:
    found: dict[tuple[Any, Any], list[float]] = defaultdict(list)
    for row in rows:
        found[row[x], row[y]].append(float(row[metric]))
    return _values(rows, x), _values(rows, y), found


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    found = {row[name] for row in rows}
    return sorted(found, key=lambda value: value if all(map(_is_number, found)) else str(value))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
