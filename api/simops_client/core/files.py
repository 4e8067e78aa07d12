"""Downloads: into a part file that a later try goes on with, and under their own name only once they are whole."""

import hashlib
from pathlib import Path
from typing import Any

import httpx

from simops_client.core.flow import Close, Flow, Read, Work
from simops_client.core.requests import Request
from simops_client.core.retry import retried, unreached
from simops_client.core.session import Session
from simops_client.errors import DamagedDownload, SimOpsError, Unavailable

_AS_IT_IS = {"Accept-Encoding": "identity"}
_NO_SUCH_RANGE = 416


class PartFile:
    """What has arrived so far of a file, and of which version of it."""

    def __init__(self, target: Path) -> None:
        """``target``: what it becomes."""
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._tag_path = target.with_name(f"{target.name}.part.tag")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def tag(self) -> str:
        """The entity tag of what it is a part of; empty when nobody knows."""
        return self._tag_path.read_text(encoding="utf-8") if self._tag_path.exists() else ""

    def headers(self) -> dict[str, str]:
        """Return what to ask for: the rest of it, or all of it."""
        # Without a tag the rest may be that of another version.
        return {"Range": f"bytes={self.size}-", "If-Range": self.tag} if self.size and self.tag else {}

    def begin(self, tag: str) -> None:
        """Begin anew, with a version."""
        self.discard()
        self.path.touch()
        if tag and not tag.startswith("W/"):
            self._tag_path.write_text(tag, encoding="utf-8")

    def append(self, chunk: bytes) -> None:
        """Add what has arrived."""
        with self.path.open("ab") as sink:
            sink.write(chunk)

    def discard(self) -> None:
        """Forget it."""
        self.path.unlink(missing_ok=True)
        self._tag_path.unlink(missing_ok=True)

    def finish(self, wanted: str | None) -> None:
        """Make it the file.

        Raises:
            DamagedDownload: its SHA-256 is not the one that is wanted; what has arrived is thrown away.
        """
        if wanted is not None and _sha256(self.path) != wanted:
            self.discard()
            raise DamagedDownload(f"{self.target.name}: its checksum is not the one that was announced")
        self.path.replace(self.target)
        self._tag_path.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def download(session: Session[Any, Any], path: str, target: Path, sha256: str | None = None) -> Flow[Path]:
    """Bring a file here; go on with what an earlier try has left of it.

    Raises:
        DamagedDownload: it is not what was announced, also at a second try.
        SimOpsError: it could not be had.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = PartFile(target)
    request = Request("GET", path)
    for is_last in (False, True):
        yield from _arrived(session, request, part)
        try:
            yield Work(lambda: part.finish(sha256))
        except DamagedDownload:
            # A part of an earlier day may be of another result of the same name.
            if is_last:
                raise
        else:
            break
    return target


def _arrived(session: Session[Any, Any], request: Request, part: PartFile) -> Flow[None]:
    """Fetch all of it. A large result may be cut as often as it likes: only tries that bring nothing are counted."""
    while True:
        before = part.size
        try:
            yield from retried(request, lambda: _fetched(session, request.path, part), session.retries)
        except Unavailable:
            if not session.retries or not part.tag or part.size <= before:
                raise
        else:
            return


def _fetched(session: Session[Any, Any], path: str, part: PartFile) -> Flow[None]:
    """Fetch what is missing. The body has as many bytes as its head says, or else reading it fails."""
    request = Request("GET", path, headers={**part.headers(), **_AS_IT_IS})
    try:
        answer = yield from session.opened(request)
    except SimOpsError as error:
        if error.status != _NO_SUCH_RANGE:
            raise
        part.discard()
        answer = yield from session.opened(Request("GET", path, headers=_AS_IT_IS))
    if not _goes_on(answer, part):
        part.begin(answer.headers.get("ETag", ""))
    while True:
        try:
            chunk: bytes = yield Read()
        except httpx.HTTPError as error:
            raise unreached(error) from error
        if not chunk:
            break
        part.append(chunk)
    yield Close()


def _goes_on(answer: httpx.Response, part: PartFile) -> bool:
    """Whether these bytes follow those that are there."""
    return answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {part.size}-")
