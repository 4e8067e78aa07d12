"""The command line of `hack/images`."""

import argparse
import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from localcluster.golang import tool
from localcluster.images import write_archive
from localcluster.paths import cache, image_archive
from localcluster.progress import StepError, say
from localcluster.providers import DEFAULT_NAME
from simops_assets import build as assets
from simops_images import engines, own, testbox
from simops_images.catalogue import IMAGES, MINIO, OTHERS, TARGETS, TESTBOX, key_of, name_of

PYTHON_IMAGE = "SIMOPS_PYTHON_IMAGE"


def target(text: str) -> str:
    """Return the target that an argument names."""
    if text not in TARGETS:
        msg = f"no image {text}: there are {', '.join(TARGETS)}"
        raise argparse.ArgumentTypeError(msg)
    return text


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    top = argparse.ArgumentParser(prog="hack/images", description="Build the images of this project.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    about = "Build what has changed, with Docker or buildah; keep a docker-archive of each image."
    build = commands.add_parser("build", help=about, description=about)
    build.add_argument("targets", nargs="*", type=target, metavar="IMAGE", help=f"{', '.join(TARGETS)} (default: all)")
    build.add_argument("--engine", choices=["docker", "buildah"], help="do not choose by what is there")
    build.add_argument(
        "--python-image",
        help=f"base image with Python 3.11 to 3.13 (also {PYTHON_IMAGE})",
    )
    build.add_argument("--force", action="store_true", help="build even what has not changed")
    about = "Build the Dockerfile of a folder as an image, and load it into the local cluster."
    load = commands.add_parser("load", help=about, description=about)
    load.add_argument("name", metavar="NAME", help=f"what Pods call it, for example {own.LOCAL}oscillator:1")
    load.add_argument("folder", type=Path, metavar="FOLDER", help="the folder with the Dockerfile")
    load.add_argument("--cluster", default=DEFAULT_NAME, help="which cluster (default: %(default)s)")
    load.add_argument("--build-only", action="store_true", help="do not load it; print its docker-archive's path")
    load.add_argument("--engine", choices=["docker", "buildah"], help="do not choose by what is there")
    listing = "Print the name and archive of each image."
    commands.add_parser("list", help=listing, description=listing)
    return top


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Let a second build wait for the first: both write the same archives."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another build of images")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_if_changed(name: str, key: str, build: Callable[[Path], None], *, force: bool) -> bool:
    """Build an image unless its archive was built from the same inputs; say whether it was built."""
    archive = image_archive(name)
    known = archive.with_suffix(".key")
    if not force and archive.exists() and known.exists() and known.read_text() == key:
        return False
    known.unlink(missing_ok=True)
    part = archive.with_suffix(".part")
    part.unlink(missing_ok=True)
    build(part)
    part.replace(archive)
    known.write_text(key)
    say(f"{name}: {archive.stat().st_size / 1e6:.0f} MB, {archive}")
    return True


def build_all(
    targets: Sequence[str], *, engine: str | None = None, python_image: str | None = None, force: bool = False
) -> None:
    """Build what has changed of some targets."""
    with one_at_a_time(cache() / "images"):
        steps: list[tuple[str, str, Callable[[Path], None]]] = []
        if wanted := [IMAGES[target] for target in IMAGES if target in targets]:
            if IMAGES["api"] in wanted:
                assets.build()
            builder = engines.choose(engine, python_image or os.environ.get(PYTHON_IMAGE) or None)
            facts = builder.facts()
            steps = [(image.name, key_of(image, facts), partial(builder.build, image)) for image in wanted]
        if MINIO in targets:
            program = tool(MINIO)
            steps.append((OTHERS[MINIO], str(program), lambda path: write_archive(path, OTHERS[MINIO], program)))
        if TESTBOX in targets:
            key = hashlib.sha256(Path(testbox.__file__).read_bytes()).hexdigest()
            steps.append((OTHERS[TESTBOX], key, testbox.build))
        kept = [name for name, key, build in steps if not build_if_changed(name, key, build, force=force)]
        if kept:
            say(f"Images up to date: {', '.join(kept)}")


def load_own(arguments: argparse.Namespace) -> None:
    """Build a folder of somebody's own, and load it into a cluster."""
    own.checked(arguments.name, arguments.folder)
    if not arguments.build_only:
        own.expect(arguments.cluster)
    build_all([TESTBOX])
    with one_at_a_time(cache() / "images"):
        # The base without a registry is given, so that none is made.
        engine = engines.choose(arguments.engine, own.BASE)
        archive = own.build(arguments.name, arguments.folder, engine, image_archive(own.BASE))
    if arguments.build_only:
        print(archive)
    else:
        own.load(arguments.name, archive, arguments.cluster)


def show() -> None:
    """Print the name, age and archive of each image."""
    for target in TARGETS:
        archive = image_archive(name_of(target))
        state = f"built {engines.age(archive)} ago" if archive.exists() else "not built"
        print(f"{target:9} {name_of(target):30} {state:18} {archive}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; an error that a person can act on is a message, not a trace."""
    arguments = parser().parse_args(argv)
    try:
        if arguments.command == "list":
            show()
        elif arguments.command == "load":
            load_own(arguments)
        else:
            build_all(
                arguments.targets or TARGETS,
                engine=arguments.engine,
                python_image=arguments.python_image,
                force=arguments.force,
            )
    except (StepError, OSError) as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the same command continues")
        return 130
    return 0
