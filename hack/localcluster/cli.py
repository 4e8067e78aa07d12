"""The command line of `hack/cluster`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from localcluster import providers
from localcluster.golang import COMPONENTS, OTHER_KUBERNETES, TOOLS, tool
from localcluster.paths import cluster_paths
from localcluster.progress import StepError, say, tail
from localcluster.providers import DEFAULT_NAME


def parser() -> argparse.ArgumentParser:
    """Return the parser; every subcommand's help is its one sentence."""
    top = argparse.ArgumentParser(
        prog="hack/cluster", description="A local Kubernetes cluster, with or without Docker."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, about: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("--name", default=DEFAULT_NAME, help="which cluster (default: %(default)s)")
        return command

    up = add("up", "Bring the cluster up, or repair it; print its kubeconfig's path.")
    up.add_argument("--kubeconfig", help="use this cluster instead of making one (also SIMOPS_KUBECONFIG)")
    up.add_argument("--provider", choices=["kind", "native"], help="do not choose by what is there")
    up.add_argument("--control-plane-only", action="store_true", help="no node: nothing runs, everything else works")
    lone = add("apiserver", "Start an API server (and etcd) alone, for contract tests; print its kubeconfig's path.")
    lone.add_argument("--kubernetes", choices=sorted(OTHER_KUBERNETES), default="", help="one of another version")
    add("down", "Remove the cluster and everything of it.")
    add("status", "Say what runs.")
    add("kubeconfig", "Print the path of the kubeconfig.")
    add("load", "Import images, by name or docker-archive.").add_argument("images", nargs="+")
    logs = add("logs", "Print the end of the components' logs.")
    logs.add_argument("component", nargs="?", help="only of this one, whole")
    build = commands.add_parser("tool", help="Build a tool if needed and print its path.")
    build.add_argument("tool", choices=sorted([*TOOLS, *COMPONENTS]))
    return top


def _logs(name: str, component: str | None) -> None:
    folder = cluster_paths(name).logs
    if component:
        sys.stdout.write((folder / f"{component}.log").read_text(errors="replace"))
        return
    for log in sorted(folder.glob("*.log")):
        print(f"{log}\n{tail(log)}")


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments ask for; return the exit code."""
    name = getattr(arguments, "name", DEFAULT_NAME)
    match arguments.command:
        case "up":
            scope = "control-plane" if arguments.control_plane_only else "node"
            given = Path(arguments.kubeconfig) if arguments.kubeconfig else None
            print(providers.up(name, scope, given=given, provider=arguments.provider))
        case "apiserver":
            print(providers.up(name, "apiserver", kubernetes=arguments.kubernetes))
        case "down":
            providers.down(name)
        case "kubeconfig":
            print(providers.kubeconfig(name))
        case "status":
            lines, healthy = providers.status(name)
            print("\n".join(lines))
            return 0 if healthy else 1
        case "load":
            for image in arguments.images:
                providers.load(name, image)
        case "logs":
            _logs(name, arguments.component)
        case "tool":
            print(tool(arguments.tool))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; an error that a person can act on is a message, not a trace."""
    try:
        return run(parser().parse_args(argv))
    except (StepError, ValueError, FileNotFoundError) as error:
        say(f"error: {error}")
        return 1
    except BrokenPipeError:  # `| head` has read enough
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        say("interrupted; the same command continues")
        return 130
