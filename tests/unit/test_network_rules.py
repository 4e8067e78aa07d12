"""Who reaches what: the chart's NetworkPolicies, evaluated for the Pods that SimOps makes and for others, without a cluster.

Each line of ``REACHES`` names everything that somebody reaches; all else is closed to them. Every place, reached or closed, becomes a row of the table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Address, IPv6Network, ip_network
from typing import NamedTuple

import pytest
import yaml
from builders import CONFIG, NAME, UID
from netpol import Cluster, End, Outside, Pod, Port, selects
from sweepworld import sweep_object
from unit.test_chart_render import CHART, EXTERNAL, Object, one, render

from simops_crds.indexes import Indexes
from simops_crds.v1alpha1 import SimulationJobSpec
from simops_crds.v1alpha1.job import Network
from simops_operator.core.jobs import job_for
from simops_operator.core.pods import STOP_PORT
from simops_operator.core.sweeps.books import Round
from simops_operator.core.sweeps.manifest import job_for_round
from simops_operator.core.sweeps.sweep import sweep_of

SYSTEM = "simops-system"
OWN = {"the operator": "simops-operator", "the gateway": "simops-gateway", "the store": "simops-minio"}
"""Pods of the chart, by the Deployment that makes them."""

OTHER_PODS = {
    "DNS": ("kube-system", {"k8s-app": "kube-dns"}),
    "a notebook in lab": ("lab", {"app": "notebook"}),
    "a shop in web": ("web", {"app": "shop"}),
    "another S3 in storage": ("storage", {"app": "s3"}),
    "a backup in storage": ("storage", {"app": "backup"}),
    "the collector": ("monitoring", {"app": "collector"}),
    "Prometheus": ("monitoring", {"app": "prometheus"}),
    "the Ingress": ("ingress", {"app": "nginx"}),
}
ADDRESSES = {
    "the API server": "10.0.0.1",
    "the instance metadata": "169.254.169.254",
    "the instance metadata by IPv6": "fd00:ec2::254",
    "Google's instance metadata by IPv6": "fd20:ce::254",
    "Alibaba's instance metadata": "100.100.100.200",
    "Azure's WireServer": "168.63.129.16",
    "a public address": "203.0.113.7",
    "a public address by IPv6": "2001:db8::7",
    "S3": "198.51.100.20",
    "a private address": "192.168.1.5",
    "a private address by NAT64": "64:ff9b::c0a8:105",
    # Of no use on the Internet, and where some clusters of EKS and GKE have their Pods.
    "a Pod address of 198.18.0.0/15": "198.19.0.1",
    "a Pod address of 240.0.0.0/4": "240.0.0.1",
    "S3 in the data centre": "10.9.0.5",
}


def simulation(network: Network, namespace: str) -> str:
    """Return how a simulation Pod is called here."""
    return f"a simulation of network {network} in {namespace}"


IN_LAB = {network: simulation(network, "lab") for network in Network}
IN_OTHER = {network: simulation(network, "other") for network in Network}
SIMULATIONS = [*IN_LAB.values(), *IN_OTHER.values()]

Place = tuple[str, Port]


def at(actor: str, *ports: int | Port) -> set[Place]:
    """Return places at one actor; a number is a port of TCP."""
    return {(actor, Port(port) if isinstance(port, int) else port) for port in ports}


# Places

STORE = at("the store", 9000)
DNS = at("DNS", 53, Port(53, "UDP"))
METRICS = at("the operator", 8081)
GATEWAY = at("the gateway", 8000)
COLLECTOR = at("the collector", 4318)
STORAGE = at("another S3 in storage", 9000)
DATA_CENTRE = at("S3 in the data centre", 9000)
S3 = at("S3", 443)
API_SERVER = at("the API server", 443, 6443)
PUBLIC = S3 | at("a public address", 80, 443, Port(443, "UDP")) | at("a public address by IPv6", 443)
FOREIGN_PODS = at("DNS", 9153) | at("a notebook in lab", 8888) | at("a shop in web", 80, 443) | COLLECTOR | STORAGE
# Whatever has an address and listens at 443, Pods too: all that a rule of addresses can say.
ANY_AT_443 = (
    S3
    | at("a public address", 443)
    | at("a public address by IPv6", 443)
    | at("a private address", 443)
    | at("a private address by NAT64", 443)
    | at("the API server", 443)
    | at("a shop in web", 443)
)
NOBODYS = set().union(*(at(name, STOP_PORT) for name in SIMULATIONS)) | at("the operator", 8080) | at("the store", 9001)
METADATA = (
    at("the instance metadata", 80, 443)
    | at("the instance metadata by IPv6", 443)
    | at("Google's instance metadata by IPv6", 443)
    | at("Alibaba's instance metadata", 443)
    | at("Azure's WireServer", 443, 32526)
)
EVERYTHING: set[Place] = set().union(
    STORE, DNS, METRICS, GATEWAY, DATA_CENTRE, API_SERVER, PUBLIC, FOREIGN_PODS, ANY_AT_443, NOBODYS, METADATA,
    at("a private address", 80), at("a Pod address of 198.18.0.0/15", 80), at("a Pod address of 240.0.0.0/4", 80),
)  # fmt: skip
CLUSTER = DNS | FOREIGN_PODS | GATEWAY
BY_NAME = "kubernetes\\.io/metadata\\.name"


# Values


@dataclass(frozen=True)
class Variant:
    """Values of the chart, and which of its Pods are not made by them."""

    settings: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def external(*settings: str) -> Variant:
    """Return values with a store that is not the chart's."""
    return Variant((*EXTERNAL, *settings), without=("the store",))


