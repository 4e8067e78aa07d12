"""Kind's command line for tests that drive kind: the real one where a Docker engine answers, the native cluster elsewhere.

It answers what pytest-kind asks for (`get clusters`, `create cluster`, `load docker-image`, `delete cluster`) and a little
more; anything else is an error, never silently ignored. Node images and configurations of kind have no meaning natively:
there is one version, and it is said that they are not used.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from localcluster import kindprovider, native
from localcluster.certs import write_private
from localcluster.paths import cache, cluster_names, cluster_paths, image_archive
from localcluster.progress import StepError, say
from localcluster.state import read_state

DEFAULT_NAME = "kind"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the part of kind's command line that is answered natively."""
    top = argparse.ArgumentParser(prog="kind")
    verbs = top.add_subparsers(dest="verb", required=True)
    commands: dict[str, dict[str, tuple[str, ...]]] = {
        "get": {"clusters": ()},
        "create": {"cluster": ("--kubeconfig", "--image", "--config", "--wait")},
        "delete": {"cluster": ("--kubeconfig",)},
        "export": {"kubeconfig": ("--kubeconfig",)},
        "load": {"docker-image": (), "image-archive": ()},
    }
    for verb, nouns in commands.items():
        objects = verbs.add_parser(verb).add_subparsers(dest="noun", required=True)
        for noun, options in nouns.items():
            command = objects.add_parser(noun)
            command.add_argument("--name", default=DEFAULT_NAME)
            for option in options:
                command.add_argument(option)
            if verb == "load":
                command.add_argument("images", nargs="+")
    return top


def _write_kubeconfig(name: str, target: str | None) -> None:
    source = cluster_paths(name).kubeconfig
    if target:
        write_private(Path(target), source.read_text().rstrip("\n"))
    else:
        say(f"kubeconfig: {source}")


def _create(arguments: argparse.Namespace) -> None:
    """Create a cluster, which must not be there yet, as kind does."""
    if arguments.name in native_clusters():
        msg = f'node(s) already exist for a cluster with the name "{arguments.name}"'
        raise StepError(msg)
    for option in ("image", "config"):
        if getattr(arguments, option):
            say(f"--{option} {getattr(arguments, option)} is not used by the native cluster")
    native.up(arguments.name)
    _write_kubeconfig(arguments.name, arguments.kubeconfig)


def native_clusters() -> list[str]:
    """Return the clusters that could run Pods; a lone API server is not one of kind's."""
    states = {name: read_state(cluster_paths(name)) for name in cluster_names()}
    return [name for name, state in states.items() if state and state.scope == "node" and state.process]


def _load(arguments: argparse.Namespace) -> None:
    for image in arguments.images:
        archive = Path(image) if arguments.noun == "image-archive" else image_archive(image)
        if not archive.exists():
            msg = f'image: "{image}" not present locally (no {archive})'
            raise StepError(msg)
        native.load(arguments.name, archive)


def run(arguments: argparse.Namespace) -> None:
    """Do natively what was asked of kind."""
    match arguments.verb, arguments.noun:
        case "get", _:
            print("\n".join(native_clusters()))
        case "create", _:
            _create(arguments)
        case "delete", _:
            native.down(arguments.name)
        case "export", _:
            _write_kubeconfig(arguments.name, arguments.kubeconfig)
        case "load", _:
            _load(arguments)


def docker_arguments(argv: Sequence[str]) -> list[str]:
    """Return the arguments for the real kind; its new clusters get our settings unless they come with their own."""
    arguments = list(argv)
    if arguments[:2] == ["create", "cluster"] and not any(item.startswith("--config") for item in arguments):
        arguments.append(f"--config={kindprovider.write_config(cache() / 'kind')}")
    if arguments[:2] == ["load", "docker-image"]:
        # Docker has never seen an image that was built here without it.
        archives = {item: image_archive(item) for item in arguments[2:]}
        built = {item: str(archive) for item, archive in archives.items() if archive.exists()}
        if built:
            arguments = ["load", "image-archive", *(built.get(item, item) for item in arguments[2:])]
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Be kind, or answer for it."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        if kindprovider.docker_answers():
            kindprovider.exec_kind(docker_arguments(given))
        run(parser().parse_args(given))
    except (StepError, ValueError, FileNotFoundError) as error:
        say(f"ERROR: {error}")
        return 1
    return 0
