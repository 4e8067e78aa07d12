"""Samples of the unit cube: random, Latin hypercube, Sobol. The same seed gives the same samples (pure).

``random`` and ``sobol`` are sequences: whoever draws more of them gets the same ones first. A Latin hypercube is not: each of its n
samples stands in a row and a column of n, so that all of them move when n changes.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from simops_crds.v1alpha1.sweep import Method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Block = NDArray[np.float64]

_BLOCK = 8192
_BITS = 30
"""Of a Sobol sequence: said here, since with more of them the samples would be other ones."""


def samples(method: Method, dimensions: int, number: int, seed: int) -> Iterator["Block"]:
    """Yield ``number`` samples of the unit cube, as blocks of shape (some of them, ``dimensions``)."""
    # Named, since the default generator may become another one.
    generator = np.random.Generator(np.random.PCG64(seed))
    if method is Method.RANDOM:
        for rows in _rows(number):
            yield generator.random((rows, dimensions))
    elif method is Method.SOBOL:
        yield from _sobol(dimensions, number, generator)
    else:
        yield from _latin_hypercube(dimensions, number, generator)


def _rows(number: int) -> Iterator[int]:
    for first in range(0, number, _BLOCK):
        yield min(_BLOCK, number - first)


def _sobol(dimensions: int, number: int, generator: np.random.Generator) -> Iterator["Block"]:
    from scipy.stats import qmc  # noqa: PLC0415 - 0.5 s and 60 MB, which most sweeps need not pay

    engine = qmc.Sobol(dimensions, scramble=True, bits=_BITS, rng=generator)
    # The first one by itself: a longer first draw that is no power of two is warned of, on whatever stream.
    yield engine.random(1)
    for rows in _rows(number - 1):
        yield engine.random(rows)


def _latin_hypercube(dimensions: int, number: int, generator: np.random.Generator) -> Iterator["Block"]:
    from scipy.stats import qmc  # noqa: PLC0415 - as above

    yield qmc.LatinHypercube(dimensions, scramble=True, strength=1, rng=generator).random(number)
