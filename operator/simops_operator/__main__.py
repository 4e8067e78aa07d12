"""Start the operator: ``python -m simops_operator``."""

import asyncio
import sys

import kopf
from pydantic import ValidationError

from simops_io import logs
from simops_operator import handlers  # registers what kopf calls
from simops_operator.doors import serving
from simops_operator.settings import Settings

LIVE_PORT = 8080
"""Where /healthz is; 0: nowhere."""


def main() -> None:
    """Run until stopped. Wrong settings end it at once with exit code 2 and the variable's name."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            variable = f"SIMOPS_{'_'.join(str(part) for part in problem['loc']).upper()}"
            sys.stderr.write(f"{variable}: {problem['msg']}\n")
        raise SystemExit(2) from None
    kopf.configure(debug=settings.log_level == "DEBUG")  # what it silences stays silent; its lines are ours
    logs.configure(settings.log_level, settings.log_format)
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    # Not kopf's own endpoint, which has room for any number of connections for any time.
    async with serving(LIVE_PORT, {"/healthz": handlers.health}):
        await kopf.operator(namespaces=list(settings.namespaces), standalone=True)


if __name__ == "__main__":
    main()
