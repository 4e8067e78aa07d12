"""The spans of a run: those of its phases, those of what the operator changed, and none where none are wanted."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from builders import CONFIG, NAME, NAMESPACE, T0, UID, at, run_object
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from world import Behaviour, World
from worldclock import Clock, world_time

from simops_crds.names import ANNOTATION_TRACEPARENT, CONTAINER_SIMULATION
from simops_crds.v1alpha1 import SimulationJobSpec
from simops_io.traceparent import parse
from simops_operator.core.jobs import job_for
from simops_operator.core.pods import Manifest
from simops_operator.core.run import run_of
from simops_operator.traces import Traces

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = parse(PARENT)


class Observed:
    """A world whose operator traces."""

    def __init__(self, behaviour: Behaviour | None = None, *, parent: str | None = PARENT, **spec: Any) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.world = World(behaviour, **spec)
        if parent is not None:
            self.world.runs[NAME]["metadata"]["annotations"] = {ANNOTATION_TRACEPARENT: parent}
            self.world.restart()
        self.world.reconciler._traces = Traces(provider.get_tracer("x"))
        Clock.world = self.world

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture(autouse=True)
def _world_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield from world_time(monkeypatch)


def seconds(span: ReadableSpan) -> tuple[float, float]:
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time / 1e9, span.end_time / 1e9


def test_a_run_that_names_a_trace_has_its_phases_in_it_with_their_times() -> None:
    seen = Observed()
    seen.world.be_fair()
    final = seen.world.final
    assert final is not None
    status = final
    (pending,), (simulation,), (storing,) = map(seen.named, ("pending", "simulation", "storing"))
    for span in (pending, simulation, storing):
        assert span.parent is not None
        assert f"{span.parent.span_id:016x}" == PARENT[36:52]
        assert span.attributes is not None
        assert span.attributes["simops.job.name"] == NAME
        assert span.attributes["k8s.namespace.name"] == NAMESPACE
    started = datetime.fromisoformat(status["startTime"]).timestamp()
    assert seconds(pending) == (T0.timestamp(), started)
    assert seconds(simulation)[0] == started
    assert seconds(storing) == (seconds(simulation)[1], datetime.fromisoformat(status["completionTime"]).timestamp())
    assert all(span.context is not None and f"{span.context.trace_id:032x}" == PARENT[3:35] for span in seen.spans)


def test_what_the_operator_changed_is_below_the_reconcile_that_did_it() -> None:
    seen = Observed()
    seen.world.be_fair()
    reconciles = {span.context.span_id for span in seen.named("reconcile") if span.context is not None}
    for change in ("ApplyJob", "ArchiveLog", "WriteRecord", "WriteStatus"):
        found = seen.named(change)
        assert found, change
        assert all(span.parent is not None and span.parent.span_id in reconciles for span in found)
    assert len(seen.named("WriteStatus")) == len(seen.world.statuses)
    # A reconcile that changed nothing has no span.
    children = {span.parent.span_id for span in seen.spans if span.parent is not None}
    assert reconciles <= children


@pytest.mark.parametrize("parent", [None, "", "nonsense", PARENT[:-3]])
def test_a_run_that_names_no_trace_has_no_span(parent: str | None) -> None:
    seen = Observed(parent=parent)
    seen.world.be_fair()
    assert seen.world.final is not None
    assert seen.spans == []


def test_a_run_whose_trace_is_not_sampled_has_no_span() -> None:
    seen = Observed(parent=PARENT[:-1] + "0")
    seen.world.be_fair()
    assert seen.spans == []


def test_each_attempt_is_a_span_and_one_that_failed_says_so() -> None:
    seen = Observed(Behaviour(codes=(3, 0)), retries=1)
    seen.world.be_fair()
    first, second = sorted(seen.named("simulation"), key=seconds)
    assert (first.attributes or {})["process.exit.code"] == 3
    assert not first.status.is_ok
    assert (second.attributes or {})["process.exit.code"] == 0
    assert second.status.is_unset


def test_a_run_that_never_started_was_only_pending() -> None:
    run = run_of(
        with_annotation(run_object(status={"phase": "Cancelled", "completionTime": at(9).isoformat()}), PARENT)
    )
    seen = Observed()
    seen.world.reconciler._traces.finished(run, ())
    (span,) = seen.spans
    assert (span.name, seconds(span)) == ("pending", (T0.timestamp(), at(9).timestamp()))


def test_a_run_whose_pods_are_forgotten_still_has_its_simulation() -> None:
    status = {"phase": "Failed", "startTime": at(4).isoformat(), "completionTime": at(9).isoformat()}
    seen = Observed()
    seen.world.reconciler._traces.finished(run_of(with_annotation(run_object(status=status), PARENT)), ())
    _, simulation = seen.spans
    assert (simulation.name, seconds(simulation)) == ("simulation", (at(4).timestamp(), at(9).timestamp()))
    assert not simulation.status.is_ok


def with_annotation(obj: dict[str, Any], value: Any) -> dict[str, Any]:
    obj["metadata"]["annotations"] = {ANNOTATION_TRACEPARENT: value}
    return obj


# The Pod
def simulation_of(manifest: Manifest) -> Manifest:
    containers: list[Manifest] = manifest["spec"]["template"]["spec"]["containers"]
    return next(c for c in containers if c["name"] == CONTAINER_SIMULATION)


def made(trace: Any = None, **spec: Any) -> Manifest:
    return job_for(NAME, NAMESPACE, UID, SimulationJobSpec.model_validate({"image": "sim:local"} | spec), CONFIG, trace)


def test_the_pod_is_told_the_trace() -> None:
    manifest = made(TRACE)
    assert manifest["spec"]["template"]["metadata"]["annotations"][ANNOTATION_TRACEPARENT] == PARENT
    assert {"name": "TRACEPARENT", "value": PARENT} in simulation_of(manifest)["env"]
    others = [c for c in manifest["spec"]["template"]["spec"]["initContainers"] if "TRACEPARENT" in str(c)]
    assert others == []


def test_a_traceparent_that_a_person_wrote_into_the_environment_wins() -> None:
    env = simulation_of(made(TRACE, env=[{"name": "TRACEPARENT", "value": "mine"}]))["env"]
    assert [e["value"] for e in env if e["name"] == "TRACEPARENT"] == ["mine"]


def test_the_trace_changes_nothing_else_of_the_job() -> None:
    traced, plain = made(TRACE, retries=2, params={"a": 1}), made(retries=2, params={"a": 1})
    del traced["spec"]["template"]["metadata"]["annotations"][ANNOTATION_TRACEPARENT]
    simulation_of(traced)["env"].remove({"name": "TRACEPARENT", "value": PARENT})
    assert traced == plain
    assert "TRACEPARENT" not in str(plain)


@given(st.one_of(st.text(), st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")))
def test_only_a_valid_annotation_is_passed_on(text: str) -> None:
    run = run_of(with_annotation(run_object(), text))
    assert run.spec is not None
    manifest = job_for(run.name, run.namespace, run.uid, run.spec, CONFIG, run.trace)
    said = manifest["spec"]["template"]["metadata"]["annotations"].get(ANNOTATION_TRACEPARENT)
    assert said == (text if parse(text) else None)
