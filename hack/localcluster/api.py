"""The few questions that the start of a cluster asks its API server, by the administrator's certificate."""

import http.client
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcluster.addresses import Addresses

Get = Callable[[str], "tuple[int, Any]"]


def client(pki: Path, addresses: Addresses) -> Get:
    """Return a function that gets a path; status 0 means that nothing answers yet."""
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")

    def get(path: str) -> tuple[int, Any]:
        connection = http.client.HTTPSConnection(addresses.node, 6443, timeout=5, context=context)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()
        try:
            return response.status, json.loads(body)
        except ValueError:
            return response.status, body.decode(errors="replace")

    return get


def api_ready(get: Get) -> bool:
    """Say whether the API server has started completely."""
    return get("/readyz")[0] == 200


def default_account_there(get: Get) -> bool:
    """Say whether Pods may be created in the namespace `default`."""
    return get("/api/v1/namespaces/default/serviceaccounts/default")[0] == 200


def node_ready(get: Get, node: str) -> bool:
    """Say whether the node reports that it is ready."""
    status, body = get(f"/api/v1/nodes/{node}")
    return status == 200 and condition(body, "Ready")


def dns_ready(get: Get) -> bool:
    """Say whether the cluster's DNS has a Pod that answers."""
    status, body = get("/apis/apps/v1/namespaces/kube-system/deployments/coredns")
    return status == 200 and condition(body, "Available")


def condition(body: Any, kind: str) -> bool:
    """Read a condition of an object's status."""
    conditions = body.get("status", {}).get("conditions", [])
    return any(item["type"] == kind and item["status"] == "True" for item in conditions)
