"""The Debian or Ubuntu packages that the native cluster and the tests need: installed when root, named otherwise."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from localcluster.components import CNI_PLUGIN_FOLDERS
from localcluster.paths import log_file
from localcluster.progress import StepError, run_logged, say

# Where most of these are when PATH is that of an ordinary user.
SEARCH = ":".join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"])
PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "ip": "iproute2",
    "openssl": "openssl",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}
CNI_PACKAGE = "containernetworking-plugins"
SHELLS = {"bash": "bash", "busybox": "busybox", "dash": "dash"}
"""The shells with which the runner of packs is tested."""


def cni_plugins() -> Path | None:
    """Return the folder of the network plugins."""
    return next((Path(folder) for folder in CNI_PLUGIN_FOLDERS if (Path(folder) / "ptp").exists()), None)


def missing_packages() -> list[str]:
    """Return the packages of the programs that are not there."""
    missing = _missing(PROGRAMS)
    return sorted(missing if cni_plugins() else missing | {CNI_PACKAGE})


def missing_shells() -> list[str]:
    """Return the packages of the shells that are not there."""
    return sorted(_missing(SHELLS))


def _missing(programs: dict[str, str]) -> set[str]:
    return {package for program, package in programs.items() if shutil.which(program, path=SEARCH) is None}


def install_commands(packages: list[str]) -> list[list[str]]:
    """Return the commands that install packages with nothing beside them that is not needed."""
    return [
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-o", "DPkg::Lock::Timeout=600", "-y", "-q", "--no-install-recommends", *packages],
    ]


def ensure_packages(look: Callable[[], list[str]] | None = None) -> None:
    """Install what is missing (without another list: of what the native cluster needs), saying so first."""
    look = look or missing_packages
    missing = look()
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        msg = f"missing: {' '.join(missing)} (names of Debian packages). Install them, then try again."
        raise StepError(msg)
    say(f"Installing Debian packages: {' '.join(missing)}")
    for command in install_commands(missing):
        run_logged(
            " ".join(command),
            command,
            log_file(f"apt-{command[1]}"),
            timeout=15 * 60,
            env={"DEBIAN_FRONTEND": "noninteractive"},
        )
    if still := look():
        msg = f"installed, but still missing: {' '.join(still)}"
        raise StepError(msg)
