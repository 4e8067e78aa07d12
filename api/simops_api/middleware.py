"""What every request goes through, from the outside in. The order matters, and is written here and nowhere else."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from simops_api.audit import Audit
from simops_api.auth.gate import Gate
from simops_api.errors import Faults
from simops_api.headers import AllowedHosts, SecurityHeaders
from simops_api.holds import Room
from simops_api.limits import AnswerLimit, BodyLimit, HeadLimit
from simops_api.observe import Observe
from simops_api.requests import RequestId
from simops_api.settings import Settings

BULK_PATH, POINTS_PATH = "/api/v1/jobs/bulk", "/api/v1/points"
_METHODS = ("GET", "HEAD", "POST", "DELETE")
_ASKED = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Range",
    "SimOps-Min-Version",
    "X-Request-ID",
)
_SHOWN = (
    "Age",
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Idempotent-Replay",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "SimOps-Version",
    "X-Request-ID",
)


def install(app: FastAPI, settings: Settings) -> None:
    """Add it all."""
    # Starlette puts each one around those before it: the last is the first to see a request.
    app.add_middleware(Faults)
    longer = {BULK_PATH: settings.max_bulk_body_bytes, POINTS_PATH: settings.max_upload_body_bytes}
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, paths=longer, streamed=(POINTS_PATH,))
    app.add_middleware(AnswerLimit, room=Room())
    app.add_middleware(Gate)
    app.add_middleware(Audit)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=_METHODS,
            allow_headers=_ASKED,
            expose_headers=_SHOWN,
        )
    if settings.allowed_hosts:
        app.add_middleware(AllowedHosts, hosts=settings.allowed_hosts)
    app.add_middleware(HeadLimit)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Observe)
    app.add_middleware(RequestId)
