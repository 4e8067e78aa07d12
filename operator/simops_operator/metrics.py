"""What the operator counts for Prometheus. Never a label per run: the number of series must not follow the number of runs."""

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from simops_crds.names import FINAL_PHASES, Phase
from simops_operator.core.run import Run

disable_created_metrics()  # type: ignore[no-untyped-call] # each counter would have a second series that says when it began

API_CALLS = Counter(
    "simops_operator_api_calls_total",
    "Calls to the API server by HTTP method and class of the answer's status (none: there was no answer), watches excluded.",
    ["verb", "code"],
)
RECONCILE_SECONDS = Histogram(
    "simops_operator_reconcile_seconds",
    "Duration of one reconcile.",
    ["result"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60),
)
QUEUE_DEPTH = Gauge("simops_operator_queue_depth", "Objects that wait to be reconciled.")
QUEUE_AGE = Gauge("simops_operator_queue_head_age_seconds", "How long the oldest object has waited to be reconciled.")
RUNS = Gauge("simops_operator_unfinished_runs", "SimulationJobs that are not finished.")
JOBS = Gauge(
    "simops_operator_jobs",
    "Unfinished SimulationJobs by phase, of the replica that leads; those that finished are counted as they do.",
    ["phase"],
)
WAITING = Gauge("simops_operator_waiting_runs", "SimulationJobs whose Kubernetes Job waits for its turn to be made.")
FINISHED = Counter("simops_operator_finished_runs_total", "SimulationJobs that finished.", ["phase", "reason"])
START_SECONDS = Histogram(
    "simops_operator_start_seconds",
    "From the creation of a SimulationJob to the start of its simulation.",
    buckets=(1, 2, 5, 10, 30, 60, 300, 1800),
)
SWEEPS = Gauge("simops_operator_sweeps", "SimulationSweeps that are not finished, of the replica that leads.")
SWEEP_POINTS = Counter(
    "simops_operator_sweep_points_total",
    "Points of sweeps that ended, each time that they were run (lost: their Pod ended without a result of them; "
    "reused: an earlier run's result was taken).",
    ["outcome"],
)
SWEEP_ROUNDS = Counter(
    "simops_operator_sweep_rounds_total", "Rounds of sweeps that ended, by why there were.", ["reason"]
)
FINISHED_SWEEPS = Counter(
    "simops_operator_finished_sweeps_total", "SimulationSweeps that finished.", ["phase", "reason"]
)
STORE_CALLS = Counter("simops_operator_store_calls_total", "Calls to the store.")
STORE_ERRORS = Counter("simops_operator_store_errors_total", "Calls to the store that failed.")
BUNDLE_BYTES = Counter("simops_operator_bundle_bytes_total", "Bytes of the bundles of finished runs.")
LEADER = Gauge("simops_operator_leader", "1 while this replica does the work.")
SYNCED = Gauge("simops_operator_synced", "1 when everything has been read once, on the replica that leads.")

_UNFINISHED = tuple(phase.value for phase in Phase if phase not in FINAL_PHASES)


def observe_runs(runs: Iterable[Run]) -> None:
    """Set the gauges of runs. One that has no status yet is pending."""
    tally = Tally(str(run.status.get("phase") or Phase.PENDING.value) for run in runs if not run.finished)
    RUNS.set(tally.total())
    for phase in _UNFINISHED:
        JOBS.labels(phase=phase).set(tally[phase])
