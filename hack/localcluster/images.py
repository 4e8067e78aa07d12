"""Images without a registry: a docker-archive made from one static program.

The archive is the same, byte for byte, whenever the program is.
"""

import hashlib
import io
import json
import os
import platform
import tarfile
from pathlib import Path

from localcluster.paths import image_archive

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
NOBODY = 65532


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    archive.addfile(member, io.BytesIO(data))


def layer_with(program: str, content: bytes) -> bytes:
    """Return a file system layer with nothing but one program in its root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, program, content, 0o755)
    return buffer.getvalue()


def image_config(program: str, layer: bytes, architecture: str) -> dict[str, object]:
    """Return the image's configuration: what to run, as whom, on which layer."""
    return {
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": [f"/{program}"], "User": f"{NOBODY}:{NOBODY}"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }


def write_archive(path: Path, name: str, program: Path) -> None:
    """Write a docker-archive of an image called `name` that runs `program`, which must be linked statically."""
    layer = layer_with(program.name, program.read_bytes())
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    config = json.dumps(image_config(program.name, layer, architecture), sort_keys=True).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with tarfile.open(part, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, config_name, config)
        _add(archive, "layer.tar", layer)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    part.replace(path)


def program_image(name: str, program: Path) -> Path:
    """Return the archive of an image that runs `program`, written anew if the program is newer."""
    path = image_archive(name)
    if not path.exists() or path.stat().st_mtime < program.stat().st_mtime:
        write_archive(path, name, program)
    return path


def tags_in(archive: Path) -> list[str]:
    """Return the names of the images that a docker-archive has."""
    with tarfile.open(archive) as opened:
        stream = opened.extractfile("manifest.json")
        if stream is None:
            return []
        return [tag for image in json.load(stream) for tag in image.get("RepoTags") or []]


def canonical(tag: str) -> str:
    """Return the whole name of an image, which container runtimes know it by: one without a registry is of Docker's."""
    first, slash, _ = tag.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return tag
    return f"docker.io/{tag}" if slash else f"docker.io/library/{tag}"
