"""The evaluator of NetworkPolicies, by what Kubernetes' documentation says of them."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netpol import Cluster, Object, Outside, Pod, Port, matches

DB = Pod("default", {"role": "db"}, "10.1.0.1", {("TCP", "sql"): 6379, ("UDP", "ask"): 5353})
FRONTEND = Pod("default", {"role": "frontend"}, "10.1.0.2")
OTHER = Pod("default", {"role": "other"}, "10.1.0.3")
STRANGER = Pod("elsewhere", {"role": "frontend"}, "10.1.0.4")
CLIENT = Pod("friends", {"role": "client"}, "10.1.0.5")
FRIEND = Pod("friends", {"role": "friend"}, "10.1.0.6")
NEAR = Outside("172.17.0.9")
EXCEPTED = Outside("172.17.1.9")
PODS = (DB, FRONTEND, OTHER, STRANGER, CLIENT, FRIEND)
ENDS = (*PODS, NEAR, EXCEPTED, Outside("2001:db8::7"))
SQL = Port(6379)


def policy(
    *,
    ingress: list[Object] | None = None,
    egress: list[Object] | None = None,
    types: list[str] | None = None,
    pods: Mapping[str, Any] | None = None,
    namespace: str = "default",
) -> Object:
    spec = {"podSelector": pods or {}, "policyTypes": types, "ingress": ingress, "egress": egress}
    return {"metadata": {"namespace": namespace}, "spec": {k: v for k, v in spec.items() if v is not None}}


def cluster(*policies: Object) -> Cluster:
    return Cluster(policies, {"friends": {"user": "alice"}})


def labelled(**labels: str) -> Object:
    return {"matchLabels": labels}


def who_reaches_the_db(*peers: Object) -> set[str]:
    rules = cluster(policy(ingress=[{"from": list(peers)}], pods=labelled(role="db")))
    return {end.address for end in ENDS if end != DB and rules.allows(end, DB, SQL)}


def addresses(*ends: Pod | Outside) -> set[str]:
    return {end.address for end in ends}


def test_without_policies_everything_is_open() -> None:
    assert all(cluster().allows(source, target, SQL) for source in ENDS for target in ENDS)


@pytest.mark.parametrize(
    ("types", "comes_in", "goes_out"),
    [(["Ingress"], False, True), (["Egress"], True, False), (["Ingress", "Egress"], False, False), (None, False, True)],
)
def test_default_deny_closes_the_directions_that_it_names(
    types: list[str] | None, comes_in: bool, goes_out: bool
) -> None:
    rules = cluster(policy(types=types))
    assert rules.allows(CLIENT, DB, SQL) == comes_in
    assert rules.allows(DB, CLIENT, SQL) == goes_out
    assert rules.allows(CLIENT, FRIEND, SQL)


def test_without_policy_types_a_rule_of_egress_closes_egress_too() -> None:
    rules = cluster(policy(egress=[{"ports": [{"port": 53}]}]))
    assert not rules.allows(DB, CLIENT, SQL)
    assert rules.allows(DB, CLIENT, Port(53))
    assert not rules.allows(CLIENT, DB, Port(53))


def test_allow_all_opens_what_another_policy_closes() -> None:
    rules = cluster(policy(types=["Ingress", "Egress"]), policy(ingress=[{}]), policy(egress=[{}], types=["Egress"]))
    assert all(rules.allows(source, target, SQL) for source in ENDS for target in ENDS)


def test_an_empty_list_of_peers_is_anybody_and_an_empty_list_of_rules_nobody() -> None:
    assert cluster(policy(ingress=[{"from": [], "ports": []}])).allows(NEAR, DB, SQL)
    assert not cluster(policy(ingress=[])).allows(NEAR, DB, SQL)


def test_both_ends_must_agree() -> None:
    out = policy(egress=[{"to": [{"podSelector": labelled(role="db")}]}], types=["Egress"])
    closed = policy(pods=labelled(role="db"), types=["Ingress"])
    assert cluster(out).allows(FRONTEND, DB, SQL)
    assert not cluster(out, closed).allows(FRONTEND, DB, SQL)
    assert not cluster(out).allows(FRONTEND, OTHER, SQL)


def test_a_pod_reaches_itself() -> None:
    assert cluster(policy(types=["Ingress", "Egress"])).allows(DB, DB, SQL)


def test_two_peers_are_or_and_two_selectors_of_a_peer_are_and() -> None:
    friends, clients = {"namespaceSelector": labelled(user="alice")}, {"podSelector": labelled(role="client")}
    own_client = Pod("default", {"role": "client"}, "10.1.0.7")
    both = cluster(policy(ingress=[{"from": [{**friends, **clients}]}]))
    either = cluster(policy(ingress=[{"from": [friends, clients]}]))
    assert who_reaches_the_db({**friends, **clients}) == addresses(CLIENT)
    assert who_reaches_the_db(friends, clients) == addresses(CLIENT, FRIEND)
    assert not both.allows(own_client, DB, SQL)
    assert either.allows(own_client, DB, SQL)


def test_a_pod_selector_alone_means_the_policys_own_namespace() -> None:
    assert who_reaches_the_db({"podSelector": labelled(role="frontend")}) == addresses(FRONTEND)
    assert who_reaches_the_db({"podSelector": {}}) == addresses(FRONTEND, OTHER)


def test_an_empty_namespace_selector_is_every_pod_and_nothing_outside() -> None:
    assert who_reaches_the_db({"namespaceSelector": {}}) == addresses(*PODS) - addresses(DB)


def test_a_namespace_can_be_named_by_the_label_that_kubernetes_gives_it() -> None:
    named = {"namespaceSelector": labelled(**{"kubernetes.io/metadata.name": "elsewhere"})}
    assert who_reaches_the_db(named) == addresses(STRANGER)


def test_a_block_is_without_what_it_excepts_and_of_one_family() -> None:
    block = {"ipBlock": {"cidr": "172.17.0.0/16", "except": ["172.17.1.0/24"]}}
    assert who_reaches_the_db(block) == addresses(NEAR)
    assert who_reaches_the_db(block, {"ipBlock": {"cidr": "172.17.1.0/24"}}) == addresses(NEAR, EXCEPTED)
    assert who_reaches_the_db({"ipBlock": {"cidr": "::/0"}}) == {"2001:db8::7"}
    assert CLIENT.address in who_reaches_the_db({"ipBlock": {"cidr": "10.0.0.0/8"}})


@pytest.mark.parametrize(
    ("entry", "port", "fits"),
    [
        ({"port": 6379}, SQL, True),
        ({"port": 6379, "protocol": "UDP"}, SQL, False),
        ({"port": "sql"}, SQL, True),
        ({"port": "sql"}, Port(6380), False),
        ({"port": "ask"}, Port(5353), False),
        ({"port": "ask", "protocol": "UDP"}, Port(5353, "UDP"), True),
        ({"port": "nothing"}, SQL, False),
        ({"protocol": "UDP"}, Port(1, "UDP"), True),
        ({"protocol": "UDP"}, Port(1), False),
        ({"port": 32000, "endPort": 32768}, Port(32000), True),
        ({"port": 32000, "endPort": 32768}, Port(32768), True),
        ({"port": 32000, "endPort": 32768}, Port(32769), False),
    ],
)
def test_ports_are_numbers_names_of_the_target_and_ranges(entry: Object, port: Port, fits: bool) -> None:
    assert cluster(policy(ingress=[{"ports": [entry]}])).allows(FRONTEND, DB, port) == fits
    assert cluster(policy(egress=[{"ports": [entry]}], types=["Egress"])).allows(FRONTEND, DB, port) == fits


def test_an_address_outside_has_no_named_ports() -> None:
    rules = cluster(policy(egress=[{"ports": [{"port": "sql"}]}], types=["Egress"]))
    assert not rules.allows(DB, NEAR, SQL)


@pytest.mark.parametrize(
    ("operator", "values", "is_a", "is_b", "is_absent"),
    [
        ("In", ["a"], True, False, False),
        ("NotIn", ["a"], False, True, True),
        ("Exists", None, True, True, False),
        ("DoesNotExist", None, False, False, True),
    ],
)
def test_expressions_select_as_kubernetes_does(
    operator: str, values: list[str] | None, is_a: bool, is_b: bool, is_absent: bool
) -> None:
    expression = {"key": "x", "operator": operator} | ({"values": values} if values else {})
    found = [matches({"matchExpressions": [expression]}, labels) for labels in ({"x": "a"}, {"x": "b"}, {})]
    assert found == [is_a, is_b, is_absent]
    # Expressions and labels must all hold.
    assert not matches({"matchExpressions": [expression], "matchLabels": {"y": "1"}}, {"x": "a"})


@pytest.mark.parametrize(
    "peer",
    [
        {},
        {"podsSelector": {}},
        {"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}},
        {"ipBlock": {"cidrs": []}},
        {"podSelector": {"matchExpressions": [{"key": "role", "operator": "Like"}]}},
    ],
)
def test_what_is_not_understood_is_no_answer(peer: Object) -> None:
    with pytest.raises((ValueError, KeyError)):
        cluster(policy(ingress=[{"from": [peer]}])).allows(FRONTEND, DB, SQL)


selectors = st.sampled_from([{}, labelled(role="db"), labelled(role="frontend"), labelled(role="client")])
peers = st.one_of(
    st.fixed_dictionaries({"podSelector": selectors}),
    st.fixed_dictionaries({"namespaceSelector": st.sampled_from([{}, labelled(user="alice")])}),
    st.fixed_dictionaries({"namespaceSelector": st.just(labelled(user="alice")), "podSelector": selectors}),
    st.sampled_from(["0.0.0.0/0", "172.17.0.0/16", "::/0"]).map(lambda cidr: {"ipBlock": {"cidr": cidr}}),
)
port_entries = st.sampled_from([{"port": 6379}, {"port": "sql"}, {"port": 1, "endPort": 9000}, {"protocol": "UDP"}])


def rules_of(peers_field: str) -> st.SearchStrategy[list[Object]]:
    rule = st.fixed_dictionaries(
        {},
        optional={peers_field: st.lists(peers, max_size=2), "ports": st.lists(port_entries, max_size=2)},
    )
    return st.lists(rule, max_size=2)


policies = st.builds(
    policy,
    ingress=rules_of("from"),
    egress=rules_of("to"),
    types=st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
    pods=selectors,
    namespace=st.sampled_from(["default", "friends"]),
)
connections = st.tuples(
    st.sampled_from(ENDS), st.sampled_from(ENDS), st.sampled_from([SQL, Port(53, "UDP"), Port(9001)])
)
DENY_ALL = tuple(policy(types=["Ingress", "Egress"], namespace=pod.namespace) for pod in (DB, STRANGER, CLIENT))


@given(st.lists(policies, max_size=3), policies, connections)
def test_a_policy_more_for_pods_that_are_selected_already_takes_no_connection_away(
    some: list[Object], more: Object, connection: tuple[Pod | Outside, Pod | Outside, Port]
) -> None:
    if cluster(*DENY_ALL, *some).allows(*connection):
        assert cluster(*DENY_ALL, *some, more).allows(*connection)


@given(st.lists(policies, max_size=4), connections)
def test_the_order_of_policies_means_nothing(
    some: list[Object], connection: tuple[Pod | Outside, Pod | Outside, Port]
) -> None:
    assert cluster(*some).allows(*connection) == cluster(*reversed(some)).allows(*connection)


@given(policies, connections)
def test_a_policy_for_pods_that_were_open_adds_no_connection(
    first: Object, connection: tuple[Pod | Outside, Pod | Outside, Port]
) -> None:
    assert cluster(first).allows(*connection) <= cluster().allows(*connection)
