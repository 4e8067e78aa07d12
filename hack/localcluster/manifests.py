"""What a native cluster gets as soon as its API server answers: DNS and the default storage class."""

from localcluster.components import DOMAIN, Spec

COREDNS_IMAGE = "localhost/coredns:v1.13.1"
PROVISIONER = "simops.dev/local-volume"
LABELS = {"k8s-app": "kube-dns"}


def corefile() -> str:
    """Return the configuration of CoreDNS: the cluster's own names only, since its Pods cannot reach anything outside."""
    return (
        ".:53 {\n    errors\n    health {\n       lameduck 5s\n    }\n    ready\n"
        f"    kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{\n       pods insecure\n       ttl 30\n    }}\n"
        "    cache 30\n    loop\n    reload\n    loadbalance\n}\n"
    )


def _named(kind: str, api: str, name: str, namespace: str | None = "kube-system", **rest: object) -> dict[str, object]:
    metadata: dict[str, object] = {"name": name, "labels": LABELS if "dns" in name else {}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def _coredns_pod() -> dict[str, object]:
    probe: dict[str, object] = {"periodSeconds": 1, "failureThreshold": 60, "timeoutSeconds": 5}
    health: dict[str, object] = {"httpGet": {"path": "/ready", "port": 8181}}
    return {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "containers": [
            {
                "name": "coredns",
                "image": COREDNS_IMAGE,
                "imagePullPolicy": "Never",
                "args": ["-conf", "/etc/coredns/Corefile"],
                "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
                "ports": [
                    {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                    {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
                ],
                "startupProbe": probe | health,
                "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "failureThreshold": 5},
                "readinessProbe": health | {"periodSeconds": 5},
                "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                    "readOnlyRootFilesystem": True,
                    "runAsUser": 0,
                },
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }


def dns(spec: Spec) -> list[dict[str, object]]:
    """Return the cluster's DNS, under the names and labels that every cluster has."""
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    role = "system:coredns"
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    template = {"metadata": {"labels": LABELS}, "spec": _coredns_pod()}
    rbac = "rbac.authorization.k8s.io"
    return [
        _named("ServiceAccount", "v1", "coredns"),
        _named("ClusterRole", f"{rbac}/v1", role, None, rules=rules),
        _named(
            "ClusterRoleBinding",
            f"{rbac}/v1",
            role,
            None,
            roleRef={"apiGroup": rbac, "kind": "ClusterRole", "name": role},
            subjects=[{"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}],
        ),
        _named("ConfigMap", "v1", "coredns", data={"Corefile": corefile()}),
        _named(
            "Deployment",
            "apps/v1",
            "coredns",
            spec={"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template},
        ),
        _named(
            "Service",
            "v1",
            "kube-dns",
            spec={"selector": LABELS, "clusterIP": spec.addresses.dns, "ports": ports},
        ),
    ]


def storage_class() -> dict[str, object]:
    """Return the default storage class: folders of the node, as kind's."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def manifest(spec: Spec) -> dict[str, object]:
    """Return all of it as one list."""
    return {"apiVersion": "v1", "kind": "List", "items": [*dns(spec), storage_class()]}
