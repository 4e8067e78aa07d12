"""Requests as they go over the wire, for what no HTTP client would send; and that they leave nothing behind."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from contract.server import Api
from kubernetes import client

from simops_crds.kinds import KINDS
from simops_crds.names import GROUP, VERSION

JOBS = "/api/v1/jobs"
SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """What came back on the socket."""

    status: int
    head: str
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document that it is."""
        assert "application/problem+json" in self.head.lower(), self
        document: dict[str, Any] = json.loads(self.body)
        assert document["status"] == self.status
        return document


def kept(api: Api) -> dict[str, list[str]]:
    """Return the names of all objects of both kinds, as the API server has them."""
    custom = client.CustomObjectsApi(api.client)
    found = {}
    for kind in KINDS:
        listed: Any = custom.list_namespaced_custom_object(GROUP, VERSION, "default", kind.plural)
        found[kind.plural] = sorted(item["metadata"]["name"] for item in listed["items"])
    return found


@asynccontextmanager
async def unchanged(gateway: aiohttp.ClientSession, api: Api) -> AsyncIterator[None]:
    """See that nothing is made, and that the gateway serves as before."""
    before = kept(api)
    yield
    assert kept(api) == before
    async with gateway.get(JOBS) as response:
        assert response.status == 200
    async with gateway.post(JOBS, params={"dry_run": "true"}, json={"params": {"x": 1}}) as response:
        assert response.status == 200, await response.text()


async def raw(gateway: aiohttp.ClientSession, data: bytes) -> Answer:
    """Write bytes to a connection of its own; return the first answer."""
    base = gateway._base_url
    assert base is not None
    reader, writer = await asyncio.open_connection(base.host, base.port)
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(data)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next(
                (
                    int(v)
                    for n, _, v in (line.partition(":") for line in head.split("\r\n"))
                    if n.lower() == "content-length"
                ),
                None,
            )
            try:
                body = await (reader.read() if length is None else reader.readexactly(length))
            except ConnectionResetError:  # the server has hung up on what it did not read; the answer's head was there
                body = b""
    finally:
        writer.close()
    return Answer(int(head.split(" ")[1]), head, body)


def request(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", "Connection: close", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def posting(body: bytes, *headers: str, path: str = JOBS) -> bytes:
    return request(path, *headers, method="POST", body=body)
