"""The command line and the configuration of every component of a native cluster. Pure: values in, values out.

Each runs as it would on a real node; what differs from a default says why.
"""

from dataclasses import dataclass
from pathlib import Path

from localcluster.addresses import Addresses
from localcluster.paths import ClusterPaths

DOMAIN = "cluster.local"
PAUSE_IMAGE = "localhost/pause:3.10"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
CNI_PLUGIN_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")
MAX_PODS = 240  # the Pod network has 253 addresses
POD_PIDS = (
    1024  # processes and threads that a Pod may have: one that makes them without end must not take the node with it
)


@dataclass(frozen=True)
class Spec:
    """What a native cluster is made of."""

    name: str
    addresses: Addresses
    paths: ClusterPaths
    bin: Path
    apiserver: Path | None = None
    """The API server of another Kubernetes, in place of that in `bin`."""
    controller_qps: int | None = None
    """How many calls a second the controllers and the scheduler may make; None for Kubernetes' own limits (20 and 50)."""

    @property
    def node(self) -> str:
        """The node's name, as kind would call it."""
        return f"{self.name}-control-plane"

    @property
    def cgroup(self) -> str:
        """The cgroup of all its Pods, in every hierarchy."""
        return f"/simops-{self.name}"

    def config(self, file: str) -> str:
        """Return the path of a configuration file."""
        return str(self.paths.config / file)

    def pki(self, file: str) -> str:
        """Return the path of a key or certificate."""
        return str(self.paths.pki / file)

    def program(self, name: str) -> str:
        """Return the path of a component of Kubernetes."""
        if name == "kube-apiserver" and self.apiserver:
            return str(self.apiserver)
        return str(self.bin / name)


def etcd(spec: Spec) -> list[str]:
    """Loopback of the cluster's own network namespace; no fsync, since the cluster is thrown away with the machine."""
    return [
        spec.program("etcd"),
        "--data-dir=/var/lib/etcd",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--initial-advertise-peer-urls=http://127.0.0.1:2380",
        "--initial-cluster=default=http://127.0.0.1:2380",
        "--quota-backend-bytes=8589934592",
        "--unsafe-no-fsync",
        "--logger=zap",
    ]


def apiserver(spec: Spec) -> list[str]:
    """RBAC and the Node authorizer; admission plugins and feature gates are the defaults of the version."""
    issuer = f"https://kubernetes.default.svc.{DOMAIN}"
    return [
        spec.program("kube-apiserver"),
        f"--advertise-address={spec.addresses.node}",
        f"--bind-address={spec.addresses.node}",
        "--secure-port=6443",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={spec.addresses.services}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={spec.pki('ca.crt')}",
        f"--tls-cert-file={spec.pki('apiserver.crt')}",
        f"--tls-private-key-file={spec.pki('apiserver.key')}",
        f"--kubelet-certificate-authority={spec.pki('ca.crt')}",
        f"--kubelet-client-certificate={spec.pki('apiserver-kubelet.crt')}",
        f"--kubelet-client-key={spec.pki('apiserver-kubelet.key')}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer={issuer}",
        f"--service-account-key-file={spec.pki('sa.pub')}",
        f"--service-account-signing-key-file={spec.pki('sa.key')}",
        f"--audit-policy-file={spec.config('audit-policy.json')}",
        f"--audit-log-path={spec.paths.audit_log}",
        "--audit-log-maxsize=200",
        "--audit-log-maxbackup=1",
    ]


def audit_policy() -> dict[str, object]:
    """What service accounts of other namespaces than Kubernetes' own have asked for, without bodies: whether their rights are used can be looked up."""
    own = {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]}
    others = {"level": "Metadata", "userGroups": ["system:serviceaccounts"]}
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [own, others, {"level": "None"}],
    }


def controller_manager(spec: Spec) -> list[str]:
    """The only one of its kind, so no leader election; the one node has the whole Pod network."""
    return [
        spec.program("kube-controller-manager"),
        *_client_of_api(spec, "controller-manager"),
        "--use-service-account-credentials=true",
        f"--root-ca-file={spec.pki('ca.crt')}",
        f"--service-account-private-key-file={spec.pki('sa.key')}",
        f"--cluster-signing-cert-file={spec.pki('ca.crt')}",
        f"--cluster-signing-key-file={spec.pki('ca.key')}",
        *_pace(spec),
    ]


