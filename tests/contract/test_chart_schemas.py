"""The chart's objects against the API server's own schemas: kubeconform in strict mode offline, then the API server itself.

kubeconform wants JSON schemas in files. They are made here from what the API server publishes, so that they are those of the
cluster's version and nothing is downloaded.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from contract.server import NAME, api_server

from localcluster.golang import tool

pytestmark = pytest.mark.versions

CHART = Path(__file__).parents[2] / "charts" / "simops"
EKS = CHART.parents[1] / "hack" / "eks"
VARIANTS = {
    "default": [],
    "local": [f"--values={CHART / 'ci' / 'local-values.yaml'}"],
    "eks": [f"--values={CHART / 'ci' / 'eks-values.yaml'}"],
    "eks by terraform": [f"--values={EKS / name}" for name in ("values.yaml", "example-values.yaml")],
    "namespaced": [
        "--set=rbac.clusterWide=false,crds.install=false,simulations.namespaces={default,simops-system}",
    ],
    "everything": [
        "--set=operator.replicas=3,simulations.namespaces={default,simops-system},images.pullSecrets={pull}",
        "--set=operator.priorityClassName=system-cluster-critical,operator.tolerations[0].operator=Exists",
        "--set=networkPolicies.storeFrom[0].podSelector.matchLabels.app=x,networkPolicies.metricsFrom[0].namespaceSelector.matchLabels.team=monitoring",
    ],
}


@pytest.fixture(scope="module")
def kubeconfig(request: pytest.FixtureRequest) -> Iterator[Path]:
    """An API server of its own, with the chart's namespace."""
    with api_server(f"{NAME}-chart", getattr(request, "param", None)) as path:
        kubectl(Path(path), "create", "namespace", "simops-system")
        yield Path(path)


def kubectl(kubeconfig: Path, *arguments: str, stdin: str = "") -> str:
    command = [str(tool("kubectl")), f"--kubeconfig={kubeconfig}", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, input=stdin)
    assert result.returncode == 0, result.stderr
    return result.stdout


def rendered(*arguments: str) -> str:
    command = [
        str(tool("helm")),
        "template",
        "simops",
        str(CHART),
        "--namespace=simops-system",
        "--kube-version=1.35.4",
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI 3.0 schema as the JSON schema that kubeconform reads: closed objects, references within the file."""
    if "$ref" in schema:
        return {"$ref": "#/definitions/" + schema["$ref"].rpartition("/")[2]}
    if len(schema.get("allOf", [])) == 1:
        return strict(schema["allOf"][0])
    out = {key: value for key, value in schema.items() if key in {"type", "enum", "required"}}
    if "properties" in schema:
        out["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
        out["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields", False))
    if isinstance(schema.get("additionalProperties"), dict):
        out["additionalProperties"] = strict(schema["additionalProperties"])
    if "items" in schema:
        out["items"] = strict(schema["items"])
    return out


@pytest.fixture(scope="module")
def schemas(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one JSON schema for each kind that the API server knows."""
    folder = tmp_path_factory.mktemp("schemas")
    for path in json.loads(kubectl(kubeconfig, "get", "--raw=/openapi/v3"))["paths"]:
        if not path.startswith(("api/v1", "apis/")):
            continue
        document = json.loads(kubectl(kubeconfig, "get", f"--raw=/openapi/v3/{path}"))
        components = document.get("components", {}).get("schemas", {})
        definitions = {name: strict(schema) for name, schema in components.items()}
        # As kubeconform's own schemas have it: a quantity and a port may be written as numbers.
        for name in definitions:
            if name.endswith((".Quantity", ".IntOrString")):
                definitions[name] = {"type": ["string", "number"]}
        for name, schema in components.items():
            for kind in schema.get("x-kubernetes-group-version-kind", []):
                # For kubeconform the group of the core is its version.
                file = folder / f"{kind['kind'].lower()}-{kind['group'] or kind['version']}-{kind['version']}.json"
                file.write_text(json.dumps({**definitions[name], "definitions": definitions}))
    return folder


def kubeconform(schemas: Path, manifests: str) -> dict[str, Any]:
    location = (
        f"{schemas}/{{{{.ResourceKind}}}}-{{{{with .Group}}}}{{{{.}}}}-{{{{end}}}}{{{{.ResourceAPIVersion}}}}.json"
    )
    command = [str(tool("kubeconform")), "-strict", "-summary", "-output=json", f"-schema-location={location}", "-"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, input=manifests)
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize("variant", VARIANTS)
def test_kubeconform_accepts(schemas: Path, variant: str) -> None:
    manifests = rendered(*VARIANTS[variant])
    answer = kubeconform(schemas, manifests)
    assert not answer.get("resources")
    wanted = len([document for document in yaml.safe_load_all(manifests) if document])
    assert answer["summary"] == {"valid": wanted, "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("automountServiceAccountToken: true", "automountServiceAcountToken: true"),
        ("terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: soon"),
        ("policyTypes: [Egress]", "policyTypes: Egress"),
        ("accessModes: [ReadWriteOnce]", "accessMode: ReadWriteOnce"),
    ],
)
def test_kubeconform_would_see_a_mistake(schemas: Path, old: str, new: str) -> None:
    manifests = rendered()
    assert old in manifests
    assert kubeconform(schemas, manifests.replace(old, new, 1))["summary"]["invalid"] == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_api_server_accepts(kubeconfig: Path, variant: str) -> None:
    # A dry run cannot see namespaces and kinds that the same run would make.
    documents = [d for d in yaml.safe_load_all(rendered(*VARIANTS[variant])) if d and d["kind"] != "Namespace"]
    for document in documents:
        if document["metadata"].get("namespace") == "simulations":
            document["metadata"]["namespace"] = "default"
    apply = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-")
    kubectl(kubeconfig, *apply, stdin=yaml.safe_dump_all(documents))


