"""Which simulation images an installation trusts (pure): one rule for operator and gateway; the chart writes the same as CEL."""

import re


def is_image_allowed(image: str, patterns: tuple[str, ...]) -> bool:
    """Whether an image matches one of the patterns as a whole; ``*`` stands for any characters."""
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), image) for pattern in patterns)


DIGEST = "@(sha256:[0-9a-f]{64})$"
"""How an image's name ends that says which image exactly is meant."""


def has_digest(image: str) -> bool:
    """Whether a name says which image exactly is meant: a tag does not."""
    return re.search(DIGEST, image) is not None
