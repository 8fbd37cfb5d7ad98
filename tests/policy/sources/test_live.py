"""What `docker inspect` says, translated: the same rules judge what runs."""

from __future__ import annotations

from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest

from policies.catalogue import RULES
from policies.evaluate import faults
from policies.model import Stack
from policies.rule import ResourceRule
from policies.sources import live
from policies.sources.stacks import SourceError

INSPECTED: dict[str, Any] = {
    "Id": "0a1b",
    "Name": "/aidc-test-load-balancer",
    "Path": "haproxy",
    "Args": ["-W"],
    "State": {"Status": "running"},
    "Config": {
        "Image": "aidc-load-balancer:0123456789ab",
        "User": "10010",
        "Env": ["PATH=/usr/bin"],
        "Labels": {"aidc.stack": "test", "aidc.role": "load-balancer", "aidc.kind": "service"},
        "Healthcheck": {"Test": ["CMD", "healthcheck"]},
    },
    "HostConfig": {
        "Privileged": False,
        "ReadonlyRootfs": True,
        "CapAdd": None,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "Memory": 268435456,
        "MemorySwap": 268435456,
        "NanoCpus": 500000000,
        "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=4m"},
        "PidsLimit": 512,
        "Ulimits": [{"Name": "nofile", "Hard": 16384, "Soft": 16384}],
        "Sysctls": {"net.ipv4.ip_forward": "0"},
        "Dns": ["127.0.0.1"],
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}},
        "NetworkMode": "aidc-test-edge",
        "PortBindings": {"8443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18443"}]},
        "PublishAllPorts": False,
        "IpcMode": "private",
        "PidMode": "",
        "UsernsMode": "",
        "UTSMode": "",
        "CgroupParent": "",
        "CgroupnsMode": "host",
        "Devices": [],
        "DeviceRequests": None,
        "Runtime": "runc",
    },
    "NetworkSettings": {"Networks": {"aidc-test-edge": {"IPAMConfig": {"IPv4Address": "10.78.0.10"}}}},
    "Mounts": [
        {"Type": "volume", "Name": "files", "Source": "/var/lib/docker/volumes/files/_data",
         "Destination": "/etc/aidc", "RW": False, "Propagation": ""},
    ],
}  # fmt: skip


def found(inspected: dict[str, Any]) -> set[str]:
    stack = Stack((live.container(inspected),))
    rules = (rule for rule in RULES if isinstance(rule, ResourceRule))
    return {rule.name for rule in rules for _, clean in faults(rule, stack) if not clean}


def test_a_hardened_container_passes() -> None:
    assert found(INSPECTED) == set()


@pytest.mark.parametrize(
    ("rule", "path", "value"),
    [
        ("no-privileged", ("HostConfig", "Privileged"), True),
        ("readonly-root", ("HostConfig", "ReadonlyRootfs"), False),
        ("caps-drop-all", ("HostConfig", "CapDrop"), None),
        ("no-deadly-caps", ("HostConfig", "CapAdd"), ["CAP_SYS_ADMIN"]),
        ("no-new-privileges", ("HostConfig", "SecurityOpt"), None),
        ("non-root", ("Config", "User"), ""),
        ("memory-limit", ("HostConfig", "Memory"), 0),
        ("memory-limit", ("HostConfig", "MemorySwap"), -1),
        ("cpu-limit", ("HostConfig", "NanoCpus"), 0),
        ("file-limit", ("HostConfig", "Ulimits"), None),
        ("restart-bounded", ("HostConfig", "RestartPolicy"), {"Name": "always", "MaximumRetryCount": 0}),
        ("healthcheck", ("Config", "Healthcheck"), None),
        ("log-cap", ("HostConfig", "LogConfig"), {"Type": "json-file", "Config": {}}),
        ("tmpfs-hardened", ("HostConfig", "Tmpfs"), {"/tmp": ""}),
        ("no-forwarding", ("HostConfig", "Sysctls"), None),
        ("no-host-network", ("HostConfig", "NetworkMode"), "host"),
        ("no-host-pid", ("HostConfig", "PidMode"), "host"),
        ("no-host-ipc", ("HostConfig", "IpcMode"), "host"),
        ("no-host-uts", ("HostConfig", "UTSMode"), "host"),
        ("no-sshd", ("Path",), "/usr/sbin/sshd"),
        ("publish-explicit-ip", ("HostConfig", "PortBindings"), {"1/tcp": [{"HostIp": "", "HostPort": "1"}]}),
        ("fixed-address", ("NetworkSettings", "Networks"), {"aidc-test-edge": {}}),
        ("image-pinned", ("Config", "Image"), "aidc-load-balancer:latest"),
        ("no-secret-env", ("Config", "Env"), ["ROOT_PASSWORD=x"]),
        ("closed-dns", ("HostConfig", "Dns"), []),
        ("own-network", ("NetworkSettings", "Networks"), {"bridge": {}}),
        ("gpu-scope", ("HostConfig", "DeviceRequests"), [{"Driver": "nvidia"}]),
    ],
)  # fmt: skip
def test_an_unhardened_container_is_found(rule: str, path: tuple[str, ...], value: object) -> None:
    inspected = part = deepcopy(INSPECTED)
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    assert rule in found(inspected)


