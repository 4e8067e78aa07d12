"""OpenTelemetry traces: off unless an endpoint is configured, and never in the way of the work.

Configured by the standard variables alone: ``OTEL_EXPORTER_OTLP_ENDPOINT`` or ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` switches it on,
``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_TRACES_SAMPLER`` and ``OTEL_BSP_…`` mean what they mean elsewhere. Spans wait in a
bounded queue that a thread of its own sends from: a collector that is slow or away costs spans and nothing else.
"""

import logging
import os
import threading
from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from simops_io.traceparent import TraceParent

log = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"
_SEND_SECONDS = 5.0
_CLOSE_SECONDS = 2.0


def is_on(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether traces are to be sent."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() != "none" and any(map(environ.get, _ENDPOINTS))


def provider_for(service: str) -> TracerProvider | None:
    """Return what makes spans and sends them, None when traces are off. ``service`` is the name unless the environment gives one."""
    if not is_on():
        return None
    wanted = next(filter(None, map(os.environ.get, _PROTOCOLS)), _PROTOCOL)
    if wanted != _PROTOCOL:
        log.warning("traces are sent by %s, the only protocol here, and not by %s", _PROTOCOL, wanted)
    said = OTELResourceDetector().detect().attributes
    resource = Resource.create({} if said.get(SERVICE_NAME) else {SERVICE_NAME: service})
    exporter = OTLPSpanExporter(timeout=None if any(map(os.environ.get, _TIMEOUTS)) else _SEND_SECONDS)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def close(provider: TracerProvider | None, seconds: float = _CLOSE_SECONDS) -> None:
    """Send what waits, for so long at most."""
    if provider is None:
        return
    # The library's own limit is 30 s and more; its threads are daemons, so that who leaves here leaves.
    closing = threading.Thread(target=provider.shutdown, name="traces end", daemon=True)
    closing.start()
    closing.join(seconds)


def context_of(parent: TraceParent) -> Context:
    """Return the context in which spans become children of one elsewhere."""
    place = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=TraceFlags(parent.flags))
    return trace.set_span_in_context(NonRecordingSpan(place), Context())


def present() -> TraceParent | None:
    """Return the present span, None when there is none."""
    span = trace.get_current_span().get_span_context()
    return TraceParent(span.trace_id, span.span_id, int(span.trace_flags)) if span.is_valid else None
