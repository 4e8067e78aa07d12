"""The gateway as an ASGI application: ``uvicorn simops_api.app:app``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI

from simops_api import errors, exposition, health, observe
from simops_api.artifacts import routes as artifacts
from simops_api.jobs import routes as jobs
from simops_api.limits import BodyLimit
from simops_api.requests import RequestId
from simops_api.settings import Settings, SettingsError, read_settings
from simops_api.state import running
from simops_io import logs, tracing

PREFIX = "/api/v1"


def create_app(settings: Settings) -> FastAPI:
    """Return the application; it connects when it is started."""
    spans = tracing.provider_for("simops-gateway")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings) as state:
            app.state.gateway = state
            yield
        await asyncio.to_thread(tracing.close, spans)

    app = FastAPI(
        title="SimOps",
        version="v1",
        description="Run containerised physics simulations on Kubernetes.",
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry={
            "tracing": spans is not None,
            "tracer_provider": spans,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
            "auto_configure": False,
            "exclude": observe.is_probe,
        },
    )
    errors.install(app)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(observe.Observe)
    app.add_middleware(RequestId)
    app.include_router(health.router)
    app.include_router(exposition.router)
    v1 = APIRouter(prefix=PREFIX)
    v1.include_router(health.router)
    v1.include_router(jobs.router)
    v1.include_router(artifacts.router)
    app.include_router(v1)
    return app


def _from_environment() -> FastAPI:
    try:
        settings = read_settings()
    except SettingsError as error:
        raise SystemExit(f"the gateway does not start: {error}") from error
    logs.configure(settings.log_level, settings.log_format, observe.log_fields)
    observe.quiet_libraries()
    return create_app(settings)


def __getattr__(name: str) -> Any:
    # `app` is made when it is asked for: whoever imports the module for something else needs no settings.
    if name != "app":
        raise AttributeError(name)
    made = _from_environment()
    globals()["app"] = made
    return made
