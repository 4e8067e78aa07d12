"""Spans about runs whose object names a trace (OpenTelemetry): what a reconcile changed while it was changed, and the phases when they are over.

A run that names none costs nothing here, nor does any run while traces are off.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, StatusCode, Tracer

from simops_crds.names import Phase
from simops_io.tracing import context_of
from simops_operator.core.run import Owner, Run
from simops_operator.core.views import PodView, parse_time

Attributes = Mapping[str, str | int]


@dataclass
class _Pass:
    """One reconcile; its span begins with the first change, and is then as old as the reconcile."""

    began: int = field(default_factory=time.time_ns)
    span: Span | None = None


_present: ContextVar[_Pass | None] = ContextVar("reconcile", default=None)


class Traces:
    """Makes spans; without a tracer it makes none."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer

    @contextmanager
    def reconcile(self) -> Iterator[None]:
        """Gather what is changed inside under one span."""
        if self._tracer is None:
            yield
            return
        own = _Pass()
        token = _present.set(own)
        try:
            yield
        finally:
            _present.reset(token)
            if own.span is not None:
                own.span.end()

    @contextmanager
    def change(self, run: Owner, what: str, **more: str) -> Iterator[None]:
        """Make a span of what is done inside."""
        if self._tracer is None or run.trace is None:
            yield
            return
        parent, own = context_of(run.trace), _present.get()
        if own is not None:
            if own.span is None:
                own.span = self._tracer.start_span("reconcile", parent, attributes=_about(run), start_time=own.began)
            parent = trace.set_span_in_context(own.span, Context())
        with self._tracer.start_as_current_span(what, parent, attributes={**_about(run), **more}):
            yield

    def finished(self, run: Run, pods: Iterable[PodView]) -> None:
        """Make the spans of the phases of a run that has just finished: pending, each attempt's simulation, storing."""
        if self._tracer is None or run.trace is None:
            return
        for phase in _phases(run, pods):
            span = self._tracer.start_span(
                phase.name,
                context_of(run.trace),
                attributes={**_about(run), **phase.told},
                start_time=_nanoseconds(phase.start),
            )
            if phase.is_error:
                span.set_status(StatusCode.ERROR, str(run.status.get("reason") or ""))
            span.end(_nanoseconds(max(phase.start, phase.end)))


@dataclass(frozen=True)
class _Phase:
    """A part of a run's life that is over."""

    name: str
    start: datetime
    end: datetime
    is_error: bool = False
    told: Attributes = field(default_factory=dict)


def _phases(run: Run, pods: Iterable[PodView]) -> Iterator[_Phase]:
    end = parse_time(run.status.get("completionTime")) or run.created
    start = parse_time(run.status.get("startTime"))
    yield _Phase("pending", run.created, start or end)
    if start is None:
        return
    ends: list[datetime] = []
    for pod in sorted(pods, key=lambda pod: pod.created):
        ended = pod.simulation.terminated
        if ended is None or ended.started_at is None or ended.finished_at is None:
            continue
        told: Attributes = {"k8s.pod.name": pod.name, "process.exit.code": ended.exit_code}
        yield _Phase("simulation", ended.started_at, ended.finished_at, ended.exit_code != 0, told)
        ends.append(ended.finished_at)
    if ends:
        yield _Phase("storing", max(ends), end)
    else:  # no Pod was left to say more
        yield _Phase("simulation", start, end, run.status.get("phase") != Phase.SUCCEEDED)


def _about(run: Owner) -> dict[str, str | int]:
    kind = "simops.job" if isinstance(run, Run) else "simops.sweep"
    told: dict[str, str | int] = {
        "k8s.namespace.name": run.namespace,
        f"{kind}.name": run.name,
        f"{kind}.uid": run.uid,
    }
    return told | {f"{kind}.{key}": str(run.status[key]) for key in ("phase", "reason") if key in run.status}


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
