"""What a pack's Pod shall run, brought from the store into the volume that the simulation container reads.

The store has the points in chunks and says which of them are those of a round; rank and size of the pack say which are
this Pod's. The simulation starts when `ready` is there, so that is written last, and it holds the pack: a bundle container
that is started again reads it, and touches nothing else.

Whatever is wrong with what the store gives (it is not there, it is half, its digest is not the announced one), it is asked
again until it is right or the Pod is stopped: nothing else could be done about it here. What is wrong with the volume ends
the container, and kubelet starts another one.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simops_crds.indexes import Indexes
from simops_operator.pod.pack import READY
from simops_operator.pod.settings import PackSettings
from simops_operator.pod.store import Store

CANCELLED = "cancelled"
SCRATCH = "/tmp"  # noqa: S108 - of the simulation container, an emptyDir
_FOLDERS = 100
_NO_COMMAND = ("sh", "-c", "echo 'a parameter has a NUL character: no command line can hold it' >&2; exit 126")


class VolumeError(Exception):
    """The volume of the points cannot be written."""


@dataclass(frozen=True, order=True)
class Chunk:
    """A piece of the points in the store."""

    first: int
    count: int
    sha256: str


def stage(settings: PackSettings, outputs: str, store: Store) -> Indexes:
    """Write everything that the simulation container needs; the points of the pack.

    Raises:
        VolumeError: it cannot be written.
    """
    folder = Path(settings.folder)
    with _writing(folder):
        (folder / CANCELLED).mkdir(exist_ok=True)
    parts = store.read(round_key(settings), lambda pieces: parts_of(b"".join(pieces), settings))
    pack = Indexes.of((index, index) for _chunk, own in parts for index in own)
    skipped = store.find(cancelled_key(settings), lambda pieces: mark_cancelled(folder, pack, b"".join(pieces)))
    with _Script(folder / ("points.jsonl" if settings.batch else "pack.sh")) as script:
        if not settings.batch:
            script.write(line("pack", outputs, SCRATCH, settings.sweep, str(settings.seconds)))
        for chunk, own in parts:
            # A batch simulation has nobody who would skip for it what is cancelled.
            wanted = set(own).difference((skipped or ()) if settings.batch else ())
            script.mark()
            store.read(chunk_key(settings, chunk), _taker(script, chunk, wanted, settings, outputs))
    with _writing(folder):
        if not settings.batch:
            (folder / "run.sh").write_bytes(Path(__file__).with_name("run.sh").read_bytes())
        (folder / f"{READY}.new").write_text(str(pack))
        (folder / f"{READY}.new").replace(folder / READY)
    return pack


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tell a volume that cannot be written from a store that cannot be read: both are an OSError."""
    try:
        yield
    except OSError as error:
        raise VolumeError(f"cannot write {path}: {error.strerror}") from error


class _Script:
    """The file that says what is to be run. What a chunk adds to it can be taken back when the chunk is found to be damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin = 0
        with _writing(path):
            self._file = path.open("wb")

    def __enter__(self) -> "_Script":
        return self

    def __exit__(self, *_exc: object) -> None:
        with _writing(self._path):
            self._file.close()

    def mark(self) -> None:
        """What is there now is good."""
        self._begin = self._file.tell()

    def take_back(self) -> None:
        """Forget what was written since then."""
        with _writing(self._path):
            self._file.seek(self._begin)
            self._file.truncate()

    def write(self, text: bytes) -> None:
        """Add something."""
        with _writing(self._path):
            self._file.write(text)


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
    size = int(told["pointsPerPod"])
    own = _indexes(told).slice(settings.pack * size, (settings.pack + 1) * size)
    parts = []
    for chunk in sorted(Chunk(int(each["first"]), int(each["count"]), str(each["sha256"])) for each in told["chunks"]):
        of_chunk = own[bisect_left(own, chunk.first) : bisect_left(own, chunk.first + chunk.count)]
        if of_chunk:
            parts.append((chunk, of_chunk))
    if not own or sum(len(of_chunk) for _chunk, of_chunk in parts) != len(own):
        raise ValueError(f"it does not say what pack {settings.pack} is, or where its points are")
    return parts


def _taker(
    script: _Script, chunk: Chunk, wanted: set[int], settings: PackSettings, outputs: str
) -> Callable[[Iterable[bytes]], None]:
    """Return what writes the points of a chunk into the script, from its content."""

    def take(pieces: Iterable[bytes]) -> None:
        script.take_back()
        found = points(pieces, chunk, wanted)
        for text in _batch_text(found, settings, outputs) if settings.batch else _runner_text(found, settings):
            script.write(text)

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
            yield index, dict(point["params"])
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
        path = f"{settings.folder}/{index}.json"
        with _writing(Path(path)), open(path, "wb") as file:  # noqa: PTH123 - a third of the time
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
    indexes = set(pack & _indexes(_object(text)))
    with _writing(folder / CANCELLED):
        for index in indexes:
            (folder / CANCELLED / str(index)).touch()
    return indexes


def _object(text: bytes) -> dict[str, Any]:
    told = json.loads(text)
    if not isinstance(told, dict):
        raise ValueError("its content is no JSON object")  # noqa: TRY004 - as for all that is wrong with it
    return told


def _indexes(told: dict[str, Any]) -> Indexes:
    return Indexes.parse(str(told["points"]))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
