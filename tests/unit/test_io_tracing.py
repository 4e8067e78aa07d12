"""Traces: off unless asked for, and never in the way."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from otlp import PATIENCE, collecting

from simops_io import tracing
from simops_io.traceparent import TraceParent, parse

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def provider_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[TracerProvider]]:
    made: list[TracerProvider] = []
    yield made
    for provider in made:
        tracing.close(provider, 0.1)


def test_without_an_endpoint_there_are_no_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    assert tracing.provider_for("simops-x") is None
    tracing.close(None)
    assert tracing.present() is None


@pytest.mark.parametrize(
    ("environ", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_switch_it(environ: dict[str, str], on: bool) -> None:
    assert tracing.is_on(environ) is on


@pytest.mark.parametrize(
    ("environ", "service"),
    [
        ({}, "simops-x"),
        ({"OTEL_SERVICE_NAME": "mine"}, "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs,team=heat"}, "theirs"),
    ],
)
def test_spans_arrive_under_the_name_of_the_service(
    monkeypatch: pytest.MonkeyPatch, provider_at: list[TracerProvider], environ: dict[str, str], service: str
) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        provider = tracing.provider_for("simops-x")
        assert provider is not None
        provider_at.append(provider)
        parent = parse(PARENT)
        assert parent is not None
        with provider.get_tracer("x").start_as_current_span("work", tracing.context_of(parent)):
            present = tracing.present()
        tracing.close(provider, PATIENCE)
        (span,) = collector.wait("work")
    assert (span.service, span.trace_id, span.parent_id) == (service, PARENT[3:35], PARENT[36:52])
    assert present == TraceParent(parent.trace_id, int(span.span_id, 16), 1)


def test_a_trace_that_is_not_sampled_stays_so(
    monkeypatch: pytest.MonkeyPatch, provider_at: list[TracerProvider]
) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        provider = tracing.provider_for("simops-x")
        assert provider is not None
        provider_at.append(provider)
        parent = parse(PARENT[:-1] + "0")
        assert parent is not None
        tracer = provider.get_tracer("x")
        tracer.start_span("hidden", tracing.context_of(parent)).end()
        tracer.start_span("own").end()
        tracing.close(provider, PATIENCE)
        assert [span.name for span in collector.wait("own")] == ["own"]


def test_the_sampler_of_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, provider_at: list[TracerProvider]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    provider = tracing.provider_for("simops-x")
    assert provider is not None
    provider_at.append(provider)
    assert not provider.get_tracer("x").start_span("never").is_recording()


def test_a_protocol_that_is_not_here_is_told(
    monkeypatch: pytest.MonkeyPatch, provider_at: list[TracerProvider], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    provider = tracing.provider_for("simops-x")
    assert provider is not None
    provider_at.append(provider)
    assert "http/protobuf" in caplog.text


def test_a_collector_that_never_answers_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, provider_at: list[TracerProvider]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        provider = tracing.provider_for("simops-x")
        assert provider is not None
        provider_at.append(provider)
        tracer = provider.get_tracer("x")
        done = threading.Event()

        def work() -> None:
            for _ in range(10_000):  # several times what the queue holds
                tracer.start_span("work").end()
            done.set()

        threading.Thread(target=work, daemon=True).start()
        assert done.wait(PATIENCE)
        closing = threading.Thread(target=tracing.close, args=(provider, 0.5), daemon=True)
        before = time.monotonic()
        closing.start()
        closing.join(PATIENCE)
        # The library alone would wait for 30 s.
        assert time.monotonic() - before < 20


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_a_traceparent_reads_as_it_is_written(trace: int, span: int, flags: int) -> None:
    assert parse(str(TraceParent(trace, span, flags))) == TraceParent(trace, span, flags)


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        PARENT.upper(),
        f"{PARENT}\n",
        f" {PARENT}",
        PARENT.replace("00-", "01-", 1),
        "00-" + "0" * 32 + PARENT[35:],
        PARENT[:36] + "0" * 16 + PARENT[52:],
        PARENT[:-3],
        f"{PARENT}-more",
    ],
)
def test_what_is_no_traceparent_is_none(text: object) -> None:
    assert parse(text) is None
