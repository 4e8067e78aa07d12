"""What the chart makes for the gateway, without a cluster: objects as data."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from unit.test_chart_render import CHART, GATEWAY_ALLOWED, Object, grants, one, render

from simops_api.settings import Settings
from simops_operator.settings import Settings as OperatorSettings

ROOT = Path(__file__).parents[2]
GATEWAY = "simops-gateway"
FOR_PEOPLE_AT_HOME = {"kubeconfig", "http_host"}
"""Settings that make no sense in a Pod."""


@pytest.fixture(scope="module")
def default() -> list[Object]:
    return render()


def pod_of(objects: list[Object]) -> Object:
    pod: Object = one(objects, "Deployment", GATEWAY)["spec"]["template"]
    return pod


def environment(objects: list[Object]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in pod_of(objects)["spec"]["containers"][0]["env"]}


def settings_from(objects: list[Object], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIMOPS_{name.upper()}", raising=False)
    for name, value in environment(objects).items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_every_setting_comes_from_the_chart(default: list[Object]) -> None:
    names = {name for name in environment(default) if name.startswith("SIMOPS_")}
    assert names == {f"SIMOPS_{field.upper()}" for field in Settings.model_fields.keys() - FOR_PEOPLE_AT_HOME}


def test_defaults_are_those_of_the_gateway(default: list[Object], monkeypatch: pytest.MonkeyPatch) -> None:
    decided_by_the_chart = {"auth_mode", "allowed_images", "store_endpoint"}
    ours = settings_from(default, monkeypatch).model_dump()
    theirs = {name: field.default for name, field in Settings.model_fields.items()}
    for name in ours.keys() - decided_by_the_chart:
        assert ours[name] == theirs[name], name
    assert ours["auth_mode"] == "kubernetes"


@pytest.mark.parametrize("values", ["ci/local-values.yaml", "ci/eks-values.yaml"])
def test_the_gateway_understands_the_environment(values: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_from(render(values=values), monkeypatch)
    assert settings.namespaces
    assert settings.allowed_images != ("*",)


def test_settings_of_both_programs_agree_where_the_chart_has_one_value(
    default: list[Object], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = environment(default)
    operator = one(default, "Deployment", "simops-operator")["spec"]["template"]["spec"]["containers"][0]["env"]
    theirs = {entry["name"]: entry.get("value") for entry in operator}
    for name in (
        "NAMESPACES",
        "ALLOWED_IMAGES",
        "MAX_TIMEOUT_SECONDS",
        "MAX_RESOURCES",
        "STORE_ENDPOINT",
        "STORE_BUCKET",
        "STORE_REGION",
    ):
        assert gateway[f"SIMOPS_{name}"] == theirs[f"SIMOPS_{name}"]


@pytest.mark.parametrize(
    ("mode", "reviews"),
    [
        ("kubernetes", {("authentication.k8s.io", "tokenreviews"), ("authorization.k8s.io", "subjectaccessreviews")}),
        ("static", {("authorization.k8s.io", "subjectaccessreviews")}),
        ("none", set()),
    ],
)
def test_the_gateway_may_do_what_it_does_and_nothing_else(mode: str, reviews: set[tuple[str, str]]) -> None:
    more = ["gateway.auth.staticTokensSecret=tokens"] if mode == "static" else []
    objects = render(f"gateway.auth.mode={mode}", *more)
    assert grants(objects, program="gateway") == GATEWAY_ALLOWED
    assert grants(objects, "ClusterRole", "gateway") == {key: {"create"} for key in reviews}


def test_each_namespace_of_simulations_lets_the_gateway_in() -> None:
    objects = render("simulations.namespaces={one,two}")
    for namespace in ("one", "two"):
        one(objects, "Role", GATEWAY, namespace)
        subject = one(objects, "RoleBinding", GATEWAY, namespace)["subjects"][0]
        assert (subject["name"], subject["namespace"]) == (GATEWAY, "simops-system")


def test_it_runs_with_as_few_rights_as_the_operator(default: list[Object]) -> None:
    operator = one(default, "Deployment", "simops-operator")["spec"]["template"]["spec"]
    spec = pod_of(default)["spec"]
    assert spec["securityContext"] == operator["securityContext"]
    assert spec["containers"][0]["securityContext"] == operator["containers"][0]["securityContext"]
    store = {"name": "store", "mountPath": "/simops/store", "readOnly": True}
    assert store in spec["containers"][0]["volumeMounts"]


def test_a_rollout_loses_no_request(default: list[Object]) -> None:
    assert one(default, "Deployment", GATEWAY)["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    container = pod_of(default)["spec"]["containers"][0]
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] >= 5
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/live", "liveness": "/live", "readiness": "/ready"}


def test_several_replicas_get_a_budget_and_prefer_other_nodes(default: list[Object]) -> None:
    assert not [o for o in default if o["kind"] == "PodDisruptionBudget"]
    for objects in (render("gateway.replicas=2"), render("gateway.autoscaling.enabled=true")):
        budget = one(objects, "PodDisruptionBudget", GATEWAY)
        assert budget["spec"]["selector"]["matchLabels"].items() <= pod_of(objects)["metadata"]["labels"].items()
        assert "podAntiAffinity" in pod_of(objects)["spec"]["affinity"]


def test_an_autoscaler_has_the_number_of_pods_to_itself() -> None:
    objects = render("gateway.autoscaling.enabled=true")
    assert "replicas" not in one(objects, "Deployment", GATEWAY)["spec"]
    assert one(objects, "HorizontalPodAutoscaler", GATEWAY)["spec"]["scaleTargetRef"]["name"] == GATEWAY


def test_an_ingress_has_its_host_and_its_certificate() -> None:
    objects = render(
        "gateway.ingress.enabled=true", "gateway.ingress.host=simops.example.com", "gateway.ingress.tlsSecret=cert"
    )
    spec = one(objects, "Ingress", GATEWAY)["spec"]
    assert spec["tls"] == [{"secretName": "cert", "hosts": ["simops.example.com"]}]
    assert spec["rules"][0]["http"]["paths"][0]["backend"]["service"] == {"name": GATEWAY, "port": {"name": "http"}}


def test_static_tokens_are_mounted_for_the_gateway_alone() -> None:
    objects = render("gateway.auth.mode=static", "gateway.auth.staticTokensSecret=people")
    assert environment(objects)["SIMOPS_STATIC_TOKENS"] == "/simops/tokens/tokens.csv"
    volume = {"name": "tokens", "secret": {"secretName": "people", "defaultMode": 0o440}}
    assert volume in pod_of(objects)["spec"]["volumes"]


def test_traces_go_where_one_value_says(default: list[Object]) -> None:
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in environment(default)
    objects = render("tracing.endpoint=http://collector.tracing:4318")
    for name in (GATEWAY, "simops-operator"):
        env = one(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]["env"]
        assert {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector.tracing:4318"} in env
        rules = one(objects, "NetworkPolicy", name, "simops-system")["spec"]["egress"]
        assert {"protocol": "TCP", "port": 4318} in [port for rule in rules for port in rule["ports"]]


def test_monitoring_is_made_when_it_is_wanted(default: list[Object]) -> None:
    kinds = {"PodMonitor", "ServiceMonitor", "PrometheusRule", "ConfigMap"}
    assert not [o for o in default if o["kind"] in kinds]
    wanted = [f"monitoring.{name}.enabled=true" for name in ("serviceMonitor", "rules", "dashboard")]
    objects = render(*wanted, "networkPolicies.metricsFrom[0].namespaceSelector.matchLabels.team=monitoring")
    assert {o["kind"] for o in objects} >= kinds
    assert one(objects, "PrometheusRule", "simops")["spec"] == yaml.safe_load((CHART / "files/alerts.yaml").read_text())
    board = one(objects, "ConfigMap", "simops-dashboard")
    assert json.loads(board["data"]["simops.json"]) == json.loads((CHART / "files/grafana-dashboard.json").read_text())
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_without_a_gateway_nothing_of_it_is_left() -> None:
    assert not [o for o in render("gateway.enabled=false") if "gateway" in o["metadata"]["name"]]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("gateway.auth.mode=static", "staticTokensSecret"),
        ("monitoring.serviceMonitor.enabled=true", "networkPolicies.metricsFrom"),
        ("gateway.auth.mode=open", "mode"),
        ("gateway.ingress.enabled=true", "gateway.ingress.host"),
        ("gateway.shutdownSeconds=60", "terminationGracePeriodSeconds"),
        ("gateway.extraEnv[0].name=SIMOPS_DEBUG", "is set by the chart"),
        ("gateway.corsOrigins[0]=*", "corsOrigins"),
        ("gateway.nonsense=1", "nonsense"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(setting: str, words: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as error:
        render(setting)
    assert words in error.value.stderr


def test_each_setting_of_both_programs_is_in_the_example_of_an_environment() -> None:
    text = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))
    for settings in (Settings, OperatorSettings):
        assert {f"SIMOPS_{name.upper()}" for name in settings.model_fields} <= named
    assert {"DEFAULT_CONTAINER_IMAGE", "MAX_JOB_TIMEOUT", "LOG_LEVEL", "DEBUG"} <= set(re.findall(r"[A-Z_]+", text))
