"""The observed order of convergence (pure): the slope of log(error) over log(step), by least squares.

P. J. Roache, Verification and Validation in Computational Science and Engineering, 1998, ch. 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simops_api.plots.gather import PlotError


@dataclass(frozen=True)
class Fit:
    """error ≈ factor · x^order."""

    order: float
    factor: float
    r_squared: float


def fitted(x: Sequence[float], error: Sequence[float]) -> Fit:
    """Return the order of ``error`` in ``x``; both have the same length, and are positive.

    Raises:
        PlotError: there are fewer than two different x, or a value that has no logarithm.
    """
    if len(set(x)) < 2:
        raise PlotError("x", "an order needs points at two values of x at least")
    if min(x) <= 0:
        raise PlotError("x", "an order needs values of x that are greater than 0")
    if min(error) <= 0:
        raise PlotError("metric", "an order needs values that are greater than 0")
    log_x, log_error = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(error, dtype=float))
    order, offset = np.polyfit(log_x, log_error, 1)
    residual = float(np.sum((log_error - (order * log_x + offset)) ** 2))
    spread = float(np.sum((log_error - log_error.mean()) ** 2))
    return Fit(float(order), float(np.exp(offset)), 1.0 - residual / spread if spread else 1.0)
