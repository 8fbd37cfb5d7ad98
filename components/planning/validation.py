"""From raw YAML to a checked StackConfig: all mistakes at once, each with its path and a fix."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sized
from itertools import combinations
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from components.planning import buckets, gpus, jobs, outside, receivers, saving
from components.planning.addressing import MINIMUM_PREFIX, subnets
from components.planning.config import DATACENTER, STACK_NAME, Head, HostFacts, Node, StackConfig
from components.planning.issues import ConfigError, Issue, escaped, shortened, suggest
from components.planning.units import GIB, size_text

FIXES = {
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "float_parsing": "write a number",
    "string_type": "write a string in quotes",
    "string_too_long": "choose a shorter name: Docker and DNS limit the whole",
    "missing": "add this key",
    "tuple_type": "write a YAML list: [a, b]",
    "model_type": "write a YAML mapping: key: value",
    "model_attributes_type": "write a YAML mapping: key: value",
    "dict_type": "write a YAML mapping: key: value",
    "too_short": "add entries",
    "too_long": "remove entries",
    "string_unicode": "write a string in quotes",
    "invalid_key": "write the key in quotes",
    "bool_type": "write true or false",
    "ip_v4_address": "write an IPv4 address of this host, for example 127.0.0.1",
    "ip_v4_network": "write an IPv4 network whose host bits are zero, for example 10.77.0.0/20",
}
FIXES_BY_KEY = {
    "memory": 'write a size with a binary unit, for example "3GiB"',
    "shm": 'write a size with a binary unit, for example "512MiB"',
    "quota": 'write a size with a binary unit, for example "8GiB"',
    "storage": 'write a size with a binary unit, for example "16GiB"',
    "staging_capacity": 'write a size with a binary unit, for example "64GiB"',
    "vault_capacity": 'write a size with a binary unit, for example "128GiB"',
    "schedule": 'write five cron fields, for example "*/30 * * * *"',
    "prune_schedule": 'write five cron fields, for example "17 3 * * *"',
    "sources": jobs.SOURCES_FIX,
    "gpus": gpus.FIX,
    "cpus": "write a number with at most two decimals, for example 0.5 or 2",
    "bind": "write an IPv4 address of this host in quotes, for example 127.0.0.1, or 0.0.0.0",
    "segments": "choose a private IPv4 network of /24 or larger, for example 192.168.7.0/24",
    "cidr": "choose a private IPv4 network of /21 or larger, for example 10.77.0.0/20",
    "name": "use 1 to 20 lower-case letters, digits and inner hyphens, beginning with a letter",
    "ports": "choose a free port between 1024 and 65535",
    "requests_per_second": "write a whole number between 1 and 100000",
    "expire_after_days": "write a whole number of days from 1 to 36500",
    "noncurrent_days": "write a whole number of days from 1 to 36500",
    "days": "write a whole number of days from 1 to 36500",
    "endpoint": outside.ENDPOINT_FIX,
    "addresses": "list the IPv4 addresses of the endpoint's name, for example [203.0.113.7]",
    "region": "write the region that the store's signatures name, for example us-east-1",
    "ca": "write the path of a PEM file",
    "credentials": "write the path of a file",
    "server": receivers.MAIL_FIX,
    "port": receivers.MAIL_PORT_FIX,
    "sender": receivers.ADDRESS_FIX,
    "user": "write the name that the mail server knows, or remove it: it is the sender then",
    "to": f"list who gets the mail: {receivers.ADDRESS_FIX}",
    "repeat_hours": "write a whole number of hours from 1 to 168",
    "alive_minutes": "write a whole number of minutes from 1 to 1440",
    "lock_days": "write a whole number of days from 1 to 36500",
    "read": "list each identity once: [compute, client]",
    "write": "list each identity once: [compute, client]",
    "delete": "list each identity once: [compute, client]",
}
# What pydantic says of them in words of Python.
FAULTS = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "is not a mapping"),
    "tuple_type": "is not a list",
    "string_unicode": "is not text",
}
# Keys that hold a size, and what it is the minimum for.
SIZES = {
    **dict.fromkeys(("memory", "shm"), " for this service"),
    **dict.fromkeys(("quota", "storage", "staging_capacity", "vault_capacity"), ""),
}
# What other S3 servers call a setting, or offer and this one does not.
KEYS_OF_OTHERS = {
    "abort_uploads_days": "remove it: the store itself removes uploads that are not completed within a day",
}
# Replaces an invalid name, so that the rest of its entry is checked too.
STAND_IN = "unnamed"


def load(raw: object, stack: str, host: HostFacts | None = None) -> StackConfig:
    """Check `raw` (the value of `aidc:datacenter`, a mapping or None) and return the typed configuration.

    `host` limits CPUs, memory and GPUs; None skips that check (another machine will run the stack).
    Raises ConfigError with every mistake found.
    """
    issues = (
        []
        if STACK_NAME.fullmatch(stack)
        else [
            Issue("stack", f"the name {stack!r} is not usable", "use 1 to 16 lower-case letters and digits")
        ]
    )
    raw = {} if raw is None else raw
    if not isinstance(raw, Mapping):
        raise ConfigError([*issues, Issue(DATACENTER, "is not a mapping", FIXES["model_type"])])
    remaining: Any = copy.deepcopy(dict(raw))
    config, pruned = None, set[str]()
    while config is None:
        try:
            config = StackConfig.model_validate(remaining)
        except ValidationError as error:
            # A list with invalid entries is also reported as too short: an echo, not a mistake.
            details = [e for e in error.errors(include_url=False) if not _is_echo(e)]
            # A required key that was pruned is reported as missing, and what held it as empty: echoes, too.
            issues += [_explain(e) for e in details if not _holds_any(_path(e["loc"]), pruned)]
            pruned |= {_path(e["loc"]) for e in details}
            # Without the invalid parts the rest can still be cross-checked, so that one run shows everything.
            # Found before any is removed: where one is gone, what holds it would be taken for the next.
            parts = [_part(remaining, e["loc"]) for e in details]
            if not all(parts):
                raise ConfigError(issues) from None
            for container, key in {(id(p[0]), p[1]): p for p in parts if p}.values():
                _prune(container, key)
    cross = [i for i in cross_check(config, host) if not any(_below(i.path, p) for p in pruned)]
    if issues or cross:
        raise ConfigError(list(dict.fromkeys(issues + cross)))
    return config


def _holds_any(path: str, pruned: set[str]) -> bool:
    return any(_below(p, path) for p in pruned)


def _below(path: str, other: str) -> bool:
    """Whether `path` is `other`, or part of it: the name of one entry may begin with that of another."""
    return path == other or path.startswith((f"{other}.", f"{other}["))


def cross_check(config: StackConfig, host: HostFacts | None) -> Iterator[Issue]:
    """Checks that need more than one field."""
    yield from _check_network(config)
    yield from buckets.issues(config.object_store.buckets, f"{DATACENTER}.object_store.buckets")
    yield from saving.issues(config)
    networks = (
        list(subnets(config.network).values()) if config.network.cidr.prefixlen <= MINIMUM_PREFIX else ()
    )
    yield from outside.issues(config.object_store.external, networks, f"{DATACENTER}.object_store.external")
    yield from receivers.issues(config.monitoring.alerts, networks, f"{DATACENTER}.monitoring.alerts")
    ports = config.load_balancer.ports.opened(config.notebook.enabled)
    for name, port in ports.items():
        others = [n for n, p in ports.items() if p == port and n != name]
        if others:
            yield Issue(
                f"{DATACENTER}.load_balancer.ports.{name}",
                f"port {port} is also given to {', '.join(others)}",
                "give every service its own port",
            )
    nodes = config.compute.nodes
    for index, node in enumerate(nodes):
        if node.name != STAND_IN and any(other.name == node.name for other in nodes[:index]):
            yield Issue(
                f"{DATACENTER}.compute.nodes[{index}].name",
                f"{node.name!r} is already used",
                "give every node its own name",
            )
    parts: list[tuple[str, Head | Node]] = [("head", config.compute.head)]
    parts += [(f"nodes[{index}]", node) for index, node in enumerate(nodes)]
    for path, part in parts:
        if part.shm >= part.memory:
            yield Issue(
                f"{DATACENTER}.compute.{path}.shm",
                "is not smaller than its memory",
                "shared memory counts against memory: lower shm or raise memory",
            )
    given = [(f"{DATACENTER}.compute.nodes[{index}].gpus", node.gpus) for index, node in enumerate(nodes)]
    yield from gpus.issues(given, host)
    if host is not None:
        yield from _check_host(config, host)


def _check_network(config: StackConfig) -> Iterator[Issue]:
    if config.network.cidr.prefixlen > MINIMUM_PREFIX:
        yield Issue(f"{DATACENTER}.network.cidr", f"{config.network.cidr} is too small", FIXES_BY_KEY["cidr"])
        return
    for (a, net_a), (b, net_b) in combinations(subnets(config.network).items(), 2):
        if net_a.overlaps(net_b):
            yield Issue(
                f"{DATACENTER}.network.segments",
                f"{a} ({net_a}) and {b} ({net_b}) overlap",
                "choose disjoint subnets, or leave segments out to have them planned",
            )
    for name, net in config.network.segments.items():
        if net.prefixlen > 24:
            yield Issue(
                f"{DATACENTER}.network.segments.{name}", f"{net} is too small", "give it a /24 or larger"
            )


def _check_host(config: StackConfig, host: HostFacts) -> Iterator[Issue]:
    nodes = config.compute.nodes
    path = f"{DATACENTER}.compute.nodes"
    # The sums below cover the nodes and the head's memory.
    for where, part in (*_parts(config), ("compute.head", config.compute.head)):
        if (asked := part.cpus) > host.cpus:
            fault = f"{asked:g} CPUs are more than the host has ({host.cpus})"
            yield Issue(f"{DATACENTER}.{where}.cpus", fault, f"write at most {host.cpus}")
    for where, part in _parts(config):
        if (size := part.memory) > host.memory:
            fault = f"{size_text(size)} is more than the host has ({host.memory / GIB:.1f} GiB)"
            yield Issue(f"{DATACENTER}.{where}.memory", fault, "lower memory")
    cpus = sum(n.cpus for n in nodes)
    if cpus > host.cpus:
        fix = f"lower cpus so that the sum is at most {host.cpus}"
        yield Issue(path, f"nodes request {cpus:g} CPUs in total, the host has {host.cpus}", fix)
    memory = sum(n.memory for n in nodes) + config.compute.head.memory
    if memory > host.memory:
        have, want = host.memory / GIB, memory / GIB
        yield Issue(
            path, f"head and nodes request {want:.1f} GiB, the host has {have:.1f} GiB", "lower memory"
        )


def _parts(config: StackConfig) -> Iterator[tuple[str, Any]]:
    """All that a container's limits are declared of, each by its key; nodes and head are apart."""
    for name in StackConfig.model_fields:
        part = getattr(config, name)
        if {"cpus", "memory"} <= type(part).model_fields.keys():
            yield name, part


