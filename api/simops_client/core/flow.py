"""Flows: what is to be done, as values. A flow is a generator; whoever drives it does each effect and sends it the outcome.

At most one stream is open in a flow. The driver closes it when another one is opened, when the flow says so, and however the flow ends: an
interrupt leaves no connection behind.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from simops_client.core.requests import Request

T = TypeVar("T")


@dataclass(frozen=True)
class Send:
    """Send a request and read the whole answer: an ``httpx.Response``."""

    request: Request


@dataclass(frozen=True)
class Open:
    """Send a request and read the head of the answer: an ``httpx.Response`` whose body is still to be read."""

    request: Request


@dataclass(frozen=True)
class Read:
    """Read the next bytes of the open stream; ``b""`` at its end."""


@dataclass(frozen=True)
class Close:
    """Close the open stream, if there is one."""


@dataclass(frozen=True)
class Sleep:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Work:
    """Call a function that takes a while and needs no network: files, archives, tables."""

    function: Callable[[], Any]


@dataclass(frozen=True)
class Give(Generic[T]):
    """Hand a value to who iterates over the flow."""

    value: T


Effect = Send | Open | Read | Close | Sleep | Work
Flow = Generator[Effect, Any, T]
"""A call that ends with a value."""
Items = Generator[Effect | Give[T], Any, None]
"""A call that gives values, one after another."""


class Running(Generic[T]):
    """One flow in progress."""

    result: T
    """What it ended with; there once ``effect`` is None."""

    def __init__(self, flow: Generator[Effect | Give[Any], Any, T]) -> None:
        """Begin; ``effect`` is the first thing to do."""
        self._flow = flow
        self.effect: Effect | Give[Any] | None = None
        self._step(lambda: next(flow))

    def go_on(self, outcome: Any) -> None:
        """Tell the flow what came of the effect."""
        self._step(lambda: self._flow.send(outcome))

    def fail(self, error: Exception) -> None:
        """Tell the flow that the effect could not be done."""
        self._step(lambda: self._flow.throw(error))

    def close(self) -> None:
        """Leave the flow where it is."""
        self._flow.close()

    def _step(self, step: Callable[[], Effect | Give[Any]]) -> None:
        try:
            self.effect = step()
        except StopIteration as end:
            self.effect, self.result = None, end.value
