"""All that the points of a sweep have left, as one zip."""

import json
import logging
import time
from array import array
from collections.abc import AsyncGenerator
from contextlib import aclosing

from simops_api.artifacts.directory import BundleError
from simops_api.artifacts.member import TooManyFilesError
from simops_api.artifacts.merged import Merger, Part
from simops_api.artifacts.transfer import begun
from simops_api.errors import ProblemError
from simops_api.holds import Hold
from simops_api.store import Store
from simops_api.sweeps.points import bundle_of, place_of
from simops_api.sweeps.records import SweepRecord
from simops_api.sweeps.shelf import Shelf
from simops_api.sweeps.table import columns_of, csv_of

log = logging.getLogger(__name__)

Bundled = dict[str, "array[int]"]
"""Key of a bundle → of each point that has files there: which folder of it they are in (-1: in none), and the index of the point."""
_PAIR_BYTES = 2 * array("q").itemsize

TABLE, MANIFEST = "table.csv", "manifest.json"


class Collected:
    """The results of sweeps."""

    def __init__(self, shelf: Shelf, store: Store, merger: Merger) -> None:
        self._shelf = shelf
        self._store = store
        self._merger = merger

    async def zip(self, record: SweepRecord, hold: Hold) -> tuple[SweepRecord, AsyncGenerator[bytes, None]]:
        """Return the sweep and the zip, of which the first bytes are there.

        Raises:
            ProblemError: 409 no point has left anything; 410 it was removed; 429, 503 there is no room for it; 502 the store has something else.
            StoreError: the store does not answer.
        """
        record = await self._shelf.settled(record)
        bundles: Bundled = {}
        async with aclosing(self._shelf.blocks(record, hold)) as blocks:
            async for rows in blocks:
                for row in rows:
                    if key := bundle_of(record, row):
                        folder = place_of(record, row).folder.removesuffix("/")
                        bundles.setdefault(key, array("q")).extend((int(folder or -1), row.index))
                hold.add(len(rows) * _PAIR_BYTES)
        if not bundles and record.has_expired(time.time()):
            raise ProblemError(410, f"the results of sweep {record.id} have expired")
        if not bundles:
            raise ProblemError(409, f"no point of sweep {record.id} has left anything yet")
        return record, await begun(self._stream(record, bundles, hold))

    async def _stream(self, record: SweepRecord, bundles: Bundled, hold: Hold) -> AsyncGenerator[bytes, None]:
        missing: list[str] = []

        async def parts() -> AsyncGenerator[Part, None]:
            found = False
            for key, pairs in bundles.items():
                stored = await self._store.stat(key)
                if stored is None:
                    missing.append(key)
                    continue
                found = True
                for folders in _layers(pairs):
                    yield Part(stored, folders)
            if not found:
                raise ProblemError(410, f"the results of sweep {record.id} are no longer in the store")

        async def last() -> AsyncGenerator[tuple[str, AsyncGenerator[bytes, None]], None]:
            async with aclosing(self._shelf.blocks(record, hold)) as blocks:
                columns = await columns_of(blocks)
            yield TABLE, csv_of(record, columns, self._shelf.blocks(record, hold))
            yield MANIFEST, manifest()

        async def manifest() -> AsyncGenerator[bytes, None]:
            whole = {"sweep": json.loads(record.document), "bundles": len(bundles), "missing": missing}
            yield json.dumps(whole, ensure_ascii=False, indent=1).encode(errors="replace")

        try:
            async with aclosing(self._merger.stream(parts(), last())) as chunks:
                async for chunk in chunks:
                    yield chunk
        except (BundleError, TooManyFilesError) as error:
            log.exception("the results of %s/%s", record.namespace, record.name)
            raise ProblemError(502, f"a bundle of sweep {record.id} in the store is not what it should be") from error


def _layers(pairs: "array[int]") -> list[dict[str, str]]:
    """Return, for each time that a bundle is read: folder in it → folder of a point. It is read again for points that have the same result."""
    layers = list[dict[str, str]]()
    for own, index in zip(pairs[::2], pairs[1::2], strict=True):
        folder = f"{own}/" if own >= 0 else ""
        layer = next((one for one in layers if folder not in one), None)
        if layer is None:
            layers.append(layer := {})
        layer[folder] = f"{index}/"
    return layers
