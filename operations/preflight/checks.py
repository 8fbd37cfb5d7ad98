"""The preflight checks, each a pure function from facts to a Check: where, the fault, and the fix."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from components.planning import saving
from components.planning.addressing import PRIVATE, SEGMENTS, subnets
from components.planning.config import DATACENTER, LoadBalancer, Network, StackConfig
from components.planning.flows import FLOWS, Flow
from components.planning.gpus import CDI, request
from components.planning.issues import Issue
from components.planning.pki import LEAF_DAYS
from components.planning.receivers import places
from components.planning.rotation import GENERATIONS
from components.planning.units import GIB
from components.runtime import regular
from components.runtime.host import cdi_gpus
from operations.engine.client import EngineResource
from operations.output import count
from operations.preflight.machine import Route
from operations.stack.file import ISSUED, SEED, StackFile

# Free space that a stack needs for data, snapshots, logs and state.
STACK_DISK = 5 * GIB
ALONE = 4 * GIB  # of memory
BESIDE = GIB  # of memory: vault, firewall, and the job that sets the object store up
IMAGE_DISK = {"compute": 9 * GIB}
OTHER_IMAGE_DISK = GIB // 2
MINIMUM_API = (1, 41)
DESCRIBE = (
    "run `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml` after each change of GPUs or MIG slices, "
    "or write a name that it lists"
)
TOOLKIT = "install nvidia-container-toolkit, run `nvidia-ctk runtime configure`, restart the engine"
# Days before the end of the certificates from which on there is a warning.
WARN_DAYS = 30


@dataclass(frozen=True)
class Check:
    """The result of one check. `note` says what was found; `skipped` that it could not be checked."""

    name: str
    issues: tuple[Issue, ...] = ()
    note: str = ""
    warnings: tuple[str, ...] = ()
    skipped: bool = False


def left_out(config: StackConfig | None) -> list[str]:
    """Warnings about what the file has no backup job save."""
    text = saving.warning(config) if config else None
    return [f"{text}; docs/backup.md"] if text else []


def engine(info: Mapping[str, Any]) -> Check:
    """Engine and API version."""
    api = str(info.get("ApiVersion", ""))
    note = f"{info.get('ServerVersion', '?')}, API {api}"
    if tuple(int(part) for part in api.split(".") if part.isdigit()) >= MINIMUM_API:
        return Check("engine", note=note)
    return Check(
        "engine", (Issue("engine", f"API {api} is too old", "install Docker Engine 20.10 or newer"),), note
    )


def bridge_filtering(info: Mapping[str, Any], kernel: bool | None) -> Check:
    """Whether traffic within a segment passes the firewall at all.

    `kernel` is the setting of this machine's kernel, None where the engine is elsewhere. From release 28 on
    the engine itself does not report it, or always reports no.
    """
    name = "bridge-filtering"
    if kernel or info.get("BridgeNfIptables"):
        return Check(name, note="net.bridge.bridge-nf-call-iptables is 1")
    release = str(info.get("ServerVersion", "")).partition(".")[0]
    if kernel is None and ("BridgeNfIptables" not in info or (release.isdigit() and int(release) >= 28)):
        warning = (
            "net.bridge.bridge-nf-call-iptables: cannot be read from here; it must be 1 on the engine's host"
        )
        return Check(name, note="cannot be read from here", warnings=(warning,))
    fault = "is not 1: traffic between containers of one segment would bypass the firewall"
    fix = "as root: modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1"
    return Check(name, (Issue("net.bridge.bridge-nf-call-iptables", fault, fix),))


def gpu_runtime(asked: Sequence[int | str], info: Mapping[str, Any], hook: bool) -> Check:
    """Whether the engine can give the GPUs `asked` for to containers."""
    name = "gpu-runtime"
    if not asked:
        return Check(name, note="no GPU requested")
    listed = cdi_gpus(info)
    if request(asked, listed).driver == "cdi":
        return Check(name, note=f"through CDI: {', '.join(listed)}")
    if hook or "nvidia" in (info.get("Runtimes") or {}):
        return Check(name, note="present")
    place = f"{DATACENTER}.compute.nodes"
    if listed:
        absent = ", ".join(str(gpu) for gpu in asked if CDI + str(gpu) not in listed)
        fault = f"the engine has CDI devices, but none for GPU {absent}; it lists {', '.join(listed)}"
        return Check(name, (Issue(place, fault, DESCRIBE),))
    return Check(
        name,
        (Issue(place, "nodes request GPUs, but the engine has no GPU runtime", TOOLKIT),),
    )


def images(wanted: Mapping[str, str], present: frozenset[str] | None) -> Check:
    """`wanted` maps an image's name to its reference; an empty reference has no build context yet.

    Without an engine `present` is None, and only the contexts can be checked.
    """
    missing = {n: ref for n, ref in wanted.items() if not ref or (present is not None and ref not in present)}
    names = ", ".join(ref or f"{name} (no build context yet)" for name, ref in missing.items())
    issues = (Issue("images", f"missing: {names}", "run `make images`"),) if missing else ()
    note = f"{len(wanted) - len(missing)} of {len(wanted)} present"
    return Check("images", issues, note, skipped=present is None)


def disk(free: int | None, folder: str, missing_images: Sequence[str]) -> Check:
    """Space for the stack's data, and for the images that have to be built."""
    if free is None:
        return Check("disk", note=f"{folder} is not on this machine", skipped=True)
    building = sum(IMAGE_DISK.get(name, OTHER_IMAGE_DISK) for name in missing_images)
    needed = STACK_DISK + building
    note = f"{folder}: {free / GIB:.1f} GiB free, {needed / GIB:.1f} GiB needed"
    if free >= needed:
        return Check("disk", note=note)
    parts = f" ({building / GIB:.1f} GiB of it for missing images)" if building else ""
    fault = f"{free / GIB:.1f} GiB free, {needed / GIB:.1f} GiB needed{parts}"
    fix = "free up space there; `docker system df` shows what images, containers and volumes use"
    return Check("disk", (Issue(f"disk {folder}", fault, fix),), note)


