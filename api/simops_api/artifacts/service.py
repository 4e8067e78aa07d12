"""What a run left in the store, and how it is told when there is nothing (any more)."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any
from urllib.parse import quote

from simops_api.artifacts.directory import BundleError, Member, is_path
from simops_api.artifacts.media import ZIP, disposition, media_type
from simops_api.artifacts.member import MAX_FILES, Bundles, TooManyFilesError
from simops_api.artifacts.merged import Merger, Part
from simops_api.artifacts.transfer import Content
from simops_api.errors import ProblemError, unavailable
from simops_api.holds import Hold
from simops_api.jobs.lookup import Found
from simops_api.records import seconds_of
from simops_api.settings import Settings
from simops_api.store import Store, StoredObject
from simops_api.sweeps.points import Place
from simops_crds.names import key_prefix
from simops_io.untrusted import finite, parse

log = logging.getLogger(__name__)

JOBS_PATH = "/api/v1/jobs"
_SMALL_MANIFEST = 256 << 10
_MAX_MANIFEST = 8 << 20
_MAX_PARTS = 1_000_000
"""Bytes of a manifest that is read, beside others and one at a time, and values in it. Of a longer one the directory of the zip tells the files."""
_FILE_BYTES = 300
"""Of a file in a list, beside its path, which stands there twice."""
_TOO_MANY = "it has too many files to list them or to send one of them; take the whole result"


class Artifacts:
    """The results of runs."""

    def __init__(self, settings: Settings, store: Store, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._bundles = Bundles(store)
        self.merger = Merger(store, self._bundles)
        self._has_public_address = bool(settings.store_public_endpoint)
        self._url_seconds = settings.store_url_seconds
        self._now = now

    # The whole
    async def result(self, found: Found) -> Content:
        """Return the bundle of a run.

        Raises:
            ProblemError: 409 there is none (yet), 410 there is none any more.
            StoreError: the store does not answer.
        """
        bundle = await self._bundle(found)
        return Content(f"{found.name}.zip", bundle.size, bundle.etag, partial(self._store.read, bundle.key))

    async def part(self, found: Found) -> AsyncGenerator[bytes, None]:
        """Yield the files of a point as a zip of their own; its bundle has those of others too.

        Raises:
            ProblemError, StoreError: as for ``result``.
        """
        bundle = await self._bundle(found)
        try:
            async with aclosing(self.merger.stream([Part(bundle, {found.folder: ""})])) as chunks:
                async for chunk in chunks:
                    yield chunk
        except TooManyFilesError as error:
            raise ProblemError(409, _TOO_MANY) from error
        except BundleError as error:
            raise _damaged(found, error) from error

    async def url(self, found: Found) -> str | None:
        """Return where else the bundle can be had for a while; None when only here.

        Raises:
            ProblemError, StoreError: as for ``result``.
        """
        if not self._has_public_address or found.folder:
            return None
        bundle = await self._bundle(found)
        headers = {"Content-Type": ZIP, "Content-Disposition": disposition(f"{found.name}.zip")}
        return await self._store.presigned(bundle.key, self._url_seconds, headers)

    async def _bundle(self, found: Found) -> StoredObject:
        key = self._key(found)
        stored = await self._store.stat(key)
        if stored is None:
            raise ProblemError(410, f"the result of job {found.id} is no longer in the store")
        return stored

    def _key(self, found: Found) -> str:
        if not found.finished:
            raise ProblemError(409, f"job {found.id} is {found.phase}: it has a result once it has finished")
        artifacts = found.fields.get("artifacts") or {}
        expires = seconds_of(artifacts.get("expirationTime"))
        if (
            expires is not None and expires <= self._now()
        ):  # first: of a point the table, which names the bundle, is gone too
            raise ProblemError(410, f"the result of job {found.id} expired at {artifacts['expirationTime']}")
        key = artifacts.get("bundle")
        if not key and found.is_unwritten:
            raise unavailable(f"what job {found.id} has left is being written down: ask again in some seconds")
        if not key:
            why = f" ({reason})" if (reason := found.fields.get("reason")) else ""
            raise ProblemError(409, f"job {found.id} has no result: it ended as {found.phase}{why} and left no bundle")
        place = found.place or Place(f"{key_prefix(found.namespace, found.name, found.uid)}/", 0, "")
        rest = key.removeprefix(place.root)
        # Who may write the status of one run must not read those of others by it.
        if rest == key or rest.count("/") != place.depth:
            log.warning("the status of %s/%s names %s, which is not its own", found.namespace, found.name, key)
            raise ProblemError(409, f"the status of job {found.id} names a bundle that is not its own")
        return str(key)

    # The list
    async def listing(self, found: Found, hold: Hold) -> bytes:
        """Return the list of files as JSON (``models.ArtifactList``).

        Raises:
            ProblemError, StoreError: as for ``result``; 429, 503 there is no room for it.
        """
        bundle = await self._bundle(found)
        stored = await self._store.stat(f"{bundle.key.removesuffix('.zip')}.json")
        if stored is not None and stored.size <= _SMALL_MANIFEST:
            if (manifest := await self._manifest(stored)) is not None:
                return await _listing(found, bundle, manifest, hold)
            stored = None
        async with self._bundles.one_large(bundle):  # until nothing is left of it but the answer
            manifest = await self._manifest(stored) if stored is not None else None
            if manifest is None:
                members = await self._directory(found, bundle, has_turn=True)
                entries = [{"path": m.path, "bytes": m.bytes, "crc32": f"{m.crc32:08x}"} for m in members.values()]
                manifest = {"entries": entries}
            return await _listing(found, bundle, manifest, hold)

    async def _manifest(self, stored: StoredObject) -> dict[str, Any] | None:
        if stored.size > _MAX_MANIFEST:
            return None
        text = await self._store.get(stored.key)
        return await asyncio.to_thread(_parsed, text) if text is not None else None

    async def _directory(self, found: Found, bundle: StoredObject, *, has_turn: bool = False) -> Mapping[str, Member]:
        try:
            return await self._bundles.directory(bundle, has_turn=has_turn)
        except TooManyFilesError as error:
            raise ProblemError(409, _TOO_MANY) from error
        except BundleError as error:
            raise _damaged(found, error) from error

    # One file
    async def file(self, found: Found, path: str) -> Content:
        """Return a file of a run.

        Raises:
            ProblemError: as for ``result``; 404 there is no such file.
            StoreError: the store does not answer.
        """
        bundle = await self._bundle(found)
        member = (await self._directory(found, bundle)).get(found.folder + path) if is_path(path) else None
        if member is None:
            raise ProblemError(404, f"job {found.id} has no file {path[:200]!r}")
        read = partial(self._read, found, bundle, member)
        return Content(path, member.bytes, f"{bundle.etag}-{member.header:x}", read)

    async def _read(
        self, found: Found, bundle: StoredObject, member: Member, start: int, length: int
    ) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in self._bundles.read(bundle, member, start, length):
                yield chunk
        except BundleError as error:
            raise _damaged(found, error) from error


async def _listing(found: Found, bundle: StoredObject, manifest: dict[str, Any], hold: Hold) -> bytes:
    if found.folder:
        manifest = _below(manifest, found.folder)
    named = [*manifest["entries"], *(manifest.get("skippedEntries") or [])]
    hold.add(sum(_FILE_BYTES + 2 * len(str(entry["path"])) for entry in named))
    # In a thread, since a hundred thousand files take a while to word.
    return await asyncio.to_thread(_listed, found, bundle, manifest)


def _below(manifest: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return the part of a manifest that is about one folder, with paths in it."""

    def own(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        chosen = [e for e in entries if str(e.get("path")).startswith(folder)]
        return [{**e, "path": e["path"].removeprefix(folder)} for e in chosen]

    return {"entries": own(manifest["entries"]), "skippedEntries": own(manifest.get("skippedEntries") or [])}


def _damaged(found: Found, error: BundleError) -> ProblemError:
    log.error("the bundle of %s/%s: %s", found.namespace, found.name, error)
    return ProblemError(502, f"the bundle of job {found.id} in the store is not what it should be: {error}")


def _parsed(text: bytes) -> dict[str, Any] | None:
    """Return a manifest, None if this is none."""
    if text.count(b"{") > MAX_FILES or sum(map(text.count, (b",", b"[", b"{"))) > _MAX_PARTS:
        return None
    try:
        value = parse(text)
    except ValueError:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("entries"), list):
        return None
    skipped = value.get("skippedEntries") or []
    is_whole = all(_is_file(entry) for entry in value["entries"]) and isinstance(skipped, list)
    is_whole = is_whole and all(isinstance(s, dict) and {"path", "why"} <= s.keys() for s in skipped)
    return {"entries": value["entries"], "skippedEntries": skipped} if is_whole else None


