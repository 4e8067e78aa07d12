"""What one run of the 1D heat equation is asked to do.

The question is kept apart from the numerics so that the command line can explain or refuse a request before numpy is
loaded: most of the start-up time of a short run is imports. A `Problem` that exists is valid, so nothing behind it
checks again. Standard library only.
"""

import math
from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal

Method = Literal["ftcs", "btcs", "crank_nicolson"]
InitialCondition = Literal["sine", "gaussian", "uniform"]
Boundary = Literal["dirichlet", "neumann"]

STABLE_R = 0.5
"""FTCS is stable, and obeys the maximum principle, up to this value of r = α·dt/dx²."""

GAUSSIAN_WIDTH = 0.1
"""Standard deviation of the Gaussian profile as a fraction of the length."""

MAX_SPATIAL_STEPS = 1_000_000
"""A few dozen rows are held in memory at once; a million points keep that below a GiB."""

_SMALLEST, _LARGEST = 1e-50, 1e50  # keeps every product of parameters away from overflow
_LARGEST_STABLE_R = STABLE_R * (1 + 1e-12)  # r computed from dt and dx may miss 1/2 by a few ulps


class ParameterError(ValueError):
    """One parameter cannot be used; the message is one line that begins with the option's name."""

    def __init__(self, option: str, why: str) -> None:
        super().__init__(f"--{option}: {why}")
        self.option = option


def _option(default: object, text: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True, slots=True)
class Problem:
    """The parameters, in SI units. Each field is an option of the command line of the same name."""

    length: float = _option(1.0, "length L of the rod, in m")
    time_steps: int = _option(100, "number of time steps (the field has one row more, for t = 0)")
    diffusivity: float = _option(0.01, "thermal diffusivity α, in m²/s")
    spatial_steps: int = _option(51, "number of grid points, both ends included")
    initial_temp: float = _option(100.0, "temperature at the centre at t = 0, in K (or °C: only differences matter)")
    boundary_temp: float = _option(0.0, "temperature at the ends, in K (or °C)")
    end_time: float = _option(10.0, "simulated time, in s")
    method: Method = _option(  # noqa: RUF009 – `_option` is `field`
        "crank_nicolson",
        "ftcs: explicit, order 1 in time, needs α·dt/dx² ≤ 1/2; btcs: implicit, order 1, never overshoots; "
        "crank_nicolson: implicit, order 2",
        ("ftcs", "btcs", "crank_nicolson"),
    )
    initial_condition: InitialCondition = _option(  # noqa: RUF009
        "sine",
        "profile at t = 0: half-wave between centre and ends, Gaussian of standard deviation L/10, or the centre's "
        "temperature everywhere",
        ("sine", "gaussian", "uniform"),
    )
    boundary: Boundary = _option(  # noqa: RUF009
        "dirichlet",
        "dirichlet: the ends are held at boundary_temp; neumann: the ends are insulated",
        ("dirichlet", "neumann"),
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(item, getattr(self, item.name))
        if self.spatial_steps < 3:
            raise ParameterError("spatial_steps", f"must be at least 3, not {self.spatial_steps}")
        if self.spatial_steps > MAX_SPATIAL_STEPS:
            raise ParameterError(
                "spatial_steps", f"{self.spatial_steps} points do not fit into memory; at most {MAX_SPATIAL_STEPS}"
            )
        if self.method == "ftcs" and not self._is_stable_with(self.time_steps):
            longest, steps = STABLE_R * self.dx**2 / self.diffusivity, self.stable_time_steps
            raise ParameterError(
                "method",
                f"ftcs is unstable here: α·dt/dx² = {self.r:.6g} > 1/2; it needs dt ≤ {longest:.6g} s, "
                f"so --time_steps {steps} or more for --end_time {self.end_time:g}, not {self.time_steps}; "
                "or another method",
            )

    @property
    def dx(self) -> float:
        """Distance of two grid points, in m."""
        return self.length / (self.spatial_steps - 1)

    @property
    def dt(self) -> float:
        """Time step, in s."""
        return self.end_time / self.time_steps

    @property
    def r(self) -> float:
        """The stability number (mesh Fourier number) α·dt/dx²."""
        return self.diffusivity * self.dt / self.dx**2

    @property
    def stable_time_steps(self) -> int:
        """The smallest number of time steps with which FTCS is stable on this grid."""
        steps = max(1, math.ceil(self.diffusivity * self.end_time / (_LARGEST_STABLE_R * self.dx**2)))
        # The quotient was rounded: ask the very number that decides.
        while not self._is_stable_with(steps):
            steps += max(1, steps >> 50)
        while 1 < steps < 1 << 50 and self._is_stable_with(steps - 1):
            steps -= 1
        return steps

    def _is_stable_with(self, time_steps: int) -> bool:
        return self.diffusivity * (self.end_time / time_steps) / self.dx**2 <= _LARGEST_STABLE_R

    @property
    def keeps_maximum_principle(self) -> bool:
        """Whether the scheme can create no new extreme: its rows are then averages with weights ≥ 0.

        FTCS always (an unstable choice does not exist), BTCS always, Crank-Nicolson for r ≤ 1.
        """
        return self.method != "crank_nicolson" or self.r <= 1.0

    @property
    def starts_with_a_jump(self) -> bool:
        """Whether the profile at t = 0 jumps at the ends: what Crank-Nicolson with a long step rings on."""
        return (
            self.initial_condition == "uniform"
            and self.boundary == "dirichlet"
            and self.initial_temp != self.boundary_temp
        )


def _check(item: "Field[Any]", value: object) -> None:
    name = item.name
    if item.metadata["choices"]:
        if value not in item.metadata["choices"]:
            raise ParameterError(name, f"must be one of {', '.join(item.metadata['choices'])}, not {value!r}")
    elif item.type is int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ParameterError(name, f"must be a whole number, not {value!r}")
        if value < 1:
            raise ParameterError(name, f"must be at least 1, not {value}")
    else:
        _check_real(name, value)


def _check_real(name: str, value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ParameterError(name, f"must be a number, not {value!r}")
    if not math.isfinite(value):
        raise ParameterError(name, f"must be finite, not {value}")
    if name.endswith("_temp"):
        if abs(value) > _LARGEST:
            raise ParameterError(name, f"must be between {-_LARGEST:g} and {_LARGEST:g}, not {value}")
    elif value <= 0:
        raise ParameterError(name, f"must be positive, not {value}")
    elif not _SMALLEST <= value <= _LARGEST:
        raise ParameterError(name, f"must be between {_SMALLEST:g} and {_LARGEST:g}, not {value}")