def memory(config: StackConfig | None, available: int | None, running: bool) -> Check:
    """Warnings only: limits are not reservations, and the memory that a job needs is up to the job."""
    nodes = config.compute.nodes if config else []
    alone = []
    if len(nodes) == 1 and nodes[0].memory < ALONE:
        alone.append(
            f"{DATACENTER}.compute.nodes[0].memory: the only node also runs each job's driver and all "
            f"replicas; give it {ALONE // GIB}GiB or more"
        )
    if config is None or available is None or running:
        return Check("memory", warnings=tuple(alone), note="the stack is up" if running else "",
                     skipped=not running)  # fmt: skip
    limits = sum(n.memory for n in nodes) + config.compute.head.memory
    limits += 0 if config.object_store.external else config.object_store.nodes * config.object_store.memory
    limits += config.load_balancer.memory + config.backup.memory + BESIDE
    note = f"{available / GIB:.1f} GiB available, the services' limits are {limits / GIB:.1f} GiB"
    short = [] if available >= limits else [f"memory: {note}; under load a process may be killed"]
    return Check("memory", note=note, warnings=(*alone, *short))


def ports(
    balancer: LoadBalancer | None,
    notebook: bool,
    stack: str,
    containers: Sequence[EngineResource],
    fault_of: Callable[[str, int], str | None],
) -> Check:
    """Every published port must be free or used by this stack. `fault_of(address, port)` tries to listen."""
    if balancer is None:
        return Check("ports", skipped=True)
    bind, issues = str(balancer.bind), {}
    for purpose, port in balancer.ports.opened(notebook).items():
        holders = [c for c in containers if any(_same_port(p, bind, port) for p in c.published)]
        if any(c.stack == stack for c in holders):
            continue
        fault = (
            f"port {port} is in use by the container {holders[0].name}" if holders else fault_of(bind, port)
        )
        if fault is None:
            continue
        path = f"{DATACENTER}.load_balancer." + ("bind" if "not an address" in fault else f"ports.{purpose}")
        fix = "stop it, or choose another port" if "in use" in fault else "choose an address of this host"
        issues[path] = Issue(path, fault, fix)
    listed = ", ".join(str(p) for p in balancer.ports.opened(notebook).values())
    return Check("ports", tuple(issues.values()), f"{bind}: {listed}")


def _same_port(published: tuple[str, int], bind: str, port: int) -> bool:
    everywhere = ("0.0.0.0", "::")
    return published[1] == port and (published[0] in (bind, *everywhere) or bind in everywhere)


