"""Who makes a request (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True)
class Caller:
    """A user of the cluster, as its API server knows them."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """What else the authenticator said. Two callers are the same when all four are."""
    token: str = field(default="", repr=False, compare=False)
    """Their token, where the API server is asked with it; it is kept for their request only, and shown nowhere."""

    @property
    def account(self) -> str:
        """Return for whom limits count: service accounts of one namespace are one, since who may make one there may make thousands."""
        if self.name.startswith(_SERVICE_ACCOUNT):
            return self.name.rpartition(":")[0]
        return self.name


ANONYMOUS = Caller("system:anonymous", ("system:unauthenticated",))
