"""hack/eks without AWS: each file is read, held to the provider's schema, and every name in it is one that exists.

Where Terraform is installed it checks the form, and works out the two modules that need no provider: policies and chart values.
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml

from eks.schema import META, used
from simops_operator.grants import policy_of

EKS = Path(__file__).parents[2] / "hack" / "eks"
SCHEMA = json.loads((EKS / "aws-schema.json").read_text(encoding="utf-8"))
FOLDERS = [EKS, EKS / "modules" / "policies", EKS / "modules" / "values"]
FILES = [file for folder in FOLDERS for file in sorted(folder.glob("*.tf"))]
Json = dict[str, Any]

needs_terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed")


def plain(node: Any) -> Any:
    """What python-hcl2 read, without its marks and the quotes of names."""
    if isinstance(node, dict):
        return {key.strip('"'): plain(value) for key, value in node.items() if not key.startswith("__")}
    return [plain(item) for item in node] if isinstance(node, list) else node


def read(folder: Path) -> Json:
    """The blocks of a folder by their kind."""
    out: Json = {}
    for file in sorted(folder.glob("*.tf")):
        with file.open(encoding="utf-8") as text:
            for kind, blocks in plain(hcl2.load(text)).items():
                out.setdefault(kind, []).extend(blocks)
    return out


def resources(blocks: Json) -> Iterator[tuple[str, str, Json]]:
    """Kind as in the schema, name and body of each resource and data source."""
    for keyword, prefix in (("resource", ""), ("data", "data.")):
        for block in blocks.get(keyword, []):
            for kind, named in block.items():
                for name, body in named.items():
                    yield f"{prefix}{kind}", name, body


def mistakes(body: Json, known: Json, where: str) -> Iterator[str]:
    """What the provider would not take."""
    for name, entry in known.items():
        if entry.get("required") and name not in body and not ("dynamic" in body and "block" in entry):
            yield f"{where}: {name} is missing"
    for name, value in body.items():
        if name in META or name == "dynamic":
            continue
        if name not in known:
            yield f"{where}: there is no {name}"
        elif "block" in known[name]:
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    yield from mistakes(inner, known[name]["block"], f"{where}.{name}")
                else:
                    yield f"{where}: {name} is a block, not an argument"


def test_the_schema_is_of_the_version_and_the_resources_that_are_used() -> None:
    (terraform,) = read(EKS)["terraform"]
    (required,) = terraform["required_providers"]
    assert required["aws"]["version"].strip('"') == SCHEMA["version"], "run hack/eks/schema.py"
    assert sorted(SCHEMA["kinds"]) == used(), "run hack/eks/schema.py"


def test_the_provider_takes_every_resource() -> None:
    found = list(resources(read(EKS)))
    assert len(found) > 40
    wrong = [
        text
        for kind, name, body in found
        for text in mistakes(body, SCHEMA["kinds"][kind]["arguments"], f"{kind}.{name}")
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("aws_eip", {"domian": "vpc"}, "there is no domian"),
        ("aws_subnet", {"cidr_block": "10.0.0.0/8"}, "vpc_id is missing"),
        ("aws_eks_cluster", {"name": "a", "role_arn": "b", "vpc_config": [{"subnets": []}]}, "there is no subnets"),
    ],
)
def test_the_check_would_see_a_mistake(kind: str, body: Json, says: str) -> None:
    assert says in "\n".join(mistakes(body, SCHEMA["kinds"][kind]["arguments"], kind))


REFERENCE = re.compile(r"(?<![\w.\"/])(var|local|module|data\.\w+|aws_\w+)\.(\w+)(?:\[[^\]]*\])?(?:\.(\w+))?")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_reference_is_to_something_that_exists(folder: Path) -> None:
    blocks = read(folder)
    names: dict[str, set[str]] = {
        "var": {name for block in blocks.get("variable", []) for name in block},
        "local": {name for block in blocks.get("locals", []) for name in block},
        "module": {name for block in blocks.get("module", []) for name in block},
    }
    for kind, name, _ in resources(blocks):
        names.setdefault(kind, set()).add(name)
    outputs = {
        name: {out for block in read(EKS / "modules" / name)["output"] for out in block}
        for name in ("policies", "values")
    }
    text = "\n".join(
        re.sub(r"(?m)^\s*#.*$", "", file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.tf"))
    )
    seen = 0
    for kind, name, attribute in REFERENCE.findall(text):
        if kind.startswith("aws_") and kind not in SCHEMA["kinds"]:
            continue  # an attribute that is called like a resource
        seen += 1
        assert name in names.get(kind, set()), f"{kind}.{name}"
        if kind == "module" and attribute:
            assert attribute in outputs[name], f"module.{name}.{attribute}"
        elif kind in SCHEMA["kinds"] and attribute:
            of = SCHEMA["kinds"][kind]
            assert attribute in {*of["attributes"], *of["arguments"], "id"}, f"{kind}.{name}.{attribute}"
    assert seen > (50 if folder == EKS else 5)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_variable_is_used_explained_and_typed(folder: Path) -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.tf")))
    for block in read(folder)["variable"]:
        for name, body in block.items():
            assert body["description"], name
            assert "type" in body, name
            assert text.count(f"var.{name}") > ("validation" in body), f"nothing uses {name}"
    for block in read(folder).get("output", []):
        for name, body in block.items():
            assert body["description"], name


def test_modules_are_given_exactly_what_they_ask_for() -> None:
    for block in read(EKS)["module"]:
        for name, body in block.items():
            asked = {variable for found in read(EKS / "modules" / name)["variable"] for variable in found}
            assert body.keys() - {"source"} == asked, name


# With Terraform itself


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of Terraform: no settings of this machine's user, nothing asked."""
    settings = tmp_path_factory.mktemp("terraform") / "rc"
    settings.touch()
    return os.environ | {"TF_CLI_CONFIG_FILE": str(settings), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}


