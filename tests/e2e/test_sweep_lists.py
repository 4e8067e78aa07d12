"""A list of 100,000 points: uploaded as a table, named by a sweep, soon started, and small in the API server."""

import json
import urllib.request
from typing import Any

from e2e.cluster import until
from e2e.gateway import PREFIX, Gateway
from e2e.lab import SWEEPS, TESTBOX, Lab

COUNT = 100_000
COMMAND = ["sh", "-c", "sleep 1", "point"]


def uploaded(gateway: Gateway, table: bytes) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{gateway.url}{PREFIX}/points", table, {"Content-Type": "text/csv"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status == 201
        found: dict[str, Any] = json.loads(answer.read())
    return found


def test_a_list_of_a_hundred_thousand_points_is_run(simops: Lab, gateway: Gateway) -> None:
    rows = "".join(f"{i / 7},{i}\n" for i in range(COUNT))
    list_ = uploaded(gateway, f"dt,number\n{rows}".encode())
    assert (list_["points"], list_["names"]) == (COUNT, ["dt", "number"])
    space = {"method": "list", "pointsFrom": {"digest": list_["digest"], "points": COUNT}}
    body = {"image": TESTBOX, "command": COMMAND, "space": space, "points_per_pod": 500, "parallelism": 1}
    answer = gateway.call("POST", "/sweeps", body)
    assert answer.status == 201, answer.content
    sweep = answer.json["sweep"]
    path = f"{SWEEPS}/{sweep}"

    def first_runs() -> dict[str, Any] | None:
        found: dict[str, Any] = simops.cluster.request("GET", path)
        active = ((found.get("status") or {}).get("points") or {}).get("active")
        return found if active else None

    found = until(first_runs, "the first Pod runs", within=60)
    assert len(json.dumps(found)) < 200_000
    assert found["status"]["points"]["total"] == COUNT
    last = gateway.get(f"/jobs/{sweep}-{COUNT - 1}").json
    assert last["params"] == {"dt": (COUNT - 1) / 7, "number": COUNT - 1}
    assert gateway.call("DELETE", f"/sweeps/{sweep}").status == 202
    until(lambda: gateway.get(f"/sweeps/{sweep}").json["status"] == "Cancelled", "it is cancelled", within=120)


def test_a_list_in_a_request_that_is_too_long_for_an_object_is_run_all_the_same(simops: Lab, gateway: Gateway) -> None:
    points = [{"x": x} for x in range(12_000)]
    body = {"image": TESTBOX, "command": COMMAND, "sweep": points, "points_per_pod": 6000, "parallelism": 1}
    plan = gateway.call("POST", "/jobs?dry_run=true", body)
    assert (plan.status, plan.json["points"], plan.json["pods"]) == (200, 12_000, 2)
    made = gateway.call("POST", "/jobs", body, {"Idempotency-Key": "long-list"})
    assert (made.status, len(made.json["jobs"])) == (201, 12_000)
    sweep = made.json["sweep"]
    assert gateway.call("POST", "/jobs", body, {"Idempotency-Key": "long-list"}).json["sweep"] == sweep
    until(
        lambda: gateway.get(f"/jobs/{sweep}-11999").json.get("params") == {"x": 11_999},
        "its points are stored",
        within=60,
    )
    assert gateway.call("DELETE", f"/sweeps/{sweep}").status == 202


def test_a_list_that_is_not_there_is_told(simops: Lab, gateway: Gateway) -> None:
    space = {"method": "list", "pointsFrom": {"digest": "sha256:" + "0f" * 32, "points": 3}}
    sweep = gateway.call("POST", "/sweeps", {"image": TESTBOX, "command": COMMAND, "space": space}).json["sweep"]
    until(lambda: gateway.get(f"/sweeps/{sweep}").json["status"] == "Failed", "it has failed", within=60)
    assert "upload it" in gateway.get(f"/sweeps/{sweep}").json["message"]
