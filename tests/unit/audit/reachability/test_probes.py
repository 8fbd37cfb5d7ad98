"""Which probes are planned: every pair, every place, and what each must come to."""

from __future__ import annotations

import pytest

from audit.reachability import probes
from audit.reachability.probes import CLIENTS, HOST, INTERNET, IPV6, METADATA, OUTSIDE, Probe
from components.planning.flows import FLOWS
from components.planning.inventory import Inventory
from tests.unit.audit.conftest import planned_probes


def test_every_ordered_pair_of_running_services_is_probed(
    inventory: Inventory, running: frozenset[str]
) -> None:
    names = {s.name for s in probes.reachable(inventory, running)}
    pairs = {(p.source, p.destination) for p in planned_probes(inventory) if p.source in names}
    assert {(a, b) for a in names for b in names if a != b} <= pairs


def test_services_of_one_role_are_probed_too(inventory: Inventory) -> None:
    found = [
        p
        for p in planned_probes(inventory)
        if (p.source, p.destination) == ("object-store-1", "object-store-2")
    ]
    assert [p.expected for p in found if p.protocol == "tcp"] == ["open"]


def test_every_listening_range_has_a_port_in_the_probes(inventory: Inventory) -> None:
    for service in inventory.services:
        ports = probes.ports_of(service)
        assert all(any(n.port <= port <= n.port_end for port in ports) for n in service.listens)


def test_a_service_that_does_not_listen_is_probed_on_a_spare_port(inventory: Inventory) -> None:
    (backup,) = inventory.by_role("backup")
    assert probes.ports_of(backup) == [probes.SPARE_PORT]


def test_every_flow_between_running_services_has_an_open_probe(inventory: Inventory) -> None:
    opened = {p.flow for p in planned_probes(inventory) if p.expected == "open" and p.flow}
    wanted = {f.name for f in FLOWS if f.source not in (CLIENTS, "object-store-setup")}
    assert opened == wanted


def test_counters_are_named_as_the_firewall_names_them(inventory: Inventory) -> None:
    assert [probes.counter(entry) for entry in inventory.flows] == [flow.name for flow in FLOWS]


def test_udp_is_never_expected_to_pass(inventory: Inventory) -> None:
    udp = [p for p in planned_probes(inventory) if p.protocol == "udp"]
    assert udp
    assert {p.expected for p in udp} == {"blocked"}


def test_another_segment_of_the_same_pair_is_not_declared(inventory: Inventory) -> None:
    found = {
        p.segment: p.expected
        for p in planned_probes(inventory)
        if (p.source, p.destination, p.protocol) == ("compute-node1", "compute-node2", "tcp")
        and p.port == 6387
    }
    assert found == {"fabric": "open", "service": "blocked", "storage": "blocked"}


@pytest.mark.parametrize("place", [HOST, METADATA, INTERNET, OUTSIDE, IPV6])
def test_every_service_tries_every_place(inventory: Inventory, running: frozenset[str], place: str) -> None:
    sources = {p.source for p in planned_probes(inventory) if p.destination == place}
    assert sources == {s.name for s in probes.reachable(inventory, running)}


def balancer(inventory: Inventory, bind: str) -> dict[tuple[str, str], str]:
    """(source, address) → expectation, of the published ports."""
    found: list[Probe] = [
        p for p in planned_probes(inventory, bind) if p.destination == "load-balancer" and p.port == 8443
    ]
    return {
        (p.source, p.target.rpartition(":")[0]): p.expected
        for p in found
        if p.source in (CLIENTS, OUTSIDE) and not p.target.startswith("10.")
    }


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1", {(CLIENTS, "127.0.0.1"): "open", (OUTSIDE, "198.51.100.1"): "closed"}),
        ("0.0.0.0", {(CLIENTS, "127.0.0.1"): "open", (OUTSIDE, "198.51.100.1"): "open"}),
        (
            "192.0.2.7",
            {
                (CLIENTS, "192.0.2.7"): "open",
                (OUTSIDE, "198.51.100.1"): "closed",
                (OUTSIDE, "192.0.2.7"): "open",
            },
        ),
    ],
)
def test_published_ports_are_found_where_they_are_bound(
    inventory: Inventory, bind: str, expected: dict[tuple[str, str], str]
) -> None:
    assert balancer(inventory, bind) == expected


def test_a_client_from_another_host_counts_on_the_flow_behind_the_port(inventory: Inventory) -> None:
    flows = {
        p.flow for p in planned_probes(inventory, "0.0.0.0") if p.source == OUTSIDE and p.expected == "open"
    }
    assert flows == {f.name for f in FLOWS if f.source == CLIENTS}


def test_what_cannot_be_probed_says_why(inventory: Inventory, running: frozenset[str]) -> None:
    why = probes.left_out(inventory, running)
    assert set(why) == {"firewall", "object-store-setup", "vault-pruner", "drill"}
    assert "is not running" in why["object-store-setup"]


def test_the_address_of_the_endpoints_is_read_from_the_inventory(inventory: Inventory) -> None:
    assert probes.bind_address(inventory) == "127.0.0.1"
    ports = {"inference": 8443, "s3": 9443, "ray": 8265, "tracking": 5443, "monitoring": 7443}
    ports |= {"logs": 6443, "home": 8080}
    assert probes.published(inventory) == ports


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("1.1.1.1:53", True),
        ("1.1.1.1", False),
        ("resolver:53", False),
        ("1.1.1.1:0", False),
        ("::1:53", False),
    ],
)
def test_a_target_is_an_address_and_a_port(text: str, right: bool) -> None:
    assert probes.is_target(text) is right