@pytest.mark.parametrize(("state", "violations"), [("inactive", 0), ("active", 1), ("pending", 1), ("", 0)])
def test_a_swarm_is_found(state: str, violations: int) -> None:
    stack = Stack((live.engine({"Swarm": {"LocalNodeState": state}}),))
    (rule,) = (rule for rule in RULES if rule.name == "no-swarm")
    assert len([fault for fault, clean in faults(rule, stack) if not clean]) == violations


def test_the_engines_settings_are_read_from_its_own_description() -> None:
    about = {
        "Driver": "aufs",
        "ExperimentalBuild": True,
        "RegistryConfig": {
            "InsecureRegistryCIDRs": ["127.0.0.0/8"],
            "IndexConfigs": {"registry:5000": {"Secure": False}, "other": {"Secure": True}},
        },
    }
    stack = Stack((live.engine(about),))
    found = {
        fault.text
        for rule in RULES
        if isinstance(rule, ResourceRule)
        for fault, clean in faults(rule, stack)
        if not clean
    }
    assert found == {
        "registry registry:5000 is asked without TLS",
        "the storage driver is aufs",
        "experimental features are on",
    }


class _Engine:
    """The part of a Docker client that is asked."""

    def __init__(self, containers: list[dict[str, Any]]) -> None:
        held = [SimpleNamespace(attrs=attrs) for attrs in containers]
        self.containers = SimpleNamespace(list=lambda **_: held)
        self.networks = self.volumes = SimpleNamespace(list=lambda **_: [])

    def info(self) -> dict[str, Any]:
        return {"Swarm": {"LocalNodeState": "inactive"}}


def test_what_runs_is_the_labelled_things_and_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docker.from_env", lambda: _Engine([INSPECTED]))
    assert [resource.kind for resource in live.running("test")] == ["container", "engine"]


def test_an_engine_without_the_stack_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docker.from_env", lambda: _Engine([]))
    with pytest.raises(SourceError, match="holds no resources of stack test"):
        live.running("test")


def test_a_mounted_socket_is_found() -> None:
    inspected = deepcopy(INSPECTED)
    socket = "/var/run/docker.sock"
    inspected["Mounts"].append({"Type": "bind", "Source": socket, "Destination": "/s", "RW": False})
    assert found(inspected) == {"no-docker-socket", "no-host-paths"}


def test_only_a_container_that_never_ran_is_a_seed() -> None:
    inspected = deepcopy(INSPECTED)
    inspected["Config"]["Labels"]["aidc.kind"] = "seed"
    inspected["HostConfig"]["NetworkMode"] = "none"
    inspected["State"]["Status"] = "exited"
    assert not live.container(inspected).is_seed
    inspected["State"]["Status"] = "created"
    assert live.container(inspected).is_seed


@pytest.mark.parametrize("limit", [None, 0, -1])
def test_a_container_without_a_limit_on_its_processes_is_found(limit: int | None) -> None:
    inspected = deepcopy(INSPECTED)
    inspected["HostConfig"]["PidsLimit"] = limit
    (rule,) = (rule for rule in RULES if rule.name == "process-limit")
    (fault,) = (fault for fault, clean in faults(rule, Stack((live.container(inspected),))) if not clean)
    assert fault.text == "its processes are not limited"


def test_a_limit_on_processes_is_read() -> None:
    (rule,) = (rule for rule in RULES if rule.name == "process-limit")
    assert [clean for _, clean in faults(rule, Stack((live.container(INSPECTED),)))] == [True]


def test_volumes_of_another_container_are_found() -> None:
    inspected = deepcopy(INSPECTED)
    inspected["HostConfig"]["VolumesFrom"] = ["aidc-test-vault"]
    assert found(inspected) == {"no-bind-volume"}


