"""Several calls at once, a bounded number of them, and calls that compute."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
_AT_ONCE = 8


class Together(Protocol):
    """Awaits several things and returns their results in order; the first error ends it."""

    async def __call__(self, work: Sequence[Awaitable[T]]) -> list[T]:
        """Return the results."""


class InThread(Protocol):
    """Calls a function that computes for a while, without holding up everything else."""

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Return its result."""


def portions(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Yield some things so many at a time, in their order."""
    return (items[i : i + most] for i in range(0, len(items), most))


async def together(work: Sequence[Awaitable[T]]) -> list[T]:
    """Return the results of some work in order, so much of it at once as the store has connections."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(item: Awaitable[T]) -> T:
        async with gate:
            return await item

    results: list[Any] = await asyncio.gather(*(one(item) for item in work), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return list(results)
