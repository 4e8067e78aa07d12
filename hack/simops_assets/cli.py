"""The command line of `hack/assets`."""

import argparse
from collections.abc import Sequence

from localcluster.progress import StepError, say
from simops_assets.build import DIST, build, check


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; an error that a person can act on is a message, not a trace."""
    top = argparse.ArgumentParser(prog="hack/assets", description="Build the page of the gateway.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    about = f"Build what has changed into {DIST}."
    building = commands.add_parser("build", help=about, description=about)
    building.add_argument("--force", action="store_true", help="build even what has not changed")
    about = "Check the types of its code."
    commands.add_parser("check", help=about, description=about)
    arguments = top.parse_args(argv)
    try:
        if arguments.command == "check":
            return check()
        build(force=arguments.force)
    except (StepError, OSError) as error:
        say(f"error: {error}")
        return 1
    return 0
