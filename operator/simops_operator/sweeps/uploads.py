"""Lists of points that the gateway has put into the store, for sweeps whose points do not fit into their object.

Nobody is trusted: what is read is what its digest says, has as many points as the spec says, and every point keeps the rules. A list is looked for in the
namespace of its sweep only.
"""

import logging
from datetime import datetime, timedelta
from functools import partial

from simops_crds.names import UPLOADS_PREFIX, Reason, upload_key
from simops_crds.space import listed
from simops_crds.v1alpha1 import Space
from simops_operator.core.sweeps.books import Why
from simops_operator.store import Store, TooLargeError
from simops_operator.sweeps.points import RefusedError
from simops_operator.sweeps.together import InThread

log = logging.getLogger(__name__)

KEPT = timedelta(days=7)
"""How long a list stays in the store after it was uploaded last. A sweep needs it only until its own points are stored."""


async def with_points(store: Store, namespace: str, space: Space, in_thread: InThread) -> Space:
    """Return a space with its points in it, also where the spec only names them.

    Raises:
        RefusedError: the list is not there, or is not what the spec says.
        StoreError: the store does not answer.
    """
    source = space.points_from
    if source is None:
        return space
    try:
        data = await store.get_bytes(upload_key(namespace, source.digest), listed.MAX_LIST_BYTES)
    except TooLargeError as error:
        raise _refused(f"the list has more than {listed.MAX_LIST_BYTES >> 20} MiB: make several sweeps") from error
    if data is None:
        raise _refused(
            f"there is no list {source.digest} in the store for namespace {namespace}: upload it (POST /api/v1/points) before the sweep is made; "
            f"a list that no sweep takes is kept for {KEPT.days} days"
        )
    if await in_thread(partial(listed.digest_of, data)) != source.digest:
        raise _refused(f"the list in the store is not what its digest {source.digest} says: upload it again")
    try:
        points = await in_thread(partial(listed.Lines.read, data, source.points))
    except ValueError as error:
        raise _refused(str(error).removeprefix(f"{listed.POINTS_FROM}: ")) from error
    return space.model_copy(update={"points": points, "points_from": None})


def _refused(text: str) -> RefusedError:
    return RefusedError(Why(Reason.INVALID_SPACE, f"{listed.POINTS_FROM}: {text}"))


async def remove_old(store: Store, namespace: str, wanted: set[str], now: datetime) -> None:
    """Remove lists that were uploaded long ago, but for those that sweeps still wait for.

    Args:
        store: where they are.
        namespace: of which namespace.
        wanted: digests that unfinished sweeps name.
        now: the time.

    Raises:
        StoreError: the store does not answer.
    """
    kept = {upload_key(namespace, digest) for digest in wanted}
    for key in await store.list_older(f"{UPLOADS_PREFIX}/{namespace}/", now - KEPT):
        if key not in kept:
            await store.delete(key)
            log.info("%s: it was uploaded more than %d days ago and is removed", key, KEPT.days)
