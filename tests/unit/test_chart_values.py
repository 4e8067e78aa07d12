"""Wrong values are refused before anything is installed, with a message that says which value and what is wrong."""

import subprocess
from pathlib import Path

import pytest

from localcluster.golang import tool

CHART = Path(__file__).parents[2] / "charts" / "simops"


def refusal(*arguments: str) -> str:
    """The error of ``helm template``; empty if it accepts the values."""
    command = [
        str(tool("helm")),
        "template",
        "simops",
        str(CHART),
        "--namespace=simops-system",
        "--kube-version=1.35.4",
        *arguments,
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else result.stderr.partition("Error:")[2]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("operater.replicas=2", "additional properties 'operater' not allowed"),
        ("operator.replica=2", "at '/operator': additional properties 'replica' not allowed"),
        ("operator.replicas=0", "at '/operator/replicas': minimum: got 0, want 1"),
        ("operator.replicas=two", "at '/operator/replicas': got string, want integer"),
        ("operator.logLevel=LOUD", "at '/operator/logLevel': value must be one of 'DEBUG'"),
        ("operator.workers=1000", "at '/operator/workers': maximum: got 1,000, want 256"),
        ("operator.image.digest=sha256:12", "at '/operator/image/digest': 'sha256:12' does not match"),
        ("operator.image.pullPolicy=Sometimes", "at '/operator/image/pullPolicy': value must be one of 'Always'"),
        ("operator.httpPort=8080", "operator.httpPort must not be 8080"),
        ("operator.extraEnv[0].name=SIMOPS_WORKERS", "operator.extraEnv: SIMOPS_WORKERS is set by the chart"),
        ("operator.strategy.type=Recreate", "operator.strategy.rollingUpdate must be null"),
        ("simulations.namespaces={Lab}", "at '/simulations/namespaces/0': 'Lab' does not match"),
        ("simulations.namespaces=null", "at '/simulations': missing property 'namespaces'"),
        ("simulations.runAsUser=0", "at '/simulations/runAsUser': minimum: got 0, want 1"),
        ("simulations.outputsSize=10GB", "at '/simulations/outputsSize': '10GB' does not match"),
        ("simulations.terminationGraceSeconds=5", "at '/simulations/terminationGraceSeconds': minimum: got 5, want 10"),
        ("simulations.resources.limits=null", "at '/simulations/resources': missing property 'limits'"),
        ("images.allowed={sim:* or so}", "at '/images/allowed/0': 'sim:* or so' does not match"),
        ("images.allowed={a'b}", "at '/images/allowed/0'"),
        ("images.pullPolicy=never", "at '/images/pullPolicy': value must be one of"),
        ("store.endpoint=s3.example.com", "at '/store/endpoint': 's3.example.com' does not match"),
        ("store.endpoint=https://s3.example.com/bucket", "at '/store/endpoint'"),
        (
            "store.endpoint=https://s3.example.com",
            "store.endpoint names an external store, but store.embedded.enabled is true",
        ),
        ("store.embedded.enabled=false", "store.endpoint is needed when store.embedded.enabled is false"),
        ("store.bucket=My_Bucket", "at '/store/bucket': 'My_Bucket' does not match"),
        ("store.credentials.accessKey=abc", "store.credentials needs both accessKey and secretKey"),
        ("store.existingSecret=a,store.credentials.accessKey=b,store.credentials.secretKey=c", "exclude each other"),
        (
            "networkPolicies.privateRanges={10.0.0.0}",
            "at '/networkPolicies/privateRanges/0': '10.0.0.0' does not match",
        ),
        ("networkPolicies.dns.port=dns", "at '/networkPolicies/dns/port': got string, want integer"),
        ("networkPolicies.storeFrom[0].pods=x", "additional properties 'pods' not allowed"),
    ],
)
def test_refuses(setting: str, says: str) -> None:
    assert says in refusal("--set", setting)


@pytest.mark.parametrize(
    "path", ["simulations.namespaces", "images.allowed", "networkPolicies.dns.peers", "networkPolicies.apiServer.ports"]
)
def test_refuses_an_empty_list(path: str) -> None:
    assert f"at '/{path.replace('.', '/')}': minItems: got 0, want 1" in refusal("--set-json", f"{path}=[]")


@pytest.mark.parametrize("name", ["local", "eks"])
def test_accepts_the_example_values(name: str) -> None:
    assert refusal("--values", str(CHART / "ci" / f"{name}-values.yaml")) == ""


def test_accepts_global_values_of_a_parent_chart() -> None:
    assert refusal("--set", "global.anything=1") == ""


@pytest.mark.parametrize("values", [[], ["--values=ci/local-values.yaml"], ["--values=ci/eks-values.yaml"]])
def test_lint_is_clean(values: list[str]) -> None:
    command = [str(tool("helm")), "lint", "--strict", "--quiet", "--kube-version=1.35.4", ".", *values]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHART)
    assert result.returncode == 0, result.stdout + result.stderr