def _is_file(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        return False
    texts = all(isinstance(entry.get(name, ""), str) for name in ("crc32", "sha256"))
    return texts and finite(entry.get("bytes", 0)) is not None


def _listed(found: Found, bundle: StoredObject, manifest: dict[str, Any]) -> bytes:
    own = f"{JOBS_PATH}/{found.id}"
    artifacts = found.fields.get("artifacts") or {}
    # Entry by entry into bytes: as one text a single character beyond the BMP would take four times as much for all of it.
    files = b",".join(
        _json(
            {
                **{name: entry[name] for name in ("path", "bytes", "crc32", "sha256") if name in entry},
                "media_type": media_type(entry["path"]),
                "href": f"{own}/artifacts/{quote(entry['path'], errors='replace')}",
            }
        )
        for entry in manifest["entries"]
        if is_path(entry["path"])  # who forges a manifest shall not say where a link leads
    )
    skipped = b",".join(_json({"path": s["path"], "why": s["why"]}) for s in manifest.get("skippedEntries") or [])
    rest = {
        "partial": bool(artifacts.get("partial")),
        "bundle": {"href": f"{own}/result", "bytes": bundle.size}
        | ({"sha256": artifacts["sha256"]} if artifacts.get("sha256") else {}),
    }
    if artifacts.get("log"):
        rest["log"] = {"href": f"{own}/logs"}
    return b'{"job":%b,"files":[%b],"skipped":[%b],%b' % (_json(found.id), files, skipped, _json(rest)[1:])


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
