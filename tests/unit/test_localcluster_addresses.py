import ipaddress
import itertools

import pytest

from localcluster.addresses import SLOTS, Addresses, free_addresses


def test_the_first_cluster_gets_the_first_slot() -> None:
    assert free_addresses([], ["default", "192.0.2.0/24"]).slot == 0


def test_a_slot_of_another_cluster_is_not_given_twice() -> None:
    assert free_addresses([0, 1], []).slot == 2


@pytest.mark.parametrize("route", ["10.244.0.0/24", "10.96.0.0/28", "10.112.0.0/30", "10.244.0.7"])
def test_a_network_that_the_host_uses_is_left_alone(route: str) -> None:
    assert free_addresses([], [route]).slot == 1


def test_a_host_that_uses_everything_is_told_so() -> None:
    with pytest.raises(ValueError, match="no free addresses"):
        free_addresses([], ["10.0.0.0/8"])


def test_no_two_clusters_share_a_network() -> None:
    networks = [
        ipaddress.IPv4Network(text)
        for slot in range(SLOTS)
        for text in (Addresses(slot).link, Addresses(slot).pods, Addresses(slot).services)
    ]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(networks, 2))


def test_every_address_is_in_its_network() -> None:
    addresses = Addresses(7)
    assert ipaddress.ip_address(addresses.node) in ipaddress.ip_network(addresses.link)
    assert ipaddress.ip_address(addresses.host) in ipaddress.ip_network(addresses.link)
    assert ipaddress.ip_address(addresses.dns) in ipaddress.ip_network(addresses.services)
    assert ipaddress.ip_address(addresses.api_service) == ipaddress.ip_network(addresses.services)[1]


def test_interface_names_fit_into_the_kernels_limit() -> None:
    assert len(Addresses(SLOTS - 1).interface) <= 15
