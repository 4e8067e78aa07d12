"""Static tokens: a file of lines ``token,user,"group1,group2"``, for installations without an identity provider.

The form is that of Kubernetes' own static token file without its column of uids. Who somebody is comes from here; what they may do
comes from RBAC, as for everybody.
"""

import csv
import hashlib
import io
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from simops_api.auth.caller import Caller

log = logging.getLogger(__name__)

MIN_LENGTH = 16
AUTHENTICATED = "system:authenticated"
"""The group of everybody who has signed in; RBAC may name it."""
_RESERVED = "system:"
_MAX_BYTES = 1 << 20
_LOOK_SECONDS = 1.0


class TokenFileError(Exception):
    """The file cannot be used; the text says which line and why, without the token."""


def digest_of(token: str) -> bytes:
    """Return what a token is known by: tokens themselves are not kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def parse_tokens(text: str) -> dict[bytes, Caller]:
    """Return the digest of each token → whose it is (pure).

    Raises:
        TokenFileError: a line is wrong, or there is none.
    """
    found: dict[bytes, Caller] = {}
    # Quoting of more than one line has no use here and would swallow the lines after a forgotten quote.
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            (cells,) = csv.reader(io.StringIO(line), strict=True, skipinitialspace=True)
            token, caller = _entry([cell.strip() for cell in cells])
        except (csv.Error, ValueError) as error:
            raise TokenFileError(f"line {number}: {error}") from None
        if digest_of(token) in found:
            raise TokenFileError(f"line {number}: this token stands in an earlier line already")
        found[digest_of(token)] = caller
    if not found:
        raise TokenFileError('no line has a token; write token,user or token,user,"group1,group2"')
    return found


def _entry(cells: list[str]) -> tuple[str, Caller]:
    if not 2 <= len(cells) <= 3:
        raise ValueError(f'has {len(cells)} columns; write token,user or token,user,"group1,group2"')
    token, user, groups = [*cells, ""][:3]
    if len(token) < MIN_LENGTH:
        raise ValueError(f"a token has at least {MIN_LENGTH} characters; make one by: openssl rand -hex 24")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("a token has only printable ASCII characters without spaces")
    if not user or not user.isprintable():
        raise ValueError("a user name is needed, without control characters")
    names = [name.strip() for name in groups.split(",") if name.strip()]
    for name in (user, *names):
        if name.startswith(_RESERVED):
            raise ValueError(f"names that start with {_RESERVED} are Kubernetes' own: {name!r}")
        if not name.isprintable():
            raise ValueError("a group has a control character")
    return token, Caller(user, (*dict.fromkeys(names), AUTHENTICATED))


class TokenFile:
    """The file, read again when it changes, as it does when the Secret behind it does."""

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Read it.

        Raises:
            TokenFileError: it cannot be read, or is wrong.
        """
        self._path = Path(path)
        self._clock = clock
        self._looked = clock()
        self._mark = self._stat()
        self._callers: Mapping[bytes, Caller] = self._read()

    def find(self, token: str) -> Caller | None:
        """Return whose token it is, None for nobody's.

        It is looked up by its digest. How long that takes says nothing of how much of a token was right.
        """
        self._refresh()
        return self._callers.get(digest_of(token))

    def _refresh(self) -> None:
        if self._clock() - self._looked < _LOOK_SECONDS:
            return
        self._looked = self._clock()
        mark: tuple[int, ...] = ()
        try:
            mark = self._stat()
            if mark == self._mark:
                return
            self._callers = self._read()
            log.info("static tokens were read again: %d", len(self._callers))
        except TokenFileError as error:
            if mark != self._mark:
                log.error("static tokens: the old ones stay in use: %s", error)  # noqa: TRY400 - a mistake of people
        self._mark = mark

    def _stat(self) -> tuple[int, ...]:
        try:
            seen = os.stat(self._path)  # noqa: PTH116 - follows the links of a Secret's mount
        except OSError as error:
            raise TokenFileError(f"{self._path}: {error.strerror}") from None
        return (seen.st_mtime_ns, seen.st_ino, seen.st_size)

    def _read(self) -> dict[bytes, Caller]:
        try:
            with self._path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise TokenFileError(f"{self._path}: {error.strerror}") from None
        try:
            return parse_tokens(_text(data))
        except TokenFileError as error:
            raise TokenFileError(f"{self._path}: {error}") from None


def _text(data: bytes) -> str:
    if len(data) > _MAX_BYTES:
        raise TokenFileError(f"has more than {_MAX_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise TokenFileError("is not UTF-8") from None
