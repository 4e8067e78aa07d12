"""Jobs and points of sweeps as one list (pure): a sweep is one block in it, however many points it has."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from simops_api.blocks import pieces
from simops_api.index import Index, Query, span
from simops_api.sweeps.points import point_document
from simops_api.sweeps.records import SweepRecord


@dataclass(frozen=True)
class Listing:
    """A page."""

    total: int
    """How many there are in all."""
    documents: list[bytes]
    """Those of this page, as JSON."""


def listing(jobs: Index | None, sweeps: Sequence[SweepRecord], query: Query, first: int, count: int) -> Listing:
    """Return ``count`` jobs and points from the one of rank ``first`` on, in the query's order.

    Args:
        jobs: where the jobs are; None: only points.
        sweeps: the sweeps whose points are meant, the oldest first.
        query: which of them; its phases are those of points too.
        first: the rank of the first one, from 0.
        count: how many at most.
    """
    selection = (jobs or Index()).select(query)
    blocks = [(sweep, size) for sweep in sweeps if (size := sweep.count(query.phases))]
    singles = selection.total
    total = singles + sum(size for _, size in blocks)
    begin, end, step = span(total, first, count, newest_first=query.newest_first)
    documents: list[bytes] = []
    for piece in pieces(
        singles, [size for _, size in blocks], lambda i: selection.before(blocks[i][0].key), begin, end
    ):
        if piece.block is None:
            documents += [record.document for record in selection.records(piece.first, piece.last)]
            continue
        sweep = blocks[piece.block][0]
        documents += [point_document(sweep, i) for i in sweep.slice(query.phases, piece.first, piece.last)]
    return Listing(total, documents[::step])


def sweeps_of(sweeps: Index, query: Query, namespaces: Collection[str]) -> list[SweepRecord]:
    """Return the sweeps whose points a query may mean, the oldest first."""
    if not len(sweeps) or not namespaces:
        return []
    found = sweeps.select(replace(query, namespaces=namespaces, phases=None))
    return [record for record in found.records(0, found.total) if isinstance(record, SweepRecord)]
