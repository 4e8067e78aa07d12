"""`/ui`: the shell of every page, and the files that it needs. Whoever reads them needs no token; all that they show is asked with one."""

from html import escape
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from simops_api.errors import ProblemError
from simops_api.ui.assets import DIST, Assets, read_assets

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from anywhere else, no script or style in a page or an attribute. blob: is for pictures among the results, which are fetched with the token."""
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}
_YEAR = "public, max-age=31536000, immutable"
_NOT_BUILT = "The page is not built into this gateway. From a checkout: `hack/assets build`, then start it again.\n"


def install(app: FastAPI, dist: Path = DIST) -> None:
    """Add the page as it is built in a folder. `/` leads people there, and nobody else."""
    assets = read_assets(dist)

    async def shell(request: Request) -> Response:
        if assets is None:
            return PlainTextResponse(_NOT_BUILT, 503)
        prefix = escape(_prefix(request))
        return Response(
            assets.shell.replace("{{prefix}}", prefix), headers=_HEADERS, media_type="text/html; charset=utf-8"
        )

    async def page(request: Request, page: str) -> Response:
        del page  # the script reads the address
        return await shell(request)

    async def file(request: Request, name: str) -> Response:
        return _file(request, assets, name)

    async def root(request: Request) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            raise ProblemError(404, "there is no such call; /docs lists them all")
        return RedirectResponse(f"{_prefix(request)}/ui", 302, {"Vary": "Accept"})

    for path, answer in (("/ui", shell), ("/ui/{page}", page), ("/ui/assets/{name}", file), ("/", root)):
        app.add_api_route(path, answer, methods=["GET", "HEAD"], include_in_schema=False, response_class=Response)


def _prefix(request: Request) -> str:
    return str(request.scope.get("root_path") or "").rstrip("/")


def _file(request: Request, assets: Assets | None, name: str) -> Response:
    found = assets.files.get(name) if assets is not None else None
    if found is None:
        raise ProblemError(404, "there is no such file of the page: load the page again")
    named_by_content = "-" in name
    headers = {"Cache-Control": _YEAR if named_by_content else "no-cache", "Vary": "Accept-Encoding"}
    if found.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.gzipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=found.media_type)
    return Response(found.plain, headers=headers, media_type=found.media_type)
