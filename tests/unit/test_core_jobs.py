"""The Kubernetes Job of a run: what every one of them keeps, whatever the spec says."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from builders import CONFIG, JOB, NAME, NAMESPACE, PREFIX, UID
from hypothesis import given
from hypothesis import strategies as st

from simops_crds.images import has_digest, is_image_allowed, why_not_trusted
from simops_crds.names import ANNOTATION_PARAMS
from simops_crds.v1alpha1 import SimulationJobSpec
from simops_operator.core.config import JobConfig
from simops_operator.core.jobs import arguments, job_for
from simops_operator.core.pods import Manifest


def manifest(config: JobConfig = CONFIG, **spec: Any) -> Manifest:
    return job_for(NAME, NAMESPACE, UID, SimulationJobSpec.model_validate({"image": "sim:local"} | spec), config)


def pod_spec(config: JobConfig = CONFIG, **spec: Any) -> Manifest:
    out: Manifest = manifest(config, **spec)["spec"]["template"]["spec"]
    return out


def simulation(config: JobConfig = CONFIG, **spec: Any) -> Manifest:
    (container,) = pod_spec(config, **spec)["containers"]
    assert isinstance(container, dict)
    return container


def expand(text: str, variables: dict[str, str]) -> str:
    """Expand as kubelet does (k8s.io/kubernetes/third_party/forked/golang/expansion)."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return variables.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", one, text)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
specs = st.fixed_dictionaries(
    {},
    optional={
        "command": st.lists(texts, max_size=3),
        "args": st.lists(texts, max_size=3),
        "params": st.dictionaries(
            st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True),
            st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | texts,
            max_size=4,
        ),
        "env": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["HOME", "A", "PATH"]), "value": texts}),
            max_size=3,
            unique_by=lambda e: e["name"],
        ),
        "retries": st.integers(0, 100),
        "suspend": st.booleans(),
        "queueName": st.just("gpu"),
        "network": st.sampled_from(["None", "Cluster", "Internet"]),
        "timeoutSeconds": st.integers(1, 31_536_000),
        "priorityClassName": st.just("high"),
        "nodeSelector": st.just({"disk": "ssd"}),
        "tolerations": st.just([{"operator": "Exists"}]),
    },
)


