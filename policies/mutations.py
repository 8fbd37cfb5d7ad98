"""Mutation testing of the rules: each hardening of a stack removed, each known hole opened, one by one.

A mutant is one resource with one change. It survives when no rule reports a new fault. The tests run all
mutants, and docs/policies.md has the figures; `make policy` runs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, partial
from typing import Any

from components.planning.flows import FLOWS, LISTENS
from policies import buildfile
from policies.catalogue import NAMES, RULES
from policies.evaluate import evaluate
from policies.holes import (
    BUILD_FLAGS,
    BUILD_MORE,
    CONTENTS,
    DEFAULTS,
    ENTRIES,
    ENVIRONMENT,
    FLAGS,
    HARDENING,
    HOLES,
    MORE,
    OVERRULED,
    SHADED,
    SHADES,
    WHILE_RUNNING,
    Props,
)
from policies.model import Resource, Stack
from policies.rule import ResourceRule, Rule, StackRule
from policies.settings import bundle
from policies.settings.waivers import Waiver
from policies.sources import stacks

Change = Callable[[Props], object]

STACK = "test"
# On the first of all days every waiver is in force: the figures do not change with the calendar.
DAY = date.min


@dataclass(frozen=True)
class Mutant:
    """One changed resource; `index` is the position of the original among all resources."""

    index: int
    what: str
    resource: Resource

    @property
    def name(self) -> str:
        return f"{self.resource.name}: {self.what}"


@dataclass(frozen=True)
class Figures:
    """Mutants and survivors of one kind of resource."""

    kind: str
    mutants: int
    survivors: tuple[str, ...]


def mutants(resources: tuple[Resource, ...]) -> Iterator[Mutant]:
    """Every mutant of every resource, in a fixed order."""
    for index, resource in enumerate(resources):
        if resource.kind == "buildfile":
            for what, instructions in _build_changes(resource):
                yield Mutant(index, what, replace(resource, props={"instructions": instructions}))
            continue
        if resource.kind == "other":
            if resource.type.startswith("pulumi-python:"):  # One is enough: only its type is checked.
                for values in HOLES["other"]:
                    yield Mutant(index, f"type {values['type']}", replace(resource, **values))
            continue
        ways = (_options, _parts, _contents, _settings, _holes)
        for what, change in (found for way in ways for found in way(resource)):
            props = deepcopy(dict(resource.props))
            change(props)
            yield Mutant(index, what, replace(resource, props=props))


def _options(resource: Resource) -> Iterator[tuple[str, Change]]:
    """Single properties, removed."""
    for name in HARDENING.get("seed" if resource.is_seed else resource.kind, ()):
        value = resource.get(name)
        # `start` is hardening where it is false; empty lists and a false `internal` (the edge) are not.
        if name == "start" or (value and value != DEFAULTS.get(name)):
            yield f"no {name}", partial(_without, name)


def _without(name: str, props: Props) -> None:
    del props[name]


def _parts(resource: Resource) -> Iterator[tuple[str, Change]]:
    """Parts of ports, attachments, mounts, uploads and tmpfs, removed."""
    for name, key in (("ports", "ip"), ("networksAdvanced", "ipv4Address"), ("uploads", "permissions")):
        for index, _ in enumerate(resource.each(name)):
            yield f"no {name}[{index}].{key}", partial(_without_part, name, index, key)
    for index, _ in enumerate(resource.each("networksAdvanced")):
        yield f"no networksAdvanced[{index}]", partial(_leave, index)
    for index, mount in enumerate(resource.each("mounts")):
        if mount.get("readOnly"):
            yield f"no mounts[{index}].readOnly", partial(_without_part, "mounts", index, "readOnly")
    for path, value in resource.mapping("tmpfs").items():
        for flag in ("noexec", "nosuid", "size="):
            less = ",".join(option for option in value.split(",") if not option.startswith(flag))
            yield f"no {flag} on {path}", partial(_set, {"tmpfs": {**resource.mapping("tmpfs"), path: less}})


def _contents(resource: Resource) -> Iterator[tuple[str, Change]]:
    """Files for the object store, in which one word is another."""
    for index, upload in enumerate(resource.each("uploads")):
        for before, after in CONTENTS:
            content = str(upload.get("content") or "")
            if before in content:
                change = partial(_rewrite, index, content.replace(before, after))
                yield f"{upload.get('file')}: no {before}", change


def _rewrite(index: int, content: str, props: Props) -> None:
    props["uploads"][index]["content"] = content


def _without_part(name: str, index: int, key: str, props: Props) -> None:
    del props[name][index][key]


def _leave(index: int, props: Props) -> None:
    """Detach a container from one segment."""
    if props.get("networkMode") == props["networksAdvanced"].pop(index)["name"]:
        del props["networkMode"]


def _set(values: Props, props: Props) -> None:
    props.update(deepcopy(values))


def _settings(resource: Resource) -> Iterator[tuple[str, Change]]:
    """Settings of the service itself, and its image."""
    for variable in resource.each("envs"):
        if variable.startswith(ENVIRONMENT):
            yield f"no variable {variable}", partial(_remove, "envs", variable)
    for flag in FLAGS:
        if flag in resource.each("command"):
            yield f"no {flag}", partial(_remove, "command", flag)
    if "--append-only" in resource.each("command"):
        for word in OVERRULED:
            yield f"command, then {word}", partial(_add, "command", word)
        yield "command behind --", partial(_behind, "--append-only")
    for variable in resource.each("envs"):
        if variable.startswith(ENVIRONMENT):
            twice = f"{variable.partition('=')[0]}=mutant"
            yield f"variable {variable}, then {twice}", partial(_add, "envs", twice)
    if resource.kind == "container":
        repository = resource.text("image").partition(":")[0]
        for image in (repository, f"{repository}:latest", f"mutant/{resource.text('image')}"):
            yield f"image {image}", partial(_set, {"image": image})


def _behind(word: str, props: Props) -> None:
    """Move a flag behind the end of the options."""
    at = props["command"].index(word)
    props["command"] = [*props["command"][:at], "--", *props["command"][at:]]


def _enter(name: str, key: str, value: str, props: Props) -> None:
    props[name] = {**props.get(name, {}), key: value}


def _remove(name: str, item: str, props: Props) -> None:
    props[name].remove(item)


def _holes(resource: Resource) -> Iterator[tuple[str, Change]]:
    """Known holes, opened; in a seed only those that matter without a running process."""
    none = WHILE_RUNNING if resource.is_seed else frozenset()
    for values in HOLES.get(resource.kind, ()):
        if any(resource.get(name) != value for name, value in values.items()) and none.isdisjoint(values):
            yield ", ".join(f"{k} = {v}" for k, v in values.items()), partial(_set, values)
    if resource.kind == "container":
        for name, items in MORE.items():
            for item in items if name not in none else ():
                yield f"{name} + {item}", partial(_add, name, item)
        for name, entries in ENTRIES.items():
            for key, value in entries if name not in none else ():
                yield f"{name} + {key}={value}", partial(_enter, name, key, value)
        yield (
            "capability SYS_ADMIN",
            partial(_set, {"capabilities": {"drops": ["ALL"], "adds": ["SYS_ADMIN"]}}),
        )


def _add(name: str, item: Any, props: Props) -> None:
    props[name] = [*props.get(name, ()), deepcopy(item)]


def _build_changes(resource: Resource) -> Iterator[tuple[str, tuple[buildfile.Instruction, ...]]]:
    """A build file without its user or a flag, and with an additional line at its end."""
    lines: tuple[buildfile.Instruction, ...] = resource.props["instructions"]
    if any(line.name == "USER" for line in lines):
        yield "no USER", tuple(line for line in lines if line.name != "USER")
    for flag in BUILD_FLAGS:
        if any(flag in line.arguments for line in lines):
            less = (replace(line, arguments=line.arguments.replace(flag, "")) for line in lines)
            yield f"no {flag}", tuple(less)
    for text in BUILD_MORE:
        yield f"+ {text}", (*lines, *_below(lines, text))
    for shade in SHADES:
        yield f"+ {shade}, then {SHADED}", (*lines, *_below(lines, f"{shade}\n{SHADED}"))


def _below(lines: tuple[buildfile.Instruction, ...], text: str) -> Iterator[buildfile.Instruction]:
    """Additional instructions at the end, with their resulting line numbers."""
    return (replace(more, line=lines[-1].line + more.line) for more in buildfile.parse(text))


def _failed(
    resources: tuple[Resource, ...], rules: Iterable[Rule], waivers: tuple[Waiver, ...]
) -> set[tuple[str, str, str]]:
    report = evaluate(Stack(resources, FLOWS, LISTENS), rules, waivers, {}, DAY)
    return {(o.rule.name, o.resource, o.fault) for o in report.having("failed")}


def judge(
    resources: tuple[Resource, ...], rules: Iterable[Rule], waivers: tuple[Waiver, ...]
) -> tuple[Figures, ...]:
    """The number of mutants, and those that no rule finds, for each kind of resource."""
    rules = tuple(rules)
    alone = [rule for rule in rules if isinstance(rule, ResourceRule)]
    together = [rule for rule in rules if isinstance(rule, StackRule)]
    before = _failed(resources, rules, waivers)
    made: dict[str, int] = {}
    survivors: dict[str, list[str]] = {}
    for mutant in mutants(resources):
        kind = mutant.resource.kind
        made[kind] = made.get(kind, 0) + 1
        # The rules on single resources come first: they are cheap and find nearly every mutant.
        if not _failed((mutant.resource,), alone, waivers) - before:
            everything = (*resources[: mutant.index], mutant.resource, *resources[mutant.index + 1 :])
            if not _failed(everything, together, waivers) - before:
                survivors.setdefault(kind, []).append(mutant.name)
    return tuple(Figures(kind, count, tuple(survivors.get(kind, ()))) for kind, count in made.items())


@cache
def figures() -> tuple[Figures, ...]:
    """The figures for the test stack's plan and all rules. Takes a few seconds.

    Raises:
        SourceError, SettingsError: there is no plan to mutate.
    """
    return judge(stacks.plan(STACK), RULES, bundle.load(STACK, NAMES).waivers)
