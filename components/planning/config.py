"""The stack's YAML as frozen, typed models.

One way in: `load(raw, stack, host)`. It reports every mistake at once, each with its path, the fault and a
fix, before anything is created. Nothing here performs I/O: the host's size comes in as an argument.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from components.planning.addressing import PRIVATE
from components.planning.buckets import Buckets, Declared, SystemBuckets, declared
from components.planning.fields import ByteSize, Model
from components.planning.flows import HOME, INFERENCE, MONITORING, NOTEBOOK, RAY_API, READING, S3, TRACKING
from components.planning.gpus import Gpu
from components.planning.jobs import Cron, Jobs, Retention
from components.planning.outside import External
from components.planning.receivers import Alerts
from components.planning.units import GIB, MIB, cpus_text

DATACENTER = "aidc:datacenter"
STACK_NAME = re.compile(r"^[a-z][a-z0-9]{0,15}\Z")


@dataclass(frozen=True)
class HostFacts:
    """What the engine's machine has: logical CPUs, memory in bytes, GPUs (None: cannot be seen from here).

    `asleep` are GPUs that the driver knows and that have no device file yet, `uuids` those of all by index
    where the driver tells them, `cdi` the devices that the engine lists by their CDI names.
    """

    cpus: int
    memory: int
    gpus: int | None
    asleep: int = 0
    uuids: tuple[str, ...] = ()
    cdi: frozenset[str] = frozenset()


def _cpus(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.60} is not a number of CPUs")
    # Hundredths are the engine's smallest share, and exact in its unit of 1e-9.
    if round(value, 2) != value:
        raise ValueError(f"{value!r:.60} has too many decimals")
    # Below a tenth the floor of each service says what is wrong.
    if value >= 0.1 and float(told := cpus_text(value)) != value:
        raise ValueError(f"{value!r} becomes {told} on its way to the engine: write one decimal")
    return float(value)


def _bind(value: object) -> object:
    if not isinstance(value, str | IPv4Address):
        raise ValueError(f"{value!r:.60} is not an IPv4 address")
    return value


def _unicast(value: IPv4Address) -> IPv4Address:
    everywhere = value == IPv4Address(0)
    if not everywhere and (value.is_multicast or value.is_reserved or value in IPv4Network("0.0.0.0/8")):
        raise ValueError(f"{value} is not an address that a host can have")
    return value


def _network_text(value: object) -> object:
    if not isinstance(value, str | IPv4Network):
        raise ValueError(f"{value!r:.60} is not an IPv4 network")
    return value


def _private_network(value: IPv4Network) -> IPv4Network:
    # Not `is_private`: that also includes loopback, link-local, documentation and reserved ranges.
    if not any(value.subnet_of(private) for private in PRIVATE):
        raise ValueError(f"{value} is not a private network (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16)")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]|[a-z]", value):
        raise ValueError(f"{value!r} may contain only lower-case letters, digits and inner hyphens")
    if value == FILES:
        raise ValueError(f"{value!r} is taken: compute-{value} fills the volume that all nodes read")
    return value


Rate = Annotated[int, Field(ge=1, le=100_000, strict=True)]
Port = Annotated[int, Field(ge=1024, le=65535, strict=True)]
Cpus = Annotated[float, BeforeValidator(_cpus), Field(le=1024)]
Name = Annotated[str, Field(min_length=1, max_length=20), AfterValidator(_name)]
Address = Annotated[IPv4Address, BeforeValidator(_bind), AfterValidator(_unicast)]
PrivateNetwork = Annotated[IPv4Network, BeforeValidator(_network_text), AfterValidator(_private_network)]
SegmentName = Literal["edge", "service", "fabric", "storage", "backup", "monitor", "egress"]

# With it a node's container would have the name of the one that holds the files of all nodes.
FILES = "files"
# Below these a service does not start, or not in time: all were tested together.
FLOOR_CPUS = 0.25
RAY_CPUS = 0.5
RAY_MEMORY = 2048 * MIB
# Above Ray's object store (300 MiB), which would otherwise move to /tmp and count twice against memory.
RAY_SHM = 320 * MIB


class Network(Model):
    """Address space. `cidr` is divided into equal subnets; `segments` overrides single ones."""

    cidr: PrivateNetwork = IPv4Network("10.77.0.0/20")
    """A private network of /21 or larger, for example `10.77.0.0/20`, that nothing else on the host uses."""
    segments: dict[SegmentName, PrivateNetwork] = Field(default={})
    """Subnets of /24 or larger for single segments, for example `{storage: 192.168.7.0/24}`."""


class PublishedPorts(Model):
    """TCP ports on the host that lead to the load balancer."""

    inference: Port = INFERENCE
    """HTTPS: `/v1/models/<model>:predict`."""
    s3: Port = S3
    """HTTPS: the object store's S3 API."""
    ray: Port = RAY_API
    """HTTPS: Ray's dashboard and job API."""
    tracking: Port = TRACKING
    """HTTPS: MLflow's page and API: runs, metrics, registered models."""
    monitoring: Port = MONITORING
    """HTTPS: VictoriaMetrics' page and query API: dashboards, metrics, alerts."""
    logs: Port = READING
    """HTTPS: VictoriaLogs' page and query API: what all containers write."""
    home: Port = HOME
    """HTTPS: the front door, one page that shows how all of it is doing and leads to the others."""
    notebook: Port = NOTEBOOK
    """HTTPS: JupyterLab on a compute node; published only where `notebook.enabled` is true."""

    def opened(self, notebook: bool) -> dict[str, int]:
        """Those that the host publishes, by frontend; `notebook`: whether one may run."""
        given: dict[str, int] = self.model_dump()
        return given if notebook else {name: port for name, port in given.items() if name != "notebook"}