def test_the_options_of_a_volume_that_was_made_for_a_container_are_found() -> None:
    inspected = deepcopy(INSPECTED)
    options = {"DriverConfig": {"Name": "local", "Options": {"type": "ext4", "device": "/dev/vda1"}}}
    inspected["HostConfig"]["Mounts"] = [{"Target": "/etc/aidc", "VolumeOptions": options}]
    assert found(inspected) == {"no-bind-volume"}


def test_a_volume_of_a_foreign_driver_is_found() -> None:
    (rule,) = (rule for rule in RULES if rule.name == "no-bind-volume")
    volume = live.volume({"Name": "aidc-test-x", "Driver": "sshfs", "Options": None, "Labels": None})
    assert [clean for _, clean in faults(rule, Stack((volume,)))] == [False]


def test_an_open_network_is_found() -> None:
    inspected = {
        "Id": "0a",
        "Name": "aidc-test-storage",
        "Internal": False,
        "EnableIPv6": True,
        "IPAM": {"Config": [{"Subnet": "10.78.6.0/23"}]},
        "Options": {},
        "Labels": {},
    }
    stack = Stack((live.network(inspected),))
    bad = {
        rule.name
        for rule in RULES
        if isinstance(rule, ResourceRule)
        for _, ok in faults(rule, stack)
        if not ok
    }
    assert bad == {"internal-network", "ipv4-only", "fixed-bridge"}


def test_a_bind_volume_is_found() -> None:
    inspected = {"Name": "aidc-test-x", "Options": {"o": "bind", "device": "/etc"}, "Labels": None}
    stack = Stack((live.volume(inspected),))
    bad = {
        rule.name
        for rule in RULES
        if isinstance(rule, ResourceRule)
        for _, ok in faults(rule, stack)
        if not ok
    }
    assert bad == {"no-bind-volume"}


def test_what_only_the_audit_reads_changes_no_finding() -> None:
    inspected = deepcopy(INSPECTED)
    inspected["Config"] |= {
        "Hostname": "balancer",
        "Cmd": ["-W", "--password=hunter2hunter2"],
        "Entrypoint": ["/usr/sbin/sshd"],
        "StopTimeout": 30,
    }
    inspected["Config"]["Healthcheck"] |= {"Interval": 10**9, "Timeout": 10**9, "Retries": 3}
    inspected["HostConfig"] |= {"Init": True, "ShmSize": 2**30, "ExtraHosts": ["a:10.0.0.1"]}
    inspected["NetworkSettings"]["Networks"]["aidc-test-edge"] |= {
        "IPAddress": "10.78.0.11",
        "Aliases": ["b"],
    }
    assert found(inspected) == set()


def test_a_command_is_what_runs_and_its_two_parts_stand_apart() -> None:
    inspected = deepcopy(INSPECTED)
    inspected["Config"] |= {"Cmd": ["-W"], "Entrypoint": ["haproxy"]}
    container = live.container(inspected)
    assert container.get("command") == ["haproxy", "-W"]
    assert container.get("entrypoints") is None
    assert container.get("configured") == {"command": ["-W"], "entrypoints": ["haproxy"]}


def test_addresses_in_use_stand_beside_those_that_were_asked_for() -> None:
    inspected = deepcopy(INSPECTED)
    edge = inspected["NetworkSettings"]["Networks"]["aidc-test-edge"]
    edge |= {"IPAddress": "10.78.0.11", "GlobalIPv6Address": "2001:db8::1", "Aliases": ["balancer", "0a1b"]}
    (network,) = live.container(inspected).each("networksAdvanced")
    assert network == {
        "name": "aidc-test-edge",
        "ipv4Address": "10.78.0.10",
        "ipv6Address": "2001:db8::1",
        "addressesInUse": ["10.78.0.11", "2001:db8::1"],
        "aliases": ["balancer"],
    }


@pytest.mark.parametrize(
    ("nanoseconds", "expected"), [(None, ""), (0, ""), (10**9, "1.000000s"), (1500 * 10**6, "1.500000s")]
)
def test_times_are_written_as_the_provider_writes_them(nanoseconds: int | None, expected: str) -> None:
    inspected = deepcopy(INSPECTED)
    inspected["Config"]["Healthcheck"]["Interval"] = nanoseconds
    assert live.container(inspected).mapping("healthcheck")["interval"] == expected
