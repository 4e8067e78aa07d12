"""Operator and gateway have exactly the rights that they use: told by the API server's audit log of all tests of this folder.

It runs after all others.
"""

from pathlib import Path

import pytest
from e2e.cluster import SYSTEM
from e2e.lab import Lab
from rights import Right, asked, granted, user_of

from localcluster.paths import cluster_paths
from simops_demo import installation

HERE = Path(__file__).resolve().parent
RBAC = "/apis/rbac.authorization.k8s.io/v1"
OWN = f"app.kubernetes.io/instance={installation.RELEASE}"

pytestmark = pytest.mark.runs_last


def rights_of(lab: Lab, account: str) -> set[Right]:
    def listed(kind: str, plural: str) -> list[dict[str, object]]:
        return [item | {"kind": kind} for item in lab.cluster.items(f"{RBAC}/{plural}", labelSelector=OWN)]

    roles = [*listed("Role", "roles"), *listed("ClusterRole", "clusterroles")]
    bindings = [*listed("RoleBinding", "rolebindings"), *listed("ClusterRoleBinding", "clusterrolebindings")]
    return granted(roles, bindings, SYSTEM, account)


@pytest.fixture
def audit_log(simops: Lab) -> Path:
    path = cluster_paths(simops.cluster.name).audit_log
    if not path.exists():
        pytest.skip("only the API server of the native cluster writes an audit log that can be read here")
    return path


@pytest.mark.parametrize("component", ["operator", "gateway"])
def test_nothing_was_asked_for_that_is_not_granted(component: str, simops: Lab, audit_log: Path) -> None:
    user = user_of(SYSTEM, f"{installation.RELEASE}-{component}")
    answers = list(asked(audit_log.read_text().splitlines(), user))
    assert answers, f"the audit log says nothing of {user}"
    assert {str(right) for right, is_allowed in answers if not is_allowed} == set()


@pytest.mark.parametrize("component", ["operator", "gateway"])
def test_nothing_is_granted_that_no_test_has_used(
    component: str, simops: Lab, audit_log: Path, request: pytest.FixtureRequest
) -> None:
    every = set(HERE.glob("test_*.py"))
    if every - {item.path for item in request.session.items}:
        pytest.skip("only a part of the tests was run, and what these have not used says nothing")
    account = f"{installation.RELEASE}-{component}"
    used = {right for right, _ in asked(audit_log.read_text().splitlines(), user_of(SYSTEM, account))}
    rights = rights_of(simops, account)
    assert rights
    assert {str(right) for right in rights - used} == set()