def addresses(
    network: Network | None,
    stack: str,
    networks: Sequence[EngineResource],
    routes: Sequence[Route],
    policy_routes: Sequence[Route] = (),
    *,
    flows: Sequence[Flow] = FLOWS,
) -> Check:
    """The stack's subnets against those of other Docker networks and the host's routes.

    Routes of other tables cause a warning: whether they apply depends on rules that are not read here.
    """
    if network is None or network.cidr.prefixlen > 21:
        return Check("subnets", skipped=True)
    used = {flow.segment for flow in flows}
    planned = {s: n for s, n in subnets(network).items() if s in used}
    # Every Docker network has a route, too: the one of its bridge.
    docker = {subnet for n in networks for subnet in n.subnets}
    taken = [(s, f"the Docker network {n.name}") for n in networks if n.stack != stack for s in n.subnets]
    routed = [(r.network, f"the route of {r.interface}") for r in routes if r.network not in docker]
    policy = [(r.network, f"the route of {r.interface}") for r in policy_routes]
    # Where a VPN routes all private ranges, there is none to choose that it does not route.
    free = free_cidr([s for s, _ in (*taken, *routed, *policy)]) or free_cidr(
        [s for s, _ in (*taken, *routed)]
    )
    warnings = [_overlap(planned, *entry)[1] for entry in (policy if free else [*routed, *policy])]
    taken += routed if free else []
    issues = []
    for subnet, owner in taken:
        hit, fault = _overlap(planned, subnet, owner)
        if hit:
            fix = (
                f"choose another cidr, for example {free}"
                if free
                else "remove that network: no private range is free"
            )
            own = [s for s in hit if s in network.segments]
            path = f"network.segments.{own[0]}" if own == hit else "network.cidr"
            issues.append(Issue(f"{DATACENTER}.{path}", fault, fix))
    shown = tuple(f"{DATACENTER}.network: {text}" for text in warnings if text)
    return Check("subnets", tuple(issues), str(network.cidr), warnings=shown)


def _overlap(planned: Mapping[str, IPv4Network], subnet: IPv4Network, owner: str) -> tuple[list[str], str]:
    """The planned segments that `subnet` overlaps, and a sentence about them; both empty without any."""
    hit = [s for s in SEGMENTS if s in planned and planned[s].overlaps(subnet)]
    verb = "overlaps" if len(hit) == 1 else "overlap"
    return hit, f"{', '.join(hit)} {verb} with {owner} ({subnet})" if hit else ""


def free_cidr(taken: Sequence[IPv4Network]) -> str | None:
    """A private /20 that overlaps none of `taken`, or None when there is none."""
    small = (c for private in PRIVATE for c in private.subnets(new_prefix=20))
    tidy = (IPv4Network(f"10.{n}.0.0/20") for n in (*range(64, 256), *range(64)))
    free = (c for c in (*tidy, *small) if not any(c.overlaps(t) for t in taken))
    return next((str(c) for c in free), None)


def passphrase(file: StackFile, backend: str | None, environment: Mapping[str, str]) -> Check:
    """Where the state lives, and whether secrets can be encrypted there. `backend` is its URL."""
    if backend is None:
        fix = 'run `eval "$(make -s env)"`, or pulumi login'
        return Check("secrets", (Issue("PULUMI_BACKEND_URL", "Pulumi is not logged in to any backend", fix),))
    folder = unquote(urlsplit(backend).path)
    if backend.startswith("file:///") and not Path(folder).is_dir():
        return Check(
            "secrets", (Issue("PULUMI_BACKEND_URL", f"{folder}: no such folder", "run `make setup`"),)
        )
    if file.secrets_provider != "passphrase":
        return Check("secrets", note=file.secrets_provider)
    if backend.startswith("http") and not file.salted:
        return Check("secrets", note="managed by the backend")
    variable, fault = _passphrase_fault(environment)
    fix = 'run `make setup` and `eval "$(make -s env)"`, or set it to a file of your own'
    return Check("secrets", (Issue(variable, fault, fix),) if fault else (), variable)


def _passphrase_fault(environment: Mapping[str, str]) -> tuple[str, str]:
    """The variable that Pulumi will use, and what is wrong with it, in Pulumi's own order."""
    variable = "PULUMI_CONFIG_PASSPHRASE"
    if variable in environment:
        return variable, "" if environment[variable] else "is set but empty: secrets would not be protected"
    variable, path = f"{variable}_FILE", environment.get("PULUMI_CONFIG_PASSPHRASE_FILE", "")
    if not path:
        return variable, "is not set, and neither is PULUMI_CONFIG_PASSPHRASE"
    try:
        text = regular.read_text(Path(path))
    except OSError as error:
        return variable, f"{path}: {error.strerror}"
    except ValueError:
        return variable, f"{path}: is not text"
    return variable, "" if text.strip() else f"{path} is empty"


