"""The whole release and the operator's writes, with the API server of each supported version of Kubernetes that is built.

Beside these tests all others with the mark `versions` run with each: fields and words of the CRDs, the policies, the Jobs of sweeps, the
chart's objects against the schemas of the version.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from contract.access import People
from contract.objects import GOOD, Manifest, axes, axis, job, lost, sweep
from contract.server import DEADLINE, Api, Kubectl
from contract.test_chart_schemas import rendered
from contract.test_crd_updates import BOTH, Make
from kubernetes import client
from unit.test_chart_render import ALLOWED, GATEWAY_ALLOWED

from localcluster.golang import OTHER_KUBERNETES, apiserver_of, built, tool
from simops_crds.kinds import KINDS
from simops_crds.names import GROUP
from simops_crds.v1alpha1 import SimulationJobSpec
from simops_operator.cluster import ApiError, Cluster
from simops_operator.core.config import JobConfig
from simops_operator.core.jobs import job_for

pytestmark = pytest.mark.versions

RELEASE, RUNS = "simops-system", "release-runs"
SETTINGS = (
    f"crds.install=false,simulations.namespaces={{{RUNS}}},simulations.createNamespaces=true,"
    "simulations.maxSweepPoints=1000,images.allowed={sim:*}"
)


@pytest.mark.parametrize("minor", OTHER_KUBERNETES)
def test_the_oldest_and_the_newest_version_are_built_as_pinned(minor: str) -> None:
    if not built(apiserver_of(minor)):
        pytest.skip(
            f"the API server of Kubernetes {minor} is not built: `make versions` builds it and runs these tests"
        )
    command = [str(tool(apiserver_of(minor))), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.split() == ["Kubernetes", OTHER_KUBERNETES[minor]]


def test_the_api_server_is_of_the_version_that_is_to_be_tried(kubectl: Kubectl, request: pytest.FixtureRequest) -> None:
    minor = request.node.callspec.params["kubeconfig"] if hasattr(request.node, "callspec") else None
    said = json.loads(kubectl("get", "--raw=/version"))["gitVersion"]
    assert minor is None or said == OTHER_KUBERNETES[minor]  # else it is the project's own, or one that was given


@pytest.fixture(scope="module")
def release(api: Api, kubectl: Kubectl) -> Iterator[Api]:
    """The API server with the chart's objects, for a namespace of their own; the CRDs and their policies are there already."""
    People(api, []).namespace(RELEASE)
    documents = [document for document in yaml.safe_load_all(rendered(f"--set={SETTINGS}")) if document]
    manifest = {"apiVersion": "v1", "kind": "List", "items": documents}
    # A field or a version that is about to go would be a warning.
    apply = ("apply", "--server-side", "--validate=strict", "--warnings-as-errors", "--filename=-")
    kubectl(*apply, given=manifest)
    api.until_refused(within(job("probe", image="evil/sim:1")), "matches none of the patterns")
    api.until_refused(within(sweep("probe", space=grid(1001))), "points")
    yield api
    kubectl("delete", "--wait=false", "--filename=-", given=manifest)


def within(manifest: Manifest) -> Manifest:
    """Return an object in the namespace that the release looks after."""
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": RUNS}}


def grid(points: int) -> Manifest:
    return axes(axis(integers={"low": 1, "high": points}))


@pytest.mark.parametrize(
    ("manifest", "code", "path", "words"),
    [
        (job(image="evil/sim:1"), 403, "spec.image", "evil/sim:1 matches none of the patterns"),
        (
            sweep(template={"image": "evil/sim:1"}),
            403,
            "spec.template.image",
            "evil/sim:1 matches none of the patterns",
        ),
        (sweep(space=grid(1001)), 422, "spec.space", "it has 1001 points, and a sweep has at most 1000 here"),
        (job(params={"mesh": [1]}), 422, "spec.params: mesh", "must be a number, a boolean or a string"),
    ],
    ids=["the image of a job", "the image of a sweep", "points", "the policy of the CRD"],
)
def test_the_policies_of_the_release_refuse(release: Api, manifest: Manifest, code: int, path: str, words: str) -> None:
    refusal = release.refusal(within(manifest))
    assert refusal is not None
    assert refusal.code == code
    assert refusal.says(path, words), refusal


def test_the_policies_of_the_release_let_the_rest_through(release: Api) -> None:
    assert release.refusal(within(job(image="sim:1"))) is None
    assert release.refusal(within(sweep(space=grid(1000)))) is None
    assert release.refusal(sweep(space=grid(1001))) is None, "another namespace is none of its business"


VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
LEASES = ("coordination.k8s.io", "leases")
REVIEWS = {("authentication.k8s.io", "tokenreviews"), ("authorization.k8s.io", "subjectaccessreviews")}
NOBODYS = {
    *((GROUP, f"{kind.plural}/finalizers") for kind in KINDS),
    *(("", resource) for resource in ("secrets", "configmaps", "nodes", "pods/exec", "serviceaccounts/token")),
    *(("rbac.authorization.k8s.io", resource) for resource in ("roles", "clusterroles", "clusterrolebindings")),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
}
Rights = set[tuple[str, tuple[str, str]]]


