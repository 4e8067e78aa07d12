"""Which addresses a native cluster uses: every cluster has a slot, and everything else follows from its number.

A cluster lives in a network namespace of its own, joined to the host by one pair of interfaces. The host gets routes to the
cluster's Pods and services through it, so that two clusters stand side by side and a program on the host reaches either.
"""

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass

SLOTS = 100


@dataclass(frozen=True)
class Addresses:
    """The addresses of the cluster in one slot."""

    slot: int

    @property
    def interface(self) -> str:
        """The host's end of the pair of interfaces."""
        return f"simops{self.slot}"

    @property
    def link(self) -> str:
        """The network that holds just the two ends."""
        return f"10.112.{self.slot}.0/30"

    @property
    def host(self) -> str:
        """The host as the cluster sees it: a service that listens there can be used by Pods."""
        return f"10.112.{self.slot}.1"

    @property
    def node(self) -> str:
        """The node and the API server."""
        return f"10.112.{self.slot}.2"

    @property
    def pods(self) -> str:
        """The network of the Pods."""
        return f"10.244.{self.slot}.0/24"

    @property
    def services(self) -> str:
        """The network of the services."""
        return f"10.96.{self.slot}.0/24"

    @property
    def api_service(self) -> str:
        """The service `kubernetes`: always the first address."""
        return f"10.96.{self.slot}.1"

    @property
    def dns(self) -> str:
        """The service `kube-dns`."""
        return f"10.96.{self.slot}.10"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.node}:6443"


def free_addresses(taken_slots: Collection[int], routes: Iterable[str]) -> Addresses:
    """Return the first slot that no other cluster has and whose networks the host does not use already."""
    used = [ipaddress.IPv4Network(route, strict=False) for route in routes if route != "default"]
    for slot in range(SLOTS):
        addresses = Addresses(slot)
        wanted = map(ipaddress.IPv4Network, (addresses.link, addresses.pods, addresses.services))
        if slot not in taken_slots and not any(net.overlaps(other) for net in wanted for other in used):
            return addresses
    msg = "no free addresses: the host's routes cover 10.112.0.0/16, 10.244.0.0/16 or 10.96.0.0/16"
    raise ValueError(msg)
