import json
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from localcluster import api, certs, cli, kindprovider, kindshim, machine, native, providers, state
from localcluster.addresses import Addresses
from localcluster.machine import Process
from localcluster.paths import cluster_paths
from localcluster.progress import StepError
from localcluster.state import State
from simops_demo import cli as demo


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIMOPS_CACHE", str(tmp_path))
    monkeypatch.delenv("SIMOPS_KUBECONFIG", raising=False)
    monkeypatch.setattr(kindprovider, "docker_answers", lambda: False)
    return tmp_path


def remember(name: str, scope: str = "node") -> None:
    state.write_state(cluster_paths(name), State(0, scope, Process(1, 2, "boot")))


def test_a_docker_engine_means_kind() -> None:
    assert providers.choose(docker=True, obstacles=["not root"]) == "kind"


def test_without_docker_it_is_native() -> None:
    assert providers.choose(docker=False, obstacles=[]) == "native"


def test_where_neither_is_possible_the_error_lists_all_ways() -> None:
    with pytest.raises(StepError, match=r"(?s)install Docker.*needs root.*SIMOPS_KUBECONFIG"):
        providers.choose(docker=False, obstacles=["the native cluster needs root"])


def test_a_given_cluster_is_used_and_never_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "mine"
    given.write_text("{}")
    monkeypatch.setenv("SIMOPS_KUBECONFIG", str(given))
    assert providers.up("simops") == given
    assert given.read_text() == "{}"


def test_a_given_kubeconfig_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMOPS_KUBECONFIG", "/nowhere")
    with pytest.raises(StepError, match="does not exist"):
        providers.up("simops")


def test_state_is_read_as_it_was_written() -> None:
    written = State(4, "node", Process(12, 34, "boot"))
    assert State.load(written.dump()) == written
    assert State.load(State(4, "node", None).dump()).process is None
    other = State(4, "apiserver", None, "1.34")
    assert State.load(other.dump()) == other


def test_a_state_from_before_versions_could_be_chosen_is_of_the_projects_own() -> None:
    text = json.dumps({"provider": "native", "slot": 4, "scope": "node", "machine": None})
    assert State.load(text).kubernetes == ""


@pytest.mark.parametrize(("has", "wanted"), [("1.34", ""), ("", "1.34"), ("1.34", "1.37")])
def test_a_cluster_does_not_change_its_version(has: str, wanted: str) -> None:
    state.write_state(cluster_paths("lab"), State(0, "apiserver", None, has))
    assert state.claim("lab", "apiserver", has).kubernetes == has
    with pytest.raises(StepError, match="hack/cluster down --name lab"):
        state.claim("lab", "apiserver", wanted)


def test_an_api_server_of_another_version_is_started_whatever_cluster_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").touch()
    monkeypatch.setenv("SIMOPS_KUBECONFIG", str(tmp_path / "mine"))
    monkeypatch.setattr(native, "up", lambda *arguments: Path("/", *arguments))
    assert providers.up("lab", "apiserver", kubernetes="1.34") == Path("/lab/apiserver/1.34")


def test_a_cluster_of_kind_is_not_taken_for_one_of_another_version() -> None:
    certs.write_private(cluster_paths("lab").state, json.dumps({"provider": "kind"}))
    with pytest.raises(StepError, match="one of kind"):
        providers.up("lab", "apiserver", kubernetes="1.34")


def test_a_cluster_of_another_provider_is_not_taken_for_a_native_one() -> None:
    paths = cluster_paths("lab")
    certs.write_private(paths.state, json.dumps({"provider": "kind"}))
    assert state.read_state(paths) is None
    assert providers.provider_of("lab") == "kind"


def test_a_second_command_may_add_to_a_cluster_but_not_take_away() -> None:
    remember("lab", "control-plane")
    assert state.claim("lab", "node").scope == "node"
    assert state.claim("lab", "apiserver").scope == "control-plane"


def test_kubeconfigs_are_private_and_complete(tmp_path: Path) -> None:
    text = certs.kubeconfig("https://10.112.0.2:6443", "lab", "admin", authority=b"a", certificate=b"c", key=b"k")
    certs.write_private(tmp_path / "k", text)
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    config = json.loads((tmp_path / "k").read_text())
    assert config["current-context"] == "lab"
    assert config["clusters"][0]["cluster"]["server"] == "https://10.112.0.2:6443"


def test_every_certificate_names_what_the_authorizers_expect() -> None:
    names = {item.file: (item.name, item.group) for item in certs.certificates(Addresses(0), "lab-control-plane")}
    assert names["kubelet"] == ("system:node:lab-control-plane", "system:nodes")
    assert names["controller-manager"][0] == "system:kube-controller-manager"
    assert names["admin"][1] == "system:masters"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_certificates_can_be_made_and_hold_up_to_strict_verification(tmp_path: Path) -> None:
    certs.write_pki(tmp_path, Addresses(0), "lab-control-plane")
    command = ["openssl", "verify", "-x509_strict", "-CAfile", f"{tmp_path}/ca.crt"]
    for certificate in certs.certificates(Addresses(0), "lab-control-plane"):
        assert "OK" in machine.run([*command, f"{tmp_path}/{certificate.file}.crt"])


