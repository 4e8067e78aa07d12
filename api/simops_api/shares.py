"""What all callers have together, such as places for streams or bytes of bodies, and the part of it that one of them may have."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from simops_api.auth.caller import ANONYMOUS, Caller
from simops_api.errors import ProblemError, unavailable

_PARTS = 4
_RETRY_SECONDS = 5


class Shares:
    """So much for all, and a quarter of it for one account. Who has not signed in may be anybody, and has no share."""

    def __init__(self, limit: int, what: str) -> None:
        """``what`` is counted, in words that follow a number: ``streams open``."""
        self.limit = limit
        self.share = max(1, limit // _PARTS)
        self._what = what
        self._taken = 0
        self._by = Counter[str]()

    def __len__(self) -> int:
        return self._taken

    def take(self, caller: Caller, amount: int = 1) -> bool:
        """Count an amount; return whether it is no more than there may be. It is to be given back in any case."""
        self._taken += amount
        self._by[caller.account] += amount
        return self._taken <= self.limit and not self._exceeds(caller, 0)

    def give_back(self, caller: Caller, amount: int = 1) -> None:
        """Count an amount no more."""
        self._taken -= amount
        self._by[caller.account] -= amount
        if self._by[caller.account] <= 0:
            del self._by[caller.account]

    def has_room(self, caller: Caller, amount: int, part: int = 1, *, of_all: bool = True) -> bool:
        """Whether an amount more would be no more than there may be, or than a part of that; without ``of_all`` the caller's own share alone counts."""
        if of_all and self._taken + amount > self.limit // part:
            return False
        return not self._exceeds(caller, amount, part)

    def check(self, caller: Caller) -> None:
        """See that one more is left for a caller.

        Raises:
            ProblemError: 429 the caller has as many as one may have; 503 there are as many as there may be.
        """
        if self._exceeds(caller, 1):
            raise ProblemError(
                429,
                f"you have {self.share} {self._what} at this gateway, as many as one caller may: let some of them end",
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )
        if self._taken >= self.limit:
            raise unavailable(f"this gateway has {self.limit} {self._what} already, as many as it may", _RETRY_SECONDS)

    @contextmanager
    def held(self, caller: Caller) -> Iterator[None]:
        """Count one for as long as it lasts.

        Raises:
            ProblemError: as for ``check``.
        """
        self.check(caller)
        self.take(caller)
        try:
            yield
        finally:
            self.give_back(caller)

    def _exceeds(self, caller: Caller, more: int, part: int = 1) -> bool:
        return caller is not ANONYMOUS and self._by[caller.account] + more > self.share // part
