"""Build the docs site: `hack/docs build`, `hack/docs serve` (by the Python of .venv).

`build` writes it into out/docs, where index.html can be opened as it is; a warning is an error. `serve` shows it at http://127.0.0.1:8001
and builds it again whenever a page changes.
"""

import argparse
import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from mkdocs.commands import build, serve
from mkdocs.config import load_config
from mkdocs.exceptions import Abort, ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "mkdocs.yml"
ADDRESS = "127.0.0.1:8001"


def build_site(folder: Path) -> None:
    """Build the site into a folder.

    Raises:
        Abort: there was a warning, such as a link that leads nowhere; it is in the log.
        ConfigurationError: mkdocs.yml cannot be used.
    """
    config = load_config(str(CONFIG), strict=True, site_dir=str(folder))
    # As mkdocs' own command does it: without this, warnings of the build itself count for nothing.
    config.plugins.on_startup(command="build", dirty=False)
    try:
        build.build(config)
    finally:
        config.plugins.on_shutdown()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["build", "serve"], nargs="?", default="build")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "docs", help="where it goes (default: out/docs)")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    warnings.simplefilter("error")
    try:
        if arguments.command == "serve":
            serve.serve(str(CONFIG), dev_addr=ADDRESS)
        else:
            build_site(arguments.out.absolute())
            print(f"The docs site: {arguments.out / 'index.html'}")
    except (Abort, ConfigurationError) as error:
        sys.stderr.write(f"docs: {error}\n")
        return 1
    return 0
