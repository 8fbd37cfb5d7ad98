"""The flow table against the live network: every listed pair connects, every other pair does not.

Each probe starts inside the source's network namespace, and each port has a live listener (the service's own,
else one of ours), seen from the destination itself: "blocked" never means "down".
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from components.inventory import Inventory, ServiceEntry

SCRIPT = Path(__file__).parent / "netns.py"
HOST_PORT = 39871
OUTSIDE = "aidc-test-outside"
# TEST-NET-2 of RFC 5737: nobody's addresses.
OUTSIDE_ADDRESS, HOST_ADDRESS = "198.51.100.2", "198.51.100.1"


class Namespace:
    """A network namespace in which probes run."""

    def __init__(self, *prefix: str) -> None:
        self.command = (*prefix, sys.executable, "-S", str(SCRIPT))

    @classmethod
    def of(cls, local: Any, service: ServiceEntry) -> Namespace:
        pid = local.docker(service.container).inspect()["State"]["Pid"]
        return cls("nsenter", f"--net=/proc/{pid}/ns/net")

    def connect(self, targets: list[str]) -> dict[str, str]:
        if not targets:
            return {}
        found = subprocess.run(
            (*self.command, "connect", *targets), capture_output=True, text=True, check=True
        )
        return dict(json.loads(found.stdout))

    def listen(self, ports: list[int]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            (*self.command, "listen", *map(str, ports)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        return process


def ports_of(service: ServiceEntry) -> list[int]:
    """One port of each listening range: its last, which of Ray's ranges nothing uses by chance."""
    return [listen.port_end for listen in service.listens]


def running(inventory: Inventory) -> list[ServiceEntry]:
    return [s for s in inventory.services if s.addresses and s.role != "object-store-setup"]


def pairs(source: ServiceEntry, inventory: Inventory) -> list[tuple[ServiceEntry, str, int, str]]:
    """(destination, segment, port, target) for every address and port of every other service."""
    return [
        (service, segment, port, f"{address}:{port}")
        for service in running(inventory)
        if service.name != source.name
        for segment, address in service.addresses.items()
        for port in ports_of(service)
    ]


def is_declared(inventory: Inventory, source: str, destination: str, segment: str, port: int) -> bool:
    return any(
        (flow.source, flow.destination, flow.segment) == (source, destination, segment)
        and flow.port <= port <= flow.port_end
        for flow in inventory.flows
    )


@pytest.fixture(scope="module")
def listeners(inventory: Inventory, local: Any) -> Iterator[dict[str, list[str]]]:
    """Service → its own targets, each seen open from within."""
    with ExitStack() as stack:
        seen = {}
        for service in running(inventory):
            namespace = Namespace.of(local, service)
            targets = [f"{a}:{p}" for a in service.addresses.values() for p in ports_of(service)]
            states = namespace.connect(targets)
            missing = sorted(
                p
                for p in ports_of(service)
                if all(states[f"{a}:{p}"] != "open" for a in service.addresses.values())
            )
            if missing:
                process = stack.enter_context(namespace.listen(missing))
                # Closing its standard input ends a listener.
                stack.callback(process.communicate)
                states |= namespace.connect(targets)
            seen[service.name] = [target for target, state in states.items() if state == "open"]
        yield seen


def test_every_port_has_a_listener(inventory: Inventory, listeners: dict[str, list[str]]) -> None:
    for service in running(inventory):
        ports = {int(target.rpartition(":")[2]) for target in listeners[service.name]}
        assert ports == set(ports_of(service)), service.name


@pytest.fixture
def seen(
    service: ServiceEntry, inventory: Inventory, local: Any, listeners: dict[str, list[str]]
) -> list[tuple[str, bool, str]]:
    """(what, declared, state) of every pair that starts at `service`, live targets only."""
    if not service.addresses:
        pytest.skip("lives in the host's network namespace")
    live = {target for targets in listeners.values() for target in targets}
    candidates = [pair for pair in pairs(service, inventory) if pair[3] in live]
    states = Namespace.of(local, service).connect([pair[3] for pair in candidates])
    return [
        (
            f"{service.name} → {destination.name}:{port} ({segment})",
            is_declared(inventory, service.role, destination.role, segment, port),
            states[target],
        )
        for destination, segment, port, target in candidates
    ]


