"""What a file is said to be, and what a browser may do with it (pure).

Results are somebody's own files. They must never run as pages of the gateway, which a browser may be signed in to: every answer of the gateway is in a
sandbox without scripts and nothing is guessed from its bytes (``headers``), and only types that no browser runs are shown in place.
"""

import mimetypes
import re
from urllib.parse import quote

BINARY = "application/octet-stream"
ZIP = "application/zip"

# Without the tables of the machine that it runs on, so that it says the same everywhere.
_KNOWN = mimetypes.MimeTypes(filenames=())
_OWN = {
    ".csv": "text/csv",
    ".dat": BINARY,
    ".h5": "application/x-hdf5",
    ".hdf5": "application/x-hdf5",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".mp4": "video/mp4",
    ".nc": "application/x-netcdf",
    ".npy": BINARY,
    ".npz": BINARY,
    ".parquet": "application/vnd.apache.parquet",
    ".svg": "image/svg+xml",
    ".toml": "application/toml",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zip": ZIP,
}
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_IN_PLACE = frozenset(
    {
        "application/json",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/csv",
        "text/plain",
    }
)
_UNSAFE = re.compile(r'[^\x20-\x7e]|["\\%]')


def media_type(path: str) -> str:
    """Return the media type of a file, by its name."""
    name = path.rpartition("/")[2].lower()
    _, dot, ending = name.rpartition(".")
    if own := _OWN.get(dot + ending):
        return own
    guessed, packed = _KNOWN.guess_type(name.replace(":", "_"))
    if packed is not None:
        return _PACKED.get(packed, BINARY)
    return guessed or BINARY


def content_type(path: str) -> str:
    """Return the Content-Type of a file."""
    found = media_type(path)
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def disposition(path: str) -> str:
    """Return the Content-Disposition of a file: what to do with it, and what to call it (RFC 6266)."""
    name = path.rpartition("/")[2]
    how = "inline" if media_type(path) in _IN_PLACE else "attachment"
    plain = _UNSAFE.sub("_", name)
    # The second form is for names that the first one cannot say.
    more = f"; filename*=UTF-8''{quote(name, safe='', errors='replace')}" if plain != name else ""
    return f'{how}; filename="{plain}"{more}'
