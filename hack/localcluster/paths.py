"""Where things are kept: one folder outside the checkout for tools, images and clusters.

Other programs below `hack/` share these functions, so that what one builds the other finds.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

HACK = Path(__file__).resolve().parent.parent
CLUSTER_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


def cache() -> Path:
    """Return the folder of all that is built or kept; `SIMOPS_CACHE` overrides it."""
    return Path(os.environ.get("SIMOPS_CACHE") or Path.home() / ".cache" / "simops").absolute()


def image_archive(name: str) -> Path:
    """Return where the docker-archive of an image is kept, e.g. of `localhost/simops-operator:dev`."""
    return cache() / "images" / (name.replace("/", "_").replace(":", "_") + ".tar")


def log_file(name: str) -> Path:
    """Return the log of a long command, for example of a build."""
    return cache() / "logs" / f"{name}.log"


@dataclass(frozen=True)
class ClusterPaths:
    """The folder of one cluster, removed with it."""

    root: Path

    @property
    def state(self) -> Path:
        """Which provider made the cluster, and what it needs to find it again."""
        return self.root / "cluster.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """Configuration files of the components."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        """One log per component."""
        return self.root / "logs"

    @property
    def audit_log(self) -> Path:
        """What service accounts have asked the API server for (native clusters)."""
        return self.logs / "audit.log"

    @property
    def var_lib(self) -> Path:
        """What the components see as `/var/lib`: etcd's data, images, volumes."""
        return self.root / "lib"

    @property
    def var_log(self) -> Path:
        """What the components see as `/var/log`: the logs of Pods."""
        return self.root / "podlogs"


def cluster_paths(name: str) -> ClusterPaths:
    """Return the paths of the cluster of that name; refuse a name that could not be part of a host name."""
    if not CLUSTER_NAME.fullmatch(name):
        msg = f"{name!r} is no cluster name: use up to 32 lower-case letters, digits and dashes"
        raise ValueError(msg)
    return ClusterPaths(cache() / "clusters" / name)


def cluster_names() -> list[str]:
    """Return the names of all clusters that have a folder."""
    return sorted(path.parent.name for path in (cache() / "clusters").glob("*/cluster.json"))
