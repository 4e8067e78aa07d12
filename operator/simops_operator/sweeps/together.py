"""Several calls at once, a bounded number of them."""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
_AT_ONCE = 8


class Together(Protocol):
    """Awaits several things and returns their results in order; the first error ends it."""

    async def __call__(self, work: Sequence[Awaitable[T]]) -> list[T]:
        """Return the results."""


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
