"""Making what requests ask for: once, however often a request with an ``Idempotency-Key`` comes.

Decision: a key is no entry of a table but the name of the object that it makes. So nothing can be lost or be out of step, and no replica needs
to know of another one. The API server has a name once for each kind; that a key makes a job or a sweep and not both is seen to here.
"""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

from simops_api.archive.reader import Archive
from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import Caller
from simops_api.caches import Caches
from simops_api.cluster import ApiError, Cluster, KubeDict
from simops_api.editor import Editor
from simops_api.errors import ProblemError
from simops_api.jobs.ids import id_of, point_id
from simops_api.jobs.keys import ALPHABET, digest_of, name_of, named_digest, used_otherwise
from simops_api.jobs.manifests import Manifest, manifest_of, mapping_of, upload_of
from simops_api.jobs.plans import plan_of
from simops_api.jobs.requests import Created, JobRequest, Plan
from simops_api.records import Record
from simops_api.settings import Settings
from simops_api.uploads.lists import List
from simops_api.uploads.service import Uploads
from simops_crds.kinds import SIMULATION_JOB, SIMULATION_SWEEP, Kind
from simops_crds.names import ANNOTATION_IDEMPOTENCY
from simops_io import logs

_ATTEMPTS = 3


def random_suffix() -> str:
    """Return what makes a name one that nobody else has."""
    return "".join(secrets.choice(ALPHABET) for _ in range(8))