def run(terraform: dict[str, str], folder: Path, *arguments: str) -> str:
    command = ["terraform", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=terraform, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_terraform
def test_the_files_have_terraforms_form(terraform: dict[str, str]) -> None:
    run(terraform, EKS, "fmt", "-check", "-recursive", "-diff")


INPUTS: Json = {
    "policies": {
        "partition": "aws",
        "region": "eu-central-1",
        "account": "111122223333",
        "cluster": "simops",
        "bucket_arn": "arn:aws:s3:::results",
        "kms_key_arn": "",
        "oidc_provider": "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC",
        "vpc_arn": "arn:aws:ec2:eu-central-1:111122223333:vpc/vpc-1",
        "namespaces": ["lab", "other"],
        "service_accounts": {"simulation_lab": ["lab:simops-simulation"]},
    },
    "values": {
        "name": "simops",
        "region": "eu-central-1",
        "vpc_cidr": "10.20.0.0/16",
        "api_service_cidr": "172.20.0.1/32",
        "registry": "111122223333.dkr.ecr.eu-central-1.amazonaws.com",
        "bucket": "simops-results-example",
        "role_arns": {name: f"arn:aws:iam::111122223333:role/simops-{name}" for name in ("operator", "gateway")},
        "simulation_role_arns": {"simulations": "arn:aws:iam::111122223333:role/simops-simulation-simulations"},
        "namespaces": ["simulations"],
        "gateway_host": "simops.example.com",
        "certificate_arn": "arn:aws:acm:eu-central-1:111122223333:certificate/example",
        "gateway_is_public": False,
    },
}


def worked_out(terraform: dict[str, str], folder: Path, **changes: Json) -> Json:
    """The outputs of both modules."""
    modules = {
        name: {"source": str(EKS / "modules" / name)} | inputs | changes.get(name, {})
        for name, inputs in INPUTS.items()
    }
    outputs = {name: {"value": f"${{module.{name}}}"} for name in INPUTS}
    (folder / "main.tf.json").write_text(json.dumps({"module": modules, "output": outputs}))
    run(terraform, folder, "init", "-no-color")
    run(terraform, folder, "apply", "-auto-approve", "-no-color")
    answer = json.loads(run(terraform, folder, "output", "-json"))
    return {name: answer[name]["value"] for name in INPUTS}


@pytest.fixture(scope="module")
def made(terraform: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Json:
    return worked_out(terraform, tmp_path_factory.mktemp("modules"))


def allows(document: str, action: str, resource: str) -> bool:
    """Whether a policy without conditions allows this, and does not deny it."""
    effects = {
        statement["Effect"]
        for statement in json.loads(document)["Statement"]
        if "Condition" not in statement
        and any(fnmatch.fnmatchcase(action, pattern) for pattern in statement["Action"])
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["Resource"])
    }
    return effects == {"Allow"}


BUCKET, RESULT, ARCHIVE, UPLOAD = (
    "arn:aws:s3:::results",
    "arn:aws:s3:::results/jobs/lab/a/1",
    "arn:aws:s3:::results/archive/lab",
    "arn:aws:s3:::results/uploads/lab/1",
)


@needs_terraform
@pytest.mark.parametrize(
    ("action", "resource", "who"),
    [
        ("s3:GetObject", RESULT, {"operator", "gateway", "simulation_lab"}),
        ("s3:PutObject", RESULT, {"operator", "simulation_lab"}),
        ("s3:PutObject", ARCHIVE, {"operator"}),
        ("s3:PutObject", UPLOAD, {"operator", "gateway"}),
        ("s3:GetObject", ARCHIVE, {"operator", "gateway"}),
        ("s3:DeleteObject", RESULT, {"operator"}),
        ("s3:AbortMultipartUpload", RESULT, {"operator", "simulation_lab"}),
        ("s3:ListBucket", BUCKET, {"operator", "gateway"}),
        ("s3:ListBucketMultipartUploads", BUCKET, set()),
        ("s3:PutObject", f"{RESULT}/u/record.json", {"operator"}),
        ("s3:PutObject", "arn:aws:s3:::results/sweeps/lab/a/u/ledger.json", {"operator"}),
        ("s3:PutObject", "arn:aws:s3:::results/sweeps/lab/a/u/rounds/12.json", {"operator"}),
        (
            "s3:PutObject",
            "arn:aws:s3:::results/sweeps/lab/a/u/rounds/12/7/heat-6f0c1234-r12-7-abcde.json",
            {"operator", "simulation_lab"},
        ),
        ("s3:DeleteBucket", BUCKET, set()),
        ("s3:PutBucketPolicy", BUCKET, set()),
        ("s3:GetObject", "arn:aws:s3:::others/jobs/a", set()),
        ("kms:Decrypt", "arn:aws:kms:eu-central-1:111122223333:key/1", set()),
        ("iam:PassRole", "*", set()),
    ],
)
def test_each_program_may_do_to_the_bucket_what_it_does(made: Json, action: str, resource: str, who: set[str]) -> None:
    assert {name for name, document in made["policies"]["allowed"].items() if allows(document, action, resource)} == who


@needs_terraform
def test_no_policy_has_a_wildcard_for_an_action_or_changes_what_is_not_ours(made: Json) -> None:
    reads = re.compile(r"^\w+:(Describe|List|Get)")
    for name, document in made["policies"]["allowed"].items():
        for statement in json.loads(document)["Statement"]:
            assert not [action for action in statement["Action"] if "*" in action], name
            writes = [action for action in statement["Action"] if not reads.match(action)]
            assert not (writes and statement["Resource"] == ["*"] and "Condition" not in statement), (name, writes)


@needs_terraform
def test_a_role_is_for_its_service_accounts_alone(made: Json) -> None:
    (statement,) = json.loads(made["policies"]["assumed_by"]["simulation_lab"])["Statement"]
    issuer = "oidc.eks.eu-central-1.amazonaws.com/id/ABC"
    assert statement["Condition"] == {
        "StringEquals": {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": ["system:serviceaccount:lab:simops-simulation"],
        }
    }


@needs_terraform
def test_the_bucket_is_closed_to_everyone_without_tls(made: Json) -> None:
    statements = json.loads(made["policies"]["bucket"])["Statement"]
    assert all(s["Effect"] == "Deny" and s["Principal"] == "*" and s["Action"] == "s3:*" for s in statements)
    assert {"Bool": {"aws:SecureTransport": "false"}} in [s["Condition"] for s in statements]
    assert all(s["Resource"] == [BUCKET, f"{BUCKET}/*"] for s in statements)


@needs_terraform
def test_a_key_of_your_own_may_be_used_by_those_who_read_and_write(terraform: dict[str, str], tmp_path: Path) -> None:
    key = "arn:aws:kms:eu-central-1:111122223333:key/1"
    allowed = worked_out(terraform, tmp_path, policies={"kms_key_arn": key})["policies"]["allowed"]
    who = {
        action: {n for n, d in allowed.items() if allows(d, f"kms:{action}", key)}
        for action in ("Decrypt", "GenerateDataKey")
    }
    assert who == {
        "Decrypt": {"operator", "gateway", "simulation_lab", "simulation_other"},
        "GenerateDataKey": {"operator", "gateway", "simulation_lab", "simulation_other"},
    }


@needs_terraform
def test_the_example_of_chart_values_is_what_comes_out(made: Json) -> None:
    example = EKS / "example-values.yaml"
    assert yaml.safe_load(example.read_text(encoding="utf-8")) == yaml.safe_load(made["values"]["yaml"])


@needs_terraform
def test_without_a_host_there_is_no_load_balancer(terraform: dict[str, str], tmp_path: Path) -> None:
    values = worked_out(terraform, tmp_path, values={"gateway_host": "", "certificate_arn": ""})["values"]["yaml"]
    assert yaml.safe_load(values)["gateway"]["ingress"] == {"enabled": False, "host": "", "annotations": {}}


def denied_in_terraform(bucket: str, namespace: str) -> set[str]:
    """What the role of a namespace's simulations may not write, read out of the file: it needs no Terraform."""
    (values,) = [block for block in read(EKS / "modules" / "policies")["locals"] if "books" in block]
    lists, rounds = (
        re.findall(r"\[.*?\](?=[,)])", values["books"])[:1],
        re.search(r"range\((\d+), (\d+)\)", values["books"]),
    )
    assert rounds is not None
    assert values["books"].count("rounds/") == 1
    books = [*json.loads(lists[0]), *(f"rounds/{'?' * digits}.json" for digits in range(*map(int, rounds.groups())))]
    denied = values["simulations"].partition('Effect = "Deny"')[2]
    assert 'Action = ["s3:PutObject"]' in denied
    found = re.findall(r'"(\$\{var\.bucket_arn\}/[^"]+)"', denied)
    each = {pattern.replace("${name}", book) for pattern in found for book in books}
    return {p.replace("${var.bucket_arn}", f"arn:aws:s3:::{bucket}").replace("${namespace}", namespace) for p in each}


def test_a_namespace_may_not_write_on_eks_what_it_may_not_write_in_the_embedded_store() -> None:
    (deny,) = [
        s for s in policy_of("results", "lab")["Statement"] if "s3:PutObject" in s["Action"] and s["Effect"] == "Deny"
    ]
    assert denied_in_terraform("results", "lab") == set(deny["Resource"])
    assert len(deny["Resource"]) > 10
