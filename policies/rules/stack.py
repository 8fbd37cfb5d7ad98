"""The stack as a whole: its resources have to match the flow table."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from itertools import combinations

from policies.model import Resource, Stack, connection, segment_of
from policies.rule import Fault, stack_rule

VAULT, BACKUP, PRUNER, DRILL = "vault", "backup", "vault-pruner", "drill"
# Roles without a flow.
APART = frozenset({"firewall", PRUNER, DRILL})


def _services(stack: Stack) -> Iterator[Resource]:
    """Containers with a role in the flow table; seeds have no network."""
    return (container for container in stack.of("container") if not container.is_seed)


@stack_rule(
    severity="critical",
    level="mandatory",
    fix="attach the container to exactly the segments of its role's flows in components/planning/flows.py",
)
def segment_membership(stack: Stack) -> Iterator[Fault]:
    """Checks whether every container is attached to the segments of its declared flows and to no other."""
    for container in _services(stack):
        needed = {f.segment for f in stack.flows if container.role in (f.source, f.destination)}
        joined = {segment_of(network) for network in container.networks}
        for segment in sorted(joined - needed):
            yield Fault.at(container, f"it joins {segment}, which none of its flows needs")
        for segment in sorted(needed - joined):
            yield Fault.at(container, f"it is not in {segment}, which its flows need")


@stack_rule(
    severity="medium",
    level="mandatory",
    fix="give every network its own subnet from the address plan",
)
def disjoint_subnets(stack: Stack) -> Iterator[Fault]:
    """Checks whether no address belongs to two networks."""
    planned = []
    for network in stack.of("network"):
        for config in network.each("ipamConfigs"):
            try:
                planned.append((network, ip_network(str(config.get("subnet")))))
            except ValueError:
                continue  # fixed-subnet reports it.
    for (one, subnet), (other, taken) in combinations(planned, 2):
        if subnet.overlaps(taken):
            yield Fault.at(other, f"subnet {taken} overlaps {subnet} of {one.name}")


@stack_rule(
    severity="critical",
    level="mandatory",
    fix="keep the vault in a segment with the backup role alone, mount its volume nowhere else but in a "
    'pruner without a network (networkMode "none") or, read-only, in a drill without one, and declare no '
    "other flow to it",
)
def vault_isolated(stack: Stack) -> Iterator[Fault]:
    """Checks whether only the backup role reaches the vault, and only services without network its volume."""
    for flow in stack.flows:
        if (flow.destination == VAULT and flow.source != BACKUP) or flow.source == VAULT:
            yield Fault(VAULT, f"a flow {flow.source} to {flow.destination} is declared")
    services = tuple(_services(stack))
    vaults = [container for container in services if container.role == VAULT]
    networks = {network for vault in vaults for network in vault.networks}
    # Its figures, which the metrics read; that nobody else writes there is a rule of its own.
    figures = {f"{vault.name}-readings" for vault in vaults}
    volumes = {volume for vault in vaults for volume in vault.writable_volumes} - figures
    for container in services:
        if container.role == VAULT:
            continue
        shared = networks & set(container.networks)
        if shared and container.role != BACKUP:
            yield Fault.at(container, f"it shares {', '.join(sorted(shared))} with the vault")
        alone = container.get("networkMode") == "none" and not container.networks
        if container.role == PRUNER and alone:
            continue
        reads = container.role == DRILL and alone
        mounted = set(container.writable_volumes) if reads else _mounted(container)
        for volume in sorted(volumes & mounted):
            yield Fault.at(container, f"it mounts the vault's volume {volume}")


@stack_rule(
    severity="high",
    level="mandatory",
    fix="name it aidc-<stack>-<service> and set the labels aidc.stack and aidc.role",
)
def named_and_labelled(stack: Stack) -> Iterator[Fault]:
    """Checks whether every resource is labelled with its stack and role, on which other rules rely."""
    roles = {role for flow in stack.flows for role in (flow.source, flow.destination)} | APART
    for resource in stack.resources:
        if resource.kind not in ("container", "network", "volume"):
            continue
        label = resource.label("aidc.stack")
        if not label or not resource.name.startswith(f"aidc-{label}-"):
            yield Fault.at(resource, "its name does not start with aidc- and its label aidc.stack")
    for container in _services(stack):
        if container.role not in roles:
            yield Fault.at(container, "its label aidc.role is not a role of the flow table")


def _mounted(container: Resource) -> set[str]:
    """Names of all volumes in the container, read-only ones too."""
    mounted = {str(m.get("source")) for m in container.each("mounts") if m.get("type") == "volume"}
    return mounted | {str(v.get("volumeName")) for v in container.each("volumes") if v.get("volumeName")}


@stack_rule(
    severity="high",
    level="mandatory",
    fix="serve TLS and declare it in LISTENS of components/planning/flows.py, or waive the connection",
)
def tls_in_transit(stack: Stack) -> Iterator[Fault]:
    """Checks whether every declared flow ends at a port that serves TLS."""
    plain = {
        connection(flow): None
        for flow in stack.flows
        if not any(
            listen.port <= flow.port and flow.port_end <= listen.port_end and "TLS" in listen.purpose
            for listen in stack.listens.get(flow.destination, ())
        )
    }
    for name in plain:
        yield Fault(name, "the connection is not encrypted")


@stack_rule(
    severity="high",
    level="mandatory",
    fix="add a flow from backup to the role, and the bucket to a job of backup.jobs",
)
def backup_coverage(stack: Stack) -> Iterator[Fault]:
    """Checks whether the backup covers every role that stores data, and all buckets but those left out."""
    data = {volume.name for volume in stack.of("volume") if volume.label("aidc.kind") == "data"}
    backed_up = {flow.destination for flow in stack.flows if flow.source == BACKUP}
    for container in _services(stack):
        kept = data & set(container.writable_volumes)
        if kept and container.role not in backed_up | {PRUNER}:  # whose volume is the vault's
            yield Fault.at(
                container, f"volume {', '.join(sorted(kept))} holds data that no backup flow reads"
            )
    made = _lines(stack, "object-store-setup", "buckets")
    left_out = _lines(stack, BACKUP, "unsaved")
    for bucket in sorted(made - _lines(stack, BACKUP, "buckets") - left_out):
        yield Fault(BACKUP, f"bucket {bucket} is created but not backed up")


def _lines(stack: Stack, role: str, file: str) -> set[str]:
    """Lines of a file that a role receives; empty where the content is not available."""
    contents = [
        str(upload.get("content") or "")
        for seed in stack.of("container")
        if seed.is_seed and seed.role == role
        for upload in seed.each("uploads")
        if str(upload.get("file")).endswith(f"/{file}")
    ]
    return {line for content in contents for line in content.split()}


@stack_rule(
    severity="medium",
    level="mandatory",
    fix="mount the volume with readOnly",
)
def files_readonly(stack: Stack) -> Iterator[Fault]:
    """Checks whether configuration and secrets, which only a seed writes, are mounted read-only."""
    files = {volume.name for volume in stack.of("volume") if volume.label("aidc.kind") == "files"}
    for container in _services(stack):
        for volume in sorted(files & set(container.writable_volumes)):
            yield Fault.at(container, f"it may write to the files in {volume}")


@stack_rule(
    severity="high",
    level="mandatory",
    fix="mount the volume with readOnly in all services but the one that it belongs to",
)
def one_writer(stack: Stack) -> Iterator[Fault]:
    """Checks whether no service can change what another one has written, but the pruner the vault's."""
    writers: dict[str, list[Resource]] = {}
    for container in _services(stack):
        for volume in sorted(set(container.writable_volumes)):
            writers.setdefault(volume, []).append(container)
    for volume, those in writers.items():
        if {container.role for container in those} == {VAULT, PRUNER} and len(those) == 2:
            continue
        # Whose it is, its name says; where that is not one of them, each is at fault.
        guests = [container for container in those if not volume.startswith(f"{container.name}-")]
        if len(those) > 1:
            for container in guests or those:
                yield Fault.at(container, f"it may write to {volume}, as another service does")