def _path(location: tuple[int | str, ...]) -> str:
    # A key can be any text, of any length, and what a terminal would obey is only shown.
    parts = (
        f"[{p}]" if isinstance(p, int) else f".{escaped(shortened(p))}" for p in location if p != "[key]"
    )
    return DATACENTER + "".join(parts)


def _explain(error: ErrorDetails) -> Issue:
    location = error["loc"]
    key = str(location[-1]) if location else ""
    if error["type"] == "extra_forbidden":
        known = sorted(_keys_at(StackConfig, location[:-1]))
        fix = KEYS_OF_OTHERS.get(key) or suggest(key, known, f"known keys: {', '.join(known)}")
        return Issue(_path(location), "unknown key", fix)
    if key == "[key]" and location[:2] == ("object_store", "buckets"):
        return Issue(_path(location), _message(error, key), buckets.fix_of_name(str(location[2])))
    if key == "[key]" and location[:2] == ("backup", "jobs"):
        return Issue(_path(location), _message(error, key), FIXES_BY_KEY["name"])
    if error["type"] == "literal_error":
        known = re.findall("'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
        fix = suggest(error["input"], known, f"known: {', '.join(known)}")
        return Issue(_path(location), f"{error['input']!r:.60} is not one of {', '.join(known)}", fix)
    if error["type"] == "too_long":
        return Issue(_path(location), _message(error, key), _at_most(error))
    message = _message(error, key)
    known_keys = [str(part) for part in reversed(location) if str(part) in FIXES_BY_KEY]
    by_key = FIXES_BY_KEY[known_keys[0]] if known_keys else None
    fix = FIXES.get(error["type"]) or by_key or _within(error) or "see docs/configuration.md"
    # An address of another host is no address of this one.
    other_host = "external" in location or "addresses" in location
    if by_key and (error["type"].startswith(("value_error", "greater", "less")) or other_host):
        fix = by_key
    return Issue(_path(location), message[:1].lower() + message[1:], fix)


def _at_most(error: ErrorDetails) -> str:
    """How many entries may stay."""
    most = int((error.get("ctx") or {})["max_length"])
    if error["loc"] == ("object_store", "buckets"):
        own = ", ".join(buckets.DEFAULTS)
        return f"declare at most {most - len(buckets.DEFAULTS)} beside those of every stack: {own}"
    return f"write at most {most}"


def _within(error: ErrorDetails) -> str:
    """What a number outside of its bounds has to be; empty for anything else."""
    context = error.get("ctx") or {}
    if "ge" in context:
        return f"write a number of at least {context['ge']:g}"
    return f"write a number of at most {context['le']:g}" if "le" in context else ""


def _message(error: ErrorDetails, key: str) -> str:
    context = error.get("ctx") or {}
    bound = context.get("ge")
    if error["type"] in FAULTS:
        return FAULTS[error["type"]]
    if error["type"] in ("too_short", "too_long") and isinstance(error["input"], Sized):
        what = "few" if error["type"] == "too_short" else "many"
        return f"has {len(error['input'])} entries, which is too {what}"
    if key in SIZES and error["type"] == "less_than_equal":
        return f"is above {size_text(int(context['le']))}, the maximum"
    if error["type"] == "greater_than_equal" and isinstance(bound, int | float):
        if key in SIZES:
            return f"is below {size_text(int(bound))}, the minimum" + SIZES[key]
        if key == "cpus":
            return f"is below {bound:g}, the minimum with which this service starts in time"
    return error["msg"].removeprefix("Value error, ")


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    parts = iter(part for part in location if not isinstance(part, int))
    for part in parts:
        annotation = model.model_fields[part].annotation
        if get_origin(annotation) is dict:
            next(parts, None)  # the key of an entry, which is no field
        nested = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type)]
        models = [a for a in nested if issubclass(a, BaseModel)]
        if not models:
            return []
        model = models[0]
    return list(model.model_fields)


def _part(raw: Any, location: tuple[int | str, ...]) -> tuple[dict[Any, Any], int | str] | None:
    """The innermost mapping on the way to the invalid part, and its key there.

    None when nothing can be removed (a required key is missing at the top). List entries stay, because
    removing one would shift the others' paths.
    """
    target, innermost = raw, None
    for part in location:
        if isinstance(target, dict) and part in target:
            innermost = (target, part)
        try:
            target = target[part]
        except (KeyError, IndexError, TypeError):
            break
    return innermost


def _prune(container: dict[Any, Any], key: int | str) -> None:
    """Remove the invalid part; an invalid name is replaced, because an entry needs one."""
    if key == "name" and container[key] != STAND_IN:
        container[key] = STAND_IN
    else:
        del container[key]


def _is_echo(error: ErrorDetails) -> bool:
    return error["type"] == "too_short" and bool(error["input"])
