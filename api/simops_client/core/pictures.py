"""Pictures as a notebook shows them."""

_KINDS = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff"}
SUFFIXES = (".png", ".jpg", ".jpeg")


class Picture(bytes):
    """The bytes of a picture; a notebook shows it where it is the last thing of a cell. Only PNG and JPEG are shown: an SVG may have programs in it."""

    @property
    def kind(self) -> str:
        """``png``, ``jpeg``, or empty for anything else."""
        return next((kind for kind, head in _KINDS.items() if self.startswith(head)), "")

    def __repr__(self) -> str:
        return f"<Picture {self.kind or 'of another kind'}, {len(self)} bytes>"

    def _repr_png_(self) -> bytes | None:
        return bytes(self) if self.kind == "png" else None

    def _repr_jpeg_(self) -> bytes | None:
        return bytes(self) if self.kind == "jpeg" else None
