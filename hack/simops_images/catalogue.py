"""What the images are called and made of; from that, whether one must be built again.

A cluster finds an image by the name in the archive. containerd and Docker complete a name without a registry, like
`sim:local`, in the same way when they import it as when a Pod asks for it, so the archive carries the name exactly as
Pods write it. With `IfNotPresent` nothing is then pulled. buildah alone would put `localhost/` before such a name, so
it is told the name again at export.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The first moment that a zip file can name; every file in an image has it.
SOURCE_DATE_EPOCH = 315_532_800
SHARED_INPUTS = (
    "Dockerfile",
    ".dockerignore",
    "requirements/bootstrap.lock",
    "hack/simops_images/prune.sh",
    "hack/simops_images/install.sh",
)


@dataclass(frozen=True)
class Image:
    """One target of the Dockerfile."""

    target: str
    name: str
    inputs: tuple[str, ...]


IMAGES = {
    image.target: image
    for image in (
        Image(
            "operator",
            "localhost/simops-operator:dev",
            ("requirements/operator.lock", "crds/simops_crds", "crds/simops_io", "operator/simops_operator"),
        ),
        Image(
            "api",
            "localhost/simops-api:dev",
            ("requirements/api.lock", "crds/simops_crds", "crds/simops_io", "api/simops_api"),
        ),
        Image("sim", "sim:local", ("requirements/sim.lock", "sim/simops_sim")),
    )
}
MINIO, TESTBOX = "minio", "testbox"
OTHERS = {MINIO: "localhost/simops-minio:dev", TESTBOX: "localhost/simops-testbox:dev"}
TARGETS = (*IMAGES, *OTHERS)


def name_of(target: str) -> str:
    """Return the name by which Pods ask for a target's image."""
    return IMAGES[target].name if target in IMAGES else OTHERS[target]


def files_below(path: Path) -> list[Path]:
    """Return the files that a build would copy, in a stable order; a missing folder has none."""
    if path.is_file():
        return [path]
    found = (
        Path(folder) / name
        for folder, _, names in os.walk(path)
        if Path(folder).name != "__pycache__"
        for name in names
        if not name.endswith((".pyc", ".pyo", ".pyd"))
    )
    return sorted(found)


def key_of(image: Image, facts: Iterable[str], root: Path = ROOT) -> str:
    """Return a digest of everything that decides what is in an image: its files, and `facts` such as the base image."""
    digest = hashlib.sha256()
    for fact in (image.name, str(SOURCE_DATE_EPOCH), *facts):
        digest.update(f"{len(fact)}:{fact}".encode())
    for entry in (*SHARED_INPUTS, *image.inputs):
        for file in files_below(root / entry):
            content = file.read_bytes()
            digest.update(f"{file.relative_to(root)}:{len(content)}:".encode())
            digest.update(content)
    return digest.hexdigest()