def test_declared_flows_connect(seen: list[tuple[str, bool, str]]) -> None:
    assert not [what for what, declared, state in seen if declared and state != "open"]


def test_undeclared_flows_are_blocked(seen: list[tuple[str, bool, str]]) -> None:
    assert [what for what, declared, _ in seen if not declared]
    assert not [(what, state) for what, declared, state in seen if not declared and state != "blocked"]


@pytest.fixture(scope="module")
def host_listener() -> Iterator[None]:
    """A listener on every address of the host, seen open from the host itself."""
    host = Namespace()
    process = host.listen([HOST_PORT])
    target = f"127.0.0.1:{HOST_PORT}"
    assert host.connect([target]) == {target: "open"}
    yield
    process.communicate()


def test_containers_cannot_reach_the_host(
    service: ServiceEntry, inventory: Inventory, local: Any, host_listener: None
) -> None:
    if not service.addresses:
        pytest.skip("lives in the host's network namespace")
    gateways = [s.subnet.split("/")[0].removesuffix(".0") + ".1" for s in inventory.segments]
    targets = [f"{address}:{HOST_PORT}" for address in gateways]
    assert set(Namespace.of(local, service).connect(targets).values()) == {"blocked"}


@pytest.fixture(scope="module")
def outside(local: Any) -> Iterator[Namespace]:
    """Another host: a namespace behind a veth pair, with a listener, and a route to the stack."""
    script = f"""
        ip netns add {OUTSIDE}
        ip link add {OUTSIDE[:11]}-h type veth peer name eth0 netns {OUTSIDE}
        ip address add {HOST_ADDRESS}/30 dev {OUTSIDE[:11]}-h
        ip link set {OUTSIDE[:11]}-h up
        ip -n {OUTSIDE} address add {OUTSIDE_ADDRESS}/30 dev eth0
        ip -n {OUTSIDE} link set eth0 up
        ip -n {OUTSIDE} link set lo up
        ip -n {OUTSIDE} route add default via {HOST_ADDRESS}
    """
    subprocess.run(["ip", "netns", "delete", OUTSIDE], capture_output=True, check=False)
    subprocess.run(["bash", "-euc", script], check=True)
    namespace = Namespace("ip", "netns", "exec", OUTSIDE)
    process = namespace.listen([HOST_PORT])
    target = f"{OUTSIDE_ADDRESS}:{HOST_PORT}"
    assert Namespace().connect([target]) == {target: "open"}
    yield namespace
    process.communicate()
    subprocess.run(["ip", "netns", "delete", OUTSIDE], check=True)


def test_outside_reaches_no_container_directly(
    outside: Namespace, inventory: Inventory, listeners: dict[str, list[str]]
) -> None:
    targets = [target for found in listeners.values() for target in found]
    assert set(outside.connect(targets).values()) == {"blocked"}


def test_containers_cannot_reach_the_outside(service: ServiceEntry, local: Any, outside: Namespace) -> None:
    if not service.addresses:
        pytest.skip("lives in the host's network namespace")
    targets = [f"{OUTSIDE_ADDRESS}:{HOST_PORT}", "169.254.169.254:80"]
    assert set(Namespace.of(local, service).connect(targets).values()) == {"blocked"}


def test_endpoint_connects(endpoint: str) -> None:
    target = endpoint.removeprefix("https://")
    assert Namespace().connect([target]) == {target: "open"}


def test_containers_have_no_ipv6(service: ServiceEntry, local: Any) -> None:
    if not service.addresses:
        pytest.skip("lives in the host's network namespace")
    pid = local.docker(service.container).inspect()["State"]["Pid"]
    command = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-6", "-oneline", "address", "show"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line for line in found.splitlines() if " lo " not in line] == []
