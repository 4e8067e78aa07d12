"""``/docs``: the calls as a page to read and try. Its scripts come from where ``SIMOPS_DOCS_ASSETS`` says, and from nowhere else."""

import base64
import hashlib
import re
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
# No icon: an empty picture, so that the browser asks nobody for one.
_ICON = "data:,"


def install(app: FastAPI, assets: str) -> None:
    """Add the page, if there is a place where its scripts come from."""
    if not assets:
        return

    async def docs(request: Request) -> HTMLResponse:
        prefix = str(request.scope.get("root_path") or "").rstrip("/")
        page = get_swagger_ui_html(
            openapi_url=f"{prefix}{app.openapi_url}",
            title=f"{app.title} – calls",
            swagger_js_url=f"{assets}/swagger-ui-bundle.js",
            swagger_css_url=f"{assets}/swagger-ui.css",
            swagger_favicon_url=_ICON,
        )
        page.headers["Content-Security-Policy"] = policy_of(page.body, assets)
        page.headers["Cache-Control"] = "no-cache"
        return page

    app.add_api_route("/docs", docs, include_in_schema=False, response_class=HTMLResponse)


def policy_of(page: bytes | memoryview, assets: str) -> str:
    """Return the Content-Security-Policy of a page (pure): its own script by its hash, files from ``assets``, calls to the gateway."""
    parts = urlsplit(assets)
    source = f"{parts.scheme}://{parts.netloc}" if parts.netloc else "'self'"
    hashes = [base64.b64encode(hashlib.sha256(text).digest()).decode() for text in _INLINE.findall(bytes(page))]
    scripts = " ".join([source, *(f"'sha256-{one}'" for one in hashes)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src {source} 'unsafe-inline'; img-src 'self' data: {source}; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
