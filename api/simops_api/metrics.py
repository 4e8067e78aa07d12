"""What the gateway counts for Prometheus. Never a label per job, caller or path: the number of series must not follow their number.

One process has one registry, so a Pod runs one worker. What is known without counting (jobs, the cache) is read when Prometheus asks.
"""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call] # each counter would have a second series that says when it began

REQUESTS = Counter(
    "simops_gateway_requests_total",
    "Requests by method, route and status.",
    ["method", "route", "status"],
)
REQUEST_SECONDS = Histogram(
    "simops_gateway_request_seconds",
    "Duration of a request until its last byte; of a stream of events until its first.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RESPONSE_BYTES = Counter("simops_gateway_response_bytes_total", "Bytes of bodies that were sent.", ["route"])
IN_FLIGHT = Gauge("simops_gateway_requests_in_flight", "Requests that are being answered, streams among them.")
STREAMS = Gauge("simops_gateway_open_streams", "Streams of events (logs, states) that are open.")
RATE_LIMITED = Counter(
    "simops_gateway_rate_limited_total", "Requests that were refused as their caller makes too many."
)
REVIEWS = Counter(
    "simops_gateway_auth_reviews_total",
    "Questions to the API server who a caller is (token) or what they may do (access); what was remembered is not among them.",
    ["kind", "result"],
)
API_CALLS = Counter(
    "simops_gateway_api_calls_total",
    "Calls to the API server by verb (HTTP method, or WATCH) and class of the answer's status (none: there was no answer).",
    ["verb", "code"],
)
STORE_CALLS = Counter("simops_gateway_store_calls_total", "Calls to the store.")
STORE_ERRORS = Counter("simops_gateway_store_errors_total", "Calls to the store that failed.")
STORE_BYTES = Counter("simops_gateway_store_bytes_total", "Bytes read from the store.")
JOBS = Gauge("simops_gateway_jobs", "SimulationJobs in the cache by phase.", ["phase"])
CACHE_OBJECTS = Gauge("simops_gateway_cache_objects", "Objects in the watch cache.", ["kind"])
CACHE_AGE = Gauge(
    "simops_gateway_cache_age_seconds",
    "Seconds since the API server was last heard of; -1 before the first time.",
    ["kind"],
)
CACHE_SYNCED = Gauge("simops_gateway_cache_synced", "1 when all objects have been read once.", ["kind"])
CACHE_RELISTS = Gauge("simops_gateway_cache_relists", "How often all objects were read anew since the start.", ["kind"])


def count_api_call(verb: str, code: str) -> None:
    """Count a call to the API server."""
    API_CALLS.labels(verb=verb, code=code).inc()