class RequestRates(Model):
    """Requests per second that one client address may send, averaged over 10 s; more get status 429."""

    inference: Rate = 2000
    """Predictions."""
    s3: Rate = 2000
    """S3 calls."""
    ray: Rate = 200
    """Calls of the job API and the dashboard."""
    tracking: Rate = 200
    """Calls of MLflow's API and its page."""
    monitoring: Rate = 200
    """Queries, and the page."""
    logs: Rate = 200
    """Searches, and the page."""
    home: Rate = 50
    """Looks at the front door."""
    notebook: Rate = 200
    """Calls of the notebook; what passes through an open websocket is not counted."""


class LoadBalancer(Model):
    """HAProxy: the only service that is reachable from outside."""

    bind: Address = IPv4Address("127.0.0.1")
    """The host's address on which the ports are published; `0.0.0.0` stands for all of them."""
    ports: PublishedPorts = PublishedPorts()
    requests_per_second: RequestRates = RequestRates()
    cpus: Annotated[Cpus, Field(ge=FLOOR_CPUS)] = 1.0
    """CPUs, in hundredths: `0.5` is half a core."""
    memory: Annotated[ByteSize, Field(ge=128 * MIB)] = 256 * MIB
    """The most that the service may use."""


class Head(Model):
    """The Ray head: scheduling and dashboard; runs no training work."""

    cpus: Annotated[Cpus, Field(ge=RAY_CPUS)] = 1.0
    """CPUs, in hundredths."""
    memory: Annotated[ByteSize, Field(ge=RAY_MEMORY)] = 4 * GIB
    """The most that the service may use, shared memory included."""
    shm: Annotated[ByteSize, Field(ge=RAY_SHM)] = 512 * MIB
    """Shared memory: it contains Ray's object store (300 MiB)."""


class Node(Model):
    """One compute node. `gpus` are devices of the host, each given to one node only."""

    name: Name
    """1 to 20 lower-case letters, digits and inner hyphens; not `files`."""
    cpus: Annotated[Cpus, Field(ge=RAY_CPUS)] = 1.0
    """CPUs, in hundredths; all nodes together may have at most those of the host."""
    memory: Annotated[ByteSize, Field(ge=RAY_MEMORY)] = 4 * GIB
    """The most that the node may use, shared memory included; 4GiB when it is the only node."""
    shm: Annotated[ByteSize, Field(ge=RAY_SHM)] = 512 * MIB
    """Shared memory: it contains Ray's object store (300 MiB) and what workers exchange."""
    gpus: tuple[Gpu, ...] = ()
    """The host's GPUs by index or UUID, as `nvidia-smi -L` lists them: `[0, 1]` or `["GPU-<UUID>"]`; or one
    MIG slice: `["0:1"]` or `["MIG-<UUID>"]`."""


class Compute(Model):
    """The Ray cluster."""

    head: Head = Head()
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=64)] = (
        Node(name="node1"),
        Node(name="node2"),
    )


class ObjectStore(Model):
    """MinIO, one drive per node, one erasure set over all nodes; or, with `external`, a store outside."""

    nodes: Annotated[int, Field(ge=4, le=16, strict=True)] = 4
    """Fixed by the first `up`: a store that holds data keeps its number of nodes."""
    cpus: Annotated[Cpus, Field(ge=FLOOR_CPUS)] = 1.0
    """CPUs of each node, in hundredths."""
    memory: Annotated[ByteSize, Field(ge=512 * MIB)] = 1 * GIB
    """The most that each node may use."""
    external: External | None = None
    buckets: Buckets = Field(default={})
    system_buckets: SystemBuckets = SystemBuckets()

    def declared(self) -> tuple[Declared, ...]:
        """Every bucket that the store has to have."""
        return declared(self.buckets, self.system_buckets)


