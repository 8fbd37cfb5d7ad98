"""No hardening can be taken away unseen: each option of each resource of the program, removed in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import date
from typing import Any

from components.flows import FLOWS, LISTENS
from policies import sources, waivers
from policies.catalogue import NAMES, RULES
from policies.evaluate import evaluate
from policies.model import Resource, Stack
from policies.rule import ResourceRule, Rule, StackRule

WAIVERS = waivers.load(NAMES)
TODAY = date(2026, 12, 1)
Props = dict[str, Any]
Mutation = tuple[str, Callable[[Props], object]]

CONTAINER = (
    "user", "readOnly", "capabilities", "securityOpts", "memory", "memorySwap", "cpus", "ulimits", "sysctls",
    "healthcheck", "restart", "destroyGraceSeconds", "logOpts", "networksAdvanced", "labels",
)  # fmt: skip
SEED = ("capabilities", "securityOpts", "networkMode", "start", "labels")
NETWORK = ("internal", "ipamConfigs", "options")
VOLUME = ("labels",)
# Values that take nothing away: root is the default user, "no" the default restart.
DEFAULTS = {"user": "0", "restart": "no"}
ENVIRONMENT = ("MINIO_KMS_", "RAY_AUTH_")
FLAGS = ("--append-only", "--private-repos", "--htpasswd-file", "--tls", "--certs-dir")


def options(resource: Resource) -> Iterator[Mutation]:
    """Single properties."""
    container = SEED if resource.is_seed else CONTAINER
    names = {"container": container, "network": NETWORK, "volume": VOLUME}.get(resource.kind, ())
    for name in names:
        value = resource.get(name)
        # `start` is hardening where it is false; empty lists and a false `internal` (the edge) are not.
        if name == "start" or (value and value != DEFAULTS.get(name)):
            yield name, lambda props, name=name: props.pop(name)


def items(resource: Resource) -> Iterator[Mutation]:
    """Parts of ports, attachments, mounts, uploads and tmpfs."""

    def take(prop: str, index: int, key: str) -> Callable[[Props], object]:
        return lambda props: props[prop][index].pop(key)

    for prop, key in (("ports", "ip"), ("networksAdvanced", "ipv4Address"), ("uploads", "permissions")):
        for index, _ in enumerate(resource.each(prop)):
            yield f"{prop}[{index}].{key}", take(prop, index, key)
    for index, _ in enumerate(resource.each("networksAdvanced")):
        yield f"networksAdvanced[{index}]", lambda props, index=index: leave(props, index)
    for index, mount in enumerate(resource.each("mounts")):
        if mount.get("readOnly"):
            yield f"mounts[{index}].readOnly", take("mounts", index, "readOnly")
    for path, value in resource.mapping("tmpfs").items():
        for flag in ("noexec", "nosuid", "size="):
            less = ",".join(option for option in value.split(",") if not option.startswith(flag))
            yield (
                f"tmpfs {path} {flag}",
                lambda props, path=path, less=less: props["tmpfs"].update({path: less}),
            )


def leave(props: Props, index: int) -> None:
    """Detach a container from one segment."""
    if props.get("networkMode") == props["networksAdvanced"].pop(index)["name"]:
        del props["networkMode"]


def settings(resource: Resource) -> Iterator[Mutation]:
    """What the service itself is told, and its image."""
    for variable in resource.each("envs"):
        if variable.startswith(ENVIRONMENT):
            yield f"env {variable}", lambda props, variable=variable: props["envs"].remove(variable)
    for flag in FLAGS:
        if flag in resource.each("command"):
            yield f"command {flag}", lambda props, flag=flag: props["command"].remove(flag)
    if resource.kind == "container":
        image = resource.text("image").partition(":")[0]
        yield "image tag", lambda props: props.update(image=image)


def failed(resources: tuple[Resource, ...], rules: Iterable[Rule]) -> set[tuple[str, str, str]]:
    stack = Stack(resources, FLOWS, LISTENS)
    report = evaluate(stack, rules, WAIVERS, {}, TODAY)
    return {(o.rule.name, o.resource, o.fault) for o in report.having("failed")}


def test_every_mutant_is_caught() -> None:
    registered = sources.program("dev")
    alone = [rule for rule in RULES if isinstance(rule, ResourceRule)]
    together = [rule for rule in RULES if isinstance(rule, StackRule)]
    before = failed(registered, RULES)
    mutants, escaped = 0, []
    for index, resource in enumerate(registered):
        for what, take_away in (*options(resource), *items(resource), *settings(resource)):
            props = deepcopy(dict(resource.props))
            take_away(props)
            mutant = replace(resource, props=props)
            mutants += 1
            everything = (*registered[:index], mutant, *registered[index + 1 :])
            if not failed((mutant,), alone) - before and not failed(everything, together) - before:
                escaped.append(f"{resource.name}: {what}")
    assert escaped == []
    assert mutants > 300, "the mutations no longer fit the program"
