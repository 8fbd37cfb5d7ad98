"""Containers, endpoints, processes and interfaces that are not part of the stack."""

from __future__ import annotations

import os
from typing import Any

import pytest

from audit.drift import foreign
from audit.engine import host
from audit.engine.host import ForeignProcess
from audit.engine.snapshot import Snapshot, bridges


def container(
    identifier: str, networks: tuple[str, ...] = (), volume: str = "", **host_config: str
) -> dict[str, Any]:
    return {
        "Id": identifier,
        "Name": f"/{identifier}",
        "HostConfig": host_config,
        "Mounts": [{"Type": "volume", "Name": volume}] if volume else [],
        "NetworkSettings": {"Networks": {name: {} for name in networks}},
    }


def snapshot(*others: dict[str, Any], listed: tuple[str, ...] = ()) -> Snapshot:
    network = {
        "Name": "aidc-test-edge",
        "Id": "abcdef0123456789",
        "Options": {"com.docker.network.bridge.name": "dc-edge"},
        "Containers": {identifier: {"Name": identifier} for identifier in listed},
    }
    volumes = ({"Name": "aidc-test-data"},)
    return Snapshot("test", (container("own"),), (network,), volumes, tuple(others), {}, {})


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (container("x", ("aidc-test-edge",)), "container x is on aidc-test-edge"),
        (container("x", volume="aidc-test-data"), "container x mounts aidc-test-data"),
        (container("x", NetworkMode="container:own"), "container x shares network with own"),
        (container("x", PidMode="container:own"), "container x shares pid with own"),
        (container("x", IpcMode="container:own"), "container x shares ipc with own"),
    ],
)
def test_a_foreign_container_is_found(other: dict[str, Any], said: str) -> None:
    assert foreign.containers(snapshot(other)) == [said]
    assert foreign.rows([said], [], [])[0].verdict == "fail"


def test_a_container_elsewhere_is_not_reported() -> None:
    assert foreign.containers(snapshot(container("x", ("bridge",), "other"))) == []


def test_an_endpoint_without_a_container_is_found() -> None:
    assert foreign.endpoints(snapshot(listed=("own", "lost"))) == ["endpoint lost is on aidc-test-edge"]


def test_bridges_are_named_by_option_or_by_the_engine() -> None:
    assert bridges(snapshot()) == ["dc-edge"]
    nameless = Snapshot("test", (), ({"Name": "n", "Id": "abcdef0123456789"},), (), (), {}, {})
    assert bridges(nameless) == ["br-abcdef012345"]


def test_an_interface_that_ends_in_no_container_is_unknown() -> None:
    ports = {"dc-edge": {"veth1": 11, "veth2": 12}}
    assert foreign.unknown_interfaces(ports, [11]) == ["interface veth2 is on dc-edge"]


@pytest.mark.parametrize(
    ("processes", "ports", "verdicts"),
    [
        ([], [], ["pass", "pass", "pass"]),
        ([ForeignProcess("own", 7, "nc")], [], ["pass", "fail", "pass"]),
        ([], ["interface veth2 is on dc-edge"], ["pass", "pass", "fail"]),
        (None, None, ["pass", "not checked", "not checked"]),
    ],
)
def test_verdicts_on_processes_and_interfaces(
    processes: list[ForeignProcess] | None, ports: list[str] | None, verdicts: list[str]
) -> None:
    assert [row.verdict for row in foreign.rows([], processes, ports)] == verdicts


def test_the_hosts_own_network_has_no_foreign_processes() -> None:
    assert host.foreign_processes({"firewall": os.getpid()}, ()) == []


def test_a_bridge_that_is_not_there_has_no_ports() -> None:
    assert host.ports(["nonexistent"]) == {"nonexistent": {}}


def test_interfaces_of_the_host_itself_are_nobodys_peers() -> None:
    assert host.peers([os.getpid()]) == []
