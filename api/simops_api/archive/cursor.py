"""Places in the archive, and how a caller keeps one (pure)."""

import base64
import re
from dataclasses import dataclass

from simops_crds.names import ARCHIVE_PREFIX, created_of

_NAME = r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?"
_PLACE = re.compile(rf"(?P<second>[0-9]{{10}})/(?P<namespace>{_NAME})/(?P<name>{_NAME})/(?P<uid>[0-9a-zA-Z-]{{1,64}})")


@dataclass(frozen=True)
class Place:
    """Where a run stands in the archives of all namespaces: the latest first."""

    second: str
    """The inverted creation time, as the key has it."""
    namespace: str
    name: str
    uid: str

    @property
    def order(self) -> tuple[str, str, str]:
        """What places are in the order of; within a namespace it is the order of the store's keys."""
        return (self.second, self.namespace, f"{self.name}/{self.uid}")

    @property
    def created(self) -> int:
        """Creation time in seconds since 1970."""
        return created_of(self.second)


def place_of(key: str, archive: str = ARCHIVE_PREFIX) -> Place | None:
    """Return the place that a key of an archive in the store stands for, None if it is none."""
    prefix, _, rest = key.partition("/")
    namespace, _, rest = rest.partition("/")
    second, _, rest = rest.partition("/")
    found = _PLACE.fullmatch(f"{second}/{namespace}/{rest}")
    return Place(**found.groupdict()) if found is not None and prefix == archive else None


def after_key(place: Place, namespace: str, archive: str = ARCHIVE_PREFIX) -> str:
    """Return the key after which the archive of a namespace goes on after a place, which may be of another namespace."""
    own = f"{archive}/{namespace}/{place.second}"
    if namespace == place.namespace:
        return f"{own}/{place.name}/{place.uid}"
    # Within a second the namespaces come one after the other. "0" is what comes after "/".
    return f"{own}0" if namespace < place.namespace else f"{own}/"


def encode(place: Place) -> str:
    """Return a place as a caller keeps it."""
    text = f"{place.second}/{place.namespace}/{place.name}/{place.uid}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str) -> Place | None:
    """Return the place that a caller kept, None if it is none."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        return None
    found = _PLACE.fullmatch(plain)
    return Place(**found.groupdict()) if found is not None else None