def scheduler(spec: Spec) -> list[str]:
    """The default scheduler."""
    return [spec.program("kube-scheduler"), *_client_of_api(spec, "scheduler"), *_pace(spec)]


def _pace(spec: Spec) -> list[str]:
    """A managed control plane under load is given more calls a second; a Job costs the controllers six (DESIGN: 3 Jobs a second by default)."""
    if spec.controller_qps is None:
        return []
    return [f"--kube-api-qps={spec.controller_qps}", f"--kube-api-burst={spec.controller_qps}"]


def _client_of_api(spec: Spec, name: str) -> list[str]:
    own = spec.config(f"{name}.kubeconfig")
    return [
        f"--kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
    ]


def containerd(spec: Spec) -> list[str]:
    """The Debian package's containerd; its folders are the cluster's own through the mount namespace."""
    return ["containerd", "--config", spec.config("containerd.toml")]


def kubelet(spec: Spec) -> list[str]:
    """Nearly everything is in the configuration file."""
    return [
        spec.program("kubelet"),
        f"--config={spec.config('kubelet.json')}",
        f"--kubeconfig={spec.config('kubelet.kubeconfig')}",
        f"--hostname-override={spec.node}",
        f"--node-ip={spec.addresses.node}",
    ]


def proxy(spec: Spec) -> list[str]:
    """Services, by nftables rules in the cluster's own network namespace."""
    return [spec.program("kube-proxy"), f"--config={spec.config('kube-proxy.json')}"]


def volumes(spec: Spec, program: Path) -> list[str]:
    """The provisioner of the default storage class."""
    return [str(program), f"--kubeconfig={spec.config('admin.kubeconfig')}", f"--node={spec.node}"]


def kubelet_config(spec: Spec) -> dict[str, object]:
    """Logs are kept whole, since a run's log is a result; a nearly full disk must not evict a developer's Pods."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": spec.addresses.node,
        "healthzBindAddress": "127.0.0.1",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": spec.pki("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": spec.pki("kubelet-server.crt"),
        "tlsPrivateKeyFile": spec.pki("kubelet-server.key"),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": spec.cgroup,
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [spec.addresses.dns],
        "clusterDomain": DOMAIN,
        "resolvConf": spec.config("resolv.conf"),
        "maxPods": MAX_PODS,
        "podPidsLimit": POD_PIDS,
        "containerLogMaxSize": "1Gi",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
        "enableControllerAttachDetach": True,
    }


def proxy_config(spec: Spec) -> dict[str, object]:
    """Connection tracking limits belong to the host: zero leaves them as they are."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "bindAddress": spec.addresses.node,
        "clusterCIDR": spec.addresses.pods,
        "hostnameOverride": spec.node,
        "clientConnection": {"kubeconfig": spec.config("proxy.kubeconfig")},
        "metricsBindAddress": "127.0.0.1:10249",
        "healthzBindAddress": "127.0.0.1:10256",
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def cni_config(spec: Spec) -> dict[str, object]:
    """One pair of interfaces per Pod and a route to it: Pods reach each other by way of the node, so services work.

    Leases are below `/run`, which is empty whenever the node starts: nothing holds an address after a crash.
    """
    return {
        "cniVersion": "0.4.0",
        "name": "simops",
        "plugins": [
            {
                "type": "ptp",
                "mtu": 1400,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-leases",
                    "ranges": [[{"subnet": spec.addresses.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def containerd_config(spec: Spec, cni_plugins: str) -> str:
    """Return the configuration of containerd.

    Without the capability to lower its OOM score runc dies, hence `restrict_oom_score_adj`. Network namespaces are kept
    below the state folder, which goes with the cluster.
    """
    return f"""version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_plugins}"
    conf_dir = "{spec.config("cni")}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def resolv_conf(host: str) -> str:
    """Return the name servers that a Pod with the host's DNS may use: none that is the host's own loopback."""
    kept = [line for line in host.splitlines() if line.startswith("nameserver") and " 127." not in line]
    return "\n".join(kept) + "\n"