@pytest.fixture(scope="module")
def guarded(kubeconfig: Path) -> Path:
    """The API server with the chart's policies and CRDs in force for the namespace default."""
    wanted = {"CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    documents = [
        d
        for d in yaml.safe_load_all(rendered("--set=images.allowed={sim:*,localhost/*,a.b:5000/c/*}"))
        if d and d["kind"] in wanted
    ]
    kubectl(kubeconfig, "apply", "--server-side", "--filename=-", stdin=yaml.safe_dump_all(documents))
    crds = [d["metadata"]["name"] for d in documents if d["kind"] == "CustomResourceDefinition"]
    kubectl(kubeconfig, "wait", "--for=condition=Established", "--timeout=30s", *(f"crd/{crd}" for crd in crds))
    return kubeconfig


def job(image: str, namespace: str = "default") -> str:
    metadata = {"name": "one", "namespace": namespace}
    return yaml.safe_dump(
        {"apiVersion": "simops.dev/v1alpha1", "kind": "SimulationJob", "metadata": metadata, "spec": {"image": image}}
    )


def refusal(kubeconfig: Path, manifest: str) -> str:
    command = [str(tool("kubectl")), f"--kubeconfig={kubeconfig}", "create", "--dry-run=server", "--filename=-"]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=manifest).stderr


@pytest.fixture(scope="module")
def in_force(guarded: Path) -> Path:
    """The same, once the API server has taken the policy up (it watches policies)."""
    for _ in range(100):
        if "matches none of the patterns" in refusal(guarded, job("evil/sim:1")):
            return guarded
    raise AssertionError(refusal(guarded, job("evil/sim:1")))


@pytest.mark.parametrize("image", ["sim:local", "localhost/x/y:1", "a.b:5000/c/d@sha256:00"])
def test_allowed_images_pass(in_force: Path, image: str) -> None:
    assert refusal(in_force, job(image)) == ""


@pytest.mark.parametrize("image", ["sim", "evil/sim:local", "localhost.example.com/x", "aXb:5000/c/d", "a.b:5000/cc/d"])
def test_other_images_are_refused_by_name(in_force: Path, image: str) -> None:
    message = f"spec.image: {image} matches none of the patterns that this installation allows: sim:*, localhost/*, a.b:5000/c/*"
    assert message in refusal(in_force, job(image))