VARIANTS = {
    "with the embedded store": Variant(),
    "with a store of a name": external(),
    "with a store of a name and its CIDR": external("networkPolicies.store.cidrs={198.51.100.0/24}"),
    "with a store of an address": external("store.endpoint=http://10.9.0.5:9000"),
    "with a store in the cluster": external(
        "store.endpoint=http://s3.storage:9000",
        f"networkPolicies.store.peers[0].namespaceSelector.matchLabels.{BY_NAME}=storage",
        "networkPolicies.store.peers[0].podSelector.matchLabels.app=s3",
    ),
    "with a backup of the store": Variant(
        (
            f"networkPolicies.storeFrom[0].namespaceSelector.matchLabels.{BY_NAME}=storage",
            "networkPolicies.storeFrom[0].podSelector.matchLabels.app=backup",
        )
    ),
    "with gatewayFrom and metricsFrom": Variant(
        (
            f"networkPolicies.gatewayFrom[0].namespaceSelector.matchLabels.{BY_NAME}=ingress",
            f"networkPolicies.metricsFrom[0].namespaceSelector.matchLabels.{BY_NAME}=monitoring",
            "networkPolicies.metricsFrom[0].podSelector.matchLabels.app=prometheus",
        )
    ),
    "without metrics": Variant(
        (
            "operator.httpPort=0",
            f"networkPolicies.metricsFrom[0].namespaceSelector.matchLabels.{BY_NAME}=monitoring",
        )
    ),
    "with a known API server": Variant(("networkPolicies.apiServer.cidrs={10.0.0.1/32}",)),
    "with traces": Variant(("tracing.endpoint=http://collector.monitoring:4318",)),
    "without policies": Variant(("networkPolicies.enabled=false",)),
}

PROGRAMS = STORE | DNS | ANY_AT_443 | API_SERVER
OPEN = EVERYTHING - NOBODYS - STORE - METRICS
"""What Pods reach that no policy of the chart selects."""


def simulations(store: set[Place], *, dns: bool = True) -> dict[str, set[Place]]:
    """Return what the simulations of one namespace reach, by where the store is."""
    return {
        IN_LAB[Network.NONE]: store | (DNS if dns else set()),
        IN_LAB[Network.CLUSTER]: store | CLUSTER,
        IN_LAB[Network.INTERNET]: store | DNS | PUBLIC,
    }


EMBEDDED = simulations(STORE)
REACHES: dict[str, dict[str, set[Place]]] = {
    "with the embedded store": {
        **EMBEDDED,
        **{IN_OTHER[network]: EMBEDDED[IN_LAB[network]] for network in Network},
        "the operator": PROGRAMS,
        "the gateway": PROGRAMS,
        "the store": set(),
        "a notebook in lab": OPEN,
        "a shop in web": OPEN,
        # The labels of our Pods mean nothing in the wrong namespace.
        "a false operator in lab": OPEN,
        "a false simulation in web": OPEN,
        "a private address": OPEN,
        "a public address": OPEN,
    },
    "with a store of a name": {
        **simulations(ANY_AT_443),
        "the operator": PROGRAMS - STORE,
        "the gateway": PROGRAMS - STORE,
    },
    "with a store of a name and its CIDR": simulations(S3),
    "with a store of an address": {
        **simulations(DATA_CENTRE, dns=False),
        "the operator": PROGRAMS - STORE | DATA_CENTRE,
    },
    "with a store in the cluster": {
        **simulations(STORAGE),
        "the gateway": PROGRAMS - STORE | STORAGE,
    },
    "with a backup of the store": {
        "a backup in storage": OPEN | STORE,
        "another S3 in storage": OPEN,
    },
    "with gatewayFrom and metricsFrom": {
        IN_LAB[Network.CLUSTER]: STORE | CLUSTER - GATEWAY,
        "the Ingress": OPEN,
        "Prometheus": OPEN - GATEWAY | METRICS,
        "the collector": OPEN - GATEWAY,
        "a shop in web": OPEN - GATEWAY,
        "a public address": OPEN - GATEWAY,
    },
    "without metrics": {IN_LAB[Network.CLUSTER]: STORE | CLUSTER, "Prometheus": OPEN},
    "with a known API server": {
        "the operator": STORE | DNS | API_SERVER,
        "the gateway": STORE | DNS | API_SERVER,
    },
    "with traces": {
        IN_LAB[Network.NONE]: STORE | DNS,
        "the operator": PROGRAMS | COLLECTOR,
        "the gateway": PROGRAMS | COLLECTOR,
    },
    "without policies": dict.fromkeys([*IN_LAB.values(), "the operator", "the store", "a shop in web"], EVERYTHING),
}


