"""Texts that a simulation may have chosen, made harmless (pure): some characters are not shown but act, on a terminal or on the text beside them."""

import re

# Unicode's Bidi_Control: they let a text be shown in another order than it is read in. What only joins letters is left, names may need it.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_ACTING = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_BIDI}]")


def harmless(text: str) -> str:
    """Return a text with "?" for each character that acts, but for line ends and tabs."""
    return _ACTING.sub("?", text)


def escaped(text: str) -> str:
    r"""Return a text with each of these characters written out, such as ``\x1b``."""
    return _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
