"""Images of people's own simulations: a folder with a Dockerfile becomes an image in the local cluster, with Docker or without."""

import re
from pathlib import Path

from localcluster import providers
from localcluster.paths import image_archive
from localcluster.progress import StepError, say, step
from simops_images import engines
from simops_images.catalogue import TESTBOX, name_of

BASE = name_of(TESTBOX)
"""busybox and nothing else: a base image that needs no registry."""
LOCAL = "localhost/"
_NAME = re.compile(r"[a-z0-9][a-z0-9._/-]*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
# A registry that was asked for a base image, by its API's version 2, and did not answer; what a step of the build asks for is somewhere else.
_UNREACHABLE = re.compile(r"/v2/.*(?:dial tcp|timeout|deadline exceeded)")
_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)", re.MULTILINE | re.IGNORECASE)


def bases(dockerfile: str) -> set[str]:
    """Return the images that a Dockerfile begins with."""
    return set(_FROM.findall(dockerfile))


def checked(name: str, folder: Path) -> str:
    """Return the text of a folder's Dockerfile.

    Raises:
        StepError: there is none, or the image's name cannot be one.
    """
    if not _NAME.fullmatch(name):
        msg = f"{name!r} cannot name an image: write {LOCAL}<name>:<tag> in small letters, for example {LOCAL}oscillator:1"
        raise StepError(msg)
    try:
        return (folder / "Dockerfile").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        msg = f"there is no {folder / 'Dockerfile'}: it says what the image is made of"
        raise StepError(msg) from error
    except NotADirectoryError as error:
        msg = f"{folder} is a file: give the folder that has the Dockerfile"
        raise StepError(msg) from error


def expect(cluster: str) -> None:
    """See that a cluster of this machine runs, before anything is built for it.

    Raises:
        StepError: it does not run; the message has those that do.
    """
    if providers.given_kubeconfig():
        return
    names = providers.running()
    if cluster in names:
        return
    if names:
        msg = f"no cluster {cluster} runs here. Running: {', '.join(names)}; say --cluster NAME"
    else:
        msg = f"no cluster {cluster} runs here, and no other: {providers.how_to_start(cluster)} starts it"
    raise StepError(msg)


def build(name: str, folder: Path, engine: engines.Engine, base: Path) -> Path:
    """Build a folder as an image; return its docker-archive. ``base`` is that of the base image without a registry.

    Raises:
        StepError: the Dockerfile is missing, or it could not be built; the message has the end of the log.
    """
    if BASE in bases(checked(name, folder)):
        engine.take(base)
    archive = image_archive(name)
    part = archive.with_suffix(".part")
    part.unlink(missing_ok=True)
    try:
        engine.build_folder(folder, name, part)
    except StepError as error:
        if not _UNREACHABLE.search(str(error)):
            raise
        msg = f"{error}\nNo registry could be reached from here. `FROM {BASE}` (busybox) and `FROM scratch` need none."
        raise StepError(msg) from error
    part.replace(archive)
    return archive


def load(name: str, archive: Path, cluster: str) -> None:
    """Import an image into a local cluster.

    Raises:
        StepError: there is no such cluster, or it is not one of this machine.
    """
    if given := providers.given_kubeconfig():
        msg = f"{providers.GIVEN} names the cluster of {given}, which takes images from a registry: push {name} to one"
        raise StepError(msg)
    with step(f"Loading {name} into {cluster}"):
        providers.load(cluster, str(archive))
    if not name.startswith(LOCAL):
        say(f"The local installation allows {LOCAL}* and sim:local; another name needs `images.allowed` of the chart.")
