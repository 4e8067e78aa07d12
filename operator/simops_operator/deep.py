"""kopf reads what the API server sends with ``json.loads``, which gives up at a nesting that whoever may write an object can give it, and it takes a
page of a LIST however long it is.

Decision: kopf has no setting for how it reads JSON, nor for the size of a page, so its reader is replaced at the two places where it reads any, and its
LIST is replaced by ours. (Its ``initial_streaming`` has no pages, but goes on behind the last object that it has seen when the connection breaks before
all were told.) A test sees that all of these are still there.
"""

import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import kopf
from kopf._cogs.clients import api, fetching

from simops_io.kube import PAGE_BYTES, KubeDict, pages, read_body
from simops_io.untrusted import loads
from simops_operator.core.views import slim_page


def read_any_objects() -> None:
    """Let kopf read objects however deep they are nested, and however large they are; to repeat it changes nothing."""
    reader: Any = SimpleNamespace(loads=loads)
    vars(api)["json"] = reader  # watches
    defaults = aiohttp.ClientResponse.json.__kwdefaults__ or {}  # lists
    if "loads" not in defaults:
        raise RuntimeError("aiohttp reads JSON in another way than is known here")
    defaults["loads"] = loads
    vars(fetching)["fetch_objs"] = fetch_objs


async def fetch_objs(
    *, settings: kopf.OperatorSettings, resource: Any, namespace: str | None, logger: logging.Logger
) -> AsyncIterator[tuple[list[KubeDict], str]]:
    """Yield the objects of a resource page by page, each with the resourceVersion of the LIST, as kopf's own function does."""
    watching = settings.watching
    selectors = {
        "labelSelector": ",".join(sorted(set(watching.label_selectors.collect(resource)))),
        "fieldSelector": ",".join(sorted(set(watching.field_selectors.collect(resource)))),
    }

    async def ask(limit: int, after: str) -> KubeDict:
        params = {"limit": str(limit), "continue": after} | selectors
        url = resource.get_url(namespace=namespace, params={name: text for name, text in params.items() if text})
        response = await api.request("get", url, settings=settings, logger=logger)
        async with response:
            return slim_page(loads(await read_body(response, PAGE_BYTES)))

    async for page in pages(ask, watching.chunk_size or 500):
        items = page.get("items") or []
        for item in items:
            item.setdefault("kind", page["kind"].removesuffix("List"))
            item.setdefault("apiVersion", page["apiVersion"])
        yield items, page["metadata"]["resourceVersion"]
