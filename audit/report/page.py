"""The audit's page, made from `audit.json` alone: one file, no script, nothing from outside.

This module turns the document into the template's context: words and numbers as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from markupsafe import Markup

from audit.document import Document, Timing, load
from audit.records import VERDICTS, Attacks, Drift, NoData, Reachability, RuleRecord
from audit.report import picture
from audit.verdicts import plural
from components.runtime.rendering import pages

TEMPLATES = Path(__file__).parent / "templates"
TITLES = {
    "reachability": "Reachability",
    "drift": "Plan and reality",
    "policies": "Policies, three ways",
    "attacks": "Attacks from inside",
    "certificates": "Certificates",
    "storage": "Object store",
    "restorable": "Backup and restore drill",
    "waivers": "Waivers",
    "packages": "Packages of the images",
    "advisories": "Known advisories",
    "sbom": "Bills of materials",
    "python": "Python packages",
}
# Verdict → class of its pill.
LOOKS = {"pass": "pass", "warn": "open", "fail": "fail", "not checked": "open"}
SIGNS = {"refused": "·", "succeeded": "✕", "not possible": "–"}
ATTACK_LOOKS = {"refused": "shut", "succeeded": "wrong", "not possible": "none"}


def write(path: Path) -> Path:
    """Write `audit.html` beside the document; returns its path. Raises audit.document.DocumentError."""
    page = path.with_name("audit.html")
    page.write_text(render(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    return page


def render(raw: Mapping[str, Any]) -> str:
    """The page of the document that `raw` holds. Raises audit.document.DocumentError."""
    document = load(raw)
    style = Markup((TEMPLATES / "audit.css").read_text(encoding="utf-8"))
    return pages(TEMPLATES).get_template("audit.html.j2").render(style=style, **context(document))


def context(document: Document) -> dict[str, Any]:
    verdicts, python = document.verdicts, document.python
    return {
        "stack": document.stack,
        "schema": document.schema_,
        "headline": _headline(document),
        "failures": [v for v in verdicts if v.verdict == "fail"],
        "open": [v for v in verdicts if v.verdict in ("warn", "not checked")],
        "groups": _groups(document),
        "matrix": picture.draw(document.reachability),
        "not_probed": _not_probed(document.reachability),
        "counters": _counters(document.reachability),
        "drift": None if isinstance(document.drift, NoData) else _drift(document.drift),
        "rules": None if isinstance(document.policies, NoData) else _rules(document.policies.rules),
        "attacks": None if isinstance(document.attacks, NoData) else _attacks(document.attacks),
        "certificates": []
        if isinstance(document.certificates, NoData)
        else document.certificates.certificates,
        "waivers": [] if isinstance(document.waivers, NoData) else document.waivers.waivers,
        "findings": [] if isinstance(document.packages, NoData) else document.packages.findings,
        "python": [] if isinstance(python, NoData) else python.findings,
        "timings": _timings(document.timings),
    }


def _headline(document: Document) -> dict[str, Any]:
    found = [v.verdict for v in document.verdicts]
    failed, total = found.count("fail"), len(found)
    if failed:
        text = f"{failed} of {plural(total, 'check')} failed"
    elif open_ := total - found.count("pass"):
        text = f"{found.count('pass')} of {plural(total, 'check')} passed, {open_} open"
    else:
        text = f"All {plural(total, 'check')} passed"
    environment = document.environment
    facts = [
        ("Started", f"{document.started.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"),
        ("Took", f"{document.seconds:.1f} s"),
        ("Engine", environment.engine),
        ("Kernel", environment.kernel),
        ("Commit", environment.commit),
    ]
    counted = [(LOOKS[v], found.count(v), v) for v in VERDICTS if v in found]
    return {"text": text, "facts": [f for f in facts if f[1]], "counts": counted}


def _groups(document: Document) -> list[dict[str, Any]]:
    """The verdict table, by part."""
    names = dict.fromkeys(v.part for v in document.verdicts)
    return [
        {
            "title": TITLES.get(name, name),
            "rows": [
                {**v.model_dump(), "look": LOOKS[v.verdict]} for v in document.verdicts if v.part == name
            ],
        }
        for name in names
    ]


def _not_probed(reachability: Reachability | NoData) -> list[tuple[str, str]]:
    if isinstance(reachability, NoData):
        return []
    return [(p.name, p.note) for p in reachability.places if p.kind == "service" and p.note]


def _counters(reachability: Reachability | NoData) -> list[tuple[str, int]]:
    return [] if isinstance(reachability, NoData) else sorted(reachability.counters.items())


def _drift(drift: Drift) -> dict[str, Any]:
    return {**drift.model_dump(), "compared_text": plural(drift.compared, "field")}


def _rules(entries: Sequence[RuleRecord]) -> dict[str, Any] | None:
    if not entries:
        return None
    sources = list(entries[0].sources)
    rows = [
        {
            **entry.model_dump(),
            "cells": [
                {
                    "status": source.status,
                    "look": _status(source.status, entry.level),
                    "title": ", ".join((*source.failed, *source.waived)),
                }
                for source in (entry.sources[name] for name in sources)
            ],
        }
        for entry in entries
    ]
    apart = sum(bool(entry.disagreements) for entry in entries)
    broken = sum(any(c["look"] == "fail" for c in row["cells"]) for row in rows)
    return {"sources": sources, "rows": rows, "apart": apart, "open": bool(apart or broken)}


def _status(status: str, level: str) -> str:
    if status == "failed":
        return "fail" if level == "mandatory" else "open"
    return "quiet" if status == "passed" else "open"


def _attacks(attacks: Attacks) -> dict[str, Any] | None:
    attempts = attacks.attempts
    if not attempts:
        return None
    services = list(dict.fromkeys(t.service for t in attempts))
    by_pair = {(t.attempt, t.service): t for t in attempts}
    rows = []
    for name, title in attacks.titles.items():
        mine = [(s, by_pair[name, s]) for s in services]
        cells = [
            {
                "look": ATTACK_LOOKS[t.result],
                "sign": SIGNS[t.result],
                "title": f"{service}: {title}: {t.result}, {t.detail}",
            }
            for service, t in mine
        ]
        rows.append({"title": title, "cells": cells})
    tried = sum(t.result != "not possible" for t in attempts)
    return {
        "services": services,
        "rows": rows,
        "tried": plural(tried, "attempt"),
        "left": len(attempts) - tried,
    }


def _timings(timings: Sequence[Timing]) -> list[dict[str, Any]]:
    longest = max((t.seconds for t in timings), default=0.0) or 1.0
    return [
        {
            "title": TITLES.get(t.part, t.part),
            "seconds": f"{t.seconds:.1f} s",
            "share": max(0.5, round(100 * t.seconds / longest, 1)),
        }
        for t in timings
    ]
