"""What operator and Pods leave in the store, for tests of what is made of it."""

import io
import zipfile
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from simops_crds.space import IndexBuilder, PointsIndex, chunks


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """Return a bundle of some files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return out.getvalue()


def put_points(objects: MutableMapping[str, bytes], prefix: str, points: Iterable[Mapping[str, Any]]) -> PointsIndex:
    """Put the points of a sweep below its prefix; return their index."""
    builder = IndexBuilder()
    for chunk in chunks(points):
        builder.add(chunk)
        objects[f"{prefix}/points/{chunk.ref.file}"] = chunk.data
    index = builder.index()
    objects[f"{prefix}/points/index.json"] = index.to_json()
    return index
