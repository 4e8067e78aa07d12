"""What the chart makes of its values, without a cluster: objects as data."""

import re
import subprocess
import tarfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcluster.golang import tool
from simops_crds.images import is_image_allowed
from simops_crds.names import LABEL_MANAGED_BY, LABEL_NETWORK, MANAGED_BY
from simops_crds.v1alpha1.job import Network
from simops_operator.settings import Settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "simops"
EXTERNAL = ("store.embedded.enabled=false", "store.endpoint=https://s3.example.com")
Object = dict[str, Any]


def render(*settings: str, values: str = "", chart: Path = CHART, namespace: str = "simops-system") -> list[Object]:
    """Objects of ``helm template`` under ``--set`` each of the settings."""
    command = [str(tool("helm")), "template", "simops", str(chart), f"--namespace={namespace}", "--kube-version=1.35.4"]
    command += [f"--values={CHART / values}"] if values else []
    command += [f"--set={setting}" for setting in settings]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [document for document in yaml.safe_load_all(out) if document]


def one(objects: list[Object], kind: str, name: str, namespace: str | None = None) -> Object:
    found = [
        o
        for o in objects
        if o["kind"] == kind and o["metadata"]["name"] == name and namespace in (None, o["metadata"].get("namespace"))
    ]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def key(item: Object) -> tuple[str, str, str]:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


def keys(objects: list[Object]) -> list[tuple[str, str, str]]:
    return [key(item) for item in objects]


def operator_pod(objects: list[Object]) -> Object:
    template: Object = one(objects, "Deployment", "simops-operator")["spec"]["template"]
    return template


def environment(objects: list[Object]) -> dict[str, str]:
    entries = operator_pod(objects)["spec"]["containers"][0]["env"]
    return {entry["name"]: entry["value"] for entry in entries if "value" in entry}


@pytest.fixture(scope="module")
def default() -> list[Object]:
    return render()


VARIANTS: dict[str, Callable[[], list[Object]]] = {
    "default": render,
    "local": lambda: render(values="ci/local-values.yaml"),
    "eks": lambda: render(values="ci/eks-values.yaml"),
    "two namespaces": lambda: render("simulations.namespaces={a,simops-system,a}", "simulations.createNamespaces=true"),
}


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> list[Object]:
    return VARIANTS[request.param]()


# CRDs


