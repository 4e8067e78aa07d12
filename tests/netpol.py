"""What NetworkPolicies mean, without a network (pure): may this Pod open that connection?

After https://kubernetes.io/docs/concepts/services-networking/network-policies/ and the reference of networking.k8s.io/v1. A field that is not known
here is an error and never passed over: a rule that is half understood would be judged wrongly.

Where the reference leaves it to the network plugin, the answer is the wider one: an ipBlock matches the addresses of Pods too. A connection to a
Service is judged at the Pod behind it, as most plugins do. What a Pod's own node sends it is always let in, and not asked about here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Literal

Object = Mapping[str, Any]
Direction = Literal["Ingress", "Egress"]

LABEL_NAMESPACE = "kubernetes.io/metadata.name"
"""On every namespace, by Kubernetes: its name."""


@dataclass(frozen=True)
class Pod:
    """One end of a connection that policies may select."""

    namespace: str
    labels: Mapping[str, str]
    address: str
    ports: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Numbers of the named ports of its containers, by protocol and name."""


@dataclass(frozen=True)
class Outside:
    """An end that is no Pod and that no policy selects: an address outside, a node, a Pod of the node's own network."""

    address: str


End = Pod | Outside


@dataclass(frozen=True)
class Port:
    """Where a connection goes on its target."""

    number: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class Cluster:
    """Policies, and the labels of namespaces beside the one that each has by itself."""

    policies: tuple[Object, ...]
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def allows(self, source: End, target: End, port: Port) -> bool:
        """Tell whether a connection may be opened: the source must be let out, and the target let it in."""
        if source == target:
            return True  # a Pod cannot be kept from itself
        return self._passes("Egress", source, target, target, port) and self._passes(
            "Ingress", target, source, target, port
        )

    def _passes(self, direction: Direction, end: End, other: End, target: End, port: Port) -> bool:
        """Tell whether one end lets the connection pass: no policy selects it, or a rule of one that does fits."""
        if isinstance(end, Outside):
            return True
        selecting = [policy for policy in self.policies if selects(policy, end, direction)]
        return not selecting or any(
            self._fits(rule, direction, policy["metadata"]["namespace"], other, target, port)
            for policy in selecting
            for rule in policy["spec"].get(direction.lower()) or ()
        )

    def _fits(self, rule: Object, direction: Direction, namespace: str, other: End, target: End, port: Port) -> bool:
        peers_field = "from" if direction == "Ingress" else "to"
        known(rule, {peers_field, "ports"})
        peers, ports = rule.get(peers_field), rule.get("ports")
        # Without peers it is anybody, without ports any.
        return (not peers or any(self._is_peer(peer, namespace, other) for peer in peers)) and (
            not ports or any(is_port(entry, target, port) for entry in ports)
        )

    def _is_peer(self, peer: Object, namespace: str, other: End) -> bool:
        known(peer, {"podSelector", "namespaceSelector", "ipBlock"})
        if "ipBlock" in peer:
            if len(peer) > 1:
                raise ValueError(f"ipBlock stands alone: {peer}")
            return is_in_block(peer["ipBlock"], other.address)
        if not peer:
            raise ValueError("a peer that says nothing")
        if isinstance(other, Outside):
            return False
        if "namespaceSelector" in peer:
            labels = {**self.namespaces.get(other.namespace, {}), LABEL_NAMESPACE: other.namespace}
            if not matches(peer["namespaceSelector"], labels):
                return False
        elif other.namespace != namespace:
            return False  # a podSelector alone means the policy's own namespace
        return matches(peer.get("podSelector", {}), other.labels)


def selects(policy: Object, pod: Pod, direction: Direction) -> bool:
    """Tell whether a policy decides about a Pod in one direction."""
    spec = policy["spec"]
    known(spec, {"podSelector", "policyTypes", "ingress", "egress"})
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return (
        direction in types
        and policy["metadata"]["namespace"] == pod.namespace
        and matches(spec.get("podSelector", {}), pod.labels)
    )


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector matches; an empty one matches all."""
    known(selector, {"matchLabels", "matchExpressions"})
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions") or ()
    )


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    known(expression, {"key", "operator", "values"})
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case other:
            raise ValueError(f"no operator of label selectors: {other}")


def is_in_block(block: Object, address: str) -> bool:
    """Tell whether an address is in the CIDR and in none of those that are excepted."""
    known(block, {"cidr", "except"})
    wanted = ip_address(address)
    return wanted in ip_network(block["cidr"]) and not any(wanted in ip_network(c) for c in block.get("except") or ())


def is_port(entry: Object, target: End, port: Port) -> bool:
    """Tell whether an entry of ``ports`` means a port of the target; a name is looked up among those of its containers."""
    known(entry, {"protocol", "port", "endPort"})
    protocol = entry.get("protocol", "TCP")
    if protocol != port.protocol:
        return False
    first = entry.get("port")
    if first is None:
        return True
    if isinstance(first, str):
        return isinstance(target, Pod) and target.ports.get((protocol, first)) == port.number
    return int(first) <= port.number <= int(entry.get("endPort", first))


def known(item: Object, fields: Iterable[str]) -> None:
    """Refuse what has a field that is not understood here."""
    if unknown := item.keys() - set(fields):
        raise ValueError(f"not understood: {', '.join(sorted(unknown))}")
