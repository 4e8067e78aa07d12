"""A sweep's points in a store as the operator leaves them, for tests of what the Pod of a pack makes of them."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

PREFIX = "sweeps/lab/heat/6f0c1234-uid"
Params = dict[str, Any]


def chunk(first: int, points: Sequence[Params]) -> bytes:
    """Some points, as they are stored."""
    lines = ({"index": first + i, "params": params} for i, params in enumerate(points))
    return "".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines).encode()


def chunks(points: Sequence[Params], size: int) -> Iterator[tuple[int, int, bytes]]:
    """First index, count and content of each chunk."""
    for first in range(0, len(points), size):
        some = points[first : first + size]
        yield first, len(some), chunk(first, some)


def round_file(points: Sequence[Params], size: int, *, number: int = 0, ranges: str = "", per_pod: int = 1) -> bytes:
    """What says which points a round has."""
    told = [{"first": f, "count": n, "sha256": hashlib.sha256(data).hexdigest()} for f, n, data in chunks(points, size)]
    whole = {"round": number, "points": ranges or f"0-{len(points) - 1}", "pointsPerPod": per_pod, "reason": "points"}
    return json.dumps(whole | {"chunks": told}).encode()


def objects(
    points: Sequence[Params],
    *,
    size: int = 1000,
    number: int = 0,
    ranges: str = "",
    per_pod: int = 1,
    cancelled: str | None = None,
) -> dict[str, bytes]:
    """Everything that a Pod reads, by key."""
    found = {f"{PREFIX}/points/{first:07d}.jsonl": data for first, _count, data in chunks(points, size)}
    found[f"{PREFIX}/rounds/{number}.json"] = round_file(points, size, number=number, ranges=ranges, per_pod=per_pod)
    if cancelled is not None:
        found[f"{PREFIX}/cancelled.json"] = json.dumps({"points": cancelled}).encode()
    return found
