"""A store in memory for tests of what the gateway asks a store for: it counts. That real stores answer so is tested elsewhere."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

BUCKET = "simops"
_TIME = "2026-03-01T12:00:00.000Z"
_HTTP_TIME = "Sun, 01 Mar 2026 12:00:00 GMT"


@dataclass
class Store:
    """One bucket."""

    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and key (or prefix) of each request."""
    sent: int = 0
    """Bytes of objects that were sent."""
    refuses: int = 0
    """Status with which everything is refused; 0: nothing is."""
    cuts_after: int | None = None
    """After so many bytes of an object the connection breaks."""
    stalls_after: int | None = None
    """After so many bytes of an object nothing comes any more."""
    patience: str = ""
    """Retry-After of a refusal."""
    sending: int = 0
    """Objects that are being sent."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while there are none."""
    endpoint: str = ""
    modified: dict[str, str] = field(default_factory=dict)

    def reset(self) -> None:
        self.asked.clear()
        self.sent = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        self.asked.append((request.method, key or request.query.get("prefix", "")))
        if self.refuses:
            return _error(self.refuses, "SlowDown", self.patience)
        if not key:
            return self._list(request)
        if request.method == "PUT":
            self.objects[key] = await request.read()
            return web.Response(headers={"ETag": f'"{hashlib.md5(self.objects[key]).hexdigest()}"'})
        if key not in self.objects:
            return _error(404, "NoSuchKey")
        content = self.objects[key]
        headers = {"ETag": f'"{hashlib.md5(content).hexdigest()}"', "Last-Modified": _HTTP_TIME}
        if request.method == "HEAD":
            return web.Response(headers=headers | {"Content-Length": str(len(content))})
        part, status = content, 200
        if request.http_range.start is not None:
            part, status = content[request.http_range], 206
        return await self._send(request, part, status, headers)

    async def _send(
        self, request: web.Request, part: bytes, status: int, headers: dict[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers=headers | {"Content-Length": str(len(part))})
        await response.prepare(request)
        self.sending += 1
        self.idle.clear()
        try:
            return await self._send_pieces(request, response, part)
        finally:
            self.sending -= 1
            if not self.sending:
                self.idle.set()

    async def _send_pieces(self, request: web.Request, response: web.StreamResponse, part: bytes) -> web.StreamResponse:
        for at in range(0, len(part), 1 << 16):
            piece = part[at : at + (1 << 16)]
            if self.cuts_after is not None and at + len(piece) > self.cuts_after:
                await response.write(piece[: self.cuts_after - at])
                assert request.transport is not None
                request.transport.close()
                return response
            if self.stalls_after is not None and at >= self.stalls_after:
                while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                return response
            self.sent += len(piece)
            await response.write(piece)
        return response

    def _list(self, request: web.Request) -> web.Response:
        prefix, limit = request.query.get("prefix", ""), int(request.query.get("max-keys", 1000))
        after = request.query.get("continuation-token") or request.query.get("start-after", "")
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        folders = ""
        if request.query.get("delimiter") == "/":
            below = {key: key.removeprefix(prefix).partition("/") for key in keys}
            names = sorted({prefix + first + "/" for first, slash, _ in below.values() if slash})
            folders = "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in names)
            keys = [key for key, (_, slash, _) in below.items() if not slash]
        page = keys[:limit]
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{self.modified.get(key, _TIME)}</LastModified>"
            f"<ETag>&quot;e&quot;</ETag><Size>{len(self.objects[key])}</Size></Contents>"
            for key in page
        )
        more = len(keys) > limit
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        head = '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        whole = f"{head}<Name>{BUCKET}</Name><IsTruncated>{str(more).lower()}</IsTruncated>{token}{items}{folders}</ListBucketResult>"
        return web.Response(text=whole, content_type="application/xml")


def _error(status: int, code: str, patience: str = "") -> web.Response:
    text = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    headers = {"Retry-After": patience} if patience else {}
    return web.Response(status=status, text=text, content_type="application/xml", headers=headers)


@asynccontextmanager
async def store_in_memory(folder: Path) -> AsyncIterator[tuple[Store, dict[str, Any]]]:
    """Run a store; give it and the gateway's settings for it."""
    (folder / "access-key").write_text("test")
    (folder / "secret-key").write_text("test-secret")
    store = Store()
    app = web.Application(client_max_size=1 << 30)
    app.add_routes([web.route("*", f"/{BUCKET}{{slash:/?}}{{key:.*}}", store.handle)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    store.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield store, {"store_endpoint": store.endpoint, "store_credentials": str(folder), "store_bucket": BUCKET}
    finally:
        await asyncio.wait_for(runner.cleanup(), 10)
