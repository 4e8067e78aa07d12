"""What is known of the request that is being handled."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Names the request in every log line about it; empty outside of requests."""
