"""Unpacks a bundle and shows what is in it. What comes out of a bundle is not trusted: nothing is written outside."""

import io
import json
import shutil
import stat
import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

from localcluster.progress import StepError

MAX_BYTES = 1 << 30


def safe_name(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Return an entry's path; refuse one that leaves the folder, or that is anything but a plain file."""
    path = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or kind not in {0, stat.S_IFREG}:
        msg = f"the bundle has an entry that is not a file below it: {entry.filename!r}"
        raise StepError(msg)
    return path


def unpack(bundle: bytes, checksum: str | None, folder: Path) -> list[Path]:
    """Replace a folder by a bundle's files; return them."""
    if checksum and sha256(bundle).hexdigest() != checksum:
        msg = "the bundle is not the one that was stored: its checksum differs"
        raise StepError(msg)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    files = []
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if sum(entry.file_size for entry in entries) > MAX_BYTES:
            msg = f"the bundle unpacks to more than {MAX_BYTES} bytes"
            raise StepError(msg)
        for entry in entries:
            path = safe_name(entry)
            target = part / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            files.append(folder / path)
    part.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
    return sorted(files)


def table(files: Sequence[Path], folder: Path) -> str:
    """Return the metrics and the files as a table."""
    rows = []
    metrics = folder / "metrics.json"
    if metrics.exists():
        rows = [(name, f"{value:.6g}") for name, value in json.loads(metrics.read_text()).items()]
    sizes = [(str(file.relative_to(folder)), f"{file.stat().st_size:,} bytes") for file in files]
    width = max((len(name) for name, _ in [*rows, *sizes]), default=0)
    return "\n".join(
        [*(f"  {name:<{width}}  {value}" for name, value in rows), "", *(f"  {n:<{width}}  {v}" for n, v in sizes)]
    )
