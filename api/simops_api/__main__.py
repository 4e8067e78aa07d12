"""``python -m simops_api``: the gateway as a process."""

import uvicorn

from simops_api.app import application
from simops_api.wire import Wire


def main() -> None:
    """Serve until told to stop; then let requests end and streams be taken up elsewhere."""
    app, settings = application()
    uvicorn.run(
        app,
        http=Wire,
        host=settings.http_host,
        port=settings.http_port,
        # The process has configured its own lines, an access line for each request among them.
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


if __name__ == "__main__":
    main()
