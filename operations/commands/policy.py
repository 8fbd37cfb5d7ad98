"""`make policy`: every rule on every resource of a stack, before anything is created.

The plan is made with placeholder secrets, so that neither an engine nor a backend is needed. The same rules
check exported state (`--state FILE`) and the running stack (`--live`).

Exit codes: 0 no mandatory violation; 1 a mandatory violation, or a waiver that is not valid; 2 nothing was
checked: a setting or the stack's file is not valid.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from components.planning.issues import ConfigError, Issue
from components.planning.paths import ROOT
from components.runtime import regular
from policies.apply import apply_rules
from policies.catalogue import NAMES, RULES
from policies.model import Resource, Source
from policies.reports import report
from policies.reports.junit import junit
from policies.reports.sarif import sarif
from policies.settings import bundle
from policies.settings.bundle import Settings
from policies.settings.documents import SettingsError
from policies.sources import live, stacks

OUT = Path("out")
STATE_MOST = 256 << 20


def resources(arguments: argparse.Namespace) -> tuple[Source, tuple[Resource, ...]]:
    """The stack's resources from the requested source.

    Raises:
        sources.SourceError: with the fault and the fix.
    """
    if arguments.live:
        return "live", live.running(arguments.stack)
    if arguments.state:
        try:
            exported = json.loads(regular.read_text(arguments.state, STATE_MOST))
        except (OSError, ValueError) as error:
            fix = "write it with `pulumi stack export --file FILE`"
            raise stacks.SourceError([Issue(str(arguments.state), str(error), fix)]) from error
        return "state", stacks.state(exported)
    return "plan", stacks.plan(arguments.stack)


def rules_table() -> Table:
    drawn = Table("rule", "severity", "level", "CIS", "also", "description")
    for rule in RULES:
        drawn.add_row(
            rule.name, rule.severity, rule.level, " ".join(rule.cis), " ".join(rule.also), rule.description
        )
    return drawn


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="aidc policy",
        description=__doc__,
        epilog="example:\n  aidc policy --live",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--stack", default=os.environ.get("STACK", "dev"), help="default: $STACK, else dev")
    made.add_argument("--out", type=Path, default=OUT, help="folder for the reports (default: out)")
    made.add_argument(
        "--without-waived",
        action="store_true",
        help="omit waived faults from the SARIF file: GitHub would show them as open alerts",
    )
    source = made.add_mutually_exclusive_group()
    source.add_argument(
        "--state", type=Path, metavar="FILE", help="check a file written by `pulumi stack export`"
    )
    source.add_argument("--live", action="store_true", help="check the running stack")
    source.add_argument("--rules", action="store_true", help="list the rules and stop")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, write the reports, print. Exit code: 1 on a mandatory violation, 2 when nothing was checked."""
    chosen = parser().parse_args(arguments)
    # Wide enough for the table when there is no terminal, as in CI.
    console = Console(width=None if sys.stdout.isatty() else 160, soft_wrap=False)
    on_github = os.environ.get("GITHUB_ACTIONS") == "true"
    if chosen.rules:
        console.print(rules_table())
        return 0
    started, when = time.monotonic(), datetime.now(UTC)
    try:
        in_force, name, found = load_inputs(chosen)
    except ConfigError as error:
        print(error, file=sys.stderr)
        if on_github:
            print("\n".join(report.github_settings(error.issues)))
        return 2
    result = apply_rules(chosen.stack, found, in_force, name)
    located = report.located(result, chosen.stack, ROOT)
    seconds = time.monotonic() - started

    chosen.out.mkdir(parents=True, exist_ok=True)
    sarif_file, junit_file = chosen.out / "policy.sarif", chosen.out / "policy.junit.xml"
    text = sarif(located, RULES, chosen.stack, name, waived=not chosen.without_waived)
    sarif_file.write_text(text, encoding="utf-8")
    junit_file.write_text(junit(result, seconds, when), encoding="utf-8")
    drawn = report.table(result)
    if drawn:
        console.print(drawn)
    if on_github:
        print("\n".join(report.github(located)))
    summary = report.summary(result, len(RULES), len(found), chosen.stack, name)
    print(f"{summary}, in {seconds:.1f} s ({sarif_file}, {junit_file})")
    if note := report.grouping_note(located):
        print(note)
    return 0 if result.passed else 1


def load_inputs(chosen: argparse.Namespace) -> tuple[Settings, Source, tuple[Resource, ...]]:
    """Settings, source and resources. When both the settings and the source are faulty, both are reported.

    Raises:
        SettingsError, sources.SourceError: with every mistake.
    """
    try:
        in_force = bundle.load(chosen.stack, NAMES)
    except SettingsError as error:
        try:
            resources(chosen)
        except stacks.SourceError as other:
            raise SettingsError([*error.issues, *other.issues]) from None
        raise
    return in_force, *resources(chosen)
