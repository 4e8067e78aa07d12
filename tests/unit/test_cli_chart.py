"""What `simops plot` draws with characters."""

import re
from typing import Any

import pytest

from simops_cli.chart import drawn, rows_of
from simops_cli.core.inputs import InputError


def rows(xs: list[Any], ys: list[Any]) -> list[dict[str, Any]]:
    return [{"a": x, "b": y, "m": 10.0 * i + j} for i, y in enumerate(ys) for j, x in enumerate(xs)]


def colours(line: str) -> list[str]:
    return re.findall(r"\x1b\[48;2;([0-9;]+)m", line)


def test_without_colours_a_heat_map_is_a_table_of_its_numbers() -> None:
    text = drawn(rows([0.1, 0.2], ["x", "y"])[:3], "m", "a", "b", None, colour=False)
    assert text.splitlines() == ["m over a and b", "b \\ a   0.1   0.2", "x       0     1", "y       10    -"]


@pytest.mark.parametrize(("xs", "ys"), [([1, 2, 3], [5]), ([5], [1, 2, 3]), ([5], [5]), ([1, 2, 3], [1, 2])])
def test_each_cell_of_a_heat_map_is_coloured_the_largest_y_above(xs: list[int], ys: list[int]) -> None:
    cells = [line for line in drawn(rows(xs, ys), "m", "a", "b", None).splitlines() if "┤" in line]
    assert [len(colours(line)) for line in cells] == [len(xs)] * len(ys)
    assert [line.split()[0] for line in cells] == [str(y) for y in reversed(ys)]


def test_more_values_than_fit_share_cells_and_what_has_no_value_is_marked() -> None:
    many = rows(list(range(500)), list(range(100)))
    lines = [line for line in drawn(many, "m", "a", "b", None).splitlines() if "┤" in line]
    assert len(lines) <= 25
    assert all(0 < len(colours(line)) <= 70 for line in lines)
    assert "·" in drawn(rows([1, 2], [1, 2])[:3], "m", "a", "b", None)


def test_points_without_the_second_parameter_are_left_out() -> None:
    assert drawn([*rows([1], [1]), {"a": 2, "b": None, "m": 1.0}], "m", "a", "b", None, colour=False).count("\n") == 2
    with pytest.raises(InputError, match="no point has m yet"):
        drawn([{"a": 2, "b": None, "m": 1.0}], "m", "a", "b", None)


def test_a_sweep_of_which_nothing_has_ended_has_no_metric_yet() -> None:
    waiting = {"index": 0, "status": "Running", "params": {"a": 1}, "metrics": None}
    with pytest.raises(InputError, match="no point has a metric yet"):
        rows_of([waiting], "m")
    assert rows_of([waiting, {**waiting, "metrics": {"other": 1.0}}], "m")[1]["other"] == 1.0
    with pytest.raises(InputError, match="no rows yet"):
        drawn(rows_of([], "m"), "m", "a", None, None)


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    with pytest.raises(InputError, match=r"no column drga \(did you mean drag\?\); it has drag, angle"):
        drawn([{"drag": 1.0, "angle": 2}], "drga", "angle", None, None)
    with pytest.raises(InputError, match="no column z; it has"):
        drawn([{"drag": 1.0, "angle": 2}], "z", "angle", None, None)


def test_a_line_is_named_without_the_noise_of_floating_point() -> None:
    table = [{"a": n, "drag": drag, "m": 1.0 * n} for n in (1, 2) for drag in (0.037500000000000006, 0.1)]
    text = drawn(table, "m", "a", None, "drag", colour=False)
    assert "drag=0.0375" in text
    assert "0.0375000" not in text