def test_the_start_of_a_process_is_found_behind_any_program_name() -> None:
    fields = " ".join(str(number) for number in range(4, 53))
    assert machine.start_ticks(f"12 (a) b) (c) S {fields}") == 22


def test_a_process_is_not_mistaken_for_a_later_one_with_its_number() -> None:
    own = machine.identify(1)
    assert machine.alive(own)
    assert not machine.alive(Process(own.pid, own.started + 1, own.boot))
    assert not machine.alive(Process(own.pid, own.started, "another boot"))


def test_only_the_first_process_of_its_own_namespace_is_a_machine() -> None:
    assert machine.is_first("Name:\tpause\nNSpid:\t4711\t1\n")
    assert not machine.is_first("Name:\tinit\nNSpid:\t1\n")
    assert not machine.is_first("Name:\tx\nNSpid:\t4711\t12\n")


def test_a_folder_with_mounts_below_is_not_removed() -> None:
    with pytest.raises(StepError, match="mounts below"):
        native.remove_tree(Path("/proc"))


def test_a_dns_question_is_what_the_protocol_wants() -> None:
    assert api.dns_query("a.bc", 7) == b"\0\7\1\0\0\1\0\0\0\0\0\0\1a\2bc\0\0\1\0\1"


def test_a_node_that_fell_silent_is_not_ready_whatever_its_status_says() -> None:
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    lease = {"spec": {"renewTime": "2026-01-01T10:00:00.000000Z"}}

    def get(path: str) -> tuple[int, object]:
        return 200, lease if "leases" in path else ready

    renewed = datetime.fromisoformat("2026-01-01T10:00:00Z")
    assert api.node_ready(get, "lab", renewed)
    assert not api.node_ready(get, "lab", renewed + native.LEASE)


def test_kinds_configuration_keeps_logs_whole() -> None:
    patches = kindprovider.kind_config()["kubeadmConfigPatches"]
    assert json.loads(patches[0])["containerLogMaxSize"] == "1Gi"  # type: ignore[index]


def test_pytest_kinds_command_to_create_is_understood() -> None:
    arguments = kindshim.parser().parse_args(["create", "cluster", "--name=lab", "--kubeconfig=k", "--image=x"])
    assert (arguments.verb, arguments.noun, arguments.name) == ("create", "cluster", "lab")
    assert arguments.kubeconfig == "k"


def test_pytest_kinds_command_to_load_is_understood() -> None:
    arguments = kindshim.parser().parse_args(["load", "docker-image", "--name", "lab", "sim:local"])
    assert (arguments.name, arguments.images) == ("lab", ["sim:local"])


def test_kind_lists_clusters_that_can_run_pods(capsys: pytest.CaptureFixture[str]) -> None:
    remember("lab")
    remember("lone", "apiserver")
    assert kindshim.main(["get", "clusters"]) == 0
    assert capsys.readouterr().out.split() == ["lab"]


def test_kind_does_not_create_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    remember("lab")
    assert kindshim.main(["create", "cluster", "--name=lab"]) == 1
    assert "already exist" in capsys.readouterr().err


def test_an_image_that_is_not_built_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    remember("lab")
    assert kindshim.main(["load", "docker-image", "sim:local", "--name=lab"]) == 1
    assert 'image: "sim:local" not present locally' in capsys.readouterr().err


def test_with_docker_new_clusters_of_kind_get_the_projects_settings() -> None:
    assert kindshim.docker_arguments(["get", "clusters"]) == ["get", "clusters"]
    assert kindshim.docker_arguments(["create", "cluster"])[-1].startswith("--config=")
    assert kindshim.docker_arguments(["create", "cluster", "--config", "x"])[-2:] == ["--config", "x"]


def test_an_unknown_cluster_is_an_error_that_says_how_to_start_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["kubeconfig", "--name", "lab"]) == 1
    assert "hack/cluster up --name lab" in capsys.readouterr().err


def test_the_status_of_no_cluster_says_how_to_make_it_and_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--name", "lab"]) == 1
    assert capsys.readouterr().out == "No cluster lab: `make up CLUSTER=lab` makes one\n"
    remember("other")
    assert cli.main(["status"]) == 1
    assert capsys.readouterr().out == "No cluster simops: `make up` makes one\nThere are: other\n"


def test_what_is_wrong_is_the_last_line_of_make_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--status", "--cluster", "lab"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("No cluster lab")


def test_the_status_of_a_dead_cluster_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    remember("lab")
    assert cli.main(["status", "--name", "lab"]) == 1
    assert "NOT healthy" in capsys.readouterr().out