class Row(NamedTuple):
    """One line of the table."""

    variant: str
    source: str
    target: str
    port: Port
    allowed: bool

    def __str__(self) -> str:
        """Return it as a sentence."""
        verb = "reaches" if self.allowed else "does not reach"
        place = f"{self.port.number}" if self.port.protocol == "TCP" else f"{self.port.number} by {self.port.protocol}"
        return f"{self.variant}, {self.source} {verb} {self.target} at {place}"


def rows() -> Iterator[Row]:
    """Yield the table: for each variant and source everything that there is, reached or not."""
    for variant, sources in REACHES.items():
        for source, reached in sources.items():
            for target, port in sorted(EVERYTHING, key=repr):
                told = source != target and target not in VARIANTS[variant].without
                if told and not {source, target} <= ADDRESSES.keys():
                    yield Row(variant, source, target, port, (target, port) in reached)


@cache
def rendered(variant: str) -> list[Object]:
    """Return the chart's objects for simulations in two namespaces."""
    return render("simulations.namespaces={lab,other}", *VARIANTS[variant].settings)


def pod_of(objects: list[Object], deployment: str, address: str) -> Pod:
    """Return a Pod as a Deployment of the chart makes it."""
    template = one(objects, "Deployment", deployment, SYSTEM)["spec"]["template"]
    ports = {
        (port.get("protocol", "TCP"), port["name"]): port["containerPort"]
        for container in template["spec"]["containers"]
        for port in container["ports"]
    }
    return Pod(SYSTEM, template["metadata"]["labels"], address, ports)


def labels_of_a_job(network: Network) -> dict[str, str]:
    """Return the labels that the operator gives the Pods of a job."""
    spec = SimulationJobSpec.model_validate({"image": "sim:local", "network": network})
    labels: dict[str, str] = job_for(NAME, "lab", UID, spec, CONFIG)["spec"]["template"]["metadata"]["labels"]
    return labels


def labels_of_a_sweep(network: Network) -> dict[str, str]:
    """Return the labels that the operator gives the Pods of a sweep."""
    sweep = sweep_of(sweep_object(template={"network": network}))
    assert sweep.spec is not None, sweep.invalid
    job = job_for_round(sweep, sweep.spec, Round(0, Indexes.up_to(10), 4), CONFIG)
    labels: dict[str, str] = job["spec"]["template"]["metadata"]["labels"]
    return labels


@cache
def ends(variant: str) -> dict[str, End]:
    """Return everybody that there is, by what they are called here: jobs run in lab, sweeps in other."""
    objects = rendered(variant)
    addresses = (f"10.244.0.{number}" for number in range(1, 255))
    own = {
        name: pod_of(objects, deployment, next(addresses))
        for name, deployment in OWN.items()
        if name not in VARIANTS[variant].without
    }
    others = {
        **OTHER_PODS,
        "a false operator in lab": ("lab", own["the operator"].labels),
        "a false simulation in web": ("web", labels_of_a_job(Network.INTERNET)),
        **{IN_LAB[network]: ("lab", labels_of_a_job(network)) for network in Network},
        **{IN_OTHER[network]: ("other", labels_of_a_sweep(network)) for network in Network},
    }
    return {
        **own,
        **{name: Pod(namespace, labels, next(addresses)) for name, (namespace, labels) in others.items()},
        **{name: Outside(address) for name, address in ADDRESSES.items()},
    }


@cache
def cluster(variant: str) -> Cluster:
    """Return the chart's policies."""
    return Cluster(tuple(o for o in rendered(variant) if o["kind"] == "NetworkPolicy"))


@pytest.mark.parametrize("row", list(rows()), ids=str)
def test_who_reaches_what(row: Row) -> None:
    everybody = ends(row.variant)
    assert cluster(row.variant).allows(everybody[row.source], everybody[row.target], row.port) == row.allowed


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_policy_is_about_somebody(variant: str) -> None:
    pods = [end for end in ends(variant).values() if isinstance(end, Pod)]
    for policy in cluster(variant).policies:
        directions = policy["spec"]["policyTypes"]
        assert any(selects(policy, pod, direction) for pod in pods for direction in directions), policy["metadata"]


def test_every_place_of_the_table_is_somebodys() -> None:
    assert {actor for actor, _ in EVERYTHING} <= ends("with the embedded store").keys()
    assert all(reached <= EVERYTHING for sources in REACHES.values() for reached in sources.values())


def test_private_ranges_are_named_as_nat64_writes_them_too() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    ranges = {ip_network(cidr) for cidr in values["networkPolicies"]["privateRanges"]}
    # RFC 6052: the last 32 bits are the IPv4 address.
    prefix = int(IPv6Address("64:ff9b::"))
    by_nat64 = {
        IPv6Network((prefix + int(four.network_address), 96 + four.prefixlen)) for four in ranges if four.version == 4
    }
    assert by_nat64
    assert by_nat64 <= ranges
