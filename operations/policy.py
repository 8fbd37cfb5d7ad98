"""`make policy`: every rule on every resource of a stack, before anything is created.

The program runs under mocks with stand-in secrets, so that neither an engine nor a backend is needed. The
same rules take exported state (`--state FILE`) and what runs (`--live`).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from components.flows import FLOWS, LISTENS
from policies import levels, live, report, sources, waivers
from policies.catalogue import NAMES, RULES
from policies.documents import SettingsError
from policies.evaluate import Report, evaluate
from policies.model import Resource, Source, Stack

OUT = Path("out")


def resources(arguments: argparse.Namespace) -> tuple[Source, tuple[Resource, ...]]:
    """The stack's resources from the source that was asked for.

    Raises:
        sources.SourceError: with the fault and the fix.
    """
    if arguments.live:
        return "live", live.running(arguments.stack)
    if arguments.state:
        try:
            exported = json.loads(arguments.state.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise sources.SourceError(f"{arguments.state}: {error}") from error
        return "state", sources.state(exported)
    return "plan", sources.program(arguments.stack)


def rules_table() -> Table:
    drawn = Table("rule", "severity", "level", "CIS", "also", "description")
    for rule in RULES:
        drawn.add_row(
            rule.name, rule.severity, rule.level, " ".join(rule.cis), " ".join(rule.also), rule.description
        )
    return drawn


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, write the reports, print. Exit code: 1 on a mandatory violation, 2 where nothing was checked."""
    parser = argparse.ArgumentParser(prog="python -m operations policy", description=__doc__)
    parser.add_argument("--stack", default=os.environ.get("STACK", "dev"))
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the reports")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--state", type=Path, metavar="FILE", help="check what `pulumi stack export` wrote")
    source.add_argument("--live", action="store_true", help="check what runs on the engine")
    source.add_argument("--rules", action="store_true", help="list the rules and stop")
    chosen = parser.parse_args(arguments)
    # Wide enough for the table where there is no terminal to ask, as in CI.
    console = Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False)
    if chosen.rules:
        console.print(rules_table())
        return 0
    started = time.monotonic()
    try:
        name, found = resources(chosen)
        result = judged(chosen.stack, found)
    except (SettingsError, sources.SourceError) as error:
        print(error, file=sys.stderr)
        return 2
    seconds = time.monotonic() - started

    chosen.out.mkdir(parents=True, exist_ok=True)
    sarif, junit = chosen.out / "policy.sarif", chosen.out / "policy.junit.xml"
    sarif.write_text(report.sarif(result, RULES, chosen.stack, name), encoding="utf-8")
    junit.write_text(report.junit(result, seconds), encoding="utf-8")
    drawn = report.table(result)
    if drawn:
        console.print(drawn)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        print("\n".join(report.github(result, chosen.stack)))
    summary = report.summary(result, len(RULES), len(found), chosen.stack, name)
    print(f"{summary}, in {seconds:.1f} s ({sarif}, {junit})")
    return 0 if result.passed else 1


def judged(stack: str, found: tuple[Resource, ...]) -> Report:
    """Every rule on `found`, with the waivers and levels in force today.

    Raises:
        SettingsError: a waiver or level is faulty; the text names file and line.
    """
    in_force, overrides = waivers.load(NAMES), levels.load(stack, NAMES)
    return evaluate(Stack(found, FLOWS, LISTENS), RULES, in_force, overrides, datetime.now(UTC).date())


def check_plan(stack: str) -> tuple[str, bool]:
    """The plan's summary line, with the table of what fails when it does, and whether it passed.

    Raises:
        sources.SourceError, SettingsError: nothing could be checked.
    """
    found = sources.program(stack)
    result = judged(stack, found)
    line = report.summary(result, len(RULES), len(found), stack, "plan")
    if result.passed:
        return line, True
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(report.table(result))
    return f"{console.export_text()}{line}", False
