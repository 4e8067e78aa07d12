"""Texts that a simulation may have chosen, made harmless (pure): some characters are not shown but act, on a terminal or on the text beside them."""

import re

# Control characters, line ends of Unicode, and its Bidi_Control, which lets a text be shown in another order than it is read in. What only joins
# letters is left, names may need it.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """Return a text with "?" for each character that acts, but for line ends and tabs."""
    return _ACTING.sub("?", text)


def escaped(text: str) -> str:
    r"""Return a text with each of these characters written out, such as ``\x1b``."""
    return _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """Return a text as one line of which no character acts on the terminal."""
    return escaped(text).replace("\n", "\\n").replace("\t", "\\t")