def test_sweeps_are_held_to_the_same_list(in_force: Path) -> None:
    template = {"image": "evil/sim:1", "command": ["sim"]}
    space = {"method": "grid", "axes": [{"name": "x", "linspace": {"start": 0, "stop": 1, "num": 3}}]}
    sweep = {
        "apiVersion": "simops.dev/v1alpha1",
        "kind": "SimulationSweep",
        "metadata": {"name": "one", "namespace": "default"},
    }
    said = refusal(in_force, yaml.safe_dump({**sweep, "spec": {"template": template, "space": space}}))
    assert "spec.template.image: evil/sim:1 matches none of the patterns" in said


def test_other_namespaces_are_left_alone(in_force: Path) -> None:
    assert refusal(in_force, job("evil/sim:1", namespace="simops-system")) == ""


def test_what_exists_can_be_cancelled_after_its_image_was_forbidden(in_force: Path) -> None:
    kubectl(in_force, "apply", "--filename=-", stdin=job("sim:old"))
    stricter = [
        d
        for d in yaml.safe_load_all(rendered("--set=images.allowed={sim:new}"))
        if d and "-images." in d["metadata"]["name"]
    ]
    kubectl(in_force, "apply", "--server-side", "--force-conflicts", "--filename=-", stdin=yaml.safe_dump_all(stricter))
    for _ in range(100):
        if "matches none" in refusal(in_force, job("sim:old").replace("one", "two")):
            break
    kubectl(in_force, "patch", "simulationjob", "one", "--type=merge", '--patch={"spec":{"cancelled":true}}')


@pytest.fixture(scope="module")
def by_digest(guarded: Path) -> Path:
    """A second release, for the namespace strict, that takes every image if it is named by its digest."""
    kubectl(guarded, "create", "namespace", "strict")
    settings = "fullnameOverride=strict,crds.install=false,simulations.namespaces={strict},images.allowed={*},images.requireDigest=true"
    policies = [
        d
        for d in yaml.safe_load_all(rendered(f"--set={settings}"))
        if d and d["kind"].startswith("ValidatingAdmissionPolicy")
    ]
    kubectl(guarded, "apply", "--server-side", "--filename=-", stdin=yaml.safe_dump_all(policies))
    for _ in range(100):
        if "is not named by its digest" in refusal(guarded, job("sim:1", namespace="strict")):
            return guarded
    raise AssertionError(refusal(guarded, job("sim:1", namespace="strict")))


@pytest.mark.parametrize(
    "image", ["sim", "sim:1", f"sim@sha256:{'a' * 63}", f"sim@sha256:{'a' * 65}", f"sim@sha1:{'a' * 64}"]
)
def test_where_a_digest_is_required_a_tag_is_refused(by_digest: Path, image: str) -> None:
    wanted = f"spec.image: {image} is not named by its digest, which is required here"
    assert wanted in refusal(by_digest, job(image, namespace="strict"))


@pytest.mark.parametrize("image", [f"sim@sha256:{'a' * 64}", f"a.b:5000/c/sim:1@sha256:{'0' * 64}"])
def test_where_a_digest_is_required_one_is_enough(by_digest: Path, image: str) -> None:
    assert refusal(by_digest, job(image, namespace="strict")) == ""


def test_a_sweeps_template_needs_its_digest_too(by_digest: Path) -> None:
    def sweep(image: str) -> str:
        space = {"method": "grid", "axes": [{"name": "x", "integers": {"low": 0, "high": 2}}]}
        metadata = {"name": "one", "namespace": "strict"}
        spec = {"template": {"image": image, "command": ["sim"]}, "space": space}
        return yaml.safe_dump(
            {"apiVersion": "simops.dev/v1alpha1", "kind": "SimulationSweep", "metadata": metadata, "spec": spec}
        )

    assert "spec.template.image: sim:1 is not named by its digest" in refusal(by_digest, sweep("sim:1"))
    assert refusal(by_digest, sweep(f"sim@sha256:{'a' * 64}")) == ""
