"""The OpenAPI says which calls need a token."""

from typing import Any

from fastapi import FastAPI

from simops_api.auth.gate import OPEN

_SCHEME = "bearer"


def declare(app: FastAPI) -> None:
    """Say in the OpenAPI that every call that is not open takes a bearer token."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {})["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "bearer"}}
        for path, calls in document["paths"].items():
            if path not in OPEN:
                for call in calls.values():
                    call["security"] = [{_SCHEME: []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]
