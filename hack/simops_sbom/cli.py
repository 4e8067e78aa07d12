"""The command line of `hack/sbom`."""

import argparse
import hashlib
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from localcluster.golang import tool
from localcluster.paths import image_archive
from localcluster.progress import StepError, say
from simops_images.catalogue import IMAGES, MINIO, ROOT, name_of
from simops_sbom.contents import Package, files_of, modules_of, packages_of, surplus
from simops_sbom.document import document, problem_with

TARGETS = (*IMAGES, MINIO)
OUT = ROOT / "out" / "sbom"


def version() -> str:
    """Return the version of this checkout."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def lock_of(target: str) -> str:
    """Return the lock file of a target."""
    return next(name for name in IMAGES[target].inputs if name.endswith(".lock"))


def packages_in(target: str, archive: Path) -> list[Package]:
    """Return what the built image of a target has in it.

    Raises:
        StepError: it is not what the lock file says.
    """
    if target == MINIO:
        return modules_of(tool(MINIO))
    packages = packages_of(files_of(archive))
    lock = lock_of(target)
    if strange := surplus(packages, (ROOT / lock).read_text(encoding="utf-8")):
        raise StepError(
            f"{name_of(target)} has what {lock} does not name: {', '.join(strange)}; run `hack/images build --force`"
        )
    return packages


def write(target: str, folder: Path) -> Path:
    """Write the document of a target's image.

    Raises:
        StepError: the image is not built, is not what its lock file says, or the document is not valid.
    """
    archive = image_archive(name_of(target))
    if not archive.exists():
        raise StepError(f"{name_of(target)} is not built: run `hack/images build {target}`")
    with archive.open("rb") as data:
        key = hashlib.file_digest(data, "sha256").hexdigest()
    made = datetime.fromtimestamp(archive.stat().st_mtime, UTC)
    packages = packages_in(target, archive)
    text = document(name_of(target), version(), key, made, packages)
    if problem := problem_with(text):
        raise StepError(f"the document of {name_of(target)} is not valid CycloneDX: {problem}")
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{target}.cdx.json"
    out.write_text(text, encoding="utf-8")
    say(f"{name_of(target)}: {len(packages)} packages, {out}")
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Write the documents; an error that a person can act on is a message, not a trace."""
    parser = argparse.ArgumentParser(
        prog="hack/sbom", description="Write what is in each built image as CycloneDX 1.6."
    )
    parser.add_argument("targets", nargs="*", metavar="IMAGE", help=f"{', '.join(TARGETS)} (default: all)")
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to (default: out/sbom)")
    arguments = parser.parse_args(argv)
    if unknown := [target for target in arguments.targets if target not in TARGETS]:
        parser.error(f"no image {unknown[0]}: there are {', '.join(TARGETS)}")
    try:
        for target in arguments.targets or TARGETS:
            write(target, arguments.out)
    except (StepError, OSError) as error:
        say(f"error: {error}")
        return 1
    return 0