class Backup(Model):
    """The vault and the jobs that fill it; without `jobs` there is one, `everything`, that saves all."""

    schedule: Cron = "*/5 * * * *"
    """Five cron fields, UTC, for example `"15 2 * * mon-fri"`; one run also starts with the service."""
    dump_hours: Annotated[int, Field(ge=1, le=168, strict=True)] = 1
    """Hours after which a run also dumps the databases, counts their rows and reads back what it saved."""
    cpus: Annotated[Cpus, Field(ge=FLOOR_CPUS)] = 1.0
    """CPUs, in hundredths."""
    memory: Annotated[ByteSize, Field(ge=256 * MIB)] = 512 * MIB
    """The most that the jobs, one at a time, may use."""
    staging_capacity: Annotated[ByteSize, Field(ge=1024 * MIB)] = 64 * GIB
    """The most that the copy of the store may take on the engine's disk; a run that needs more fails."""
    vault_capacity: Annotated[ByteSize, Field(ge=1024 * MIB)] = 128 * GIB
    """The most that the vault may hold before runs fail; `make status` warns from 80 % on."""
    prune_schedule: Cron = "17 3 * * *"
    """Five cron fields, UTC: when snapshots outside the retention are deleted."""
    retention: Retention = Retention()
    jobs: Jobs = Field(default={})


class Archive(Model):
    """Write-ahead log and base backups of the database, in the bucket `database`."""

    full_days: Annotated[int, Field(ge=1, le=31, strict=True)] = 7
    """Days between two full base backups; the first one is made at the first start."""
    incremental_hours: Annotated[int, Field(ge=1, le=168, strict=True)] = 24
    """Hours between two base backups; those between full ones hold only what has changed since the last."""
    keep_full: Annotated[int, Field(ge=1, le=52, strict=True)] = 2
    """How many full ones are listed, with the log from the oldest of them on; the vault keeps older ones."""


class Drill(Model):
    """A service without a network that restores the newest snapshot for trial, from the vault's own disk."""

    schedule: Cron = "43 4 * * *"
    """Five cron fields, UTC. When the first drill, or two in a row, did not happen, `make audit` fails."""
    cpus: Annotated[Cpus, Field(ge=FLOOR_CPUS)] = 1.0
    """CPUs, in hundredths."""
    memory: Annotated[ByteSize, Field(ge=512 * MIB)] = 1 * GIB
    """The most that it may use."""


class Database(Model):
    """PostgreSQL."""

    cpus: Annotated[Cpus, Field(ge=FLOOR_CPUS)] = 1.0
    """CPUs, in hundredths."""
    memory: Annotated[ByteSize, Field(ge=512 * MIB)] = 1 * GIB
    """The most that the server may use; its caches are sized to it."""
    storage: Annotated[ByteSize, Field(ge=1024 * MIB)] = 16 * GIB
    """The most that its data may take on the engine's disk; above it the database is read-only."""
    archive: Archive = Archive()


class Tracking(Model):
    """MLflow: runs, metrics, artefacts and registered models."""

    cpus: Annotated[Cpus, Field(ge=FLOOR_CPUS)] = 1.0
    """CPUs, in hundredths."""
    memory: Annotated[ByteSize, Field(ge=1024 * MIB)] = 2 * GIB
    """The most that the server may use."""


class Monitoring(Model):
    """VictoriaMetrics: it reads the metrics of every service, keeps them, and evaluates the alerts."""

    cpus: Annotated[Cpus, Field(ge=FLOOR_CPUS)] = 0.5
    """CPUs, in hundredths."""
    memory: Annotated[ByteSize, Field(ge=192 * MIB)] = 256 * MIB
    """The most that the service may use; its caches are sized to it."""
    retention_days: Annotated[int, Field(ge=1, le=1825, strict=True)] = 30
    """Days for which metrics are kept."""
    alerts: Alerts = Alerts()


class Logs(Model):
    """VictoriaLogs: it keeps what all containers write, searchable, without secrets."""

    cpus: Annotated[Cpus, Field(ge=FLOOR_CPUS)] = 0.5
    """CPUs, in hundredths."""
    memory: Annotated[ByteSize, Field(ge=192 * MIB)] = 256 * MIB
    """The most that the service may use; its caches are sized to it."""
    storage: Annotated[ByteSize, Field(ge=256 * MIB)] = 8 * GIB
    """The most that the lines may take on the engine's disk, compressed: whole days go, the oldest first."""
    retention_days: Annotated[int, Field(ge=1, le=1825, strict=True)] = 30
    """Days for which lines are kept, where there is room for as many."""


class Notebook(Model):
    """JupyterLab as a job on a compute node, behind the load balancer: `make notebook` starts it."""

    enabled: bool = Field(default=False, strict=True)
    """Opens the way to it: the published port, and the flow from the load balancer to the compute nodes."""


class StackConfig(Model):
    """The whole data centre."""

    network: Network = Network()
    load_balancer: LoadBalancer = LoadBalancer()
    compute: Compute = Compute()
    object_store: ObjectStore = ObjectStore()
    database: Database = Database()
    tracking: Tracking = Tracking()
    backup: Backup = Backup()
    drill: Drill = Drill()
    monitoring: Monitoring = Monitoring()
    logs: Logs = Logs()
    notebook: Notebook = Notebook()
