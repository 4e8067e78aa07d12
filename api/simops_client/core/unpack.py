"""Archives are unpacked into a folder, and into nothing else."""

import hashlib
import os
import stat
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from simops_client.errors import DamagedDownload

_CHUNK = 1 << 20
_ODD = frozenset("\\:" if os.name == "nt" else "")
"""What separates folders or names drives there."""


def unpack(archive: Path, folder: Path, sums: Mapping[str, str] | None = None) -> list[Path]:
    """Write the files of a zip below a folder; return their paths. ``sums``: SHA-256 of files, by their paths in the zip.

    All names are looked at before the first file is written.

    Raises:
        DamagedDownload: a name leads out of the folder, is no plain file, or a checksum is wrong.
    """
    root = folder.resolve()
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [(info, _target(root, info)) for info in opened.infolist() if not info.is_dir()]
            for info, target in members:
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(info) as source:
                    _write(source, target, (sums or {}).get(info.filename))
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,
    ) as error:  # the last: encrypted, or packed in an unknown way
        raise DamagedDownload(f"{archive.name} is no zip that can be read: {error}") from error
    return [target for _, target in members]


def _target(root: Path, info: zipfile.ZipInfo) -> Path:
    name = info.filename
    path = PurePosixPath(name)
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode not in (0, stat.S_IFREG):
        raise DamagedDownload(f"{name!r} in the archive is no plain file")
    if not name or path.is_absolute() or ".." in path.parts or _ODD & set(name):
        raise DamagedDownload(f"{name!r} in the archive leads out of the folder")
    target = root / path
    # A link that stands in the folder already may lead out of it.
    if not target.resolve().is_relative_to(root):
        raise DamagedDownload(f"{name!r} leads out of the folder by a link that is in it")
    return target


def _write(source: IO[bytes], target: Path, wanted: str | None) -> None:
    # A name that no other file of the archive has.
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    digest = hashlib.sha256()
    try:
        with part.open("xb") as sink:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                sink.write(chunk)
        if wanted is not None and digest.hexdigest() != wanted:
            raise DamagedDownload(f"{target.name!r}: its checksum is not the one that was announced")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
