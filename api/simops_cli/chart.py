"""A metric of a sweep drawn with characters."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import plotext

from simops_cli.core.inputs import InputError

_SIZE = (90, 25)


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a table as JSON with its parameters and metrics as columns, named as in the table as CSV."""
    params, metrics = (dict(row.get(name) or {}) for name in ("params", "metrics"))
    first = {name: value for name, value in row.items() if name not in ("params", "metrics")}
    for kind, values in (("params", params), ("metrics", metrics)):
        first |= {f"{kind}.{name}" if name in first else name: value for name, value in values.items()}
    return first


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
            raise InputError(f"the table has no column {name}; it has {', '.join(columns) or 'no rows yet'}")
    good = [row for row in rows if _is_number(row.get(metric)) and row.get(x) is not None]
    if not good:
        raise InputError(f"no point has {metric} yet")
    plotext.clear_figure()
    plotext.plotsize(*_SIZE)
    plotext.title(f"{metric} over {x}{f' and {y}' if y else ''}")
    if y is not None:
        _heat(good, metric, x, y)
    else:
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
        plotext.plot(xs, [pair[1] for pair in points], label=f"{group}={name}" if group else None, marker="braille")
    if labels:
        plotext.xticks(range(len(labels)), labels)
    plotext.xlabel(x)


def _heat(rows: Sequence[Mapping[str, Any]], metric: str, x: str, y: str) -> None:
    xs, ys = _values(rows, x), _values(rows, y)
    found: dict[tuple[Any, Any], list[float]] = defaultdict(list)
    for row in rows:
        found[row[x], row[y]].append(float(row[metric]))
    lowest = min(min(values) for values in found.values())
    grid = [[_mean(found.get((a, b)), lowest) for a in xs] for b in reversed(ys)]
    plotext.matrix_plot(grid)
    plotext.xticks(range(1, len(xs) + 1), [f"{value:.3g}" if _is_number(value) else str(value) for value in xs])
    plotext.yticks(
        range(1, len(ys) + 1), [f"{value:.3g}" if _is_number(value) else str(value) for value in reversed(ys)]
    )
    plotext.xlabel(x)
    plotext.ylabel(y)


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    found = {row[name] for row in rows}
    return sorted(found, key=lambda value: value if all(map(_is_number, found)) else str(value))


def _mean(values: Sequence[float] | None, missing: float) -> float:
    return sum(values) / len(values) if values else missing
