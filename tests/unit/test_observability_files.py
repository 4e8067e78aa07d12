"""Dashboard, alerts and documentation against the code: they name what is there, all of it where they promise that, and nothing else."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from simops_api import metrics as gateway
from simops_crds.names import FINAL_PHASES, Phase, Reason
from simops_operator import metrics as operator

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "charts" / "simops" / "files"
DOCUMENT = ROOT / "docs" / "observability.md"
DASHBOARD: dict[str, Any] = json.loads((FILES / "grafana-dashboard.json").read_text())
ALERTS: dict[str, Any] = yaml.safe_load((FILES / "alerts.yaml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [t["expr"] for panel in PANELS for t in panel["targets"]] + [rule["expr"] for rule in RULES]

_NAME = re.compile(r"\bsimops_\w+")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|=|!=)\s*"([^"]*)"')
_LABELS_OF = {"le"}


def own(module: Any) -> list[MetricWrapperBase]:
    return [value for value in vars(module).values() if isinstance(value, MetricWrapperBase)]


METRICS = own(operator) + own(gateway)


def series() -> dict[str, tuple[MetricWrapperBase, frozenset[str]]]:
    """Return every name that Prometheus sees → its metric and its labels."""
    out: dict[str, tuple[MetricWrapperBase, frozenset[str]]] = {}
    for metric in METRICS:
        labels = frozenset(metric._labelnames)
        base = metric._name
        match metric._type:
            case "counter":
                out[f"{base}_total"] = (metric, labels)
            case "histogram":
                out |= {f"{base}_{part}": (metric, labels) for part in ("sum", "count")}
                out[f"{base}_bucket"] = (metric, labels | _LABELS_OF)
            case _:
                out[base] = (metric, labels)
    return out


SERIES = series()


def used(expression: str) -> set[str]:
    return set(_NAME.findall(expression))


def test_every_metric_is_registered_under_one_of_two_prefixes() -> None:
    names = {metric._name for metric in METRICS}
    assert len(names) == len(METRICS)
    assert all(name.startswith(("simops_operator_", "simops_gateway_")) for name in names)
    registered = {family.name for family in REGISTRY.collect() if family.name.startswith("simops_")}
    assert registered == names


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_names_metrics_that_exist_and_labels_that_they_have(expression: str) -> None:
    names = used(expression)
    assert names
    assert names <= SERIES.keys()
    labels = frozenset[str]().union(*(SERIES[name][1] for name in names))
    said = {name for group in re.findall(r"\bby \(([^)]*)\)", expression) for name in group.replace(" ", "").split(",")}
    said |= {name for name, _, _ in _MATCHER.findall(expression)}
    assert said <= labels
    assert expression.count("(") == expression.count(")")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_counters_are_read_as_rates_and_gauges_are_not(expression: str) -> None:
    for name in used(expression):
        is_rated = bool(re.search(rf"rate\({name}(\{{[^}}]*\}})?\[", expression))
        assert is_rated == name.endswith(("_total", "_bucket", "_count", "_sum"))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_phases_and_reasons_that_are_asked_for_exist(expression: str) -> None:
    known = {"phase": {p.value for p in Phase}, "reason": {r.value for r in Reason}}
    for label, _, text in _MATCHER.findall(expression):
        if label in known:
            assert set(text.split("|")) <= known[label]


def test_the_dashboard_can_be_imported_anywhere() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"], variable["name"]) == ("datasource", "prometheus", "datasource")
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in PANELS:
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
        assert panel["title"]
        assert panel["description"]


def _tiles(panel: dict[str, Any]) -> Iterator[tuple[int, int]]:
    place = panel["gridPos"]
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y


def test_no_panel_lies_upon_another_or_beyond_the_edge() -> None:
    taken = [tile for panel in DASHBOARD["panels"] for tile in _tiles(panel)]
    assert len(set(taken)) == len(taken)
    assert all(0 <= x < 24 for x, _ in taken)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["alert"].startswith("SimOps")
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert re.fullmatch(r"\d+m", rule["for"])
    assert rule["annotations"]["summary"]
    assert len(rule["annotations"]["description"]) > 80
    # No series has a label per job, so that no alert can be about one.
    placeholders = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
    assert all(f"by ({name})" in rule["expr"] for name in placeholders)


def test_alerts_have_names_of_their_own() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_no_metric_has_a_label_per_run_caller_or_path() -> None:
    labels = {label for metric in METRICS for label in metric._labelnames}
    assert labels == {"verb", "code", "result", "phase", "reason", "method", "route", "status", "kind", "outcome"}


def table_rows() -> set[str]:
    """Return the rows that the documentation's table of metrics must have."""
    out = set()
    for metric in METRICS:
        name = f"{metric._name}_total" if metric._type == "counter" else metric._name
        labels = ", ".join(f"`{label}`" for label in metric._labelnames) or "–"
        out.add(f"| `{name}` | {metric._type} | {labels} | {metric._documentation} |")
    return out


def test_the_documentation_lists_every_metric_and_none_that_is_not_there() -> None:
    rows = {line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `simops_")}
    assert rows == table_rows()


def test_the_documentation_names_every_alert() -> None:
    text = DOCUMENT.read_text()
    assert all(f"`{rule['alert']}`" in text for rule in RULES)


def test_the_operator_tells_every_phase_that_is_not_final() -> None:
    operator.observe_runs([])
    told = {s.labels["phase"] for family in operator.JOBS.collect() for s in family.samples}
    assert told == {phase.value for phase in Phase} - {phase.value for phase in FINAL_PHASES}
