"""A minimal Debian (or Ubuntu) with Python, made from the machine's own package source: the base without a registry.

It is made once and kept as a tar file, named after the distribution's suite and the packages in it.
"""

import hashlib
import platform
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from localcluster.paths import cache, log_file
from localcluster.progress import StepError, run_logged
from simops_images.catalogue import SOURCE_DATE_EPOCH

PACKAGES = ("python3", "python3-venv", "ca-certificates")
BOOTSTRAP_TIMEOUT = 20 * 60
# A mount or process that a build leaves behind goes with these namespaces, however the build ends.
PRIVATELY = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
UNWANTED = (
    "./dev/*",
    "./proc/*",
    "./run/*",
    "./sys/*",
    "./tmp/*",
    "./var/cache/*",
    "./var/lib/apt/lists/*",
    "./var/log/*",
    "./usr/share/doc/*",
    "./usr/share/info/*",
    "./usr/share/locale/*",
    "./usr/share/man/*",
)
SUPPORTED_PYTHON = re.compile(r"3\.1[123]")


@dataclass(frozen=True)
class Source:
    """Where a distribution's packages come from, and the keys that sign them."""

    mirror: str
    suite: str
    components: str
    keyring: str | None


@dataclass(frozen=True)
class Base:
    """A base image: its name, the tar of its files, and what tells it from another of the same name."""

    name: str
    archive: Path
    key: str


def _deb822(text: str, suite: str) -> Source | None:
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, flags=re.MULTILINE))
        usable = "deb" in fields.get("Types", "").split() and fields.get("Enabled", "yes") != "no"
        if usable and suite in fields.get("Suites", "").split() and "main" in fields.get("Components", "").split():
            keyring = fields.get("Signed-By", "").strip()
            components = ",".join(c for c in fields["Components"].split() if c in {"main", "universe"})
            return Source(fields["URIs"].split()[0], suite, components, keyring if keyring.startswith("/") else None)
    return None


def _one_line(text: str, suite: str) -> Source | None:
    for line in text.splitlines():
        match = re.match(
            r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.*)", line.strip()
        )
        if match and match["suite"] == suite and "main" in match["components"].split():
            keyring = re.search(r"signed-by=(/\S+)", match["options"] or "")
            components = ",".join(c for c in match["components"].split() if c in {"main", "universe"})
            return Source(match["uri"], suite, components, keyring[1] if keyring else None)
    return None


def package_source(suite: str, etc: Path = Path("/etc/apt")) -> Source:
    """Return the machine's own source of a suite, so that no mirror's name is written down here."""
    for file in sorted([*etc.glob("sources.list"), *etc.glob("sources.list.d/*")]):
        found = None
        if file.suffix == ".sources":
            found = _deb822(file.read_text(errors="replace"), suite)
        elif file.suffix == ".list":
            found = _one_line(file.read_text(errors="replace"), suite)
        if found:
            return found
    msg = f"{etc} names no package source of {suite} with the component main"
    raise StepError(msg)


def distribution() -> tuple[str, str]:
    """Return this machine's distribution and its suite, for example debian and bookworm."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    identity = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if not identity & {"debian", "ubuntu"} or not release.get("VERSION_CODENAME"):
        msg = (
            "images can be built here only with Docker: the base image made without it needs Debian or Ubuntu.\n"
            "  Install Docker and start it, or give a base image that buildah can pull: --python-image IMAGE"
        )
        raise StepError(msg)
    return release["ID"], release["VERSION_CODENAME"]


def _python_version(rootfs: Path) -> str:
    version = (rootfs / "usr/bin/python3").readlink().name.removeprefix("python")
    if not SUPPORTED_PYTHON.fullmatch(version):
        msg = f"this distribution's Python is {version}, the images need 3.11 to 3.13: use Docker, or a newer one"
        raise StepError(msg)
    return version


def _bootstrap(source: Source, work: Path) -> str:
    rootfs = work / "rootfs"
    keyring = [f"--keyring={source.keyring}"] if source.keyring else []
    command = [
        *PRIVATELY,
        "debootstrap",
        "--variant=minbase",
        f"--components={source.components}",
        f"--include={','.join(PACKAGES)}",
        *keyring,
        source.suite,
        str(rootfs),
        source.mirror,
    ]
    title = f"Making a base image of {source.suite} with Python (once)"
    run_logged(
        title, command, log_file("base-image"), timeout=BOOTSTRAP_TIMEOUT, env={"DEBIAN_FRONTEND": "noninteractive"}
    )
    version = _python_version(rootfs)
    tar = ["tar", "--create", f"--file={work / 'base.tar'}", f"--directory={rootfs}", "--sort=name", "--numeric-owner"]
    tar += [f"--mtime=@{SOURCE_DATE_EPOCH}", *(f"--exclude={pattern}" for pattern in UNWANTED), "."]
    subprocess.run(tar, check=True, stdin=subprocess.DEVNULL)
    return version


def base_image() -> Base:
    """Return the base image of this machine, made if it is not kept yet."""
    name, suite = distribution()
    key = hashlib.sha256(" ".join((name, suite, platform.machine(), *PACKAGES, *UNWANTED)).encode()).hexdigest()[:12]
    folder = cache() / "images" / "base"
    folder.mkdir(parents=True, exist_ok=True)
    found = next(folder.glob(f"{suite}-{key}-python*.tar"), None)
    if found is None:
        for stale in folder.glob("making-*"):
            shutil.rmtree(stale)
        with tempfile.TemporaryDirectory(prefix="making-", dir=folder) as work:
            # debootstrap's root must be enterable by the unprivileged users of what it installs.
            Path(work).chmod(0o755)
            version = _bootstrap(package_source(suite), Path(work))
            found = folder / f"{suite}-{key}-python{version}.tar"
            (Path(work) / "base.tar").replace(found)
    version = found.stem.rpartition("python")[2]
    return Base(f"localhost/python:{version}-slim", found, f"{found.name}:{found.stat().st_mtime_ns}")
