"""Resource limits of a container, and how it fails, stops and logs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.model import Resource, Stack
from policies.rule import Fault, resource_rule, stack_rule

FILE_DRIVERS = frozenset({"", "json-file"})
CAPPED_DRIVERS = frozenset({"local"})  # 5 files of 20 MB by default.
MOST_PROCESSES = 2**15  # The kernel's own limit on small machines.


@resource_rule(
    "container",
    severity="medium",
    level="mandatory",
    cis=("5.13",),
    also=("KSV-0014",),
    fix="set readOnly, and mount a tmpfs or a volume at the paths that must be writable",
)
def readonly_root(container: Resource) -> Iterator[str]:
    """Checks whether a container's root file system is read-only."""
    # Files are uploaded into a seed, which Docker refuses on a read-only root; nothing ever runs there.
    if not container.is_seed and container.get("readOnly") is not True:
        yield "readOnly is not set"


@resource_rule(
    "container",
    severity="low",
    level="advisory",
    fix="add the missing options, such as rw,noexec,nosuid,nodev,size=64m",
)
def tmpfs_hardened(container: Resource) -> Iterator[str]:
    """Checks whether every tmpfs has a size limit and permits no programs."""
    for path, options in container.mapping("tmpfs").items():
        flags = {flag.strip() for flag in str(options).split(",")}
        missing = [flag for flag in ("noexec", "nosuid") if flag not in flags]
        if not any(flag.startswith("size=") for flag in flags):
            missing.append("size")
        if missing:
            yield f"tmpfs {path} lacks {', '.join(missing)}"


@resource_rule(
    "container",
    severity="medium",
    level="mandatory",
    cis=("5.11",),
    also=("KSV-0018",),
    fix="set memory and memorySwap to the same number of MiB",
)
def memory_limit(container: Resource) -> Iterator[str]:
    """Checks whether a container's memory is limited, swap included."""
    if container.is_seed:
        return
    memory, swap = container.number("memory"), container.number("memorySwap")
    if memory <= 0:
        yield "memory is not limited"
    elif swap != memory:
        # Unset, Docker lets the container swap as much again; -1 is unlimited.
        yield "memorySwap differs from memory, so the container may swap"


@resource_rule(
    "container",
    severity="medium",
    level="advisory",
    cis=("5.12",),
    also=("KSV-0011",),
    fix='set cpus, such as "1.0"',
)
def cpu_limit(container: Resource) -> Iterator[str]:
    """Checks whether a container's CPU time is limited."""
    if container.is_seed:
        return
    if container.number("cpus") <= 0 and container.number("cpuQuota") <= 0 and not container.text("cpuSet"):
        yield "none of cpus, cpuQuota and cpuSet is set"


@stack_rule(
    severity="medium",
    level="mandatory",
    cis=("5.29",),
    fix="set processes of the Process instead of the ulimit nproc (components/runtime/container.py)",
)
def process_limit(stack: Stack) -> Iterator[Fault]:
    """Checks whether the number of processes is limited per container rather than per user."""
    limits = {item.text("container"): item.number("processes") for item in stack.of("limit")}
    for container in stack.of("container"):
        if container.is_seed:
            continue
        live = container.source == "live"
        limit = container.number("pidsLimit") if live else limits.get(container.name, 0)
        if limit <= 0:
            yield Fault.at(container, "its processes are not limited")
        elif limit > MOST_PROCESSES:
            yield Fault.at(container, f"a limit of {limit:.0f} processes is more than a host can hold")
        if any(item.get("name") == "nproc" for item in container.each("ulimits")):
            # It counts across the whole host: containers of one user would compete for processes.
            yield Fault.at(container, "the ulimit nproc counts the user's processes in all containers")


@resource_rule(
    "container",
    severity="low",
    level="advisory",
    cis=("5.19",),
    fix="add a ulimit nofile with a hard limit",
)
def file_limit(container: Resource) -> Iterator[str]:
    """Checks whether the number of files that a process may open is limited."""
    limits = {str(item.get("name")): float(item.get("hard") or 0) for item in container.each("ulimits")}
    if not container.is_seed and limits.get("nofile", 0) <= 0:
        yield "no ulimit nofile"


@resource_rule(
    "container",
    severity="medium",
    level="advisory",
    cis=("5.15",),
    fix='set restart to "on-failure" with a maxRetryCount',
)
def restart_bounded(container: Resource) -> Iterator[str]:
    """Checks whether a failing service is restarted, but not indefinitely."""
    restart, tries = container.text("restart") or "no", container.number("maxRetryCount")
    if container.is_seed or (container.is_job and restart == "no"):  # Nothing to restart.
        return
    if restart != "on-failure":
        yield f"restart is {restart}"
    elif tries < 1:
        yield "restart on-failure has no maxRetryCount"


@resource_rule(
    "container",
    severity="medium",
    level="mandatory",
    cis=("4.6", "5.27"),
    also=("DS-0026",),
    fix='set healthcheck.tests, such as ["CMD", "program", "argument"]',
)
def healthcheck(container: Resource) -> Iterator[str]:
    """Checks whether a service has a health check."""
    if container.is_seed or container.is_job:  # A job reports by its exit code.
        return
    tests = [str(item) for item in container.mapping("healthcheck").get("tests") or ()]
    if not tests or tests == [""]:
        yield "healthcheck is not set"
    elif tests[0] == "NONE":
        yield "healthcheck is disabled"
    elif len(tests) < 2 or not any(part.strip() for part in tests[1:]):
        yield "healthcheck has no command"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    fix="set destroyGraceSeconds to the time that the service needs to shut down",
)
def graceful_stop(container: Resource) -> Iterator[str]:
    """Checks whether a service has time to finish its writes and requests when it is stopped."""
    if container.is_seed or container.source == "live":  # A setting of the provider, unknown to the engine.
        return
    if container.number("destroyGraceSeconds") < 1:
        yield "destroyGraceSeconds is not set, so it is killed immediately"


@resource_rule(
    "container",
    severity="low",
    level="advisory",
    fix="set logOpts max-size and max-file; with a driver that sends lines away, cache-max-size",
)
def log_cap(container: Resource) -> Iterator[str]:
    """Checks whether a container's log cannot fill the disk."""
    if container.is_seed or container.text("logDriver") in CAPPED_DRIVERS:
        return
    # Of the others the engine keeps a copy of its own, from which `docker logs` reads.
    name = "max-size" if container.text("logDriver") in FILE_DRIVERS else "cache-max-size"
    size = str(container.mapping("logOpts").get(name) or "")
    # As the engine parses a size: "10m", "10MB", "0.5 GiB"; "-1" would be unlimited.
    if not re.fullmatch(r"(?=.*[1-9])\d+(\.\d+)? ?([kmgtp]i?)?b?", size, re.IGNORECASE):
        yield f"logOpts has no {name}"
