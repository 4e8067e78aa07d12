"""Draws a picture of a sweep (pure but for matplotlib's caches). No pyplot: that has one state for all threads.

Names of parameters and metrics are people's text: none of it is read as mathematics.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simops_api.plots.fit import Fit, fitted
from simops_api.plots.gather import Gathered, PlotError, Scale, groups_of, is_geometric, scale_of
from simops_api.sweeps.models import PlotQuery

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito: told apart by people who do not see all colours.
_COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#000000",
    "#8C6D31",
    "#6A3D9A",
    "#999999",
)
_MARKERS = "osD^vP*X<>"
_MANY = 5000
"""From so many points on they are small, see-through and drawn as pixels, also in an SVG."""
_LABEL = 80
_GRID_SHARE = 0.6
"""How much of a grid must be filled for a heat map of cells; else the points are coloured."""
MEDIA = {"png": "image/png", "svg": "image/svg+xml"}


def draw(gathered: Gathered, query: PlotQuery) -> bytes:
    """Return the picture as PNG or SVG; the same points give the same bytes.

    Raises:
        PlotError: this cannot be drawn.
    """
    import matplotlib as mpl  # noqa: PLC0415 - half a second, needed only here
    from matplotlib.figure import Figure  # noqa: PLC0415

    kind = query.kind or ("heatmap" if query.y is not None else "line")
    if (kind == "heatmap") != (query.y is not None):
        raise PlotError("y", "a heat map needs y, and nothing else takes it")
    with mpl.rc_context({"svg.hashsalt": "simops", "svg.fonttype": "path", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(8, 5.5), dpi=120, layout="constrained")
        axes = figure.add_subplot()
        values = [value for value, _ in gathered.points]
        columns = list(zip(*(params for _, params in gathered.points), strict=True))
        if kind == "heatmap":
            _heat_map(figure, axes, values, columns[0], columns[1], query)
        else:
            _lines(axes, values, columns[0], columns[-1] if query.group is not None else None, query, kind)
        sink = io.BytesIO()
        metadata: dict[str, Any] = {"Date": None} if query.format == "svg" else {"Software": None}
        figure.savefig(sink, format=query.format, metadata=metadata)
    return sink.getvalue()


def _text(name: str) -> str:
    """Return a name as it is shown."""
    shown = (
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name).encode(errors="replace").decode()
    )
    return shown if len(shown) <= _LABEL else shown[: _LABEL - 1] + "…"


def _name_axes(axes: "Axes", x: str, y: str) -> None:
    axes.set_xlabel(_text(x), parse_math=False)
    axes.set_ylabel(_text(y), parse_math=False)
    axes.grid(visible=True, which="major", alpha=0.3)


def _places(axes: "Axes", which: str, scale: Scale, wanted: str | None, field: str) -> bool:
    """Set up an axis for values; return whether it is logarithmic."""
    if scale.labels is not None:
        if wanted == "log":
            raise PlotError("scale", f"the values of {field} are texts")
        axis = axes.xaxis if which == "x" else axes.yaxis
        axis.set_ticks(range(len(scale.labels)), [_text(label) for label in scale.labels], parse_math=False)
        if which == "x" and max(map(len, scale.labels)) > 6:
            axes.tick_params(axis="x", rotation=45)
        return False
    is_log = wanted == "log" or (wanted is None and is_geometric(scale.numbers))
    if is_log:
        if min(scale.numbers) <= 0:
            raise PlotError("scale", f"not all values of {field} are greater than 0")
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    return is_log


def _lines(
    axes: "Axes", values: Sequence[float], x: Sequence[Any], group: Sequence[Any] | None, query: PlotQuery, kind: str
) -> None:
    places = scale_of("x", x)
    groups = groups_of(group, len(_COLOURS)) if group is not None else {"": list(range(len(values)))}
    if kind == "convergence":
        if places.labels is not None:
            raise PlotError("x", "its values are texts; an order needs numbers")
        axes.set_xscale("log")
        axes.set_yscale("log")
    else:
        _places(axes, "x", places, query.scale, query.x)
        if is_geometric(values):
            axes.set_yscale("log")
    is_many = len(values) > _MANY
    for number, (label, members) in enumerate(groups.items()):
        colour, marker = _COLOURS[number], _MARKERS[number]
        xs = np.asarray([places.numbers[i] for i in members])
        ys = np.asarray([values[i] for i in members])
        order = np.argsort(xs, kind="stable")
        xs, ys = xs[order], ys[order]
        named = f"{query.group} = {label}" if group is not None else ""
        if kind == "convergence":
            fit = fitted(xs.tolist(), ys.tolist())
            named = f"{named}: {_worded(fit)}" if named else _worded(fit)
            ends = np.asarray([xs[0], xs[-1]])
            axes.plot(ends, fit.factor * ends**fit.order, color=colour, linewidth=1.2, alpha=0.7)
        # Several points at one x (other parameters vary too) are no line.
        is_line = kind == "line" and not is_many and len(np.unique(xs)) == len(xs)
        axes.plot(
            xs,
            ys,
            color=colour,
            marker="," if is_many else marker,
            markersize=5,
            linestyle="-" if is_line else "none",
            linewidth=1.2,
            alpha=0.5 if is_many else 0.9,
            rasterized=is_many,
            label=_text(named) if named else None,
        )
    _name_axes(axes, query.x, query.metric)
    if axes.get_legend_handles_labels()[1]:
        legend = axes.legend(fontsize="small")
        for text in legend.get_texts():
            text.set_parse_math(False)


def _worded(fit: Fit) -> str:
    return f"order {fit.order:.3g} (R² {fit.r_squared:.4f})"


def _heat_map(
    figure: "Figure", axes: "Axes", values: Sequence[float], x: Sequence[Any], y: Sequence[Any], query: PlotQuery
) -> None:
    across, up = scale_of("x", x), scale_of("y", y)
    is_log = _places(axes, "x", across, query.scale, query.x), _places(axes, "y", up, query.scale, query.y or "")
    xs, ys = np.asarray(across.numbers), np.asarray(up.numbers)
    columns, rows = np.unique(xs), np.unique(ys)
    cells = {(a, b) for a, b in zip(xs.tolist(), ys.tolist(), strict=True)}
    if len(cells) >= _GRID_SHARE * len(columns) * len(rows):
        total, count = np.zeros((len(rows), len(columns))), np.zeros((len(rows), len(columns)))
        where = np.searchsorted(rows, ys), np.searchsorted(columns, xs)
        np.add.at(total, where, np.asarray(values))
        np.add.at(count, where, 1)
        # Points that differ in another parameter only share a cell: their mean is shown.
        mean = np.ma.masked_invalid(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))
        shown: Any = axes.pcolormesh(
            _edges(columns, is_log[0]), _edges(rows, is_log[1]), mean, cmap="cividis", rasterized=True
        )
        for axis, scale, middles in ((axes.xaxis, across, columns), (axes.yaxis, up, rows)):
            if (
                scale.labels is None and len(middles) == 1
            ):  # how wide its cells are has no meaning, so it alone is named
                axis.set_ticks([float(middles[0])], [f"{middles[0]:g}"])
                axis.set_ticks([], minor=True)
    else:
        size = 6 if len(values) > _MANY else 36
        shown = axes.scatter(xs, ys, c=values, s=size, cmap="cividis", rasterized=len(values) > _MANY)
    bar = figure.colorbar(shown, ax=axes)
    bar.set_label(_text(query.metric), parse_math=False)
    _name_axes(axes, query.x, query.y or "")
    axes.grid(visible=False)


def _edges(middles: Any, is_log: bool) -> Any:
    """Return the borders between cells whose middles these are, one more than there are cells."""
    inner = np.log(middles) if is_log else middles
    if len(inner) == 1:
        half = 0.5 if is_log else abs(inner[0]) / 2 or 0.5
        return np.exp([inner[0] - half, inner[0] + half]) if is_log else np.asarray([inner[0] - half, inner[0] + half])
    between = (inner[1:] + inner[:-1]) / 2
    out = np.concatenate(([2 * inner[0] - between[0]], between, [2 * inner[-1] - between[-1]]))
    return np.exp(out) if is_log else out
