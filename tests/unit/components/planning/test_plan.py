"""The address plan and what follows from the flow table."""

from ipaddress import IPv4Address
from itertools import combinations

import pytest

from components.export import inventory
from components.planning.addressing import SEGMENTS, bridge_name, segments
from components.planning.config import StackConfig
from components.planning.flows import CLIENTS, FLOWS, LISTENS, memberships
from components.planning.inventory import load
from components.planning.plan import Plan, make_plan
from components.planning.validation import load as load_config
from components.runtime.image import IMAGES


@pytest.fixture
def plan() -> Plan:
    return make_plan("dev", StackConfig())


def test_addresses_are_unique_and_within_their_subnet(plan: Plan) -> None:
    taken = [(segment, a) for s in plan.services for segment, a in s.addresses.items()]
    assert len(set(taken)) == len(taken)
    assert all(IPv4Address(a) in plan.segment(segment).subnet for segment, a in taken)


def test_subnets_are_disjoint(plan: Plan) -> None:
    assert not any(a.subnet.overlaps(b.subnet) for a, b in combinations(plan.segments, 2))


def test_only_the_edge_is_not_internal(plan: Plan) -> None:
    assert [s.name for s in plan.segments if not s.internal] == ["edge"]


def test_bridge_names_fit_the_kernel_and_differ_between_stacks() -> None:
    names = [bridge_name(stack, s) for stack in ("dev", "test", "d" * 16) for s in SEGMENTS]
    assert max(map(len, names)) <= 15
    assert len(set(names)) == len(names)


def test_adding_a_node_moves_nobody(plan: Plan) -> None:
    nodes = [{"name": n} for n in ("node1", "node2", "node3")]
    bigger = make_plan("dev", load_config({"compute": {"nodes": nodes}}, "dev"))
    before = {s.name: s.addresses for s in plan.services}
    assert before.items() <= {s.name: s.addresses for s in bigger.services}.items()


def test_services_join_the_segments_of_their_flows_only(plan: Plan) -> None:
    for service in plan.services:
        assert tuple(service.addresses) == memberships(service.role)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda f: f.name)
def test_flow_leads_to_a_port_on_which_its_destination_listens(flow) -> None:  # type: ignore[no-untyped-def]
    listens = LISTENS[flow.destination]
    assert any(x.port <= flow.port and flow.port_end <= x.port_end for x in listens)


def test_flow_names_are_unique() -> None:
    assert len({flow.name for flow in FLOWS}) == len(FLOWS)


def test_the_outside_reaches_the_load_balancer_only() -> None:
    assert {flow.destination for flow in FLOWS if flow.source == CLIENTS} == {"load-balancer"}


def test_only_the_backup_reaches_the_vault() -> None:
    assert {flow.source for flow in FLOWS if flow.destination == "vault"} == {"backup"}


def test_nothing_flows_against_the_path() -> None:
    order = [CLIENTS, "load-balancer", "ray-head", "compute", "tracking-setup", "tracking"]
    order += ["database", "object-store", "backup", "vault"]
    pulls = {
        ("backup", "object-store"),
        ("backup", "database"),
    }  # the backup fetches: data still moves towards the vault
    peers = {("compute", "ray-head")}  # one cluster
    doors = {("compute", "load-balancer")}  # a job logs in to tracking at the same door as everybody
    for flow in FLOWS:
        # Figures of the others: nothing that anybody works with passes there.
        if {"metrics", "logs", "home"} & {flow.source, flow.destination}:
            continue
        if flow.source in order and (flow.source, flow.destination) not in pulls | peers | doors:
            assert order.index(flow.source) <= order.index(flow.destination), flow


def test_segments_cover_the_whole_table(plan: Plan) -> None:
    assert {flow.segment for flow in FLOWS} <= {s.name for s in segments("dev", plan.config.network)}


def test_inventory_matches_its_schema_and_holds_every_service(plan: Plan) -> None:
    exported = inventory(plan, dict.fromkeys(IMAGES, "aidc-x:0123456789ab"))
    assert exported["schema"] == "aidc.inventory/1"
    assert [s.name for s in load(exported).services] == [s.name for s in plan.services]
