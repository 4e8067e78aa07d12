"""Where the gateway is and who asks, from arguments or from the environment."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

Token = str | Path | Callable[[], str]
"""A token; or a file that has one, read again for each request, since such files are renewed; or what returns one."""
ROOT = "/api/v1/"
URL, TOKEN, TOKEN_FILE = "SIMOPS_URL", "SIMOPS_TOKEN", "SIMOPS_TOKEN_FILE"


def base_of(url: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the address below which all calls are.

    Raises:
        ValueError: there is none, or it is no address.
    """
    given = (url or environment.get(URL) or "").rstrip("/")
    if not given:
        raise ValueError(f"where is the gateway? Give url, or set {URL}")
    if not given.startswith(("http://", "https://")):
        raise ValueError(f"{given!r} is no address: it begins with http:// or https://")
    return given.removesuffix(ROOT.rstrip("/")) + ROOT


def token_of(token: Token | None, environment: Mapping[str, str] = os.environ) -> Callable[[], str]:
    """Return what says the token of a request; an empty one for none."""
    if token is None:
        file = environment.get(TOKEN_FILE)
        token = Path(file) if file else environment.get(TOKEN, "")
    if isinstance(token, Path):
        path = token
        return lambda: path.read_text(encoding="utf-8").strip()
    if callable(token):
        return token
    fixed = token
    return lambda: fixed
