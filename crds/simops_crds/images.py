"""Which simulation images an installation trusts (pure): one rule for operator and gateway; the chart writes the same as CEL."""

import re

DIGEST = "@(sha256:[0-9a-f]{64})$"
"""How the name of an image ends that says which image exactly is meant; in CEL too, so ``$`` and no ``\\Z``."""


def is_image_allowed(image: str, patterns: tuple[str, ...]) -> bool:
    """Whether an image matches one of the patterns as a whole; ``*`` stands for any characters."""
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), image) for pattern in patterns)


def has_digest(image: str) -> bool:
    """Whether an image is named by what it is made of, and not by a tag alone, which can be moved to something else."""
    found = re.search(DIGEST, image)
    return found is not None and found.start() > 0 and not image.endswith("\n")


def why_not_trusted(image: str, patterns: tuple[str, ...], *, require_digest: bool) -> str | None:
    """Return why an installation does not run an image, as the end of a sentence that starts with the image; None: it runs it.

    Args:
        image: the image reference, as a person wrote it.
        patterns: the images that are allowed; ``*`` stands for any characters.
        require_digest: whether a tag is not enough.
    """
    if not is_image_allowed(image, patterns):
        return f"is not allowed here; allowed: {', '.join(patterns) or 'none'}"
    if require_digest and not has_digest(image):
        return "is not named by its digest, which is required here: write it as name@sha256: and the 64 digits that the registry shows"
    return None
