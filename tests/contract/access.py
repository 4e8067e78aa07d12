"""People of two namespaces on a real API server: service accounts with tokens, roles and bindings as the authentication guide gives them."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.server import Api
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from simops_crds.names import GROUP, VERSION

Object = dict[str, Any]

KINDS = ["simulationjobs", "simulationsweeps"]
GATEWAY_VERBS = ["get", "list", "watch", "create", "patch"]
GATEWAY_RULES: list[Object] = [
    {"apiGroups": [GROUP], "resources": KINDS, "verbs": GATEWAY_VERBS},
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
]
"""What a gateway that asks about callers itself may do in the tests, and no more."""


@dataclass(frozen=True)
class People:
    """Makes people and their rights; what it made it can take away."""

    api: Api
    undo: list[Callable[[], Any]]

    @property
    def core(self) -> Any:
        return client.CoreV1Api(self.api.client)

    @property
    def rbac(self) -> Any:
        return client.RbacAuthorizationV1Api(self.api.client)

    def namespace(self, name: str) -> None:
        """Make a namespace. Without its controller one never goes away, so it may be there already."""
        try:
            self.core.create_namespace({"metadata": {"name": name}})
        except ApiException as error:
            if error.status != 409:
                raise

    def account(self, namespace: str, name: str) -> None:
        """Make a service account."""
        self.core.create_namespaced_service_account(namespace, {"metadata": {"name": name}})
        self.undo.append(lambda: self.core.delete_namespaced_service_account(name, namespace))

    def token(self, namespace: str, name: str, audiences: list[str] | None = None) -> str:
        """Return a token of a service account, as ``kubectl create token`` does."""
        spec = {"audiences": audiences or [], "expirationSeconds": 3600}
        made = self.core.create_namespaced_service_account_token(name, namespace, {"spec": spec})
        token: str = made.status.token
        return token

    def may(self, namespace: str, name: str, subjects: list[Object], **rule: Any) -> None:
        """Give people of a namespace a role there."""
        rules = [{"apiGroups": [GROUP], "resources": KINDS, **rule}]
        self.rbac.create_namespaced_role(namespace, {"metadata": {"name": name}, "rules": rules})
        self.undo.append(lambda: self.rbac.delete_namespaced_role(name, namespace))
        self._bind(namespace, name, "Role", subjects)

    def _bind(self, namespace: str, name: str, kind: str, subjects: list[Object]) -> None:
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        body = {"metadata": {"name": name}, "roleRef": ref, "subjects": subjects}
        if namespace:
            self.rbac.create_namespaced_role_binding(namespace, body)
            self.undo.append(lambda: self.rbac.delete_namespaced_role_binding(name, namespace))
        else:
            self.rbac.create_cluster_role_binding(body)
            self.undo.append(lambda: self.rbac.delete_cluster_role_binding(name))

    def may_everywhere(self, name: str, subjects: list[Object], rules: list[Object]) -> None:
        """Give people a cluster role."""
        self.rbac.create_cluster_role({"metadata": {"name": name}, "rules": rules})
        self.undo.append(lambda: self.rbac.delete_cluster_role(name))
        self._bind("", name, "ClusterRole", subjects)

    @property
    def objects(self) -> Any:
        return client.CustomObjectsApi(self.api.client)

    def make(self, manifest: Object, namespace: str) -> None:
        """Make an object of SimOps in a namespace."""
        body = {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}
        self.objects.create_namespaced_custom_object(GROUP, VERSION, namespace, f"{manifest['kind'].lower()}s", body)
        self.undo.append(lambda: self.remove(manifest, namespace))

    def remove(self, manifest: Object, namespace: str) -> None:
        """Delete an object of SimOps."""
        plural, name = f"{manifest['kind'].lower()}s", manifest["metadata"]["name"]
        self.objects.delete_namespaced_custom_object(GROUP, VERSION, namespace, plural, name)

    def kubeconfig(self, token: str, folder: Path) -> Path:
        """Return a kubeconfig by which the API server is called with a token."""
        configuration = self.api.client.configuration
        authority = base64.b64encode(Path(configuration.ssl_ca_cert).read_bytes()).decode()
        whole = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "c", "cluster": {"server": configuration.host, "certificate-authority-data": authority}}
            ],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(whole))
        return path


def service_account(namespace: str, name: str) -> Object:
    """Return a subject of a binding."""
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def user(name: str, kind: str = "User") -> Object:
    """Return a subject of a binding."""
    return {"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}
