"""Which simulation images an installation trusts (pure): one rule for operator and gateway; the chart writes the same as CEL."""

import re


def is_image_allowed(image: str, patterns: tuple[str, ...]) -> bool:
    """Whether an image matches one of the patterns as a whole; ``*`` stands for any characters."""
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), image) for pattern in patterns)
