"""What an API server of a test says of kinds that it has no objects of: an empty LIST, and a watch in which nothing happens."""

import asyncio

from aiohttp import web

_ANY = "/apis/simops.dev/v1alpha1/namespaces/{namespace}/simulationsweeps"


async def _nothing(request: web.Request) -> web.StreamResponse:
    if "watch" not in request.query:
        return web.json_response({"items": [], "metadata": {"resourceVersion": "5"}})
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"6"}}}\n')
    await asyncio.Event().wait()
    return response


def no_sweeps() -> list[web.RouteDef]:
    """Return the routes."""
    return [web.get(_ANY, _nothing)]
