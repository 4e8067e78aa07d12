"""What a pack's Pod shall run, brought from the store into the volume that the simulation container reads.

The store has the points in chunks and says which of them are those of a round; rank and size of the pack say which are
this Pod's. The simulation starts when `ready` is there, so that is written last, and it holds the pack: a bundle container
that is started again reads it, and touches nothing else.

Whatever is wrong with what the store gives (it is not there, it is half, its digest is not the announced one), it is asked
again until it is right or the Pod is stopped: nothing else could be done about it here.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simops_crds.indexes import Indexes
from simops_operator.pod.pack import CANCELLED, READY
from simops_operator.pod.settings import PackSettings
from simops_operator.pod.store import Store

SCRATCH = "/tmp"  # noqa: S108 - of the simulation container, an emptyDir
_FOLDERS = 100
_NO_COMMAND = ("sh", "-c", "echo 'a parameter has a NUL character: no command line can hold it' >&2; exit 126")


@dataclass(frozen=True, order=True)
class Chunk:
    """A piece of the points in the store."""

    first: int
    count: int
    sha256: str


def stage(settings: PackSettings, outputs: str, store: Store) -> Indexes:
    """Write everything that the simulation container needs; the points of the pack."""
    folder = Path(settings.folder)
    (folder / CANCELLED).mkdir(exist_ok=True)
    parts = store.read(round_key(settings), lambda pieces: parts_of(b"".join(pieces), settings))
    pack = Indexes.of((index, index) for _chunk, own in parts for index in own)
    skipped = store.find(cancelled_key(settings), lambda pieces: mark_cancelled(folder, pack, b"".join(pieces)))
    with (folder / ("points.jsonl" if settings.batch else "pack.sh")).open("wb") as script:
        if not settings.batch:
            script.write(line("pack", outputs, SCRATCH, settings.sweep, str(settings.seconds)))
        for chunk, own in parts:
            # A batch simulation has nobody who would skip for it what is cancelled.
            wanted = set(own).difference((skipped or ()) if settings.batch else ())
            script.write(store.read(chunk_key(settings, chunk), _taker(chunk, wanted, settings, outputs)))
    if not settings.batch:
        (folder / "run.sh").write_bytes(Path(__file__).with_name("run.sh").read_bytes())
    (folder / f"{READY}.new").write_text(str(pack))
    (folder / f"{READY}.new").replace(folder / READY)
    return pack


def round_key(settings: PackSettings) -> str:
    """Where it is said which points the round has."""
    return f"{settings.prefix}/rounds/{settings.round}.json"


def cancelled_key(settings: PackSettings) -> str:
    """Where it is said which points are cancelled."""
    return f"{settings.prefix}/cancelled.json"


def chunk_key(settings: PackSettings, chunk: Chunk) -> str:
    """Where the points of a chunk are."""
    return f"{settings.prefix}/points/{chunk.first:07d}.jsonl"


def parts_of(text: bytes, settings: PackSettings) -> list[tuple[Chunk, list[int]]]:
    """Return the chunks that hold points of this Pod, and which; ValueError or LookupError: the text is no round's file."""
    told = _object(text)
    if told["round"] != settings.round:
        raise ValueError(f"it is of round {told['round']}")
    size = told["pointsPerPod"]
    own = Indexes.parse(told["points"]).slice(settings.pack * size, (settings.pack + 1) * size)
    parts = []
    for chunk in sorted(Chunk(each["first"], each["count"], each["sha256"]) for each in told["chunks"]):
        of_chunk = own[bisect_left(own, chunk.first) : bisect_left(own, chunk.first + chunk.count)]
        if of_chunk:
            parts.append((chunk, of_chunk))
    if not own or sum(len(of_chunk) for _chunk, of_chunk in parts) != len(own):
        raise ValueError(f"it does not say what pack {settings.pack} is, or where its points are")
    return parts


def _taker(chunk: Chunk, wanted: set[int], settings: PackSettings, outputs: str) -> Callable[[Iterable[bytes]], bytes]:
    """Return what makes of the content of a chunk what the script says about its points."""

    def take(pieces: Iterable[bytes]) -> bytes:
        found = points(pieces, chunk, wanted)
        return b"".join(_batch_text(found, settings, outputs) if settings.batch else _runner_text(found, settings))

    return take


def points(pieces: Iterable[bytes], chunk: Chunk, wanted: set[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield index and parameters of the wanted points of a chunk; ValueError: it is not what was announced.

    That can only be known at its end: what was made of it until then is to be forgotten.
    """
    digest, index = hashlib.sha256(), chunk.first
    for text in _lines(pieces):
        digest.update(text)
        if index in wanted:
            point = _object(text)
            if point["index"] != index:
                raise ValueError(f"point {point['index']} is in the place of point {index}")
            yield index, point["params"]
        index += 1
    if digest.hexdigest() != chunk.sha256 or index != chunk.first + chunk.count:
        raise ValueError("its content is not what was announced")


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for text in whole:
            yield text + b"\n"
    if rest:
        yield rest


def _batch_text(found: Iterable[tuple[int, dict[str, Any]]], settings: PackSettings, outputs: str) -> Iterator[bytes]:
    for index, params in found:
        point = {"index": index, "params": all_params(settings, params), "outputs": f"{outputs}/{index}"}
        yield _json(point) + b"\n"


def _runner_text(found: Iterable[tuple[int, dict[str, Any]]], settings: PackSettings) -> Iterator[bytes]:
    """Write the parameters of each point, yield what the runner is told."""
    group: list[tuple[int, bytes]] = []
    for index, own in found:
        params = all_params(settings, own)
        with open(f"{settings.folder}/{index}.json", "wb", buffering=0) as file:  # noqa: PTH123 - a third of the time
            file.write(_json(params))
        group.append((index, line("point", str(index), *words(settings.command, params))))
        if len(group) == _FOLDERS:
            yield _group(group)
            group = []
    if group:
        yield _group(group)


def _group(group: list[tuple[int, bytes]]) -> bytes:
    return line("folders", *(str(index) for index, _text in group)) + b"".join(text for _index, text in group)


def all_params(settings: PackSettings, own: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a point, in alphabetical order."""
    return dict(sorted({**settings.params, **own}.items()))


def words(command: Iterable[str], params: dict[str, Any]) -> tuple[str, ...]:
    """Return the command line of a point: numbers as JSON writes them, booleans as true and false."""
    out = list(command)
    for name, value in params.items():
        out += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
    return _NO_COMMAND if any("\0" in word for word in out) else tuple(out)


def line(function: str, *arguments: str) -> bytes:
    """Return a line of pack.sh; between single quotes a shell takes every character as it is."""
    quoted = ("'" + text.replace("'", "'\\''") + "'" for text in arguments)
    return " ".join((function, *quoted)).encode("utf-8", "replace") + b"\n"


def mark_cancelled(folder: Path, pack: Indexes, text: bytes) -> set[int]:
    """Leave a mark for each point of the pack that is cancelled, where the runner looks before each point; which they are.

    ValueError or LookupError: the text is not what `cancelled.json` holds.
    """
    indexes = set(pack & Indexes.parse(_object(text)["points"]))
    for index in indexes:
        (folder / CANCELLED / str(index)).touch()
    return indexes


def _object(text: bytes) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - what is read is asked for again after a ValueError
    return found


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
