"""The objects of a sweep as the operator writes them, for tests of what reads them."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from simops_operator.pod.settings import PackSettings

PREFIX = "sweeps/lab/heat/6f0c"
T = TypeVar("T")


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def objects(
    params: list[dict[str, Any]], points: str, per_pod: int, *, size: int = 1000, round_: int = 0, prefix: str = PREFIX
) -> dict[str, bytes]:
    """Keys and contents of a sweep's points, in chunks of so many, and of one round of it."""
    out, chunks = {}, []
    for first in range(0, len(params), size):
        part = params[first : first + size]
        data = b"".join(compact({"index": first + k, "params": each}) + b"\n" for k, each in enumerate(part))
        out[f"{prefix}/points/{first:07d}.jsonl"] = data
        chunks.append({"first": first, "count": len(part), "sha256": hashlib.sha256(data).hexdigest()})
    told = {"round": round_, "points": points, "pointsPerPod": per_pod, "chunks": chunks}
    return out | {f"{prefix}/rounds/{round_}.json": compact(told)}


def settings_of(folder: str, **changes: Any) -> PackSettings:
    values: dict[str, Any] = {
        "sweep": "heat",
        "prefix": PREFIX,
        "round": 0,
        "pack": 0,
        "folder": folder,
        "command": ("sim",),
        "params": {},
        "batch": False,
        "seconds": 60,
    }
    return PackSettings(**values | changes)


@dataclass
class FakeStore:
    """Objects in memory, given away in pieces of a few bytes; `spoil` may change what one reading gets."""

    objects: dict[str, bytes]
    spoil: Callable[[str, bytes], bytes] = lambda _key, data: data
    asked: list[str] = field(default_factory=list)

    def read(self, key: str, take: Callable[[Iterator[bytes]], T]) -> T:
        while True:
            self.asked.append(key)
            assert self.asked.count(key) < 5, f"{key} is never right"
            data = self.spoil(key, self.objects[key])
            try:
                return take(iter([data[at : at + 7] for at in range(0, len(data), 7)]))
            except (ValueError, LookupError):
                continue

    def find(self, key: str, take: Callable[[Iterator[bytes]], T]) -> T | None:
        return self.read(key, take) if key in self.objects else None
