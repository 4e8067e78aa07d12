"""Start the operator: ``python -m simops_operator``, the same as ``kopf run -m simops_operator.handlers`` with the settings' namespaces."""

import asyncio
import sys

import kopf
from pydantic import ValidationError

from simops_io import logs
from simops_operator import handlers  # noqa: F401 - registers the handlers
from simops_operator.settings import Settings

LIVENESS = "http://0.0.0.0:8080/healthz"


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
    asyncio.run(kopf.operator(namespaces=list(settings.namespaces), liveness_endpoint=LIVENESS, standalone=True))


if __name__ == "__main__":
    main()
