"""The numbers of a picture, out of a sweep's rows (pure)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from simops_api.sweeps.points import Row
from simops_crds.names import Phase

MAX_POINTS = 200_000
MAX_CATEGORIES = 50
_MAX_NAMES = 2_000
"""So many names are remembered, to say what there is."""
SECONDS = "seconds"


class PlotError(Exception):
    """This cannot be drawn; ``field`` is what of the request stands in the way."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass
class Gathered:
    """The points of a picture: each its metric, and its values of some parameters."""

    metric: str
    names: Mapping[str, str]
    """Field of the request (x, y, group) → the parameter that it names."""
    points: list[tuple[float, tuple[Any, ...]]] = field(default_factory=list)
    params: set[str] = field(default_factory=set)
    metrics: set[str] = field(default_factory=set)
    succeeded: int = 0
    _texts: dict[str, dict[str, str]] = field(default_factory=dict)
    """Field of the request → the texts of its parameter. Each is in memory once, however many points have it."""

    def take(self, rows: Iterable[Row]) -> None:
        """Take those of some rows that have ended well and have it all.

        Raises:
            PlotError: a parameter has too many different texts.
        """
        for row in rows:
            _remember(self.params, row.params, self.names.values())
            if row.status != Phase.SUCCEEDED:
                continue
            self.succeeded += 1
            _remember(self.metrics, row.metrics, (self.metric,))
            value = row.metrics.get(self.metric)
            if value is None and self.metric == SECONDS:
                value = row.told(SECONDS)
            if not _is_number(value) or not all(name in row.params for name in self.names.values()):
                continue
            of_point = tuple(self._shared(place, row.params[name]) for place, name in self.names.items())
            self.points.append((float(value or 0.0), of_point))

    def _shared(self, place: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        texts = self._texts.setdefault(place, {})
        if len(texts) > MAX_CATEGORIES:
            raise _too_many(place)
        return texts.setdefault(value, value)

    @property
    def nothing(self) -> str:
        """What no point of the sweep has done, so that there is nothing to draw.

        Raises:
            PlotError: what was asked for does not exist.
        """
        for place, name in self.names.items():
            if self.params and name not in self.params:
                raise PlotError(place, f"there is no parameter {name!r}; there are: {_listed(self.params)}")
        if self.succeeded and self.metrics and self.metric not in self.metrics and self.metric != SECONDS:
            raise PlotError("metric", f"there is no metric {self.metric!r}; there are: {_listed(self.metrics)}")
        return f"has told the metric {self.metric!r}" if self.succeeded else "has succeeded"


def _remember(known: set[str], found: Iterable[str], wanted: Iterable[str]) -> None:
    known.update(found if len(known) < _MAX_NAMES else set(wanted).intersection(found))


def _listed(names: set[str]) -> str:
    shown = sorted(names)[:20]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Scale:
    """The values of one parameter as places on an axis."""

    numbers: list[float]
    labels: list[str] | None = None
    """The categories, for values that are no numbers; the places are 0, 1, 2, …"""


def scale_of(field_name: str, values: Sequence[Any]) -> Scale:
    """Return the places of values: of numbers the numbers, else of each category its rank.

    Raises:
        PlotError: there are too many categories.
    """
    if all(map(_is_number, values)):
        return Scale([float(value) for value in values])
    labels = sorted({str(value) for value in values})
    if len(labels) > MAX_CATEGORIES:
        raise _too_many(field_name)
    rank = {label: float(number) for number, label in enumerate(labels)}
    return Scale([rank[str(value)] for value in values], labels)


def _too_many(field_name: str) -> PlotError:
    return PlotError(field_name, f"its values are texts, more than {MAX_CATEGORIES} of them: too many for a picture")


def is_geometric(numbers: Sequence[float]) -> bool:
    """Whether numbers are rather spaced by a ratio than by a distance, and so ask for a logarithmic axis."""
    found = sorted(set(numbers))
    if len(found) < 3 or found[0] <= 0 or found[-1] / found[0] < 20:
        return False
    gaps = [b - a for a, b in pairwise(found)]
    ratios = [math.log(b / a) for a, b in pairwise(found)]
    return max(ratios) / min(ratios) < max(gaps) / min(gaps)


def groups_of(labels: Sequence[Any], limit: int) -> dict[str, list[int]]:
    """Return the label of each group → which points it has, numbers in their order.

    Raises:
        PlotError: there are more than ``limit``.
    """
    out: dict[Any, list[int]] = {}
    for place, label in enumerate(labels):
        out.setdefault(label, []).append(place)
    if len(out) > limit:
        raise PlotError("group", f"it has {len(out)} values; lines for more than {limit} cannot be told apart")
    keys = sorted(out, key=lambda k: (not _is_number(k), k if _is_number(k) else 0, str(k)))
    # Six digits, if they tell all groups apart: two groups under one label would be drawn as one.
    words = _worded if len({_worded(key) for key in keys}) == len(keys) else str
    named: dict[str, list[int]] = {}
    for key in keys:
        named.setdefault(words(key), []).extend(out[key])
    return named


def _worded(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