class TestPodSecurityRestricted:
    """Each field of https://kubernetes.io/docs/concepts/security/pod-security-standards/ (baseline and restricted)."""

    @given(specs, st.booleans())
    def test_every_job_keeps_every_field(self, spec: dict[str, Any], with_secret: bool) -> None:
        config = JobConfig(store_secret="store" if with_secret else "")
        pod = pod_spec(config, **spec)
        containers = pod["initContainers"] + pod["containers"]
        assert not {"hostNetwork", "hostPID", "hostIPC", "ephemeralContainers", "hostAliases"} & pod.keys()
        allowed = {
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "persistentVolumeClaim",
            "projected",
            "secret",
        }
        for volume in pod["volumes"]:
            assert set(volume) - {"name"} <= allowed
        security = pod["securityContext"]
        assert set(security) == {"runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "seccompProfile"}
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            assert not any("hostPort" in port for port in container.get("ports", []))
            for hook in container.get("lifecycle", {}).values():
                assert "host" not in hook["httpGet"]

    @given(specs)
    def test_only_the_bundle_container_sees_the_store(self, spec: dict[str, Any]) -> None:
        pod = pod_spec(**spec)
        (secret,) = (v["name"] for v in pod["volumes"] if "secret" in v)
        mounts = {c["name"]: {m["name"] for m in c["volumeMounts"]} for c in pod["initContainers"] + pod["containers"]}
        assert [name for name, volumes in mounts.items() if secret in volumes] == ["bundle"]
        assert "STORE" not in json.dumps([e["name"] for e in simulation(**spec)["env"]])
        assert not any("envFrom" in c for c in pod["containers"])

    @given(specs)
    def test_no_pod_has_a_token(self, spec: dict[str, Any]) -> None:
        assert pod_spec(**spec)["automountServiceAccountToken"] is False
        assert pod_spec(**spec)["enableServiceLinks"] is False
        assert not any("projected" in volume for volume in pod_spec(**spec)["volumes"])

    @given(specs)
    def test_what_is_applied_can_be_applied(self, spec: dict[str, Any]) -> None:
        pod = pod_spec(**spec)
        for container in pod["initContainers"] + pod["containers"]:
            names = [e["name"] for e in container["env"]]
            assert len(names) == len(set(names)), "server-side apply refuses a name that stands twice"
        json.dumps(manifest(**spec), allow_nan=False)

    def test_outputs_can_only_be_read_by_the_bundle_container(self) -> None:
        (bundle,) = pod_spec()["initContainers"]
        assert all(m["readOnly"] for m in bundle["volumeMounts"])
        assert bundle["restartPolicy"] == "Always"

    def test_volumes_are_limited(self) -> None:
        sizes = {v["name"]: v["emptyDir"]["sizeLimit"] for v in pod_spec()["volumes"] if "emptyDir" in v}
        assert sizes == {"outputs": "10Gi", "tmp": "1Gi"}

    def test_without_a_secret_nothing_is_mounted(self) -> None:
        pod = pod_spec(JobConfig(store_secret=""))
        assert "store" not in json.dumps([pod["volumes"], [c["volumeMounts"] for c in pod["initContainers"]]])


class TestTheJob:
    def test_its_name_and_labels_come_from_the_run(self) -> None:
        meta = manifest()["metadata"]
        assert (meta["name"], meta["namespace"]) == (JOB, NAMESPACE)
        assert meta["labels"] == manifest()["spec"]["template"]["metadata"]["labels"].__class__(meta["labels"])
        assert meta["labels"]["simops.dev/uid"] == UID

    def test_it_goes_with_the_run(self) -> None:
        (owner,) = manifest()["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("SimulationJob", NAME, UID, True)

    def test_it_is_the_same_each_time(self) -> None:
        assert manifest(params={"a": 1}) == manifest(params={"a": 1})

    def test_disruptions_are_not_counted(self) -> None:
        (rule,) = manifest(retries=3)["spec"]["podFailurePolicy"]["rules"]
        assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
        assert manifest(retries=3)["spec"]["backoffLimit"] == 3
        assert pod_spec()["restartPolicy"] == "Never"

    def test_an_attempt_begins_when_the_one_before_has_ended(self) -> None:
        assert manifest()["spec"]["podReplacementPolicy"] == "Failed"

    def test_a_queue_gets_it_suspended(self) -> None:
        assert manifest(queueName="gpu")["spec"]["suspend"] is True
        assert manifest(queueName="gpu")["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpu"
        assert manifest()["spec"]["suspend"] is False

    def test_the_nodes_deadline_leaves_time_to_store_the_outputs(self) -> None:
        config = JobConfig(max_timeout_seconds=100, termination_grace_seconds=50)
        assert pod_spec(config, timeoutSeconds=60)["activeDeadlineSeconds"] == 110
        assert pod_spec(config, timeoutSeconds=1000)["activeDeadlineSeconds"] == 150

    def test_the_network_of_its_pods_can_be_selected(self) -> None:
        assert (
            manifest(network="Internet")["spec"]["template"]["metadata"]["labels"]["simops.dev/network"] == "Internet"
        )
        assert manifest()["spec"]["template"]["metadata"]["labels"]["simops.dev/network"] == "None"

    def test_where_it_may_run_is_passed_on(self) -> None:
        pod = pod_spec(nodeSelector={"disk": "ssd"}, tolerations=[{"operator": "Exists"}], priorityClassName="high")
        assert pod["nodeSelector"] == {"disk": "ssd"}
        assert pod["tolerations"] == [{"operator": "Exists"}]
        assert pod["priorityClassName"] == "high"
        assert not {"nodeSelector", "tolerations", "priorityClassName", "imagePullSecrets"} & pod_spec().keys()
        assert pod_spec(JobConfig(image_pull_secrets=("a",)))["imagePullSecrets"] == [{"name": "a"}]

    def test_the_bundle_container_is_told_where_to_put_things(self) -> None:
        (bundle,) = pod_spec()["initContainers"]
        env = {e["name"]: e.get("value") for e in bundle["env"]}
        assert env["SIMOPS_KEY_PREFIX"] == PREFIX
        assert env["SIMOPS_GRACE_SECONDS"] == str(pod_spec()["terminationGracePeriodSeconds"])
        assert env["SIMOPS_STOP_PORT"] == str(simulation()["lifecycle"]["preStop"]["httpGet"]["port"])
        assert env["SIMOPS_STOP_PATH"] == simulation()["lifecycle"]["preStop"]["httpGet"]["path"]

    def test_who_does_not_know_the_run_cannot_tell_its_bundle_container_that_it_is_stopped(self) -> None:
        assert simulation()["lifecycle"]["preStop"]["httpGet"]["path"] == f"/stop/{UID}"


class TestArguments:
    def test_parameters_come_after_args_in_their_order(self) -> None:
        spec = SimulationJobSpec(image="sim:1", args=["-v"], params={"b": 1, "a": "x"})
        assert arguments(spec) == ["-v", "--b", "1", "--a", "x"]

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (True, "true"),
            (False, "false"),
            (1, "1"),
            (1.0, "1.0"),
            (1e-5, "1e-05"),
            (-3, "-3"),
            ("", ""),
            ("1", "1"),
            ("ä b", "ä b"),
        ],
    )
    def test_values_are_written_as_json_writes_them_and_strings_as_they_are(self, value: Any, text: str) -> None:
        assert arguments(SimulationJobSpec(image="sim:1", params={"x": value})) == ["--x", text]

    @given(st.text(alphabet="$(){}HOME a", max_size=12))
    def test_text_reaches_the_simulation_unchanged(self, text: str) -> None:
        spec: dict[str, Any] = {
            "args": [text],
            "params": {"p": text},
            "env": [{"name": "TEXT", "value": text}],
            "command": ["run", text],
        }
        container = simulation(**spec)
        variables = {"HOME": "/tmp", "": "nothing"}
        assert [expand(t, variables) for t in container["args"]] == [text, "--p", text]
        assert [expand(t, variables) for t in container["command"]] == ["run", text]
        (env,) = (e["value"] for e in container["env"] if e["name"] == "TEXT")
        assert expand(env, variables) == text

    @given(specs)
    def test_numbers_survive_the_way_into_the_file(self, spec: dict[str, Any]) -> None:
        text = manifest(**spec)["spec"]["template"]["metadata"]["annotations"][ANNOTATION_PARAMS]
        assert json.loads(text) == spec.get("params", {})

    def test_a_simulation_without_command_runs_its_own_entrypoint(self) -> None:
        assert "command" not in simulation()
        assert simulation(command=["python"])["command"] == ["python"]

    def test_a_person_may_choose_another_home(self) -> None:
        env = simulation(env=[{"name": "HOME", "value": "/simops/outputs"}])["env"]
        assert [e["value"] for e in env if e["name"] == "HOME"] == ["/simops/outputs"]
        assert [e["value"] for e in simulation()["env"] if e["name"] == "HOME"] == ["/tmp"]


class TestResources:
    def test_defaults(self) -> None:
        assert simulation()["resources"] == {
            "requests": {"cpu": "500m", "memory": "256Mi"},
            "limits": {"cpu": "2", "memory": "2Gi"},
        }

    def test_there_is_always_a_limit(self) -> None:
        given_requests = simulation(resources={"requests": {"memory": "8Gi"}})["resources"]
        assert given_requests["requests"] == {"cpu": "500m", "memory": "8Gi"}
        assert given_requests["limits"] == {"cpu": "2", "memory": "8Gi"}

    def test_a_default_request_gives_way_to_a_smaller_limit(self) -> None:
        assert simulation(resources={"limits": {"memory": "64Mi"}})["resources"] == {
            "requests": {"cpu": "500m"},
            "limits": {"cpu": "2", "memory": "64Mi"},
        }

    def test_other_resources_are_passed_on(self) -> None:
        assert simulation(resources={"limits": {"nvidia.com/gpu": 1}})["resources"]["limits"]["nvidia.com/gpu"] == 1


class TestImages:
    @pytest.mark.parametrize(
        ("image", "patterns", "is_allowed"),
        [
            ("sim:local", ("*",), True),
            ("sim:local", (), False),
            ("sim:local", ("sim:*",), True),
            ("evil/sim:local", ("sim:*",), False),
            ("registry.example.com/lab/sim:1", ("other.example.com/*", "registry.example.com/lab/*"), True),
            ("registryxexample.com/lab/sim:1", ("registry.example.com/lab/*",), False),
            ("registry.example.com/lab/sim:1.evil", ("registry.example.com/lab/sim:1",), False),
            ("a[b]", ("a[b]",), True),
        ],
    )
    def test_a_pattern_matches_as_a_whole(self, image: str, patterns: tuple[str, ...], is_allowed: bool) -> None:
        assert is_image_allowed(image, patterns) is is_allowed

    @pytest.mark.parametrize(
        ("image", "is_by_digest"),
        [
            (f"sim@sha256:{'a' * 64}", True),
            (f"registry.example.com:5000/lab/sim:1.2@sha256:{'0' * 64}", True),
            ("sim:local", False),
            ("sim", False),
            (f"@sha256:{'a' * 64}", False),
            (f"sim@sha256:{'a' * 63}", False),
            (f"sim@sha256:{'a' * 65}", False),
            (f"sim@sha256:{'A' * 64}", False),
            (f"sim@md5:{'a' * 64}", False),
            (f"sim:sha256-{'a' * 64}", False),
        ],
    )
    def test_a_digest_is_sha256_in_full(self, image: str, is_by_digest: bool) -> None:
        assert has_digest(image) is is_by_digest
        why = why_not_trusted(image, ("*",), require_digest=True)
        assert (why is None) is is_by_digest
        assert why_not_trusted(image, ("*",), require_digest=False) is None

    def test_a_digest_does_not_make_an_image_trusted(self) -> None:
        why = why_not_trusted(f"evil@sha256:{'a' * 64}", ("sim*",), require_digest=True)
        assert why == "is not allowed here; allowed: sim*"


class TestRuntime:
    def test_the_cluster_decides_unless_the_installation_does(self) -> None:
        assert "runtimeClassName" not in pod_spec()
        assert pod_spec(replace(CONFIG, runtime_class_name="gvisor"))["runtimeClassName"] == "gvisor"

    @given(specs)
    def test_no_container_may_take_memory_without_end(self, spec: dict[str, Any]) -> None:
        pod = pod_spec(**spec)
        for container in (*pod["initContainers"], *pod["containers"]):
            assert container["resources"]["limits"]["memory"]
        for volume in pod["volumes"]:
            assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"]
