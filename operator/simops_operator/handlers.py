"""The kopf side: watches of SimulationJobs, SimulationSweeps, Jobs and Pods that feed the caches and the queue. Nothing is decided here.

Only ``on.event`` handlers: they cost no annotation, no finalizer and no write. kopf does not try an event again whose handler failed; the queue does.
"""

import logging
from typing import Any

import kopf
from aiohttp import web

from simops_crds.names import FINAL_PHASES, GROUP, LABEL_MANAGED_BY, MANAGED_BY, VERSION
from simops_operator.app import App
from simops_operator.cache import Key
from simops_operator.core.run import run_of
from simops_operator.core.sweeps.sweep import sweep_of
from simops_operator.core.sweeps.views import pack_pod, round_job
from simops_operator.core.views import job_view, pod_view
from simops_operator.deep import read_any_objects
from simops_operator.resync import key_of
from simops_operator.settings import Settings
from simops_operator.sweeps import resync as sweep_resync

POD_EVENT_SECONDS = 1.0
"""How long an event of a sweep's Pod may wait for others: a pass over a sweep takes in all of them at once."""


class _Holder:
    """Where the handlers find the running operator: kopf gives them no better place."""

    app: App


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Configure kopf and begin."""
    # One line for every event of every object tells nobody anything.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # what fails for good is told by the store
    read_any_objects()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.watching.server_timeout = 300
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500
    # Until a worker ends it holds the last that came of its object.
    settings.queueing.idle_timeout = 0.1
    settings.networking.request_timeout = 30
    # Memory follows what is alive, not history. Sweeps are few, and a finished one may be told to go on.
    settings.watching.field_selectors[GROUP, VERSION, "simulationjobs"] = ",".join(
        f"status.phase!={phase.value}" for phase in sorted(FINAL_PHASES)
    )
    for resource in (("batch", "v1", "jobs"), ("", "v1", "pods")):
        settings.watching.label_selectors[resource] = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
    _Holder.app = await App.start(Settings())


@kopf.on.cleanup()
async def stop(**_: Any) -> None:
    """End in good order."""
    await _Holder.app.stop()


@kopf.on.login()
async def login(**_: Any) -> kopf.AiohttpSession:
    """Give kopf a session with a bounded connection pool."""
    app = _Holder.app
    return kopf.AiohttpSession(server=app.api.configuration.host, aiohttp_session=await app.watch_session())


async def health() -> web.Response:
    """Answer the liveness probe: with a failure before the start, and when work does not move any more."""
    app = getattr(_Holder, "app", None)
    fault = "starting" if app is None else app.stuck
    return web.Response(status=503 if fault else 200, text=f"{fault or 'ok'}\n")


@kopf.on.event(GROUP, VERSION, "simulationjobs")
async def on_run(event: kopf.RawEvent, **_: Any) -> None:
    """Take a SimulationJob in."""
    app = _Holder.app
    obj: Any = event["object"]
    meta = obj["metadata"]
    uid = meta["uid"]
    if not app.leading or app.cache.is_finished(uid):
        return
    if event["type"] == "DELETED":
        app.cache.doubtful.add(uid)
    else:
        app.cache.put_run(run_of(obj))
    await app.queue.add(Key(meta["namespace"], meta["name"], uid))


@kopf.on.event(GROUP, VERSION, "simulationsweeps")
async def on_sweep(event: kopf.RawEvent, **_: Any) -> None:
    """Take a SimulationSweep in. One that is finished is news only if its spec has changed since."""
    app = _Holder.app
    obj: Any = event["object"]
    meta, status = obj["metadata"], obj.get("status") or {}
    uid = meta["uid"]
    if not app.leading:
        return
    if event["type"] == "DELETED":
        if app.sweeps.is_finished(uid):
            return
        app.sweeps.doubtful.add(uid)
    else:
        is_settled = status.get("phase") in FINAL_PHASES and status.get("observedGeneration") == meta.get("generation")
        if is_settled and uid not in app.sweeps.sweeps:
            return
        if not app.sweeps.put_sweep(sweep_of(obj)):
            return  # what we have written ourselves
    await app.sweep_queue.add(Key(meta["namespace"], meta["name"], uid))


@kopf.on.event("batch", "v1", "jobs")
async def on_job(event: kopf.RawEvent, **_: Any) -> None:
    """Take a Job in."""
    app = _Holder.app
    obj: Any = event["object"]
    if not app.leading:
        return
    key = key_of(obj)
    if key is None:
        await _on_round(obj, is_gone=event["type"] == "DELETED")
        return
    if app.cache.is_finished(key.uid):
        return
    view = job_view(obj)
    if event["type"] == "DELETED":
        app.cache.drop_job(key.uid, view.uid)
    else:
        app.cache.put_job(key.uid, view)
    await app.queue.add(key)


@kopf.on.event("", "v1", "pods")
async def on_pod(event: kopf.RawEvent, **_: Any) -> None:
    """Take a Pod in."""
    app = _Holder.app
    obj: Any = event["object"]
    if not app.leading:
        return
    key = key_of(obj)
    if key is None:
        await _on_pack(obj, is_gone=event["type"] == "DELETED")
        return
    if app.cache.is_finished(key.uid):
        return
    app.cache.put_pod(key.uid, pod_view(obj, gone=event["type"] == "DELETED"))
    await app.queue.add(key)


async def _on_round(obj: Any, *, is_gone: bool) -> None:
    """Take the Job of a round in. Its counters change with every Pod; only what is decided by is news."""
    app, key = _Holder.app, sweep_resync.key_of(obj)
    if key is None or app.sweeps.is_finished(key.uid):
        return
    view = round_job(obj)
    if is_gone:
        app.sweeps.drop_job(key.uid, view)
    elif not app.sweeps.put_job(key.uid, view):
        return
    await app.sweep_queue.add(key)


async def _on_pack(obj: Any, *, is_gone: bool) -> None:
    """Take a Pod of a sweep in. Most of what happens to a Pod changes nothing, and what does can wait for more of it."""
    app, key = _Holder.app, sweep_resync.key_of(obj)
    if key is None or app.sweeps.is_finished(key.uid):
        return
    if app.sweeps.is_collected(key.uid, obj["metadata"]["name"]):
        return
    if app.sweeps.put_pod(key.uid, pack_pod(obj, gone=is_gone)):
        await app.sweep_queue.add_later(key, POD_EVENT_SECONDS)
