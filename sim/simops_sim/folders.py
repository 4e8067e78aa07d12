"""What a batch writes: a folder of small files a point, and a line a point in the file of results.

Both are done with few calls, since for a point of a millisecond they are most of the work: the files are written into a
folder beside their place, which is then renamed, so that a reader sees all of them or none.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

LOG = "log.txt"


def write_folder(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Make the folder, and those above it, with these files; in one that is there already they replace old ones."""
    part = folder.with_name(f".{folder.name}.part")
    _make(part)
    try:
        for name, content in files:
            _write(f"{part}/{name}", content)
        try:
            part.rename(folder)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            for path in part.iterdir():
                path.replace(folder / path.name)
            part.rmdir()
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _make(part: Path) -> None:
    try:
        part.mkdir()
    except FileNotFoundError:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir()
    except FileExistsError:  # of a process that was killed
        shutil.rmtree(part)
        part.mkdir()


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        _write_all(descriptor, content)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:  # a disk that fills up takes a part of it, and says so at the next call
        left = left[os.write(descriptor, left) :]


class Results:
    """The file of results: lines are appended, each with one call, so that a reader never waits for a buffer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> "Results":
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        return self

    def add(self, index: int, exit_code: int, seconds: float, metrics: str = "") -> None:
        """Tell of a point whose files are complete; `metrics` is a JSON object, if there is one."""
        more = f',"metrics":{metrics}' if metrics else ""
        line = f'{{"index":{index},"exitCode":{exit_code},"seconds":{seconds:.6f}{more}}}\n'
        _write_all(self._descriptor, line.encode())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


def compact(metrics: object) -> str:
    """Give the JSON text of a results line."""
    return json.dumps(metrics, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
