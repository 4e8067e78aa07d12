import json
from dataclasses import replace
from pathlib import Path

from localcluster import components, manifests
from localcluster.addresses import Addresses
from localcluster.components import Spec
from localcluster.native import wanted_components
from localcluster.paths import ClusterPaths


def spec(slot: int = 3) -> Spec:
    return Spec("lab", Addresses(slot), ClusterPaths(Path("/cache/clusters/lab")), Path("/cache/bin"))


def test_etcd_listens_on_the_loopback_of_its_namespace_only() -> None:
    urls = [flag for flag in components.etcd(spec()) if "://" in flag]
    assert urls
    assert all("http://127.0.0.1:" in flag for flag in urls)


def test_the_api_server_listens_on_the_nodes_address_only() -> None:
    assert "--bind-address=10.112.3.2" in components.apiserver(spec())


def test_the_api_server_authorizes_by_node_and_rbac() -> None:
    assert "--authorization-mode=Node,RBAC" in components.apiserver(spec())


def test_no_default_admission_plugin_is_disabled() -> None:
    assert not any(flag.startswith("--disable-admission") for flag in components.apiserver(spec()))


def test_clients_of_the_api_server_need_no_leader_election() -> None:
    for command in (components.controller_manager(spec()), components.scheduler(spec())):
        assert "--leader-elect=false" in command
        assert "--bind-address=127.0.0.1" in command


def test_kubelet_keeps_logs_whole_and_evicts_nothing_for_a_full_disk() -> None:
    config = components.kubelet_config(spec())
    assert config["containerLogMaxSize"] == "1Gi"
    assert config["imageGCHighThresholdPercent"] == 100
    assert set(dict.fromkeys(config["evictionHard"].values())) == {"0%"}  # type: ignore[attr-defined]


def test_kubelet_runs_on_hosts_with_either_version_of_control_groups() -> None:
    config = components.kubelet_config(spec())
    assert config["failCgroupV1"] is False
    assert config["cgroupRoot"] == "/simops-lab"


def test_kubelet_answers_nobody_anonymous() -> None:
    authentication = components.kubelet_config(spec())["authentication"]
    assert authentication["anonymous"] == {"enabled": False}  # type: ignore[index]


def test_kube_proxy_uses_nftables_and_leaves_the_hosts_connection_tracking_alone() -> None:
    config = components.proxy_config(spec())
    assert config["mode"] == "nftables"
    assert config["conntrack"] == {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}


def test_pods_get_addresses_of_the_clusters_own_network() -> None:
    assert '"subnet": "10.244.3.0/24"' in json.dumps(components.cni_config(spec()))


def test_containerd_uses_the_local_pause_image() -> None:
    text = components.containerd_config(spec(), "/usr/lib/cni")
    assert 'sandbox_image = "localhost/pause:3.10"' in text
    assert "restrict_oom_score_adj = true" in text


def test_name_servers_on_the_hosts_loopback_are_not_given_to_pods() -> None:
    assert (
        components.resolv_conf("nameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch lab\n") == "nameserver 192.0.2.1\n"
    )


def test_a_lone_api_server_is_two_programs() -> None:
    assert list(wanted_components(spec(), "apiserver", None)) == ["etcd", "kube-apiserver"]


def test_another_api_server_takes_the_place_of_that_one_alone() -> None:
    other = replace(spec(), apiserver=Path("/cache/other/kube-apiserver"))
    own, commands = wanted_components(spec(), "apiserver", None), wanted_components(other, "apiserver", None)
    assert commands["kube-apiserver"] == ["/cache/other/kube-apiserver", *own["kube-apiserver"][1:]]
    assert commands["etcd"] == own["etcd"]


def test_a_control_plane_has_no_node() -> None:
    commands = wanted_components(spec(), "control-plane", None)
    assert "kube-controller-manager" in commands
    assert "kubelet" not in commands


def test_each_component_is_known_by_its_programs_name() -> None:
    commands = wanted_components(spec(), "node", Path("/cache/bin/volumes"))
    assert all(Path(command[0]).name == name for name, command in commands.items())


def test_dns_has_the_address_that_kubelet_tells_pods() -> None:
    service = next(item for item in manifests.dns(spec()) if item["kind"] == "Service")
    assert service["spec"]["clusterIP"] == components.kubelet_config(spec())["clusterDNS"][0]  # type: ignore[index]


def test_the_default_storage_class_is_the_provisioners() -> None:
    source = (Path(__file__).parents[2] / "hack/native/addons/volumes/main.go").read_text()
    assert f'const name = "{manifests.storage_class()["provisioner"]}"' in source


def test_the_configuration_of_dns_closes_every_bracket() -> None:
    text = manifests.corefile()
    assert text.count("{") == text.count("}")
