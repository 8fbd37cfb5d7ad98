"""Both sides of the comparison spell the same thing the same way: a planned container, and it inspected.

`INSPECTED` is what an engine made of `PLANNED`, field by field.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from audit.drift import comparison
from audit.engine import fields
from audit.engine.flat import FlatResource
from policies.model import Resource
from policies.sources import live

FILES = "aidc-test-vault-files-0123456789ab"
CHECK = {"tests": ["CMD", "check"], "interval": "5s", "timeout": "4s", "startPeriod": "4m0s", "retries": 6.0}
NETWORK = ("NetworkSettings", "Networks", "aidc-test-backup")
PLANNED: dict[str, Any] = {
    "name": "aidc-test-vault",
    "image": "aidc-vault:0123456789ab",
    "user": "10030",
    "hostname": "vault",
    "command": ["vault-server", "--tls"],
    "init": True,
    "readOnly": True,
    "capabilities": {"drops": ["ALL"], "adds": ["CAP_NET_ADMIN"]},
    "securityOpts": ["no-new-privileges:true"],
    "memory": 256.0,
    "memorySwap": 256.0,
    "cpus": "0.5",
    "shmSize": 64.0,
    "ulimits": [{"name": "nproc", "soft": 512.0, "hard": 512.0}],
    "sysctls": {"net.ipv4.ip_forward": "0"},
    "envs": ["HOME=/tmp"],
    "mounts": [
        {"target": "/etc/aidc", "type": "volume", "source": FILES, "readOnly": True},
        {"target": "/data", "type": "volume", "source": "aidc-test-vault-data"},
    ],
    "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=4m"},
    "networksAdvanced": [{"name": "aidc-test-backup", "ipv4Address": "10.78.8.30", "aliases": ["vault"]}],
    "ports": [{"ip": "127.0.0.1", "internal": 8000.0, "external": 18000.0, "protocol": "tcp"}],
    "deviceRequests": [{"driver": "nvidia", "deviceIds": ["0"], "capabilities": ["gpu"]}],
    "healthcheck": CHECK,
    "restart": "unless-stopped",
    "stopTimeout": 30.0,
    "destroyGraceSeconds": 30.0,
    "logDriver": "json-file",
    "logOpts": {"max-size": "10m", "max-file": "3"},
    "labels": [{"label": "aidc.stack", "value": "test"}, {"label": "aidc.kind", "value": "service"}],
}  # fmt: skip
INSPECTED: dict[str, Any] = {
    "Id": "0123456789abcdef",
    "Name": "/aidc-test-vault",
    "State": {"Status": "running", "Running": True, "Pid": 42},
    "Config": {
        "Image": "aidc-vault:0123456789ab",
        "User": "10030",
        "Hostname": "vault",
        "Cmd": ["vault-server", "--tls"],
        "Entrypoint": None,
        "Env": ["HOME=/tmp", "PATH=/usr/bin"],
        "Labels": {"aidc.stack": "test", "aidc.kind": "service"},
        "StopTimeout": 30,
        "Healthcheck": {
            "Test": ["CMD", "check"],
            "Interval": 5 * 10**9,
            "Timeout": 4 * 10**9,
            "StartPeriod": 240 * 10**9,
            "Retries": 6,
        },
    },
    "HostConfig": {
        "Privileged": False,
        "Init": True,
        "ReadonlyRootfs": True,
        "CapAdd": ["CAP_NET_ADMIN"],
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "Memory": 256 * 2**20,
        "MemorySwap": 256 * 2**20,
        "NanoCpus": 500_000_000,
        "ShmSize": 64 * 2**20,
        "Ulimits": [{"Name": "nproc", "Soft": 512, "Hard": 512}],
        "Sysctls": {"net.ipv4.ip_forward": "0"},
        "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=4m"},
        "PortBindings": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18000"}]},
        "PublishAllPorts": False,
        "DeviceRequests": [{"Driver": "nvidia", "DeviceIDs": ["0"], "Capabilities": [["gpu"]]}],
        "Devices": [],
        "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        "NetworkMode": "aidc-test-backup",
        "IpcMode": "private",
        "PidMode": "",
        "UsernsMode": "",
        "CgroupParent": "",
        "GroupAdd": None,
        "Dns": [],
        "ExtraHosts": None,
        "Runtime": "runc",
    },
    "Mounts": [
        {
            "Type": "volume",
            "Name": "aidc-test-vault-files-0123456789ab",
            "Destination": "/etc/aidc",
            "RW": False,
        },
        {"Type": "volume", "Name": "aidc-test-vault-data", "Destination": "/data", "RW": True},
    ],
    "NetworkSettings": {
        "Networks": {
            "aidc-test-backup": {
                "IPAMConfig": {"IPv4Address": "10.78.8.30"},
                "IPAddress": "10.78.8.30",
                "Aliases": ["vault", "0123456789ab"],
            }
        }
    },
}
IMAGE: dict[str, Any] = {"Env": ["PATH=/usr/bin"], "Labels": None}


def differences(inspected: dict[str, Any], plan: dict[str, Any] = PLANNED) -> dict[str, tuple[str, str]]:
    """Field → (planned, live)."""
    name = "aidc-test-vault"
    planned = FlatResource("container", name, fields.of(Resource("container", name, plan)))
    inherited = fields.of(live.image("aidc-vault", IMAGE))
    running = FlatResource("container", name, fields.of(live.container(inspected)), inherited)
    return {d.field: (d.planned, d.live) for d in comparison.compare([planned], [running], "test")}


def test_what_was_made_as_planned_has_no_difference() -> None:
    assert differences(INSPECTED) == {}


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("Config", "Image"), "aidc-vault:ffffffffffff", "image"),
        (("Config", "User"), "0", "user"),
        (("Config", "Hostname"), "other", "hostname"),
        (("Config", "Cmd"), ["vault-server"], "command"),
        (("Config", "Entrypoint"), ["sh"], "entrypoint"),
        (("Config", "Env"), ["HOME=/root", "PATH=/usr/bin"], "env.HOME"),
        (("Config", "Env"), ["HOME=/tmp", "PATH=/usr/bin", "DEBUG=1"], "env.DEBUG"),
        (("Config", "Env"), ["HOME=/tmp", "PATH=/tmp"], "env.PATH"),
        (("Config", "Env"), ["PATH=/usr/bin"], "env.HOME"),
        (("Config", "Labels"), {"aidc.stack": "test"}, "labels.aidc.kind"),
        (("Config", "StopTimeout"), None, "stop timeout s"),
        (("Config", "Healthcheck"), {"Test": ["NONE"]}, "health check"),
        (("Config", "Healthcheck", "Interval"), 10**9, "health interval s"),
        (("Config", "Healthcheck", "StartPeriod"), 0, "health start period s"),
        (("Config", "Healthcheck", "Timeout"), 10**6, "health timeout s"),
        (("Config", "Healthcheck", "Retries"), 1, "health retries"),
        (("HostConfig", "Privileged"), True, "privileged"),
        (("HostConfig", "Init"), False, "init"),
        (("HostConfig", "ReadonlyRootfs"), False, "read-only root"),
        (("HostConfig", "CapAdd"), ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"], "capabilities added"),
        (("HostConfig", "CapDrop"), None, "capabilities dropped"),
        (("HostConfig", "SecurityOpt"), None, "security options"),
        (("HostConfig", "Memory"), 2**30, "memory MiB"),
        (("HostConfig", "MemorySwap"), -1, "memory and swap MiB"),
        (("HostConfig", "NanoCpus"), 10**9, "cpus"),
        (("HostConfig", "ShmSize"), 2**30, "shared memory MiB"),
        (("HostConfig", "ShmSize"), 0, "shared memory MiB"),
        (("HostConfig", "PidsLimit"), 7, "processes at most"),
        (("HostConfig", "Ulimits"), None, "ulimits.nproc"),
        (("HostConfig", "Ulimits"), [{"Name": "nproc", "Soft": 1, "Hard": 512}], "ulimits.nproc"),
        (("HostConfig", "Sysctls"), {"net.ipv4.ip_forward": "1"}, "sysctls.net.ipv4.ip_forward"),
        (("HostConfig", "Tmpfs"), {"/tmp": "rw,size=4m"}, "tmpfs./tmp"),
        (("HostConfig", "PortBindings"), {}, "published"),
        (("HostConfig", "PortBindings", "8000/tcp"), [{"HostIp": "", "HostPort": "18000"}], "published"),
        (("HostConfig", "PublishAllPorts"), True, "publish all ports"),
        (("HostConfig", "DeviceRequests"), None, "device requests"),
        (("HostConfig", "Devices"), [{"PathOnHost": "/dev/sda"}], "devices"),
        (("HostConfig", "RestartPolicy"), {"Name": "no"}, "restart"),
        (("HostConfig", "LogConfig"), {"Type": "none"}, "log driver"),
        (("HostConfig", "LogConfig", "Config"), {"max-file": "3"}, "log options.max-size"),
        (("HostConfig", "NetworkMode"), "host", "network mode"),
        (("HostConfig", "NetworkMode"), "container:ff", "network mode"),
        (("HostConfig", "IpcMode"), "host", "ipc mode"),
        (("HostConfig", "PidMode"), "host", "pid mode"),
        (("HostConfig", "UsernsMode"), "host", "user namespace"),
        (("HostConfig", "CgroupParent"), "/x", "cgroup parent"),
        (("HostConfig", "GroupAdd"), ["docker"], "groups added"),
        (("HostConfig", "Dns"), ["1.1.1.1"], "dns"),
        (("HostConfig", "ExtraHosts"), ["a:10.0.0.1"], "hosts added"),
        (("HostConfig", "Runtime"), "nvidia", "runtime"),
        ((*NETWORK, "IPAddress"), "10.78.8.9", "networks.aidc-test-backup"),
        ((*NETWORK, "GlobalIPv6Address"), "2001:db8::9", "networks.aidc-test-backup"),
        ((*NETWORK, "Aliases"), [], "aliases.aidc-test-backup"),
        (("NetworkSettings", "Networks", "bridge"), {"IPAddress": "172.17.0.2"}, "networks.bridge"),
        (("NetworkSettings", "Networks"), {}, "networks.aidc-test-backup"),
        (("State", "Status"), "exited", "runs"),
        (("State", "Status"), "created", "runs"),
        (("Mounts",), [], "mounts./data"),
    ],
)  # fmt: skip
def test_every_field_that_changes_is_found(path: tuple[str, ...], value: object, field: str) -> None:
    inspected = deepcopy(INSPECTED)
    place = inspected
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert field in differences(inspected)


def test_a_mount_that_became_writable_is_found() -> None:
    inspected = deepcopy(INSPECTED)
    inspected["Mounts"][0]["RW"] = True
    assert list(differences(inspected)) == ["mounts./etc/aidc"]


@pytest.mark.parametrize(
    "key",
    sorted(set(PLANNED) - {"name", "destroyGraceSeconds", "hostname", "shmSize", "stopTimeout", "logDriver"}),
)
def test_every_planned_setting_that_is_lost_is_found(key: str) -> None:
    """The other way round: what runs has it and the plan does not."""
    assert differences(INSPECTED, {k: v for k, v in PLANNED.items() if k != key})


def test_values_of_variables_and_commands_are_never_shown() -> None:
    inspected = deepcopy(INSPECTED)
    inspected["Config"]["Env"] = ["HOME=hunter2", "TOKEN=hunter2"]
    inspected["Config"]["Cmd"] = ["vault-server", "--password=hunter2"]
    inspected["Config"]["Healthcheck"]["Test"] = ["CMD", "hunter2"]
    found = differences(inspected)
    assert {"env.HOME", "env.TOKEN", "command", "health check"} <= set(found)
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("text", "expected"), [("5s", 5), ("4m0s", 240), ("1h30m0s", 5400), ("500ms", 0.5), (None, 0), ("", 0)]
)
def test_durations(text: str | None, expected: float) -> None:
    assert fields.seconds(text) == expected


def test_networks_and_volumes_are_compared_too() -> None:
    props = {
        "driver": "bridge",
        "internal": True,
        "ipv6": False,
        "ipamConfigs": [{"subnet": "10.78.6.0/23", "gateway": "10.78.6.1"}],
        "options": {"com.docker.network.bridge.name": "dc-storage"},
        "labels": [{"label": "aidc.stack", "value": "test"}],
    }
    inspected = {
        "Name": "n",
        "Id": "0a",
        "Driver": "bridge",
        "Internal": True,
        "EnableIPv6": False,
        "IPAM": {"Config": [{"Subnet": "10.78.6.0/23", "Gateway": "10.78.6.1"}]},
        "Options": {"com.docker.network.bridge.name": "dc-storage"},
        "Labels": {"aidc.stack": "test"},
    }
    planned = fields.of(Resource("network", "n", props))
    assert fields.of(live.network(inspected)) == planned
    assert fields.of(live.network({**inspected, "Internal": False})) != planned
    assert fields.of(live.network({**inspected, "EnableIPv6": True})) != planned
    assert fields.of(live.network({**inspected, "Driver": "macvlan"})) != planned
    volume = fields.of(Resource("volume", "v", {"labels": props["labels"]}))
    held = {"Name": "v", "Driver": "local", "Options": None, "Labels": {"aidc.stack": "test"}}
    assert fields.of(live.volume(held)) == volume
    assert fields.of(live.volume({**held, "Options": {"o": "bind", "device": "/etc"}})) != volume
    assert fields.of(live.volume({**held, "Driver": "sshfs"})) != volume


def test_settings_beside_the_usual_ones_are_spelled_alike_on_both_sides() -> None:
    """What no component sets today, as the provider would write it and as the engine says it."""
    inspected = deepcopy(INSPECTED)
    inspected["Config"] |= {"Entrypoint": ["/init", "--"]}
    inspected["HostConfig"] |= {"ExtraHosts": ["a:10.0.0.1", "b:2001:db8::1"], "ShmSize": 2**30}
    inspected["HostConfig"]["RestartPolicy"] = {"Name": "on-failure", "MaximumRetryCount": 5}
    planned = {
        "entrypoints": ["/init", "--"],
        "hosts": [{"host": "b", "ip": "2001:db8::1"}, {"host": "a", "ip": "10.0.0.1"}],
        "shmSize": 1024.0,
        "restart": "on-failure",
        "maxRetryCount": 5.0,
    }
    assert differences(inspected, {**PLANNED, **planned}) == {}


def test_a_container_that_is_not_running_is_compared_by_the_address_that_it_asked_for() -> None:
    inspected = deepcopy(INSPECTED)
    inspected["NetworkSettings"]["Networks"]["aidc-test-backup"]["IPAddress"] = ""
    assert differences(inspected) == {}


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("service", "running", "yes"),
        ("service", "exited", "no: exited"),
        ("service", "restarting", "no: restarting"),
        ("service", "created", "never"),
        ("job", "exited", "yes"),
        ("job", "created", "never"),
        ("seed", "created", "never"),
    ],
)
def test_a_job_may_have_ended_and_a_service_may_not(kind: str, status: str, expected: str) -> None:
    inspected = deepcopy(INSPECTED)
    inspected["State"]["Status"] = status
    inspected["Config"]["Labels"]["aidc.kind"] = kind
    assert fields.of(live.container(inspected))["runs"] == expected


def test_a_container_inherits_from_its_image_what_an_image_can_give() -> None:
    config = {"Cmd": ["sh"], "Entrypoint": ["/init"], "Env": ["A=b"], "Labels": {"c": "d"}, "User": "root"}
    health = {"Test": ["CMD", "true"], "Interval": 10**9}
    assert fields.of(live.image("x", {**config, "Healthcheck": health})) == {
        "command": "sh",
        "entrypoint": "/init",
        "env.A": "b",
        "labels.c": "d",
        "health check": "CMD true",
        "health interval s": "1",
    }
