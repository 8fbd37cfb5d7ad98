"""The resources of a stack: the program run under mocks, the build files beside it, or exported state."""

from __future__ import annotations

import asyncio
import json
import runpy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks, set_all_config, set_mocks
from pulumi.runtime.stack import register_stack_transformation, run_pulumi_func

from components.planning import strict_yaml
from components.planning.issues import ConfigError, Issue
from components.planning.paths import ROOT
from components.runtime import regular
from components.runtime.detached import detached
from policies import buildfile
from policies.model import KINDS, Resource, Source
from policies.settings import advisories
from policies.settings.bundle import stacks
from policies.sources.places import declared

PROJECT = "aidc"
# The engine marks a secret by this signature under this key; the value is in "value" or "ciphertext".
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
HIDDEN = "(secret)"
# Placeholders for what `up` generates. They never reach a real stack: nothing is created from a plan.
FAKE_SEED = "5eed" * 16
FAKE_ISSUED = "2026-01-01"


class SourceError(ConfigError):
    """The resources cannot be read. In place of issues: the engine's fault as a sentence, `…. Fix: …`."""

    def __init__(self, problem: Sequence[Issue] | str) -> None:
        if isinstance(problem, str):
            fault, _, fix = problem.partition(". Fix: ")
            problem = [Issue("engine", fault, fix)]
        super().__init__(problem, where="")


class _Recorder(mocks.Mocks):
    """Answers every registration with its inputs, so that all outputs are known, and records them."""

    def __init__(self, root: Path) -> None:
        self._registered: list[tuple[int, Resource]] = []
        self._declared: dict[tuple[str, str], tuple[int, str]] = {}
        self._root = root

    def declare(self, args: pulumi.ResourceTransformationArgs) -> None:
        """Called within a resource's constructor, while its declaration is on the call stack."""
        self._declared[args.type_, args.name] = len(self._declared), declared(self._root)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        number, place = self._declared.get((args.typ, args.name), (-1, ""))
        resource = replace(from_engine(args.typ, args.name, args.inputs), place=place)
        self._registered.append((number, resource))
        return f"{args.name}-id", args.inputs

    def resources(self) -> tuple[Resource, ...]:
        """In the order of the program: registrations arrive in any order."""
        return tuple(resource for _, resource in sorted(self._registered, key=lambda found: found[0]))

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        return args.args, []


def from_engine(
    type_: str, name: str, props: Mapping[str, Any], urn: str = "", source: Source = "plan"
) -> Resource:
    """A resource in the engine's form; secrets are unwrapped where their value is known."""
    plain = {key: _reveal(value) for key, value in props.items()}
    return Resource(KINDS.get(type_, "other"), str(plain.get("name") or name), plain, urn, source, type_)


def _reveal(value: Any) -> Any:
    if isinstance(value, Mapping):
        if SIGNATURE_KEY in value:
            return _reveal(value["value"]) if "value" in value else HIDDEN
        return {key: _reveal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_reveal(item) for item in value]
    return value


def program(stack: str, root: Path = ROOT, seed: str = FAKE_SEED) -> tuple[Resource, ...]:
    """All resources that `__main__.py` registers for a stack, without an engine, secrets or images.

    `seed` stands in for the stack's own: what differs between two seeds depends on secrets.

    Raises:
        SourceError: there is no such stack, or the program refuses its configuration.
    """
    recorder, configuration = _Recorder(root), _configuration(stack, root, seed)

    def run() -> None:
        register_stack_transformation(recorder.declare)
        runpy.run_path(str(root / "__main__.py"), run_name="__main__")

    async def main() -> None:
        # In here, because the mocks register the root resource on the running loop.
        set_mocks(recorder, PROJECT, stack, preview=False)
        set_all_config(configuration)
        # The machine that checks need not be the one that will run the stack, nor have the build contexts.
        with detached():
            await run_pulumi_func(run)

    try:
        asyncio.run(main())
    except (pulumi.RunError, SystemExit, FileNotFoundError) as error:
        fault = f"the program does not run: {error}"
        raise SourceError([Issue(f"stack {stack}", fault, "correct what it names")]) from error
    return recorder.resources()


def plan(stack: str, root: Path = ROOT) -> tuple[Resource, ...]:
    """Everything that is known before anything is created: the program's resources, build files, pins.

    Raises:
        SourceError: see `program`; or the reviews of the pins hold mistakes, all of which are listed.
    """
    from policies.catalogue import NAMES  # noqa: PLC0415  (the rules import what this module reads)

    issues: list[Issue] = []
    pins = advisories.of_repository(root, NAMES, datetime.now(UTC).date(), issues)
    if issues:
        raise SourceError(issues)
    return (*program(stack, root), *buildfile.build_files(root), *pins)


def _configuration(stack: str, root: Path, seed: str) -> dict[str, str]:
    """The stack's YAML as the engine hands it to a program: objects as JSON, secrets as placeholders."""
    path = root / f"Pulumi.{stack}.yaml"
    if stack not in stacks(root):
        known = ", ".join(sorted(stacks(root)))
        raise SourceError([Issue(path.name, "there is no such file", f"set STACK to one of {known}")])
    try:
        text = regular.read_text(path, strict_yaml.LARGEST)
    except (OSError, UnicodeDecodeError) as error:
        fault = f"it cannot be read ({error})"
        raise SourceError([Issue(path.name, fault, "make it readable UTF-8 text")]) from None
    document = strict_yaml.parse(text, path.name, own=f"{PROJECT}:")
    if document.issues:
        raise SourceError(document.issues)
    values = document.value or {}
    if not isinstance(values, dict):
        raise SourceError([Issue(path.name, "expected a map", "begin it with `config:`", line=1)])
    values = values.get("config") or {}
    if not isinstance(values, dict):
        raise SourceError([Issue(path.name, "config: expected a map", "write aidc:datacenter below it")])
    # A stack that was never up has no day of issue yet.
    given = {f"{PROJECT}:issued": FAKE_ISSUED, **values, f"{PROJECT}:seed": seed}
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in given.items()}


def state(exported: Mapping[str, Any]) -> tuple[Resource, ...]:
    """Resources of `pulumi stack export`. Encrypted values read "(secret)".

    Raises:
        SourceError: this is not an exported stack.
    """
    resources = (exported.get("deployment") or {}).get("resources")
    if not isinstance(resources, list):
        fault, fix = "this is not an exported stack", "write it with `pulumi stack export --file FILE`"
        raise SourceError([Issue("state", fault, fix)])
    return tuple(
        from_engine(r["type"], r["urn"].rpartition("::")[2], r.get("inputs") or {}, r["urn"], "state")
        for r in resources
        if not r.get("delete")
    )
