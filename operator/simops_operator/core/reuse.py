"""Which runs are identical, so that the result of one may serve as that of the other (pure). How it is used: docs/sweeps.md.

Two runs are identical when image digest, command, args, env and parameters are, and the contract between SimOps and images. The name of an image and its tag
say nothing: behind the same tag there may be another image. What a run is given beside that, such as memory or a network, is taken not to change its result.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from simops_crds.images import DIGEST
from simops_crds.v1alpha1 import RunSpec

CONTRACT = 1
"""Version of what images are given and what is taken of them (docs/simulation-images.md): another one makes other results."""


def family_of(spec: RunSpec, *, batch: bool = False) -> str | None:
    """Return a digest of all that identical runs share but their parameters; None when the image is not given by its digest."""
    image = re.search(DIGEST, spec.image)
    if image is None:
        return None
    env = sorted((variable.name, variable.value) for variable in spec.env or [])
    # In batch mode another part of the program runs, which may leave other files.
    return _digest([CONTRACT, image[1], spec.command, spec.args or [], env, batch])


def key_of(params: Mapping[str, Any]) -> str:
    """Return a digest of parameters: of the values as the program is given them, so 1 and 1.0 are two."""
    return _digest(dict(params))


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:40]
