"""Bring a stream to an S3 store, as a whole or not at all, through whatever the store does until the time is over.

minio-py's `put_object` gives up a whole multipart upload when one part fails. Here each request is tried again alone
until the deadline, and the stream is read again only if the store has lost the upload.

In memory are at most four parts: the one that is filled, two on their way, and the last one handed over. A part has 8
MiB; after each 1,000 parts the size doubles (a store takes 10,000), so the bound is 32 MiB for bundles below 8 GiB
and about 1/125 of the bundle for larger ones.

No checksum extensions, ACLs, tags or encryption headers: some stores lack them. The store checks each part (SHA-256
in the signature, MD5 under TLS), and size and an identifying metadata entry of the finished object are compared with
what was sent.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from minio.datatypes import Part

from simops_operator.pod.store import PARALLEL, RETRIED, TOKEN, LostError, Pause, Store

PART_SIZE = 8 << 20
_PARTS_PER_SIZE = 1000


def put(store: Store, key: str, stream: Callable[[], Iterable[bytes]], content_type: str) -> None:
    """Upload what `stream()` yields; it is called again if the store loses the upload."""
    pause = Pause(store.remaining)
    while True:
        token = f"{time.time_ns():x}-{random.getrandbits(64):016x}"
        try:
            size = _send(store, key, stream(), token, content_type)
            _verify(store, key, size, token)
        except LostError as obstacle:
            store.obstacle(f"{obstacle}; sending everything again")
            pause()
        else:
            return


def _send(store: Store, key: str, stream: Iterable[bytes], token: str, content_type: str) -> int:
    headers = {"Content-Type": content_type, f"x-amz-meta-{TOKEN}": token}
    parts = _parts(stream)
    first = next(parts, bytearray())
    if len(first) < PART_SIZE:
        store.persist(f"put {key}", lambda client: client.put_one(key, first, headers))
        return len(first)
    # What a killed container has begun, or a try whose answer was lost, the store ends itself after a day or two: nobody
    # may list unfinished uploads, since that right knows no prefix.
    upload = store.persist(f"start {key}", lambda client: client.start(key, headers))
    try:
        done, size = _send_parts(store, key, upload, first, parts)
        store.persist(f"complete {key}", lambda client: client.complete(key, upload, done, token))
    except BaseException:
        _abort(store, key, upload)
        raise
    return size


def _send_parts(
    store: Store, key: str, upload: str, first: bytearray, rest: Iterator[bytearray]
) -> tuple[list[Part], int]:
    done: list[Part] = []
    pending: deque[Future[Part]] = deque()
    size, data, number = 0, first, 1
    with ThreadPoolExecutor(PARALLEL, "part") as pool:
        while data:
            if len(pending) == PARALLEL:
                done.append(pending.popleft().result())
            pending.append(pool.submit(_part, store, key, upload, number, data))
            size += len(data)
            number += 1
            data = next(rest, bytearray())
        done.extend(future.result() for future in pending)
    return done, size


def _part(store: Store, key: str, upload: str, number: int, data: bytearray) -> Part:
    etag = store.persist(f"part {number} of {key}", lambda client: client.put_part(key, upload, number, data))
    return Part(number, etag)


def _verify(store: Store, key: str, size: int, token: str) -> None:
    try:
        there = store.persist(f"look at {key}", lambda client: client.look(key))
    except LostError as error:
        raise LostError(f"the store took {key} but does not have it") from error
    if there != (size, token):
        raise LostError(f"the store has {there[0]} bytes of {key} instead of {size}, or another upload's")


def _abort(store: Store, key: str, upload: str) -> None:
    """Leave no parts behind. One try, also when the time is over: the reserve is for this."""
    try:
        store.client().abort(key, upload)
    except RETRIED as error:
        store.note(f"abort {key}: {store.describe(error)}")


def _parts(stream: Iterable[bytes]) -> Iterator[bytearray]:
    """Cut the stream into parts of equal sizes; the last one may be smaller."""
    number, wanted, part = 1, PART_SIZE, bytearray()
    for chunk in stream:
        rest = memoryview(chunk)
        while rest:
            taken = rest[: wanted - len(part)]
            part += taken
            rest = rest[len(taken) :]
            if len(part) == wanted:
                yield part
                part = bytearray()
                number += 1
                wanted = PART_SIZE << (number - 1) // _PARTS_PER_SIZE
    if part:
        yield part
