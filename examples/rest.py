"""Run the heat equation by REST, follow its log, fetch its results: `GATEWAY=http://… TOKEN=… python examples/rest.py`."""

import json
import os
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import httpx


def events(lines: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    """Yield name, id and data of server-sent events."""
    name = identity = ""
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "id":
            identity = value
        elif field == "data":
            data.append(value)
        elif not line and data:
            yield name, identity, "\n".join(data)
            name, data = "", []


def follow(gateway: httpx.Client, job: str) -> dict[str, Any]:
    """Print a log while it is written; return how the job ended. Whatever breaks the connection, no line is lost and none comes twice."""
    last = ""
    while True:
        try:
            headers = {"Last-Event-ID": last} if last else {}
            with gateway.stream("GET", f"jobs/{job}/logs/stream", headers=headers, timeout=60) as stream:
                stream.raise_for_status()
                for name, identity, data in events(stream.iter_lines()):
                    last = identity or last
                    if name == "line":
                        print(data)
                    elif name == "end":
                        ended: dict[str, Any] = json.loads(data)
                        return ended
        except httpx.TransportError as error:
            print(f"going on after: {error}", file=sys.stderr)


def main() -> None:
    """Run."""
    token = os.environ.get("TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=f"{os.environ['GATEWAY']}/api/v1/", headers=headers, timeout=30) as gateway:
        request = {
            "container_image": "sim:local",
            "params": {"length": 1.0, "time_steps": 200, "diffusivity": 0.01, "initial_temp": 100.0},
            "metadata": {"project": "heat-transfer"},
        }
        # With a key the request may be sent again, whatever happened to the answer.
        made = gateway.post("jobs", json=request, headers={"Idempotency-Key": str(uuid.uuid4())})
        if made.is_error:
            sys.exit(f"refused: {made.json()['detail']}")
        (job,) = made.json()["jobs"]
        ended = follow(gateway, job)
        print(f"{job}: {ended['status']}")
        for file in gateway.get(f"jobs/{job}/artifacts").raise_for_status().json()["files"]:
            print(f"{file['bytes']:>10}  {file['path']}")
        print(gateway.get(f"jobs/{job}/artifacts/metrics.json").raise_for_status().json())


if __name__ == "__main__":
    main()