def test_crds_are_the_generated_files(default: list[Object]) -> None:
    generated = [
        d
        for path in sorted((ROOT / "crds").glob("*.yaml"))
        for d in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    assert generated
    for item in generated:
        assert one(default, item["kind"], item["metadata"]["name"]) == item


def test_crds_are_kept_when_the_release_goes(default: list[Object]) -> None:
    crds = [o for o in default if o["kind"] == "CustomResourceDefinition"]
    assert len(crds) == 2
    assert all(crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for crd in crds)


def test_a_second_release_shares_no_cluster_wide_name() -> None:
    def cluster_wide(objects: list[Object]) -> set[tuple[str, str, str]]:
        return {k for k in keys(objects) if k[1] == ""}

    other = render("crds.install=false", "fullnameOverride=other", namespace="elsewhere")
    assert not cluster_wide(render()) & cluster_wide(other)


def test_the_package_renders_the_same_as_the_folder(tmp_path: Path, default: list[Object]) -> None:
    subprocess.run(
        [str(tool("helm")), "package", str(CHART), f"--destination={tmp_path}"], check=True, capture_output=True
    )
    (package,) = tmp_path.glob("simops-*.tgz")
    with tarfile.open(package) as archive:
        files = [member.name for member in archive.getmembers()]
        assert all(member.isfile() for member in archive.getmembers())
    assert not [name for name in files if name.endswith((".py", ".pyc")) or "/ci/" in name]
    packaged = render(chart=package)
    without_secret = [o for o in default if o["kind"] not in {"Secret", "Deployment"}]
    assert [o for o in packaged if o["kind"] not in {"Secret", "Deployment"}] == without_secret


# Settings


def test_every_setting_comes_from_the_chart(default: list[Object]) -> None:
    names = {entry["name"] for entry in operator_pod(default)["spec"]["containers"][0]["env"]}
    assert {name for name in names if name.startswith("SIMOPS_")} == {
        f"SIMOPS_{field.upper()}" for field in Settings.model_fields
    }


def settings_from(objects: list[Object], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment(objects).items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_defaults_are_those_of_the_operator(default: list[Object], monkeypatch: pytest.MonkeyPatch) -> None:
    decided_by_the_chart = {"allowed_images", "store_endpoint", "store_namespace_keys", "lease_namespace"}
    for name in list(Settings.model_fields):
        monkeypatch.delenv(f"SIMOPS_{name.upper()}", raising=False)
    ours, theirs = (
        settings_from(default, monkeypatch).model_dump(),
        {n: f.default for n, f in Settings.model_fields.items()},
    )
    assert {name: ours[name] for name in ours.keys() - decided_by_the_chart} == {
        name: theirs[name] for name in ours.keys() - decided_by_the_chart
    }


def test_the_operator_understands_the_environment(variant: list[Object], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_from(variant, monkeypatch)
    assert settings.lease_namespace == "simops-system"
    assert settings.namespaces


def test_large_numbers_stay_integers() -> None:
    env = environment(render("operator.logLimitBytes=1073741824", "simulations.ttlSecondsAfterFinished=3153600000"))
    assert env["SIMOPS_LOG_LIMIT_BYTES"] == "1073741824"
    assert env["SIMOPS_TTL_SECONDS_AFTER_FINISHED"] == "3153600000"


def test_replicas_are_told_apart(default: list[Object]) -> None:
    (name,) = [e for e in operator_pod(default)["spec"]["containers"][0]["env"] if e["name"] == "SIMOPS_POD_NAME"]
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_the_bundle_container_has_the_operators_image() -> None:
    digest = f"sha256:{'a' * 64}"
    assert (
        environment(render(f"operator.image.digest={digest}"))["SIMOPS_BUNDLE_IMAGE"]
        == f"localhost/simops-operator@{digest}"
    )
    assert environment(render("images.bundle=other:1"))["SIMOPS_BUNDLE_IMAGE"] == "other:1"
    assert environment(render("operator.image.tag="))["SIMOPS_BUNDLE_IMAGE"] == "localhost/simops-operator:0.1.0"


# Operator Deployment


def containers(objects: list[Object]) -> Iterator[tuple[Object, Object]]:
    for item in objects:
        if item["kind"] == "Deployment":
            pod = item["spec"]["template"]["spec"]
            for container in pod.get("initContainers", []) + pod["containers"]:
                yield pod, container


def test_nothing_is_root_or_privileged(variant: list[Object]) -> None:
    seen = 0
    for pod, container in containers(variant):
        seen += 1
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
        assert {"/tmp"} <= {mount["mountPath"] for mount in container["volumeMounts"]}
    assert seen


def test_probes_ask_the_operator_itself(default: list[Object]) -> None:
    container = operator_pod(default)["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    liveness, readiness = container["livenessProbe"]["httpGet"], container["readinessProbe"]["httpGet"]
    assert (liveness["path"], ports[liveness["port"]]) == ("/healthz", 8080)
    assert (readiness["path"], ports[readiness["port"]]) == ("/ready", 8081)


def test_without_a_port_there_is_no_readiness_probe() -> None:
    objects = render("operator.httpPort=0")
    assert "readinessProbe" not in operator_pod(objects)["spec"]["containers"][0]
    assert "ingress" not in one(objects, "NetworkPolicy", "simops-operator")["spec"]


def test_more_replicas_get_a_budget_and_prefer_other_nodes() -> None:
    objects = render("operator.replicas=2")
    budget = one(objects, "PodDisruptionBudget", "simops-operator")
    assert budget["spec"]["selector"]["matchLabels"].items() <= operator_pod(objects)["metadata"]["labels"].items()
    assert "podAntiAffinity" in operator_pod(objects)["spec"]["affinity"]
    assert not [o for o in render() if o["kind"] == "PodDisruptionBudget"]


def test_a_rollout_waits_for_the_new_operator(default: list[Object]) -> None:
    strategy = one(default, "Deployment", "simops-operator")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_changed_values_roll_the_operator() -> None:
    fixed = ("store.credentials.accessKey=a", "store.credentials.secretKey=bbbbbbbb")
    same, again = operator_pod(render(*fixed)), operator_pod(render(*fixed))
    assert same == again
    assert operator_pod(render(*fixed, "simulations.stopSeconds=31")) != same
    other = operator_pod(render("store.credentials.accessKey=a", "store.credentials.secretKey=cccccccc"))
    assert other["metadata"]["annotations"] != same["metadata"]["annotations"]


def test_placement_and_extras_reach_the_pod() -> None:
    objects = render(
        "operator.priorityClassName=high",
        "operator.nodeSelector.disk=ssd",
        "operator.tolerations[0].operator=Exists",
        "operator.affinity.nodeAffinity.x=y",
        "operator.podAnnotations.a=b",
        "operator.podLabels.c=d",
        "operator.extraEnv[0].name=HTTPS_PROXY",
        "operator.extraEnv[0].value=http://proxy",
        "operator.strategy.type=Recreate",
        "operator.strategy.rollingUpdate=null",
        "images.pullSecrets={one,two}",
    )
    pod = operator_pod(objects)
    spec = pod["spec"]
    assert (spec["priorityClassName"], spec["nodeSelector"], spec["tolerations"]) == (
        "high",
        {"disk": "ssd"},
        [{"operator": "Exists"}],
    )
    assert spec["affinity"] == {"nodeAffinity": {"x": "y"}}
    assert pod["metadata"]["annotations"]["a"] == "b"
    assert pod["metadata"]["labels"]["c"] == "d"
    assert environment(objects)["HTTPS_PROXY"] == "http://proxy"
    assert environment(objects)["SIMOPS_IMAGE_PULL_SECRETS"] == "one,two"
    assert spec["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    assert one(objects, "Deployment", "simops-operator")["spec"]["strategy"] == {"type": "Recreate"}


def test_labels_of_values_cannot_break_the_selector() -> None:
    pod = operator_pod(render(r"operator.podLabels.app\.kubernetes\.io/component=mine"))
    assert pod["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"


# Namespaces


def test_no_namespace_has_the_keys_of_the_store_or_of_another_one() -> None:
    fixed = ("store.credentials.accessKey=root", "store.credentials.secretKey=a-long-secret-key")
    rendered = [render(*fixed, "simulations.namespaces={a,b}") for _ in range(2)]
    pairs = [
        {part: one(objects, "Secret", "simops-store", place)["data"][part] for part in ("access-key", "secret-key")}
        for objects in rendered
        for place in ("a", "b", "simops-system")
    ]
    assert pairs[:3] == pairs[3:], "drawn anew at each rendering"
    for part in ("access-key", "secret-key"):
        assert len({pair[part] for pair in pairs[:3]}) == 3
    # MinIO's own limits: 3 to 20 and 8 to 40 characters.
    assert [len(b64decode(pairs[0][part])) for part in ("access-key", "secret-key")] == [20, 40]
    changed = render(
        "store.credentials.accessKey=root", "store.credentials.secretKey=another-key", "simulations.namespaces={a}"
    )
    assert one(changed, "Secret", "simops-store", "a")["data"]["secret-key"] != pairs[0]["secret-key"]


def test_a_namespace_can_have_an_identity_of_its_own_beside_what_all_have() -> None:
    account = "simulations.serviceAccount"
    objects = render(
        "simulations.namespaces={lab,other}",
        f"{account}.annotations.team=all",
        f"{account}.annotations.role=shared",
        f"{account}.namespaceAnnotations.lab.role=arn:lab",
    )
    found = {name: one(objects, "ServiceAccount", "simops-simulation", name)["metadata"] for name in ("lab", "other")}
    assert found["lab"]["annotations"] == {"team": "all", "role": "arn:lab"}
    assert found["other"]["annotations"] == {"team": "all", "role": "shared"}


def test_simulations_in_the_releases_own_namespace_share_its_keys() -> None:
    objects = render("simulations.namespaces={simops-system}")
    assert not [o for o in objects if o["metadata"]["name"] == "simops-store-namespaces"]
    assert "SIMOPS_STORE_NAMESPACE_KEYS" not in str(operator_pod(objects))


def test_each_namespace_gets_what_its_simulations_need() -> None:
    objects = render("simulations.namespaces={a,b}")
    for namespace in ("a", "b"):
        assert one(objects, "ServiceAccount", "simops-simulation", namespace)["automountServiceAccountToken"] is False
        known = one(objects, "Secret", "simops-store-namespaces", "simops-system")["data"]
        keys = one(objects, "Secret", "simops-store", namespace)["data"]
        assert keys == {name: known[f"{namespace}.{name}"] for name in ("access-key", "secret-key")}
        subject = one(objects, "RoleBinding", "simops-operator", namespace)["subjects"][0]
        assert (subject["name"], subject["namespace"]) == ("simops-operator", "simops-system")
        one(objects, "Role", "simops-operator", namespace)
        for name in ("simops-simulations", "simops-simulations-cluster", "simops-simulations-internet"):
            one(objects, "NetworkPolicy", name, namespace)


def test_no_object_is_made_twice(variant: list[Object]) -> None:
    assert len(keys(variant)) == len(set(keys(variant)))


def test_the_releases_own_namespace_may_run_simulations() -> None:
    objects = render("simulations.namespaces={simops-system}", "simulations.createNamespaces=true")
    assert [o for o in objects if o["kind"] == "Namespace"] == []
    assert len(keys(objects)) == len(set(keys(objects)))


def test_namespaces_that_the_chart_makes_are_restricted_and_kept() -> None:
    objects = render("simulations.namespaces={lab,default}", "simulations.createNamespaces=true")
    (namespace,) = [o for o in objects if o["kind"] == "Namespace"]
    assert namespace["metadata"]["name"] == "lab"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_identities_are_annotated() -> None:
    objects = render(values="ci/eks-values.yaml")
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/simops-store"}
    assert one(objects, "ServiceAccount", "simops-simulation", "simulations")["metadata"]["annotations"] == role
    assert one(objects, "ServiceAccount", "simops-operator")["metadata"]["annotations"] == role


# RBAC

ALLOWED = {
    ("coordination.k8s.io", "leases"): {"create", "get", "update"},
    ("simops.dev", "simulationjobs"): {"get", "list", "watch", "delete"},
    ("simops.dev", "simulationjobs/status"): {"patch"},
    ("simops.dev", "simulationsweeps"): {"get", "list", "watch", "delete"},
    ("simops.dev", "simulationsweeps/status"): {"patch"},
    ("batch", "jobs"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "pods"): {"list", "watch", "delete"},
    ("", "pods/log"): {"get"},
    ("", "events"): {"create"},
}


GATEWAY_ALLOWED = {
    ("simops.dev", "simulationjobs"): {"get", "list", "watch", "create", "patch"},
    ("simops.dev", "simulationsweeps"): {"get", "list", "watch", "create", "patch"},
    ("", "pods/log"): {"get"},
    ("", "events"): {"list"},
}


def grants(objects: list[Object], kind: str = "Role", program: str = "operator") -> dict[tuple[str, str], set[str]]:
    """What the roles of a program allow."""
    found: dict[tuple[str, str], set[str]] = {}
    for item in objects:
        if item["kind"] == kind and item["metadata"]["labels"]["app.kubernetes.io/component"] == program:
            for rule in item["rules"]:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def test_the_operator_may_do_what_it_does_and_nothing_else(variant: list[Object]) -> None:
    assert grants(variant) == ALLOWED


def test_nothing_but_the_gateways_reviews_is_bound_for_the_whole_cluster(variant: list[Object]) -> None:
    (binding,) = [o for o in variant if o["kind"] == "ClusterRoleBinding"]
    assert binding["metadata"]["name"].startswith("simops-gateway.")


def test_only_the_own_lease_can_be_changed(default: list[Object]) -> None:
    for rule in one(default, "Role", "simops-operator-lease")["rules"]:
        assert rule["verbs"] == ["create"] or rule["resourceNames"] == ["simops-operator"]
    assert environment(default)["SIMOPS_LEASE_NAME"] == "simops-operator"


def test_people_get_both_kinds_through_kubernetes_own_roles(default: list[Object]) -> None:
    view, edit = one(default, "ClusterRole", "simops-view"), one(default, "ClusterRole", "simops-edit")
    assert view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    assert {verb for rule in view["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert {group for role in (view, edit) for rule in role["rules"] for group in rule["apiGroups"]} == {"simops.dev"}
    assert "simulationjobs/status" not in edit["rules"][0]["resources"], "only the operator writes the status"
    assert not grants(render("rbac.aggregatedRoles=false"), "ClusterRole", "people")


# Images


def image_expression(objects: list[Object]) -> str:
    policy = one(objects, "ValidatingAdmissionPolicy", "simulationjobs-images.simops.simops-system.simops.dev")
    found = re.search(r"matches\(r'(.*)'\)", policy["spec"]["validations"][0]["expression"])
    assert found
    return found[1]


@pytest.mark.parametrize(
    "patterns",
    [
        ["sim:*", "localhost/*"],
        ["sim:local"],
        ["registry.example.com:5000/team.a/*"],
        ["*/sim:1.*", "a-b_c@sha256:*"],
        ["*:dev", "**", "x*y*z"],
    ],
)
def test_the_policy_and_the_operator_agree_on_images(patterns: list[str]) -> None:
    objects = render(f"images.allowed={{{','.join(patterns)}}}")
    assert environment(objects)["SIMOPS_ALLOWED_IMAGES"] == ",".join(patterns)
    expression = re.compile(image_expression(objects))
    images = [
        *(
            "sim:local",
            "sim:",
            "sim",
            "xsim:local",
            "simx:local",
            "sim:local-2",
            "localhost/sim",
            "localhost.example.com/sim",
            "localhostx/sim",
        ),
        *(
            "registry.example.com:5000/team.a/sim:1",
            "registry.example.com:5000/teamXa/sim:1",
            "registryXexample.com:5000/team.a/sim:1",
        ),
        *(
            "a/sim:1.2",
            "a/sim:1",
            "a/b/sim:1.",
            "a-b_c@sha256:00",
            "a-b_c@sha256",
            "image:dev",
            "image:dev2",
            "xyz",
            "x1y2z",
            "xy",
            "zyx",
        ),
    ]
    for image in images:
        assert bool(expression.search(image)) == is_image_allowed(image, tuple(patterns)), image


def test_the_message_names_the_patterns(default: list[Object]) -> None:
    policy = one(default, "ValidatingAdmissionPolicy", "simulationsweeps-images.simops.simops-system.simops.dev")
    (validation,) = policy["spec"]["validations"]
    for text in (validation["message"], validation["messageExpression"]):
        assert "sim:*, localhost/*" in text
        assert "spec.template.image" in text
    binding = one(default, "ValidatingAdmissionPolicyBinding", policy["metadata"]["name"])
    assert binding["spec"]["validationActions"] == ["Deny"]
    assert binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0]["values"] == ["default"]


def test_every_image_allowed_means_no_policy() -> None:
    names = [
        o["metadata"]["name"]
        for o in render("images.allowed={sim:local,*}")
        if o["kind"] == "ValidatingAdmissionPolicy"
    ]
    assert not [name for name in names if "-images." in name]


# Store


def test_embedded_store_has_one_endpoint_for_all(default: list[Object]) -> None:
    assert environment(default)["SIMOPS_STORE_ENDPOINT"] == "http://simops-minio.simops-system.svc:9000"
    service = one(default, "Service", "simops-minio")
    pod = one(default, "Deployment", "simops-minio")["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_data_and_credentials_outlive_the_release_together(default: list[Object]) -> None:
    for kind, name, namespace in (
        ("PersistentVolumeClaim", "simops-minio", None),
        ("Secret", "simops-store", "simops-system"),
    ):
        assert one(default, kind, name, namespace)["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    temporary = render("store.embedded.persistence.enabled=false")
    assert not [o for o in temporary if o["kind"] == "PersistentVolumeClaim"]
    assert "annotations" not in one(temporary, "Secret", "simops-store", "simops-system")["metadata"]


def test_generated_credentials_are_long_and_new(default: list[Object]) -> None:
    data, other = (one(objects, "Secret", "simops-store", "default")["data"] for objects in (default, render()))
    assert data != other
    assert len(data["secret-key"]) >= 52  # 40 characters in base64


def test_own_claim_is_used() -> None:
    objects = render("store.embedded.persistence.existingClaim=mine")
    assert not [o for o in objects if o["kind"] == "PersistentVolumeClaim"]
    volumes = one(objects, "Deployment", "simops-minio")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "mine"}} in volumes


def test_own_secret_is_named_and_not_made() -> None:
    objects = render("store.existingSecret=mine")
    assert not [o for o in objects if o["kind"] == "Secret"]
    assert environment(objects)["SIMOPS_STORE_SECRET"] == "mine"
    assert {"name": "store", "secret": {"secretName": "mine", "defaultMode": 0o440}} in operator_pod(objects)["spec"][
        "volumes"
    ]


def test_workload_identity_mounts_no_secret() -> None:
    objects = render(values="ci/eks-values.yaml")
    assert environment(objects)["SIMOPS_STORE_SECRET"] == ""
    assert not [o for o in objects if o["kind"] == "Secret"]
    assert [volume["name"] for volume in operator_pod(objects)["spec"]["volumes"]] == ["tmp"]
    assert not [o for o in objects if "minio" in o["metadata"]["name"]]


def test_given_credentials_become_the_secret() -> None:
    objects = render(*EXTERNAL, "store.credentials.accessKey=me", "store.credentials.secretKey=pass word")
    assert one(objects, "Secret", "simops-store", "default")["data"] == {
        "access-key": "bWU=",
        "secret-key": "cGFzcyB3b3Jk",
    }


# NetworkPolicies


def egress(objects: list[Object], name: str = "simops-simulations", namespace: str = "default") -> list[Object]:
    rules: list[Object] = one(objects, "NetworkPolicy", name, namespace)["spec"]["egress"]
    return rules


def ports(rule: Object) -> set[int]:
    return {port["port"] for port in rule["ports"]}


def test_all_simulations_are_closed_to_the_inside(default: list[Object]) -> None:
    policy = one(default, "NetworkPolicy", "simops-simulations", "default")["spec"]
    assert policy["podSelector"] == {"matchLabels": {LABEL_MANAGED_BY: MANAGED_BY}}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy


def test_none_reaches_the_embedded_store_and_dns_only(default: list[Object]) -> None:
    store, dns = egress(default)
    (peer,) = store["to"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "simops-system"}
    minio = one(default, "Deployment", "simops-minio")["spec"]["template"]["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"].items() <= minio.items()
    assert (ports(store), ports(dns)) == ({9000}, {53})


def test_an_address_needs_no_dns() -> None:
    for endpoint, cidr, port in (
        ("http://10.1.2.3:9000", "10.1.2.3/32", 9000),
        (r"https://[fd00::1]", "fd00::1/128", 443),
    ):
        (store,) = egress(render("store.embedded.enabled=false", f"store.endpoint={endpoint}"))
        assert store["to"] == [{"ipBlock": {"cidr": cidr}}]
        assert ports(store) == {port}


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("https://s3.example.com", 443), ("http://s3.example.com", 80), ("http://s3.example.com:81", 81)],
)
def test_an_external_name_opens_its_port_but_not_the_metadata_address(endpoint: str, port: int) -> None:
    store, dns = egress(render("store.embedded.enabled=false", f"store.endpoint={endpoint}"))
    assert [peer["ipBlock"]["cidr"] for peer in store["to"]] == ["0.0.0.0/0", "::/0"]
    assert "169.254.169.254/32" in store["to"][0]["ipBlock"]["except"]
    assert (ports(store), ports(dns)) == ({port}, {53})


def test_known_addresses_of_the_store_close_the_rest() -> None:
    objects = render(*EXTERNAL, "networkPolicies.store.cidrs={10.9.0.0/16}", "networkPolicies.store.ports={443,8443}")
    store, _ = egress(objects)
    assert store["to"] == [{"ipBlock": {"cidr": "10.9.0.0/16"}}]
    assert ports(store) == {443, 8443}
    peers = "networkPolicies.store.peers[0].namespaceSelector.matchLabels.name=minio"
    assert egress(render(*EXTERNAL, peers))[0]["to"] == [{"namespaceSelector": {"matchLabels": {"name": "minio"}}}]


def test_cluster_and_internet_are_chosen_by_the_pods_label(default: list[Object]) -> None:
    for network in (Network.CLUSTER, Network.INTERNET):
        policy = one(default, "NetworkPolicy", f"simops-simulations-{network.lower()}", "default")["spec"]
        assert policy["podSelector"]["matchLabels"] == {LABEL_MANAGED_BY: MANAGED_BY, LABEL_NETWORK: network.value}
        assert policy["policyTypes"] == ["Egress"]
    assert egress(default, "simops-simulations-cluster")[0] == {"to": [{"namespaceSelector": {}}]}


def test_internet_is_not_the_cluster(default: list[Object]) -> None:
    four, six = (peer["ipBlock"] for peer in egress(default, "simops-simulations-internet")[0]["to"])
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"} <= set(four["except"])
    assert {"fc00::/7", "fe80::/10"} <= set(six["except"])


def test_the_store_admits_simulations_and_the_operator(default: list[Object]) -> None:
    (rule,) = one(default, "NetworkPolicy", "simops-minio")["spec"]["ingress"]
    simulations, operator, gateway = rule["from"]
    assert simulations["podSelector"]["matchLabels"] == {LABEL_MANAGED_BY: MANAGED_BY}
    assert simulations["namespaceSelector"]["matchExpressions"][0]["values"] == ["default"]
    assert operator["podSelector"]["matchLabels"].items() <= operator_pod(default)["metadata"]["labels"].items()
    assert gateway["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "gateway"
    assert "egress" not in one(default, "NetworkPolicy", "simops-minio")["spec"]


def test_the_operator_reaches_api_server_store_and_dns(default: list[Object]) -> None:
    assert [ports(rule) for rule in egress(default, "simops-operator", "simops-system")] == [{443, 6443}, {9000}, {53}]


def test_network_policies_can_be_left_out() -> None:
    assert not [o for o in render("networkPolicies.enabled=false") if o["kind"] == "NetworkPolicy"]
