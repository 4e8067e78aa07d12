"""SimOps on EKS as hack/eks installs it: the chart under values.yaml and an example of what Terraform gives."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from unit.test_chart_render import CHART, Object, one

from localcluster.golang import tool

ROOT = Path(__file__).parents[2]
EKS = ROOT / "hack" / "eks"
DIGEST = f"sha256:{'a' * 64}"
VPC = "10.20.0.0/16"


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    command = [
        str(tool("helm")),
        "template",
        "simops",
        str(CHART),
        "--namespace=simops-system",
        "--kube-version=1.34.0",
    ]
    command += [f"--values={EKS / name}" for name in ("values.yaml", "example-values.yaml")]
    command += [f"--set=operator.image.digest={DIGEST},gateway.image.digest={DIGEST}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [document for document in yaml.safe_load_all(out) if document]


def test_no_secret_is_made_and_each_program_has_a_role_of_its_own(objects: list[Object]) -> None:
    assert not [o for o in objects if o["kind"] == "Secret"]
    roles = {
        o["metadata"]["name"]: o["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].rpartition("/")[2]
        for o in objects
        if o["kind"] == "ServiceAccount"
    }
    assert roles == {
        "simops-operator": "simops-operator",
        "simops-gateway": "simops-gateway",
        "simops-simulation": "simops-simulation-simulations",
    }


def test_the_trusted_service_accounts_are_those_of_the_chart(objects: list[Object]) -> None:
    text = (EKS / "identities.tf").read_text(encoding="utf-8")
    assert 'release_namespace = "simops-system"' in text
    for item in objects:
        if item["kind"] == "ServiceAccount":
            assert f':{item["metadata"]["name"]}"' in text


@pytest.mark.parametrize("name", ["simops-operator", "simops-gateway"])
def test_programs_run_on_nodes_that_are_not_taken_back(objects: list[Object], name: str) -> None:
    deployment = one(objects, "Deployment", name)["spec"]
    pod = deployment["template"]["spec"]
    nodes = (EKS / "nodes.tf").read_text(encoding="utf-8")
    ((label, value),) = pod["nodeSelector"].items()
    assert f'labels          = {{ "{label}" = "{value}" }}' in nodes
    assert f'key    = "{pod["tolerations"][0]["key"]}"' in nodes
    assert deployment["replicas"] == 2
    assert pod["containers"][0]["image"].endswith(f"@{DIGEST}")


def test_the_gateway_is_reached_over_tls_alone(objects: list[Object]) -> None:
    ingress = one(objects, "Ingress", "simops-gateway")
    notes = {name.partition("/")[2]: value for name, value in ingress["metadata"]["annotations"].items()}
    assert notes["listen-ports"] == '[{"HTTPS": 443}]'
    assert notes["certificate-arn"].startswith("arn:aws:acm:")
    assert "TLS13" in notes["ssl-policy"]
    assert notes["scheme"] == "internal"
    assert ingress["spec"]["ingressClassName"] == "alb"


def test_policies_name_addresses_and_nothing_reaches_all_of_the_internet_but_who_asks_for_it(
    objects: list[Object],
) -> None:
    for item in objects:
        if item["kind"] != "NetworkPolicy" or item["metadata"]["name"].endswith("-internet"):
            continue
        rules = [*item["spec"].get("egress", []), *item["spec"].get("ingress", [])]
        blocks = [
            peer["ipBlock"]["cidr"]
            for rule in rules
            for peer in rule.get("to", rule.get("from", []))
            if "ipBlock" in peer
        ]
        assert set(blocks) <= {VPC, "172.20.0.1/32"}, item["metadata"]["name"]


def test_images_are_named_by_their_digest(objects: list[Object]) -> None:
    policies = [o for o in objects if o["kind"] == "ValidatingAdmissionPolicy" and "-images." in o["metadata"]["name"]]
    assert len(policies) == 2
    assert all("sha256" in p["spec"]["validations"][-1]["expression"] for p in policies)


def test_the_namespace_of_simulations_enforces_pod_security(objects: list[Object]) -> None:
    labels = one(objects, "Namespace", "simulations")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_deploy_names_what_is_missing(tmp_path: Path) -> None:
    for program in ("dirname", "sh"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    for program in ("aws", "docker"):
        (tmp_path / program).symlink_to("/bin/true")
    done = subprocess.run(
        ["/bin/sh", str(EKS / "deploy")],
        env=os.environ | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "deploy: these programs are needed and are not here: helm kubectl terraform\n"
