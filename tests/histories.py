"""How many histories the model checks try: 200 in every run of the tests, always the same; SIMOPS_HISTORIES for a long run, with others each time."""

import os

from hypothesis import HealthCheck, settings

_USUAL = 200
_WANTED = int(os.environ.get("SIMOPS_HISTORIES") or _USUAL)
HISTORIES = settings(
    max_examples=_WANTED,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=_WANTED == _USUAL,
    database=None,
)
