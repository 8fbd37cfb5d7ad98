"""A small stack that satisfies every rule: the starting point of the violating fixtures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest

from components.planning.bucket_documents import listing
from components.planning.buckets import IDENTITIES
from components.planning.config import StackConfig
from components.planning.flows import FLOWS, LISTENS, Flow, Listen, memberships
from components.planning.grants import policy
from policies import buildfile
from policies.catalogue import RULES
from policies.evaluate import Report, evaluate
from policies.model import KINDS, REGISTERED, Kind, Resource, Stack
from policies.settings.waivers import Waiver

Props = dict[str, Any]
TYPES = {kind: type_ for type_, kind in reversed(list(KINDS.items()))}
BUILD_FILE = """
FROM debian:trixie-slim
# Packages.
RUN apt-get update \\
 && apt-get install --yes --no-install-recommends curl \\
 && rm -rf /var/lib/apt/lists/*
RUN pip install --require-hashes --requirement requirements.txt
ENV PASSWORD_FILE=/etc/aidc/password
COPY server /usr/local/bin/server
USER 10001
"""
SUBNETS = {"edge": 0, "service": 2, "fabric": 4, "storage": 6, "backup": 8, "monitor": 10}


def labels(**values: str) -> list[dict[str, str]]:
    return [{"label": f"aidc.{key}", "value": value} for key, value in values.items()]


def service(name: str, role: str, **extra: Any) -> Props:
    """A hardened container, in the engine's words; its segments are those of its role's flows."""
    props: Props = {
        "name": f"aidc-test-{name}",
        "image": f"aidc-{role}:0123456789ab",
        "user": "10001",
        "readOnly": True,
        "capabilities": {"drops": ["ALL"], "adds": []},
        "securityOpts": ["no-new-privileges:true"],
        "memory": 256.0,
        "memorySwap": 256.0,
        "cpus": "1.0",
        "ulimits": [{"name": "nofile", "soft": 16384.0, "hard": 16384.0}],
        "sysctls": {"net.ipv4.ip_forward": "0"},
        "dns": ["127.0.0.1"],
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=16m"},
        "healthcheck": {"tests": ["CMD", "healthcheck"]},
        "restart": "on-failure",
        "maxRetryCount": 5.0,
        "destroyGraceSeconds": 10.0,
        "logDriver": "json-file",
        "logOpts": {"max-size": "10m", "max-file": "3"},
        "networksAdvanced": [
            {"name": f"aidc-test-{segment}", "ipv4Address": f"10.78.{SUBNETS[segment]}.10"}
            for segment in memberships(role)
        ],
        "mounts": [{"type": "volume", "source": "aidc-test-files", "target": "/etc/aidc", "readOnly": True}],
        "labels": labels(stack="test", role=role, kind="service"),
        "envs": ["HOME=/tmp", "EXAMPLE_PASSWORD_FILE=/etc/aidc/password"],
        "command": ["serve", "--config=/etc/aidc/config"],
    }
    return props | extra


def seed(name: str, role: str) -> Props:
    """A container that fills a volume and never runs."""
    return {
        "name": f"aidc-test-{name}-files",
        "image": f"aidc-{role}:0123456789ab",
        "start": False,
        "networkMode": "none",
        "capabilities": {"drops": ["ALL"]},
        "securityOpts": ["no-new-privileges:true"],
        "mounts": [{"type": "volume", "source": "aidc-test-files", "target": "/files"}],
        "uploads": [
            {
                "file": "/files/buckets",
                "content": "datasets\nmodels\n",
                "permissions": "0400",
                "owner": "10001",
            }
        ],
        "labels": labels(stack="test", role=role, kind="seed"),
    }


def _told() -> list[Props]:
    """What the job that sets the object store up is told of the buckets and the identities."""
    declared = StackConfig().object_store.declared()
    files = {"bucket-documents": listing(declared)}
    files |= {f"policies/{user}.json": policy(user, declared) for user in IDENTITIES}
    return [
        {"file": f"/files/{path}", "content": content, "permissions": "0400", "owner": "10001"}
        for path, content in files.items()
    ]


def _data(name: str) -> list[Props]:
    files = {"type": "volume", "source": "aidc-test-files", "target": "/etc/aidc", "readOnly": True}
    return [files, {"type": "volume", "source": name, "target": "/data"}]


def _network(segment: str) -> Props:
    return {
        "name": f"aidc-test-{segment}",
        "internal": segment != "edge",
        "ipv6": False,
        "ipamConfigs": [{"subnet": f"10.78.{SUBNETS[segment]}.0/23"}],
        "options": {"com.docker.network.bridge.name": f"dc-{segment}"},
        "labels": labels(stack="test", role=segment),
    }


REVIEWED = {"ecosystem": "go", "reviewedVersion": "v2", "ageDays": 90}


@dataclass
class Plant:
    """Props by a short key, mutable; `stack()` is what the rules get."""

    kinds: dict[str, Kind]
    props: dict[str, Props]
    types: dict[str, str] = field(default_factory=dict)
    flows: tuple[Flow, ...] = FLOWS
    listens: dict[str, tuple[Listen, ...]] = field(default_factory=lambda: dict(LISTENS))

    def __getitem__(self, key: str) -> Props:
        return self.props[key]

    def add(self, key: str, kind: Kind, props: Props) -> None:
        self.kinds[key], self.props[key] = kind, props

    def build(self, text: str) -> None:
        """Append instructions to the build file."""
        lines = self.props["build-file"]["instructions"]
        self.props["build-file"]["instructions"] = (*lines, *buildfile.parse(text))

    def resource(self, key: str) -> Resource:
        props, kind = self.props[key], self.kinds[key]
        type_ = self.types.get(key) or TYPES.get(kind, "")
        return Resource(kind, str(props.get("name", key)), props, f"urn:{key}", type=type_)

    def stack(self) -> Stack:
        return Stack(tuple(self.resource(key) for key in self.props), self.flows, self.listens, "test")

    def registered(self) -> tuple[Resource, ...]:
        """The resources that Pulumi would know: neither build files nor the engine."""
        return tuple(r for r in self.stack().resources if r.kind in REGISTERED)


def make_plant() -> Plant:
    token = ["RAY_AUTH_MODE=token", "RAY_AUTH_TOKEN_PATH=/etc/aidc/ray-token"]
    encryption = ["MINIO_KMS_AUTO_ENCRYPTION=on", "MINIO_KMS_SECRET_KEY_FILE=/etc/aidc/encryption-key"]
    root = [f"MINIO_ROOT_{part}_FILE=/etc/aidc/root-{part.lower()}" for part in ("USER", "PASSWORD")]
    vault = [
        "vault-server",
        "--append-only",
        "--private-repos",
        "--htpasswd-file",
        "/etc/aidc/htpasswd",
        "--tls",
    ]
    port = {"internal": 8443.0, "external": 18443.0, "ip": "127.0.0.1", "protocol": "tcp"}
    containers = {
        "balancer": service("load-balancer", "load-balancer", ports=[port]),
        "head": service("ray-head", "ray-head", envs=token),
        "node": service("compute-node1", "compute", envs=token, deviceRequests=[{"driver": "nvidia"}]),
        "store": service(
            "object-store-1",
            "object-store",
            envs=[*encryption, *root],
            command=["minio", "server", "--certs-dir", "/etc/aidc/certs"],
            mounts=_data("aidc-test-object-store-1-data"),
        ),
        "setup": service("object-store-setup", "object-store-setup", healthcheck=None, restart="no")
        | {"labels": labels(stack="test", role="object-store-setup", kind="job")},
        "vault": service("vault", "vault", command=vault, mounts=_data("aidc-test-vault-data")),
        "pruner": service(
            "vault-pruner", "vault-pruner", networkMode="none", mounts=_data("aidc-test-vault-data")
        ),
        "drill": service(
            "drill",
            "drill",
            networkMode="none",
            mounts=[{**mount, "readOnly": True} for mount in _data("aidc-test-vault-data")],
        ),
        "backup": service("backup", "backup"),
        "setup-seed": seed("object-store-setup", "object-store-setup"),
        "backup-seed": seed("backup", "backup"),
    }
    containers["setup-seed"]["uploads"] += _told()
    volumes = {
        "store-data": {"name": "aidc-test-object-store-1-data", "labels": labels(stack="test", kind="data")},
        "vault-data": {"name": "aidc-test-vault-data", "labels": labels(stack="test", kind="data")},
        "files": {"name": "aidc-test-files", "labels": labels(stack="test", kind="files")},
    }
    plant = Plant({}, {})
    for key, props in containers.items():
        plant.add(key, "container", props)
    for key, props in containers.items():
        if "uploads" not in props:
            limit = {"container": props["name"], "identifier": "0a1b", "processes": 512.0}
            plant.add(f"{key}-limit", "limit", limit)
    for segment in SUBNETS:
        plant.add(f"{segment}-network", "network", _network(segment))
    for key, props in volumes.items():
        plant.add(key, "volume", props)
    plant.add("image", "image", {"name": "aidc-vault:0123456789ab"})
    plant.add("component", "other", {})
    plant.types["component"] = "aidc:backup:Vault"
    instructions = buildfile.parse(BUILD_FILE)
    plant.add("pin", "pin", {"name": "go:example.org/store", "pinned": True, "version": "v2"} | REVIEWED)
    plant.add("build-file", "buildfile", {"name": "images/vault/Dockerfile", "instructions": instructions})
    plant.add(
        "engine", "engine", {"name": "engine", "swarm": "inactive", "insecureRegistries": ["127.0.0.0/8"]}
    )
    # Some listeners of the product have no TLS, and waivers that say why; a clean stack needs none.
    plant.listens = {
        role: tuple(replace(listen, purpose="TLS") for listen in listens) for role, listens in LISTENS.items()
    }
    return plant


@pytest.fixture
def plant() -> Plant:
    return make_plant()


@pytest.fixture
def faulty(plant: Plant) -> Report:
    """One mandatory fault, one advisory, one waived, one unused waiver; a secret nearby."""
    plant["vault"].update(privileged=True, envs=["ROOT_PASSWORD=hunter2"])
    del plant["store"]["cpus"]
    plant["backup"]["privileged"] = True
    day = date(2027, 3, 1)
    reason, owner = "Needed while the test is running.", "platform-security"
    waivers = (
        Waiver("aidc-{stack}-backup", "no-privileged", reason, owner, day, "policies/waivers.yaml:4"),
        Waiver("aidc-{stack}-vault", "no-host-pid", reason, owner, day, "policies/waivers.yaml:9"),
    )
    return evaluate(plant.stack(), RULES, waivers, {}, day)
