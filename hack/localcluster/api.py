"""The few questions that the start of a cluster asks its API server, by the administrator's certificate."""

import http.client
import json
import os
import socket
import ssl
import struct
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from localcluster.addresses import Addresses
from localcluster.components import DOMAIN

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


def node_ready(get: Get, node: str, since: datetime) -> bool:
    """Say whether the node is ready and its kubelet has said so after `since`: the status of a dead one stays `Ready`."""
    status, body = get(f"/api/v1/nodes/{node}")
    if status != 200 or not condition(body, "Ready"):
        return False
    status, lease = get(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}")
    return status == 200 and bool(datetime.fromisoformat(lease["spec"]["renewTime"]) >= since)


def dns_query(name: str, number: int) -> bytes:
    """Return the question for the IPv4 address of `name`."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def dns_answers(server: str, name: str = f"kubernetes.default.svc.{DOMAIN}") -> bool:
    """Say whether the cluster's DNS finds a name: this goes all the way, through the service to the Pod."""
    number = os.getpid() & 0xFFFF
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        try:
            asking.sendto(dns_query(name, number), (server, 53))
            reply = asking.recv(4096)
        except OSError:
            return False
    identity, flags, _, answers = struct.unpack(">4H", reply[:8])
    return bool(identity == number and flags & 0xF == 0 and answers > 0)


def condition(body: Any, kind: str) -> bool:
    """Read a condition of an object's status."""
    conditions = body.get("status", {}).get("conditions", [])
    return any(item["type"] == kind and item["status"] == "True" for item in conditions)
