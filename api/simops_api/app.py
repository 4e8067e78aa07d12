"""The gateway as an ASGI application: ``python -m simops_api``, or ``uvicorn simops_api.app:app``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI

from simops_api import audit, errors, exposition, health, middleware, observe, pages
from simops_api.artifacts import routes as artifacts
from simops_api.auth.declared import declare
from simops_api.auth.tokens import TokenFile, TokenFileError
from simops_api.events import many_routes
from simops_api.events import routes as event_routes
from simops_api.jobs import create_routes
from simops_api.jobs import routes as jobs
from simops_api.logs import routes as log_routes
from simops_api.me import routes as me
from simops_api.settings import Settings, SettingsError, read_settings
from simops_api.state import running
from simops_api.strict import said_once
from simops_api.sweeps import routes as sweep_routes
from simops_api.ui import routes as ui
from simops_api.uploads import routes as upload_routes
from simops_io import logs, tracing

PREFIX = "/api/v1"


def create_app(settings: Settings) -> FastAPI:
    """Return the application; it connects when it is started."""
    spans = tracing.provider_for("simops-gateway")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings) as state:
            app.state.gateway = state
            with state.streams.closing_on_signals():
                yield
        await asyncio.to_thread(tracing.close, spans)

    app = FastAPI(
        title="SimOps",
        version="v1",
        description="Run containerised physics simulations on Kubernetes.",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
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
    middleware.install(app, settings)
    if settings.auth_mode != "none":
        declare(app)
    pages.install(app, settings.docs_assets)
    if settings.ui:
        ui.install(app)
    app.include_router(health.router)
    app.include_router(exposition.router)
    v1 = APIRouter(prefix=PREFIX, dependencies=[Depends(said_once)])
    v1.include_router(health.router)
    v1.include_router(me.router)
    v1.include_router(create_routes.router)
    v1.include_router(jobs.router)
    v1.include_router(sweep_routes.router)
    v1.include_router(upload_routes.router)
    v1.include_router(artifacts.router)
    v1.include_router(log_routes.router)
    v1.include_router(event_routes.router)
    v1.include_router(many_routes.router)
    app.include_router(v1)
    return app


def application() -> tuple[FastAPI, Settings]:
    """Return the application as the environment configures it.

    Raises:
        SystemExit: the environment is not fit to start with; the text says what is wrong.
    """
    try:
        settings = read_settings()
        if settings.static_tokens:
            TokenFile(settings.static_tokens)
    except (SettingsError, TokenFileError) as error:
        raise SystemExit(f"the gateway does not start: {error}") from error
    logs.configure(settings.logged_level, settings.log_format, observe.log_fields)
    observe.quiet_libraries()
    audit.configure()
    return create_app(settings), settings


def __getattr__(name: str) -> Any:
    # `app` is made when it is asked for: whoever imports the module for something else needs no settings.
    if name != "app":
        raise AttributeError(name)
    made, _ = application()
    globals()["app"] = made
    return made
