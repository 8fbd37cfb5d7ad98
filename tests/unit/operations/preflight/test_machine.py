"""Looking at this machine, on real sockets and made-up tables."""

import json
import socket
from pathlib import Path

import pytest

from operations.preflight import machine

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_routes_are_read_without_the_default_one(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(ROUTES)
    (route,) = machine.routes(tmp_path / "route")
    assert (route.interface, str(route.network)) == ("docker0", "172.17.0.0/16")


def test_the_two_halves_of_a_vpns_default_route_are_left_out_too(tmp_path: Path) -> None:
    halves = "tun0\t{}\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n"
    (tmp_path / "route").write_text(ROUTES + halves.format("00000000") + halves.format("00000080"))
    assert [r.interface for r in machine.routes(tmp_path / "route")] == ["docker0"]


def test_routes_of_other_tables_are_read_with_their_table() -> None:
    rows = [
        {"dst": "default", "dev": "tun0", "table": "51820"},
        {"dst": "10.90.0.0/16", "dev": "tun0", "table": "52"},
        {"dst": "127.0.0.0/8", "dev": "lo", "table": "local", "type": "local"},
        {"type": "throw", "dst": "10.91.0.0/16", "table": "52"},
        {"dst": "172.17.0.0/16", "dev": "docker0"},
    ]
    (route,) = machine.other_tables(json.dumps(rows))
    assert (route.interface, str(route.network)) == ("tun0, table 52", "10.90.0.0/16")


@pytest.mark.parametrize("text", ["", "[]", "no json", "{}", '[{"table": "52", "dst": "nowhere"}]'])
def test_what_is_no_list_of_routes_holds_none(text: str) -> None:
    assert machine.other_tables(text) == []


@pytest.mark.parametrize(("text", "on"), [("1\n", True), ("0\n", False), (None, False)])
def test_bridge_filtering_is_read_from_the_kernel(tmp_path: Path, text: str | None, on: bool) -> None:
    if text is not None:
        (tmp_path / "file").write_text(text)
    assert machine.bridge_filtering(tmp_path / "file") is on


def test_where_there_is_no_table_there_are_no_routes(tmp_path: Path) -> None:
    assert machine.routes(tmp_path / "none") == []


def test_a_port_in_use_names_the_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        fault = machine.port_fault("127.0.0.1", server.getsockname()[1])
    assert fault is not None
    assert "in use by process" in fault


def test_a_free_port_has_no_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert machine.port_fault("127.0.0.1", port) is None


def test_a_foreign_address_is_not_an_address_of_this_host() -> None:
    assert machine.port_fault("192.0.2.1", 8443) == "192.0.2.1 is not an address of this host"


def test_a_folder_of_another_machine_has_no_free_space() -> None:
    assert machine.free_disk("/nonexistent/docker") is None


def test_available_memory_is_in_bytes(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 4 kB\nMemAvailable:       2 kB\n")
    assert machine.available_memory(tmp_path / "meminfo") == 2048
