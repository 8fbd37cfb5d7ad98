"""`make audit`: the live security audit of a running stack; what is declared is tested on what is running.

Writes `audit.json` and, from it alone, `audit.html`. It changes nothing in the stack. What needs root on the
engine's host is "not checked" elsewhere. Exit codes: 0 all pass; 1 something failed; 2 no stack, no engine or
bad input; 130 interrupted.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from audit.context import Context
from audit.document import Document
from audit.drift import declared
from audit.engine import snapshot
from audit.reachability import probes
from audit.records import VERDICTS, Drift
from audit.report import page
from audit.run import background, run
from audit.supply_chain import locks, packages
from components.planning.inventory import load
from components.planning.paths import ROOT
from operations.engine.client import Engine, connect
from operations.errors import FAILED, OK, OperationError, RefusedError
from operations.front.told import Told
from operations.output import console
from operations.overview import records, telling
from operations.process import Interrupts, say
from operations.stack.exclusive import auditing
from operations.stack.pulumi import Pulumi
from policies.sources.stacks import SourceError

COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "not checked": "yellow"}


def main(stack: str, out: Path | None = None) -> int:
    """Audit `stack` and write the two files into `out` (default: out/<stack>)."""
    folder = out or ROOT / "out" / stack
    if not probes.is_target(probes.INTERNET_ADDRESS):
        fault = f"{probes.INTERNET_ADDRESS!r} is not an IPv4 address and a port"
        raise RefusedError(f"{probes.INTERNET_VARIABLE}: {fault}\n    fix: write for example 192.0.2.7:443")
    with Interrupts(), auditing():
        say("reading plan, state and engine …")
        begun = time.monotonic()
        context, environment = gather(stack)
        say(f"  {time.monotonic() - begun:.1f} s")
        document = run(context, environment, say, begun=begun)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "audit.json"
    path.write_text(document.text(), encoding="utf-8")
    written = page.write(path)
    console().print(table(document))
    for line in differences(document):
        say(line)
    # The stack does not know it by itself.
    telling.tell(connect(), stack, Told(last_audit=records.last_audit(folder)), folder)
    say(summary(document, path, written))
    return OK if document.passed else FAILED


def gather(stack: str) -> tuple[Context, dict[str, str]]:
    """Everything that the parts share. Raises RefusedError if there is nothing to audit."""
    try:
        engine, pulumi = connect(), Pulumi(stack)
        raw, secret, exported = (
            pulumi.output("inventory"),
            pulumi.output("access", secret=True),
            pulumi.export(),
        )
        if raw is None or secret is None or exported is None:
            raise RefusedError(f"{stack} is not up; fix: `make up STACK={stack}`")
        inventory = load(raw)
        found = snapshot.take(engine.client, stack)
        if not found.running:
            raise RefusedError(f"no container of {stack} is running; fix: `make up STACK={stack}`")
        # Slow services are asked in the background, while everything else runs.
        tracker, python = background(packages.tracker), background(lambda: locks.check(ROOT))
        plan, other_plan = declared.programs(stack)
    except (OperationError, SourceError, ValidationError) as error:
        raise RefusedError(str(error)) from None
    context = Context(
        stack=stack,
        root=ROOT,
        client=engine.client,
        local=engine.is_local and os.geteuid() == 0,
        inventory=inventory,
        ca_pem=secret["ca_pem"],
        exported=exported,
        snapshot=found,
        plan=plan,
        other_plan=other_plan,
        tracker=tracker,
        python=python,
    )
    return context, _environment(engine)


def _environment(engine: Engine) -> dict[str, str]:
    facts = engine.info()
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "engine": str(facts.get("ServerVersion", "")),
        "system": str(facts.get("OperatingSystem", "")),
        "commit": commit.stdout.strip(),
    }


def table(document: Document) -> Table:
    """Every verdict, one line each; failures say how to fix them."""
    drawn = Table(
        "part", "check", "verdict", "detail", title=f"audit of {document.stack}", title_justify="left"
    )
    before = ""
    for row in document.verdicts:
        colour = COLOURS[row.verdict]
        fix = f"\nfix: {row.fix}" if row.fix and row.verdict != "pass" else ""
        part = row.part if row.part != before else ""
        before = row.part
        drawn.add_row(part, row.name, f"[{colour}]{row.verdict}[/]", escape(row.detail + fix))
    return drawn


def differences(document: Document) -> list[str]:
    """Each difference between plan and reality, with its fix."""
    found = document.drift.differences if isinstance(document.drift, Drift) else []
    return [f"{difference}\n    fix: {difference.fix}" for difference in found]


def summary(document: Document, path: Path, page_path: Path) -> str:
    found = [row.verdict for row in document.verdicts]
    numbers = ", ".join(f"{found.count(v)} {v}" for v in VERDICTS if v in found)
    verdict = "passed" if document.passed else "FAILED"
    took = f"{document.seconds:.1f} s"
    return f"audit {verdict}: stack {document.stack}, {numbers}, in {took} ({path}, {page_path})"
