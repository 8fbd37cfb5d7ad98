"""Every container as it runs: healthy, hardened, limited, and with the files that it should have."""

from typing import Any

import pytest

from components.planning.inventory import Inventory, ServiceEntry
from tests.acceptance.waiting import eventually


@pytest.fixture
def found(service: ServiceEntry, local: Any) -> dict[str, Any]:
    """The engine's description of the container."""
    return dict(local.docker(service.container).inspect())


def test_is_healthy(service: ServiceEntry, local: Any) -> None:
    def health() -> str:
        return str(local.docker(service.container).inspect()["State"]["Health"]["Status"])

    assert eventually(lambda: health() == "healthy"), health()


def test_did_not_crash(found: dict[str, Any]) -> None:
    assert found["RestartCount"] == 0


def test_runs_the_declared_image(found: dict[str, Any], service: ServiceEntry) -> None:
    assert found["Config"]["Image"] == service.image


def test_root_is_read_only(found: dict[str, Any]) -> None:
    assert found["HostConfig"]["ReadonlyRootfs"] is True


def test_write_to_root_fails(inside: Any) -> None:
    # Whoever asks: the kernel looks at this before it looks at the rights of the folder.
    assert "Read-only file system" in inside.run("touch /usr/canary").stderr


def test_has_no_capabilities_beyond_the_declared(found: dict[str, Any], service: ServiceEntry) -> None:
    allowed = ["CAP_NET_ADMIN"] if service.role == "firewall" else []
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert (found["HostConfig"]["CapAdd"] or []) == allowed


def test_process_holds_no_capabilities(inside: Any, service: ServiceEntry) -> None:
    net_admin = 1 << 12
    # What the first process may never have, none that it starts can get; a user that is not root has no
    # effective ones anyway.
    for name in ("CapBnd", "CapPrm", "CapEff"):
        held = int(inside.check_output("grep %s /proc/1/status", name).split()[1], 16)
        assert held == (net_admin if service.role == "firewall" else 0), name


def test_cannot_gain_privileges(inside: Any) -> None:
    assert inside.run("grep NoNewPrivs /proc/self/status").stdout.split()[1] == "1"


def test_is_not_root(inside: Any, service: ServiceEntry) -> None:
    if service.role == "firewall":
        pytest.skip("nftables needs root: a waived exception")
    assert int(inside.check_output("id -u")) != 0


def test_is_limited(found: dict[str, Any]) -> None:
    limits = found["HostConfig"]
    assert limits["Memory"] > 0
    assert limits["MemorySwap"] == limits["Memory"]
    assert limits["NanoCpus"] > 0 or limits["CpuQuota"] > 0


def test_only_the_load_balancer_publishes_ports(
    found: dict[str, Any], service: ServiceEntry, inventory: Inventory
) -> None:
    bindings = [b for entry in (found["HostConfig"]["PortBindings"] or {}).values() for b in entry]
    published = {f"https://{b['HostIp']}:{b['HostPort']}" for b in bindings}
    expected = {u for u in inventory.endpoints.values() if u} if service.role == "load-balancer" else set()
    assert published == expected


def test_addresses_are_as_planned(found: dict[str, Any], service: ServiceEntry, inventory: Inventory) -> None:
    names = {segment.name: segment.network for segment in inventory.segments}
    actual = {n: v["IPAddress"] for n, v in found["NetworkSettings"]["Networks"].items() if v["IPAddress"]}
    assert actual == {names[segment]: address for segment, address in service.addresses.items()}


@pytest.mark.parametrize("role", ["object-store-setup", "tracking-setup"])
def test_setup_job_finished(local: Any, inventory: Inventory, role: str) -> None:
    (job,) = inventory.by_role(role)
    state = local.docker(job.container).inspect()["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)


def test_networks_are_as_declared(local: Any, inventory: Inventory) -> None:
    for segment in inventory.segments:
        described = local.check_output("docker network inspect %s --format '{{json .}}'", segment.network)
        assert f'"Internal":{str(segment.internal).lower()}' in described
        assert f'"Subnet":"{segment.subnet}"' in described
        assert '"EnableIPv6":false' in described
