"""The built files of the page, read once when the process starts."""

import mimetypes
from dataclasses import dataclass
from pathlib import Path

DIST = Path(__file__).resolve().parent / "dist"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """A file as it is sent."""

    plain: bytes
    gzipped: bytes | None
    media_type: str


@dataclass(frozen=True)
class Assets:
    """The page."""

    shell: str
    """Its HTML; `{{prefix}}` stands for the path at which the gateway is reached."""
    files: dict[str, Asset]
    """Name → file. The names have a digest of the content in them, so a name never means something else."""


def _type_of(name: str) -> str:
    suffix = Path(name).suffix
    return _TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")


def read_assets(dist: Path = DIST) -> Assets | None:
    """Return the page, None when it has not been built."""
    try:
        shell = (dist / "index.html").read_text()
    except FileNotFoundError:
        return None
    files = {}
    for path in sorted((dist / "assets").iterdir()):
        if path.suffix != ".gz":
            packed = path.with_name(f"{path.name}.gz")
            files[path.name] = Asset(
                path.read_bytes(), packed.read_bytes() if packed.exists() else None, _type_of(path.name)
            )
    return Assets(shell, files)
