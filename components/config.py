"""The stack's YAML as frozen, typed models.

One way in: `load(raw, stack, host)`. It reports every mistake at once, each with its path, the fault and a
fix, before anything is created. Nothing here performs I/O: the host's size comes in as an argument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

ROOT = "aidc:datacenter"
STACK_NAME = re.compile(r"^[a-z][a-z0-9]{0,15}$")
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@dataclass(frozen=True)
class Issue:
    """One mistake: where (`path`), what is wrong (`fault`), what to do (`fix`)."""

    path: str
    fault: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}: {self.fault}\n    fix: {self.fix}"


class ConfigError(Exception):
    """The configuration holds mistakes; `issues` lists every one of them."""

    def __init__(self, issues: list[Issue]) -> None:
        self.issues = issues
        count = f"{len(issues)} mistake{'s' if len(issues) > 1 else ''}"
        super().__init__(f"{count} in the stack's configuration\n" + "\n".join(f"  {i}" for i in issues))


@dataclass(frozen=True)
class HostFacts:
    """What the machine has: logical CPUs, memory in bytes, number of GPUs."""

    cpus: int
    memory: int
    gpus: int


def parse_size(value: object) -> int:
    """`"3GiB"` → bytes. Raises ValueError for anything that is not a whole number and a binary unit."""
    match = re.fullmatch(r"(\d+)\s*([KMGT]iB)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no size")
    return int(match[1]) * UNITS[match[2]]


def _size(value: object) -> int:
    return value if isinstance(value, int) and value >= 2**20 else parse_size(value)


def _cron(value: str) -> str:
    ranges = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    fields = value.split()
    if len(fields) != len(ranges):
        raise ValueError("a cron expression has five fields: minute hour day month weekday")
    for field, (low, high) in zip(fields, ranges, strict=True):
        for part in field.split(","):
            match = re.fullmatch(r"(\*|(\d+)(-(\d+))?)(/([1-9]\d*))?", part)
            numbers = [int(n) for n in (match[2], match[4]) if n] if match else []
            if match is None or any(not low <= n <= high for n in numbers) or numbers != sorted(numbers):
                raise ValueError(f"{part!r} is not a cron field between {low} and {high}")
    return value


def _private_network(value: IPv4Network) -> IPv4Network:
    if not value.is_private:
        raise ValueError(f"{value} is not a private network")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]|[a-z]", value):
        raise ValueError(f"{value!r} may hold lower-case letters, digits and inner hyphens")
    return value


ByteSize = Annotated[int, BeforeValidator(_size)]
Cron = Annotated[str, AfterValidator(_cron)]
Rate = Annotated[int, Field(ge=1, le=100_000, strict=True)]
Port = Annotated[int, Field(ge=1024, le=65535, strict=True)]
Cpus = Annotated[float, Field(gt=0, le=1024)]
Name = Annotated[str, Field(min_length=1, max_length=20), AfterValidator(_name)]
PrivateNetwork = Annotated[IPv4Network, AfterValidator(_private_network)]
SegmentName = Literal["edge", "service", "fabric", "storage", "backup", "monitor"]


class Model(BaseModel):
    """Frozen; an unknown key is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(Model):
    """Address space. `cidr` is cut into equal subnets; `segments` overrides single ones."""

    cidr: PrivateNetwork = IPv4Network("10.77.0.0/20")
    segments: dict[SegmentName, PrivateNetwork] = {}


class PublishedPorts(Model):
    """TCP ports on the host that lead to the load balancer."""

    inference: Port = 8443
    s3: Port = 9443
    ray: Port = 8265


class RequestRates(Model):
    """Requests a second that one client address may send, as a mean over 10 s; more gets status 429."""

    inference: Rate = 2000
    s3: Rate = 2000
    ray: Rate = 200


class LoadBalancer(Model):
    """HAProxy: the only service that the outside reaches."""

    bind: IPv4Address = IPv4Address("127.0.0.1")
    ports: PublishedPorts = PublishedPorts()
    requests_per_second: RequestRates = RequestRates()
    cpus: Cpus = 1.0
    memory: ByteSize = 256 * 2**20


class Head(Model):
    """The Ray head: scheduling and dashboard; runs no training work."""

    cpus: Cpus = 1.0
    memory: ByteSize = 4 * 2**30
    shm: ByteSize = 512 * 2**20


class Node(Model):
    """One compute node. `gpus` are device indices of the host, each given to one node only."""

    name: Name
    cpus: Cpus = 1.0
    memory: ByteSize = 4 * 2**30
    shm: ByteSize = 512 * 2**20
    gpus: tuple[Annotated[int, Field(ge=0, strict=True)], ...] = ()


class Compute(Model):
    """The Ray cluster."""

    head: Head = Head()
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=64)] = (
        Node(name="node1"),
        Node(name="node2"),
    )


class Bucket(Model):
    """`quota`: how much the bucket may hold, earlier versions included; on the drives it takes twice that."""

    quota: ByteSize


class Buckets(Model):
    """The buckets of the object store."""

    datasets: Bucket = Bucket(quota=32 * 2**30)
    checkpoints: Bucket = Bucket(quota=16 * 2**30)
    models: Bucket = Bucket(quota=8 * 2**30)
    results: Bucket = Bucket(quota=8 * 2**30)

    def quotas(self) -> dict[str, int]:
        """Bucket → bytes."""
        return {name: bucket.quota for name, bucket in self}


class ObjectStore(Model):
    """MinIO, one drive a node, one erasure set over all nodes."""

    nodes: Annotated[int, Field(ge=4, le=16, strict=True)] = 4
    cpus: Cpus = 1.0
    memory: ByteSize = 1 * 2**30
    buckets: Buckets = Buckets()


class Backup(Model):
    """The vault and the job that fills it."""

    schedule: Cron = "*/30 * * * *"
    cpus: Cpus = 1.0
    memory: ByteSize = 512 * 2**20


class StackConfig(Model):
    """The whole data centre."""

    network: Network = Network()
    load_balancer: LoadBalancer = LoadBalancer()
    compute: Compute = Compute()
    object_store: ObjectStore = ObjectStore()
    backup: Backup = Backup()
