"""A tiny foreign image for tests: busybox and nothing else, without an entry point, as somebody else's image may be.

It is made from Debian's static busybox with the standard library alone, or taken from Docker where there is no Debian.
"""

import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from localcluster.images import ARCHITECTURES
from localcluster.paths import log_file
from localcluster.progress import StepError, run_logged
from simops_images.catalogue import OTHERS, SOURCE_DATE_EPOCH, TESTBOX

PACKAGE = "busybox-static"
DOCKER_IMAGE = "busybox:1.37"
NAME = OTHERS[TESTBOX]
FOLDERS = {"bin": 0o755, "etc": 0o755, "home": 0o755, "root": 0o700, "tmp": 0o1777, "var": 0o755}
FILES = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n"}


def _member(name: str, mode: int = 0o644, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode, member.type, member.mtime = mode, kind, SOURCE_DATE_EPOCH
    return member


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = _member(name, mode)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def layer(busybox: bytes, applets: Iterable[str]) -> bytes:
    """Return the file system: busybox, a link for each of its applets, and the folders that programs expect."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, mode in FOLDERS.items():
            archive.addfile(_member(name, mode, tarfile.DIRTYPE))
        for name, text in FILES.items():
            _add(archive, name, text.encode())
        _add(archive, "bin/busybox", busybox, 0o755)
        for applet in sorted(set(applets) - {"busybox"}):
            link = _member(f"bin/{applet}", 0o777, tarfile.SYMTYPE)
            link.linkname = "busybox"
            archive.addfile(link)
    return buffer.getvalue()


def write_archive(path: Path, name: str, content: bytes) -> None:
    """Write the docker-archive of an image of one layer."""
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1980-01-01T00:00:00Z",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(content).hexdigest()}"]},
        # Builders that put a layer on top count the layers below by it.
        "history": [{"created": "1980-01-01T00:00:00Z", "created_by": "busybox"}],
    }
    encoded = json.dumps(config, sort_keys=True).encode()
    config_name = f"{sha256(encoded).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, config_name, encoded)
        _add(archive, "layer.tar", content)
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _download(folder: Path) -> Path:
    command = ["apt-get", "download", "-q", PACKAGE]
    try:
        run_logged(f"Fetching {PACKAGE}", command, log_file("testbox"), timeout=300, cwd=folder)
    except StepError:
        if os.geteuid() != 0:
            raise
        # A machine that never updated its package lists does not know the package.
        run_logged("apt-get update", ["apt-get", "update", "-q"], log_file("apt-testbox"), timeout=900)
        run_logged(f"Fetching {PACKAGE}", command, log_file("testbox"), timeout=300, cwd=folder)
    return next(folder.glob("*.deb"))


def build(archive: Path) -> None:
    """Write the test image's docker-archive."""
    if shutil.which("apt-get") is None:
        for title, command in (
            (f"Fetching {DOCKER_IMAGE}", ["docker", "pull", DOCKER_IMAGE]),
            (f"Naming it {NAME}", ["docker", "tag", DOCKER_IMAGE, NAME]),
            (f"Saving {NAME}", ["docker", "save", f"--output={archive}", NAME]),
        ):
            run_logged(title, command, log_file("testbox"), timeout=600)
        return
    with tempfile.TemporaryDirectory() as folder:
        package = _download(Path(folder))
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True, timeout=60)
        program = next(path for path in Path(folder).rglob("bin/busybox") if path.is_file())
        applets = subprocess.run(
            [program, "--list"], capture_output=True, text=True, check=True, timeout=60
        ).stdout.split()
        write_archive(archive, NAME, layer(program.read_bytes(), applets))
