"""What the reconcile of a sweep remembers between two passes. All of it can be found again in the store; losing it costs time, never correctness."""

from dataclasses import dataclass, field
from datetime import datetime

from simops_crds.indexes import Indexes
from simops_operator.core.sweeps.books import Books, Round, Why
from simops_operator.core.sweeps.estimate import Pace
from simops_operator.core.sweeps.results import Gathered
from simops_operator.core.sweeps.situation import Facts
from simops_operator.core.sweeps.status import Told
from simops_operator.sweeps.shelf import Index, Shelf


@dataclass
class Memory:
    """Of one sweep."""

    loaded: bool = False
    index: Index | None = None
    books: Books = field(default_factory=Books)
    round: Round | None = None
    gathered: Gathered = field(default_factory=Gathered)
    loss: Why | None = None
    refusal: Why | None = None
    pods_listed: bool = False
    results_listed: bool = False
    unread: list[tuple[int, str]] | None = None
    """What Pods have left that is to be read yet: number of the pack, and name. None: nobody has looked."""
    told: Indexes | None = None
    rejected: str = ""
    store_error: str = ""
    bucket_ready: bool = False
    owned: bool = False
    pace: Pace = field(default_factory=Pace)
    status_due: datetime | None = None
    """Until then no status is written."""
    recorded: Told | None = None
    """The final status that this process has written into the record."""
    flushed_at: datetime | None = None
    """When the table was last written."""

    async def load(self, shelf: Shelf) -> None:
        """Read what the store has of the sweep.

        Raises:
            StoreError: the store does not answer.
        """
        index = await shelf.read_index()
        if index is not None:
            books = await shelf.read_books()
            this = await shelf.read_round(books.rounds)
            self.gathered = Gathered(await shelf.read_results(this, index)) if this is not None else Gathered()
            self.books, self.round = books, this
        self.index = index
        self.loaded = True

    def turn(self, books: Books) -> None:
        """Go on with other books; those of a later round begin it anew."""
        if books.rounds != self.books.rounds:
            self.round, self.gathered = None, Gathered()
            self.pods_listed = self.results_listed = False
            self.unread = None
            self.told = None
        self.books = books

    def facts(self, now: datetime) -> Facts:
        """Return what a decision needs of it."""
        return Facts(
            loaded=self.loaded,
            points=self.index.points if self.index is not None else None,
            refusal=self.refusal,
            books=self.books,
            round=self.round,
            results=self.gathered.results,
            lost_packs=self.gathered.lost_packs,
            loss=self.loss,
            pods_listed=self.pods_listed,
            results_listed=self.results_listed,
            told=self.told,
            per_second=self.pace.per_second(now),
            rejected=self.rejected,
            store_error=self.store_error,
        )
