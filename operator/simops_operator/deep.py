"""kopf reads what the API server sends with ``json.loads``, which gives up at a nesting that whoever may write an object can give it.

Decision: kopf has no setting for how it reads JSON, so its reader is replaced at the two places where it reads any. A test sees that both are still there.
"""

from types import SimpleNamespace
from typing import Any

import aiohttp
from kopf._cogs.clients import api

from simops_io.untrusted import loads


def read_deep_objects() -> None:
    """Let kopf read objects however deep they are nested; to repeat it changes nothing."""
    reader: Any = SimpleNamespace(loads=loads)
    vars(api)["json"] = reader  # watches
    defaults = aiohttp.ClientResponse.json.__kwdefaults__ or {}  # lists
    if "loads" not in defaults:
        raise RuntimeError("aiohttp reads JSON in another way than is known here")
    defaults["loads"] = loads