def data(file: StackFile, volumes: Sequence[EngineResource], *, running: bool = False) -> Check:
    """Data of an earlier stack can be read only with the seed that encrypted it.

    Its owner cannot be known: nobody is told to remove what may belong to another clone.
    """
    kept = [v.name for v in volumes if v.is_data and v.stack == file.stack]
    if not kept or file.has(SEED):
        return Check("data", note=f"{count(len(kept), 'volume')} will be used again" if kept else "none yet")
    path = f"config.{SEED}"
    if running:
        fault = f"another clone's stack of this name is running: no seed is known, and {kept[0]} is in use"
        fix = "manage it from its own clone; for a stack of your own choose another name, cidr and ports"
        return Check("data", (Issue(path, fault, fix),))
    lost = f"{count(len(kept), 'data volume')} of an earlier stack ({kept[0]}, …), but no seed to read them"
    fix = (
        f"they are encrypted, and may be another clone's: choose another stack name; or, if they are this "
        f"clone's, put {SEED}, {ISSUED} and, if there was one, {GENERATIONS} back into {file.path.name}. "
        "`aidc destroy --help` describes how to remove data that nobody needs"
    )
    return Check("data", (Issue(path, lost, fix),))


def object_store_size(config: StackConfig | None, made_for: int | None) -> Check:
    """A store that holds data keeps its number of nodes. `made_for` is None where there is no data."""
    name = "object-store-size"
    if config is None:
        return Check(name, skipped=True)
    nodes = config.object_store.nodes
    if config.object_store.external:
        return _moved_out(name, made_for)
    if made_for in (None, nodes):
        return Check(name, note=f"{nodes} nodes" if made_for else "no data yet")
    fault = f"{nodes}, but its data was written by {made_for} nodes and cannot be read with another number"
    fix = (
        f"write {made_for}; for another size, bring up a stack with another name, copy the buckets, and "
        "destroy this one with its data"
    )
    return Check(name, (Issue(f"{DATACENTER}.object_store.nodes", fault, fix),))


def _moved_out(name: str, made_for: int | None) -> Check:
    """A stack whose own store holds data does not change to an outside one: the data would be left behind."""
    if made_for is None:
        return Check(name, note="an outside store")
    fault = f"this stack's own store holds data on {made_for} nodes, which would be left behind"
    fix = (
        "remove object_store.external; to move, bring up another stack with the outside store, copy "
        "the buckets, and destroy this one with its data"
    )
    return Check(name, (Issue(f"{DATACENTER}.object_store.external", fault, fix),))


def outside_store(config: StackConfig | None, faults: Sequence[Issue], host: Collection[str]) -> Check:
    """The files of an outside store, and whether its addresses are another host's. `host`: this one's."""
    name = "outside-store"
    external = config.object_store.external if config else None
    if external is None:
        return Check(name, skipped=config is None, note="the stack has its own")
    mine = _of_this_machine(f"{DATACENTER}.object_store.external", external.addresses, host)
    return Check(name, (*faults, *mine), external.endpoint)


def receivers(config: StackConfig | None, faults: Sequence[Issue], host: Collection[str]) -> Check:
    """The authorities of who is told of alerts, and whether their addresses are another host's."""
    name, alerts = "receivers", f"{DATACENTER}.monitoring.alerts"
    found = places(config.monitoring.alerts) if config else ()
    mine = [i for p in found for i in _of_this_machine(f"{alerts}.{p.name}", p.addresses, host)]
    told = ", ".join(place.host for place in found) or "nobody is told of alerts"
    return Check(name, (*faults, *mine), told, skipped=config is None)


def _of_this_machine(path: str, addresses: Sequence[IPv4Address], host: Collection[str]) -> list[Issue]:
    fix = "write an address of another machine: the firewall lets no container reach this one"
    return [
        Issue(f"{path}.addresses[{index}]", f"{address} is an address of this machine itself", fix)
        for index, address in enumerate(addresses)
        if str(address) in host
    ]


def certificates(file: StackFile, today: date) -> Check:
    """How long the certificates remain valid. Never an issue: only a running stack can renew them."""
    name = "certificates"
    if file.issues or not file.has(ISSUED):
        return Check(name, note="none yet")
    left = (file.generations().renewed - today).days + LEAF_DAYS
    if left > WARN_DAYS:
        return Check(name, note=f"valid for {left} more days")
    state = f"expire in {left} days" if left >= 0 else f"expired {-left} days ago"
    return Check(name, warnings=(f"the services' certificates {state}; fix: make rotate STACK={file.stack}",))
