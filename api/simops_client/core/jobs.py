"""What can be asked of a job, beside waiting, its log and cancelling."""

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simops_client.core.files import download
from simops_client.core.flow import Flow, Work
from simops_client.core.handles import JobHandle
from simops_client.core.pictures import SUFFIXES, Picture
from simops_client.core.requests import Request, archive_path, file_path
from simops_client.core.unpack import unpack as unpacked
from simops_client.models import Artifacts

if TYPE_CHECKING:
    import numpy as np


def artifacts(job: JobHandle) -> Flow[Artifacts]:
    """Return what the job has left: its files with sizes and checksums, and what was left out.

    Raises:
        Conflict: there is no result (yet).
        NotFound: it has expired.
        SimOpsError: it could not be read.
    """
    return (yield from job.session.read(Artifacts, Request("GET", f"{job.path}/artifacts")))


def file(job: JobHandle, path: str) -> Flow[bytes]:
    """Return one file of the result.

    Raises:
        Conflict: there is no result (yet).
        NotFound: there is no such file, or it has expired.
        SimOpsError: it could not be read.
    """
    answer = yield from job.session.call(Request("GET", f"{job.path}/artifacts/{file_path(path)}"))
    return bytes(answer.content)


def json_file(job: JobHandle, path: str) -> Flow[Any]:
    """Return what a JSON file of the result says.

    Raises:
        ValueError: it is no JSON.
        SimOpsError: as for ``file``.
    """
    return json.loads((yield from file(job, path)))


def array(job: JobHandle, path: str) -> Flow["np.ndarray[Any, Any]"]:
    """Return a ``.npy`` file of the result as a numpy array. Pickled objects in it are refused: they would be run.

    Raises:
        ImportError: numpy is not installed.
        ValueError: it is no such file, or has pickled objects.
        SimOpsError: as for ``file``.
    """
    import numpy as np  # noqa: PLC0415 - needed here alone

    content = yield from file(job, path)
    loaded: Any = yield Work(lambda: np.load(BytesIO(content), allow_pickle=False))
    if not isinstance(loaded, np.ndarray):
        raise ValueError(  # noqa: TRY004 - it is the file that is wrong
            f"{path} has many arrays: take it by file(), and numpy.load"
        )
    return loaded


def figure(job: JobHandle, path: str | None = None) -> Flow[Picture]:
    """Return a picture that the simulation has drawn, PNG or JPEG, as bytes that a notebook shows; without ``path`` the only one.

    Raises:
        ValueError: it is no such picture; without ``path``: there is none, or there are several.
        SimOpsError: as for ``file``.
    """
    if path is None:
        listed = yield from artifacts(job)
        found = [one.path for one in listed.files if one.path.lower().endswith(SUFFIXES)]
        if len(found) != 1:
            several = f"has several pictures, say which: {', '.join(found)}"
            raise ValueError(f"{job.id} {several if found else 'has left no picture'}")
        path = found[0]
    picture = Picture((yield from file(job, path)))
    if not picture.kind:
        raise ValueError(f"{path} is neither PNG nor JPEG: take it by file()")
    return picture


def download_result(job: JobHandle, folder: str | Path, *, unpack: bool = True) -> Flow[Path]:
    """Bring the whole result into a folder; return the folder, or with ``unpack=False`` the zip in it; a ``folder`` that ends with .zip is the zip itself.

    What an earlier call has left unfinished is gone on with. Checksums are held to those that the gateway tells.

    Raises:
        DamagedDownload: it is not what was announced, or would lead out of the folder.
        SimOpsError: as for ``artifacts``.
    """
    listed = yield from artifacts(job)
    target = archive_path(folder, job.id, hidden=unpack)
    # The zip of a point is made while it is sent, of a bundle that has others too.
    checksum = listed.bundle.sha256 if job.info.sweep is None else None
    yield from download(job.session, f"{job.path}/result", target, checksum)
    if not unpack:
        return target
    sums = {one.path: one.sha256 for one in listed.files if one.sha256}
    yield Work(lambda: unpack_and_remove(target, Path(folder), sums))
    return Path(folder)


def unpack_and_remove(archive: Path, folder: Path, sums: dict[str, str]) -> None:
    """Unpack an archive that nobody needs afterwards, whether it was a good one or not.

    Raises:
        DamagedDownload: it was none.
    """
    try:
        unpacked(archive, folder, sums)
    finally:
        archive.unlink(missing_ok=True)
