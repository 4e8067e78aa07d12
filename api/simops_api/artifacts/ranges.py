"""Ranges and preconditions of RFC 9110 (pure).

Starlette has them for files of a disk only. One range is understood; for several the RFC lets a server send the whole, and this one does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

_RANGE = re.compile(r"([0-9]*)-([0-9]*)")
_TAGS = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_MOST_DIGITS = 18


class UnsatisfiableError(Exception):
    """None of what was asked for is there (416)."""


@dataclass(frozen=True)
class Range:
    """Some consecutive bytes."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """Return how Content-Range says it."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


class Verdict(Enum):
    """What the preconditions of a request say."""

    SEND = 200
    NOT_MODIFIED = 304
    FAILED = 412


def parse_range(header: str | None, size: int) -> Range | None:
    """Return the bytes that a Range header asks for, None where the whole is to be sent.

    Raises:
        UnsatisfiableError: it begins after the end.
    """
    unit, _, rest = (header or "").partition("=")
    specs = [spec for part in rest.split(",") if (spec := part.strip(" \t"))]
    if unit.strip().lower() != "bytes" or len(specs) != 1:
        return None
    found = _RANGE.fullmatch(specs[0])
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(_number(found[2]), size)
        if _number(found[2]) == 0:
            raise UnsatisfiableError
        return Range(size - length, length) if length else None
    first = _number(found[1])
    last = _number(found[2]) if found[2] else max(first, size - 1)
    if last < first:
        return None
    if first >= size:
        raise UnsatisfiableError
    return Range(first, min(last, size - 1) - first + 1)


def _number(digits: str) -> int:
    # More digits than any size has say no more than that; Python refuses to read thousands of them.
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def check(headers: Mapping[str, str], etag: str) -> Verdict:
    """Return what If-Match and If-None-Match say of a representation with this strong entity tag."""
    wanted = headers.get("if-match")
    if wanted is not None and wanted.strip() != "*" and etag not in _tags(wanted, weak=False):
        return Verdict.FAILED
    known = headers.get("if-none-match")
    if known is not None and (known.strip() == "*" or etag in _tags(known, weak=True)):
        return Verdict.NOT_MODIFIED
    return Verdict.SEND


def wanted_range(headers: Mapping[str, str], etag: str, size: int) -> Range | None:
    """Return the bytes that a GET asks for, None for the whole; If-Range is heeded.

    Raises:
        UnsatisfiableError: they begin after the end.
    """
    condition = headers.get("if-range")
    # A date never matches: no Last-Modified is sent.
    if condition is not None and condition.strip() != etag:
        return None
    return parse_range(headers.get("range"), size)


def _tags(header: str, *, weak: bool) -> set[str]:
    return {tag for mark, tag in _TAGS.findall(header) if weak or not mark}
