"""Records of finished runs in the store, as the gateway answers a job.

Looking for a name that has no record costs one LIST. Records are remembered for a short while: they do not change, but they may be removed.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from simops_api.jobs.ids import id_of
from simops_api.records import Record, record_of
from simops_api.store import Store
from simops_crds.names import key_prefix
from simops_io.s3 import TooLargeError
from simops_io.untrusted import parse

log = logging.getLogger(__name__)

_RECORD = "record.json"
_KEPT_SECONDS = 60.0
_KEPT_BYTES = 32 << 20
_MAX_RECORD = 8 << 20
"""Bytes of a record: an object of the API has a megabyte and a half, and half of its letters may stand there as escapes."""
_AT_ONCE = 4
"""Records that are read at once, for everybody: of each the text is held beside what is made of it."""
_MAX_SAME_NAME = 200
"""Of so many runs of one name the records are read."""


R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Of(Generic[R]):
    """What an archive is of."""

    prefix: Callable[[str, str, str], str]
    """Namespace, name, UID → where everything of a run lies."""
    record: Callable[[Mapping[str, Any], str], R]
    """Object and id → the record of one that is archived."""


JOBS = Of(key_prefix, partial(record_of, archived=True))


class Archive(Generic[R]):
    """The records of runs of one kind."""

    def __init__(
        self, store: Store, default_namespace: str, of: Of[R], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._default_namespace = default_namespace
        self._of = of
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, R]] = OrderedDict()
        self._kept_bytes = 0
        self._reading = asyncio.Semaphore(_AT_ONCE)

    async def find(self, namespace: str, name: str) -> R | None:
        """Return the run of this name that finished last, None if there is none.

        Raises:
            StoreError: the store does not answer.
        """
        best: R | None = None
        uids = await self._uids(namespace, name)
        for first in range(0, len(uids), _AT_ONCE):
            found = await asyncio.gather(*(self.get(namespace, name, uid) for uid in uids[first : first + _AT_ONCE]))
            some = [record for record in (best, *found) if record is not None]
            best = max(some, key=lambda r: (r.completed or 0.0, r.created), default=None)
        return best

    async def annotations(self, namespace: str, name: str) -> list[dict[str, str]]:
        """Return the annotations that the objects of this name had, those of SimOps, of each run that has a record.

        Raises:
            StoreError: the store does not answer.
        """

        async def one(uid: str) -> dict[str, str] | None:
            async with self._reading:
                text = await self._text(f"{self._of.prefix(namespace, name, uid)}/{_RECORD}")
                return annotations_of(text) if text is not None else None

        found = await asyncio.gather(*map(one, await self._uids(namespace, name)))
        return [annotations for annotations in found if annotations is not None]

    async def _uids(self, namespace: str, name: str) -> list[str]:
        # Of what lies below a UID nothing is listed: a sweep may have 100,000 objects there.
        prefix = self._of.prefix(namespace, name, "")
        return [folder.removeprefix(prefix) for folder in await self._store.folders(prefix, _MAX_SAME_NAME)]

    async def get(self, namespace: str, name: str, uid: str) -> R | None:
        """Return the record of one run, None if there is none (any more).

        Raises:
            StoreError: the store does not answer.
        """
        key = f"{self._of.prefix(namespace, name, uid)}/{_RECORD}"
        known = self._kept.get(key)
        if known is not None and self._clock() - known[0] < _KEPT_SECONDS:
            self._kept.move_to_end(key)
            return known[1]
        async with self._reading:
            text = await self._text(key)
            record = self._parsed(key, text, (namespace, name, uid)) if text is not None else None
        self._keep(key, record)
        return record

    async def _text(self, key: str) -> bytes | None:
        try:
            return await self._store.get(key, _MAX_RECORD)
        except TooLargeError as error:
            log.warning("taken as missing: %s", error)
            return None

    def _parsed(self, key: str, text: bytes, place: tuple[str, str, str]) -> R | None:
        job_id = id_of(place[0], place[1], self._default_namespace)
        try:
            obj = object_of(parse(text), *place)
            return self._of.record(obj, job_id) if obj is not None else None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s in the store is no record: %s", key, error)
            return None

    def _keep(self, key: str, record: R | None) -> None:
        old = self._kept.pop(key, None)
        self._kept_bytes -= len(old[1].document) if old is not None else 0
        if record is None:
            return
        self._kept[key] = (self._clock(), record)
        self._kept_bytes += len(record.document)
        while self._kept_bytes > _KEPT_BYTES:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._kept_bytes -= len(dropped.document)


def annotations_of(text: bytes) -> dict[str, str]:
    """Return the annotations that a record tells; none for what is no record."""
    try:
        found = (parse(text).get("metadata") or {}).get("annotations") or {}
        return {str(key): str(value) for key, value in found.items()}
    except (ValueError, AttributeError):
        return {}


def object_of(record: dict[str, Any], namespace: str, name: str, uid: str) -> dict[str, Any] | None:
    """Return the object that a record is of, as the API server had it in the end; None for one that goes with its object.

    Raises:
        ValueError, KeyError, TypeError: this is no record of this run.
    """
    spec, status = dict(record["spec"]), dict(record["status"])
    if (record["namespace"], record["name"], record["uid"]) != (namespace, name, uid):
        raise ValueError("it is of another run")
    if (spec.get("artifacts") or {}).get("deleteWithJob"):
        return None  # the operator has not got round to it yet
    if record.get("artifacts"):  # of a sweep: when its results are removed
        status.setdefault("artifacts", record["artifacts"])
    # A record keeps no version: nothing is ever compared with it.
    meta = {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": "0"}
    return {"metadata": {**dict(record.get("metadata") or {}), **meta}, "spec": spec, "status": status}