def rights(api: Api, program: str, namespace: str, resources: set[tuple[str, str]], name: str = "") -> Rights:
    """Ask what a program of the release may do with some resources."""
    reviews: Any = client.AuthorizationV1Api(api.client)
    allowed = set()
    for group, resource in resources:
        parts = dict(zip(("resource", "subresource"), resource.split("/"), strict=False))
        for verb in VERBS:
            spec = {
                "user": f"system:serviceaccount:{RELEASE}:simops-{program}",
                "groups": ["system:serviceaccounts", f"system:serviceaccounts:{RELEASE}", "system:authenticated"],
                "resourceAttributes": {"verb": verb, "group": group, "namespace": namespace, "name": name, **parts},
            }
            if reviews.create_subject_access_review({"spec": spec}).status.allowed:
                allowed.add((verb, (group, resource)))
    return allowed


def until_rights_are(wanted: Rights, api: Api, program: str, *where: Any) -> None:
    """Wait until the authorizer, which reads roles in the background, gives exactly these rights."""
    deadline = time.monotonic() + DEADLINE
    while (found := rights(api, program, *where)) != wanted:
        assert time.monotonic() < deadline, f"too much: {found - wanted}; missing: {wanted - found}"


PROGRAMS: list[tuple[str, dict[tuple[str, str], set[str]], set[tuple[str, str]]]] = [
    ("operator", ALLOWED, set()),
    ("gateway", GATEWAY_ALLOWED, REVIEWS),
]


@pytest.mark.parametrize(("program", "allowed", "reviews"), PROGRAMS, ids=[program for program, *_ in PROGRAMS])
def test_a_program_may_do_what_it_does_and_nothing_else(
    release: Api, program: str, allowed: dict[tuple[str, str], set[str]], reviews: set[tuple[str, str]]
) -> None:
    everywhere = {("create", resource) for resource in reviews}
    here = {(verb, resource) for resource, verbs in allowed.items() if resource != LEASES for verb in verbs}
    resources = {*ALLOWED, *GATEWAY_ALLOWED, *REVIEWS, *NOBODYS}
    until_rights_are(here | everywhere, release, program, RUNS, resources)
    until_rights_are(everywhere, release, program, "default", resources)


def test_the_operator_may_change_its_own_lease_alone(release: Api) -> None:
    own = {(verb, LEASES) for verb in ALLOWED[LEASES]}
    until_rights_are(own, release, "operator", RELEASE, {LEASES}, "simops-operator")
    until_rights_are({("create", LEASES)}, release, "operator", RELEASE, {LEASES}, "another")


CONFIG = JobConfig(runtime_class_name="sandbox", image_pull_secrets=("pull",))
FULL = next(case for case in GOOD if case.what == "a job with every field").manifest
# The API server writes other quantities in its own way.
PLAIN = {name: {"cpu": "2", "memory": "512Mi", "nvidia.com/gpu": "1"} for name in ("requests", "limits")}


@pytest.mark.parametrize(
    "manifest", [job(), job(**FULL["spec"] | {"resources": PLAIN})], ids=["the least", "every field"]
)
async def test_every_field_of_the_operators_job_is_kept(cluster: Cluster, made: Make, manifest: Manifest) -> None:
    meta = made(manifest)["metadata"]
    wanted = job_for(meta["name"], "default", meta["uid"], SimulationJobSpec.model_validate(manifest["spec"]), CONFIG)
    kept = await cluster.apply_job(wanted)
    again = await cluster.apply_job(wanted)
    await cluster.delete_job("default", kept["metadata"]["name"])
    assert lost(wanted, kept) == []
    assert again["metadata"]["resourceVersion"] == kept["metadata"]["resourceVersion"], (
        "the second time changes nothing"
    )
    # What is lost without a word where a version does not have it.
    assert kept["spec"]["podFailurePolicy"]["rules"][0]["action"] == "Ignore"
    assert kept["spec"]["podReplacementPolicy"] == "Failed"
    assert kept["spec"]["template"]["spec"]["initContainers"][0]["restartPolicy"] == "Always"


@BOTH
async def test_a_status_is_written_to_the_object_as_it_was_read_and_to_no_other(
    cluster: Cluster, api: Api, made: Make, manifest: Manifest, status: Manifest
) -> None:
    meta = made(manifest)["metadata"]
    name, plural = meta["name"], next(kind.plural for kind in KINDS if kind.kind == manifest["kind"])
    version, uid = int(meta["resourceVersion"]), meta["uid"]
    with pytest.raises(ApiError) as other:
        await cluster.write_status("default", name, version, "another", status, plural)
    kept = await cluster.write_status("default", name, version, uid, status, plural)
    with pytest.raises(ApiError) as late:
        await cluster.write_status("default", name, version, uid, status, plural)
    assert (other.value.status, late.value.status) == (422, 409)
    assert api.read(manifest)["status"] == kept["status"] == status
