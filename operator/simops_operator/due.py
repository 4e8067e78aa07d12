"""What is due in the store: artifacts whose time has come, and those whose object is gone. Marks in the store tell which they are; the walk is the same for
jobs and sweeps. What fails for one of them is told and tried again at the next comparison: the others' time has come, too.
"""

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from simops_operator.clock import CLOCK
from simops_operator.store import Store, StoreError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mark:
    """A key in the store that says of what something is due."""

    key: str
    due: int
    """Seconds since 1970."""
    namespace: str
    name: str
    uid: str


async def expire(store: Store, root: str, what: str, expire_one: Callable[[Mark], Awaitable[None]]) -> None:
    """Call ``expire_one`` for each mark below ``root`` whose time has come, the longest due first.

    Args:
        store: where the marks are.
        root: what their keys begin with: ``<root>/<due>/<namespace>/<name>/<uid>``.
        what: is to be removed, in words.
        expire_one: removes what one mark is about, and the mark.

    Raises:
        StoreError: the marks cannot be listed.
    """
    now = int(CLOCK.now().timestamp())
    for key in await store.list_keys(f"{root}/"):
        parts = key.split("/")
        if len(parts) != 5 or not parts[1].isdecimal():
            log.warning("%s in the store is no mark of ours and is left alone", key)
            continue
        mark = Mark(key, int(parts[1]), *parts[2:])
        if mark.due > now:
            break
        try:
            await expire_one(mark)
        except StoreError as error:
            log.warning("%s/%s: its %s are due and were not removed: %s", mark.namespace, mark.name, what, error)


async def remove_orphans(
    store: Store,
    root: str,
    what: str,
    namespaces: Collection[str],
    prefix_of: Callable[[str, str, str], str],
    is_there: Callable[[str, str, str], Awaitable[bool]],
) -> None:
    """Remove what was to go with its object, where the object is gone.

    Args:
        store: where the marks are, and what they are about.
        root: what the keys of the marks begin with: ``<root>/<namespace>/<name>/<uid>``.
        what: is to be removed, in words.
        namespaces: which ones; others belong to other installations that share the bucket.
        prefix_of: namespace, name, UID → where everything is that goes with the object.
        is_there: namespace, name, UID → whether the object still exists.

    Raises:
        ApiError, StoreError: the marks cannot be listed, or nobody says whether an object exists.
    """
    for key in await store.list_keys(f"{root}/"):
        parts = key.split("/")
        if len(parts) != 4 or parts[1] not in namespaces:
            continue
        _, namespace, name, uid = parts
        if await is_there(namespace, name, uid):
            continue
        try:
            await store.delete_prefix(prefix_of(namespace, name, uid))
            await store.delete(key)
        except StoreError as error:
            log.warning("%s/%s: its %s are to go with it and were not removed: %s", namespace, name, what, error)
        else:
            log.info("%s/%s: its %s went with it, as spec.artifacts.deleteWithJob says", namespace, name, what)
