"""What the operator counts for Prometheus. Never a label per run: the number of series must not follow the number of runs."""

from prometheus_client import Counter, Gauge, Histogram

API_CALLS = Counter("simops_operator_api_calls_total", "Calls to the API server, watches excluded.", ["verb"])
RECONCILE_SECONDS = Histogram(
    "simops_operator_reconcile_seconds",
    "Duration of one reconcile.",
    ["result"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60),
)
QUEUE_DEPTH = Gauge("simops_operator_queue_depth", "Objects that wait to be reconciled.")
RUNS = Gauge("simops_operator_unfinished_runs", "SimulationJobs that are not finished.")
FINISHED = Counter("simops_operator_finished_runs_total", "SimulationJobs that finished.", ["phase", "reason"])
START_SECONDS = Histogram(
    "simops_operator_start_seconds",
    "From the creation of a SimulationJob to the start of its simulation.",
    buckets=(1, 2, 5, 10, 30, 60, 300, 1800),
)
STORE_ERRORS = Counter("simops_operator_store_errors_total", "Calls to the store that failed.")
BUNDLE_BYTES = Counter("simops_operator_bundle_bytes_total", "Bytes of the bundles of finished runs.")
LEADER = Gauge("simops_operator_leader", "1 while this replica does the work.")