@dataclass(frozen=True)
class Order:
    """An object to make."""

    request: JobRequest
    kind: Kind
    manifest: Manifest
    digest: str = ""
    """Of the request, if it has a key."""
    upload: List | None = None
    """Its points, where they are too many for the object."""

    @property
    def namespace(self) -> str:
        """Where to make it."""
        return str(self.manifest["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """What to call it."""
        return str(self.manifest["metadata"]["name"])

    @property
    def is_named(self) -> bool:
        """Whether the name was asked for: then another object may have it."""
        return self.request.name is not None


@dataclass(frozen=True)
class Made:
    """What became of an order."""

    created: Created
    version: str = ""
    """Names the write in ``SimOps-Version``; empty when the object is gone already."""
    is_replay: bool = False
    """Whether the same request had been done before."""


class Creating:
    """Makes jobs and sweeps in the namespaces that the gateway serves."""

    def __init__(
        self,
        settings: Settings,
        access: Access,
        cluster: Cluster,
        caches: Caches,
        editor: Editor,
        archive: Archive[Record],
        uploads: Uploads,
    ) -> None:
        self._settings = settings
        self._access = access
        self._cluster = cluster
        self._caches = caches
        self._editor = editor
        self._archive = archive
        self._uploads = uploads

    async def create(
        self, caller: Caller, request: JobRequest, *, key: str | None = None, dry_run: bool = False
    ) -> Made | Plan:
        """Make the object that a request asks for, and see that this process knows it; with ``dry_run`` only say what it would be.

        Raises:
            ProblemError: 403 not permitted; 422 the request is wrong, or its key belongs to another one.
            ApiError: the API server refuses it.
            StoreError: whether the key was used before cannot be found out.
        """
        order = self.order(caller, request, key=None if dry_run else key)
        await self.require(caller, order.kind, order.namespace)
        if dry_run:
            return plan_of(order.kind, await self.attempt(order), await self.median(caller, order.namespace))
        former = await self.former(order)
        return former or await self.make(order)

    def order(
        self, caller: Caller, request: JobRequest, *, key: str | None = None, index: int = 0, digest: str = ""
    ) -> Order:
        """Return what a request asks for; ``index`` and ``digest`` are for one of many that have a key in common.

        Raises:
            ProblemError: 422, the request is wrong.
        """
        name = ""
        if key is not None and request.name is not None:
            digest = named_digest(caller.name, key, request)
        elif key is not None:
            name = name_of(caller.name, request.namespace or self._settings.default_namespace, key, index)
            digest = digest or digest_of(request)
        upload = upload_of(request)
        kind, manifest = manifest_of(
            request,
            self._settings,
            random_suffix(),
            name=name,
            digest=digest,
            upload=upload.uploaded if upload is not None else None,
        )
        return Order(request, kind, manifest, digest, upload)

    async def require(self, caller: Caller, kind: Kind, namespace: str) -> None:
        """Let pass who may make objects of a kind.

        Raises:
            ProblemError: 403, not permitted.
        """
        await self._access.require(caller, Verb.CREATE, kind, namespace)

    async def attempt(self, order: Order) -> KubeDict:
        """Return what the API server would make of an order, with all its defaults.

        Raises:
            ApiError: it refuses.
        """
        return await self._cluster.create(order.kind, order.manifest, is_try=True)

    async def median(self, caller: Caller, namespace: str) -> float | None:
        """Return how long a finished job of a namespace took in the middle; None when there is none, or when the caller may not know."""
        try:
            await self._access.require(caller, Verb.LIST, SIMULATION_JOB, namespace)
        except ProblemError as problem:
            if problem.status != 403:
                raise
            return None
        found = self._caches.jobs.index.stats([], namespaces=frozenset({namespace}), quantiles=(0.5,))
        return found.durations.get(0.5)

    async def former(self, order: Order) -> Made | None:
        """Return what an order with a key has become before, None when it is new.

        Raises:
            ProblemError: 422, the key belongs to another request; 409 there is another one of that name.
            StoreError: it cannot be found out.
        """
        if not order.digest:
            return None
        if order.is_named:
            return await self._former_of_name(order)
        own, other = await asyncio.gather(self._found(order, order.kind), self._found(order, _other(order.kind)))
        if own is not None:
            if other is not None and _is_cancelled(own) and not _is_cancelled(other):
                raise _both_kinds(order)
            return await self._replay(order, own)
        if other is not None:
            raise _both_kinds(order)
        digests = [found.get(ANNOTATION_IDEMPOTENCY) for found in await self._archived(order)]
        if not digests:
            return None
        if order.digest not in digests:
            raise used_otherwise("it has been used for another request, whose job is gone by now")
        return Made(self._answer(order), is_replay=True)

    async def _former_of_name(self, order: Order) -> Made | None:
        found = await self._found(order, order.kind)
        if found is not None:
            return await self._replay(order, found)
        digests = [one.get(ANNOTATION_IDEMPOTENCY) for one in await self._archived(order)]
        return Made(self._answer(order), is_replay=True) if order.digest in digests else None

    async def make(self, order: Order) -> Made:
        """Make an object. With a key: unless somebody else is faster with the same.

        Raises:
            ApiError: the API server refuses it.
            ProblemError: 422, the key belongs to another request; 409 there is another one of that name.
            StoreError: a list of points that is too long for the object cannot be stored.
        """
        if order.upload is not None:  # first: from the moment at which the object is there the operator looks for them
            await self._uploads.put(order.namespace, order.upload)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                obj = await self._cluster.create(order.kind, order.manifest)
            except ApiError as error:
                if error.status != 409:
                    raise
                # Either it is there, or (a quota that many count up at once) it is worth another attempt.
                found = await self._found(order, order.kind) if order.digest or order.is_named else None
                if found is not None:
                    return await self._replay(order, found)
                if attempt == _ATTEMPTS:
                    raise
                continue
            if order.digest and not order.is_named:
                await self._yield_to_other_kind(order)
            return Made(self._answer(order), await self._seen(order, obj))
        raise AssertionError("the last attempt returns or raises")

    async def _found(self, order: Order, kind: Kind) -> KubeDict | None:
        try:
            return await self._cluster.get(kind, order.namespace, order.name)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def _archived(self, order: Order) -> list[dict[str, str]]:
        return await self._archive.annotations(order.namespace, order.name)

    async def _replay(self, order: Order, obj: KubeDict) -> Made:
        kept = (obj["metadata"].get("annotations") or {}).get(ANNOTATION_IDEMPOTENCY)
        if not order.digest or kept != order.digest:
            if order.is_named:
                what = "sweep" if order.kind is SIMULATION_SWEEP else "job"
                raise ProblemError(
                    409, f"there is a {what} {self._id(order)} already: take another name, or delete that one first"
                )
            raise used_otherwise(f"it has been used for another request, which made {self._id(order)}")
        return Made(self._answer(order), await self._seen(order, obj), is_replay=True)

    async def _yield_to_other_kind(self, order: Order) -> None:
        """Take back what was made when a job and a sweep were asked for by one key at the same time. Of the two at least one sees the other."""
        if await self._found(order, _other(order.kind)) is None:
            return

        def cancel(obj: KubeDict) -> dict[str, Any] | None:
            return None if _is_cancelled(obj) else {"cancelled": True}

        await self._editor.change(order.kind, order.namespace, order.name, cancel, _both_kinds(order))
        raise _both_kinds(order)

    async def _seen(self, order: Order, obj: KubeDict) -> str:
        version = obj["metadata"]["resourceVersion"]
        return await self._caches.seen(order.kind, order.namespace, version, self._settings.write_wait_seconds)

    def _id(self, order: Order) -> str:
        return id_of(order.namespace, order.name, self._settings.default_namespace)

    def _answer(self, order: Order) -> Created:
        own = self._id(order)
        logs.tell(job=own, namespace=order.namespace, name=order.name)
        if order.kind is SIMULATION_JOB:
            return Created(jobs=[own], sweep_mapping=mapping_of(order.request, [own]))
        ids = [point_id(own, index) for index in range(len(order.request.sweep or ()))]
        return Created(jobs=ids, sweep=own, sweep_mapping=mapping_of(order.request, ids))


def _other(kind: Kind) -> Kind:
    return SIMULATION_SWEEP if kind is SIMULATION_JOB else SIMULATION_JOB


def _is_cancelled(obj: KubeDict) -> bool:
    return bool((obj.get("spec") or {}).get("cancelled"))


def _both_kinds(order: Order) -> ProblemError:
    return used_otherwise(f"it has been used for another request, which made a {_other(order.kind).kind}")
