"""The variables of hack/eks refuse what cannot work, before anything is made. Terraform itself is asked, without a provider."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from unit.test_eks_terraform import EKS, needs_terraform, terraform

__all__ = ["terraform"]

GOOD: dict[str, Any] = {"api_access_cidrs": ["203.0.113.7/32"]}
CERTIFICATE = "arn:aws:acm:eu-central-1:111122223333:certificate/example"


def said(terraform: dict[str, str], folder: Path, values: dict[str, Any]) -> tuple[int, str]:
    """Exit code and words of a plan that has the variables and nothing else."""
    shutil.copy(EKS / "variables.tf", folder)
    (folder / "terraform.tfvars.json").write_text(json.dumps(values))
    command = ["terraform", "plan", "-input=false", "-no-color"]
    done = subprocess.run(command, cwd=folder, env=terraform, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).replace("│", " ").split())


@needs_terraform
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"api_access_cidrs": []},
        {"gateway_host": "simops.example.com", "certificate_arn": CERTIFICATE},
        {"zones": 2, "kubernetes_version": "1.35", "region": "us-gov-west-1"},
    ],
)
def test_what_works_is_taken(terraform: dict[str, str], tmp_path: Path, more: dict[str, Any]) -> None:
    code, words = said(terraform, tmp_path, GOOD | more)
    assert code == 0, words


@needs_terraform
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"api_access_cidrs": ["0.0.0.0/0"]}, "api_access_cidrs must not be the whole internet"),
        ({"api_access_cidrs": ["office"]}, "api_access_cidrs must be CIDRs"),
        ({"name": "Sim_Ops"}, "name must have 3 to 25 lower-case letters"),
        ({"region": "Frankfurt"}, "region must be the name of an AWS region"),
        ({"kubernetes_version": "1.33"}, "kubernetes_version must be 1.34 or newer"),
        ({"kubernetes_version": "latest"}, "kubernetes_version must be 1.34 or newer"),
        ({"vpc_cidr": "10.0.0.0/24"}, "vpc_cidr must be a CIDR between /16 and /20"),
        ({"vpc_cidr": "ten"}, "vpc_cidr must be a CIDR between /16 and /20"),
        ({"zones": 1}, "zones must be 2 or 3"),
        ({"system_nodes": 1}, "system_nodes must be 2 to 20"),
        ({"spot_instance_types": []}, "spot_instance_types needs 1 to 20 types"),
        ({"spot_max_nodes": 0}, "spot_max_nodes must be 1 to 450"),
        ({"pod_pids_limit": 10}, "pod_pids_limit must be 128 to 65536"),
        ({"ami_type": "BOTTLEROCKET_x86_64"}, "ami_type must be AL2023_x86_64_STANDARD"),
        ({"simulation_namespaces": []}, "simulation_namespaces needs at least one name"),
        ({"simulation_namespaces": ["Lab"]}, "simulation_namespaces needs at least one name"),
        ({"simulation_repositories": ["a/b"]}, "simulation_repositories must be names of images"),
        ({"gateway_host": "simops.example.com"}, "gateway_host and certificate_arn go together"),
        ({"certificate_arn": CERTIFICATE}, "gateway_host and certificate_arn go together"),
        ({"kms_key_arn": "my-key"}, "kms_key_arn must be the ARN of a key"),
        ({"log_days": 10}, "log_days must be one of the retentions"),
    ],
)
def test_what_cannot_work_is_refused_with_a_reason(
    terraform: dict[str, str], tmp_path: Path, wrong: dict[str, Any], says: str
) -> None:
    code, words = said(terraform, tmp_path, GOOD | wrong)
    assert code != 0
    assert says in words


@needs_terraform
def test_nobody_is_let_in_without_a_word(terraform: dict[str, str], tmp_path: Path) -> None:
    code, words = said(terraform, tmp_path, {})
    assert code != 0
    assert "api_access_cidrs" in words
