"""What `simops doctor` looks at in a cluster: its API server, the kinds, the operator, the gateway, the store, and the rights of who asks."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import urllib3
from kubernetes import client
from kubernetes.client import ApiException

from simops_cli.ports import Check
from simops_crds.kinds import KINDS
from simops_crds.names import GROUP, VERSION

_PART = "app.kubernetes.io/component"
_INSTALL = (
    "helm upgrade --install simops charts/simops -n simops-system --create-namespace (make up, for a local cluster)"
)


def message_of(error: ApiException) -> str:
    """Return what the API server says of an error."""
    try:
        return str(json.loads(error.body or "{}").get("message") or error.reason)
    except ValueError:
        return str(error.reason)


def checks(api: client.ApiClient, namespace: str) -> Iterator[Check]:
    """Look at everything, one thing after another; what cannot be seen with these rights is said to be so."""
    first = _server(api)
    yield first
    if not first.ok:
        return
    yield _kinds(api)
    for part in ("operator", "gateway", "store"):
        yield _part(api, part)
    for verb in ("create", "list", "patch"):
        yield _right(api, namespace, verb)


def _server(api: client.ApiClient) -> Check:
    host = api.configuration.host
    try:
        version = client.VersionApi(api).get_code(_request_timeout=10)
    except ApiException as error:
        remedy = "kubectl get nodes with the same kubeconfig should work first"
        return Check("API server", ok=False, found=f"{host} answers {error.status}: {message_of(error)}", remedy=remedy)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        remedy = "is the cluster up, and the context the right one? kubectl config current-context"
        return Check("API server", ok=False, found=f"{host} does not answer: {error}", remedy=remedy)
    return Check("API server", ok=True, found=f"{host}, Kubernetes {version.git_version}")


def _kinds(api: client.ApiClient) -> Check:
    try:
        found = client.CustomObjectsApi(api).get_api_resources(GROUP, VERSION)
    except ApiException as error:
        if error.status == 404:
            return Check("CRDs", ok=False, found=f"the cluster does not know {GROUP}/{VERSION}", remedy=_INSTALL)
        return Check("CRDs", ok=None, found=message_of(error))
    there = {resource.kind for resource in found.resources}
    missing = [kind.kind for kind in KINDS if kind.kind not in there]
    if missing:
        return Check("CRDs", ok=False, found=f"missing: {', '.join(missing)}", remedy=_INSTALL)
    return Check("CRDs", ok=True, found=", ".join(kind.kind for kind in KINDS))


def _part(api: client.ApiClient, part: str) -> Check:
    component = "minio" if part == "store" else part
    selector = f"app.kubernetes.io/name=simops,{_PART}={component}"
    try:
        core: Any = client.CoreV1Api(api)
        pods = core.list_pod_for_all_namespaces(label_selector=selector).items
    except ApiException as error:
        found = "you may not list Pods of all namespaces" if error.status == 403 else message_of(error)
        return Check(part, ok=None, found=found)
    if not pods and part == "store":
        return Check(
            part, ok=None, found="none in the cluster: an external one, which the gateway's readiness speaks of"
        )
    if not pods:
        return Check(part, ok=False, found="no Pod of it", remedy=_INSTALL)
    ready = [pod for pod in pods if _is_ready(pod)]
    where = f"-n {pods[0].metadata.namespace} -l {selector}"
    found = f"{len(ready)} of {len(pods)} Pods ready in {pods[0].metadata.namespace}"
    remedy = "" if ready else f"kubectl describe pod {where}; kubectl logs {where}"
    restarts = sum(status.restart_count for pod in pods for status in pod.status.container_statuses or [])
    details = (f"restarted {restarts} times",) if restarts else ()
    return Check(part, ok=bool(ready), found=found, remedy=remedy, details=details)


def _is_ready(pod: Any) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or [])


def _right(api: client.ApiClient, namespace: str, verb: str) -> Check:
    what = f"you may {verb} runs in {namespace}"
    attributes = client.V1ResourceAttributes(namespace=namespace, verb=verb, group=GROUP, resource="simulationjobs")
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes))
    create: Callable[..., Any] = client.AuthorizationV1Api(api).create_self_subject_access_review
    try:
        allowed = bool(create(review).status.allowed)
    except ApiException as error:
        return Check(what, ok=None, found=message_of(error))
    remedy = (
        "" if allowed else f"kubectl create rolebinding NAME --clusterrole=edit --user=YOU -n {namespace}, by who may"
    )
    return Check(what, ok=allowed, remedy=remedy)
