"""The command line of the heat equation: options in, files out, exit code.

0 finished · 1 the files could not be written · 2 an option is wrong (nothing is written) · 128 + signal stopped, with
what had been computed kept. The stop signals are caught first of all, before the slow imports: in a container this is
process 1, which ignores any signal that it has no handler for.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simops_sim import options
from simops_sim.problem import ParameterError
from simops_sim.stop import Stop, handling


def main(argv: Sequence[str] | None = None) -> int:
    """Run one simulation, or with $SIMOPS_POINTS all points of that file, and give the exit code."""
    stop = Stop()
    with handling(stop):
        try:
            values = options.parse(sys.argv[1:] if argv is None else argv)
            # The products are small, and a thread per core of the node would fight for those that a Pod may use.
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
            points = os.environ.get("SIMOPS_POINTS")
            return _one(values, stop) if not points else _batch(points, values, stop)
        except (options.UsageError, ParameterError) as error:
            return _fail(error, 2)
        except OSError as error:
            return _fail(error, 1)


def _one(values: dict[str, Any], stop: Stop) -> int:
    request = options.Request.of(values)
    from simops_sim import single  # noqa: PLC0415 – loads numpy, which a refused command line need not wait for

    return single.run(request, Path(request.folder or os.environ.get("SIMOPS_OUTPUTS") or "outputs"), stop, say)


def _batch(points: str, values: dict[str, Any], stop: Stop) -> int:
    results = os.environ.get("SIMOPS_RESULTS")
    if not results:
        raise options.UsageError("$SIMOPS_POINTS is set, but $SIMOPS_RESULTS is not")
    from simops_sim import batch  # noqa: PLC0415 – as above

    return batch.run(Path(points), Path(results), values, stop, say)


def _fail(error: Exception, code: int) -> int:
    sys.stderr.write(options.refusal(error) + "\n")
    return code


def say(text: str) -> None:
    """Write one line of the log."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
