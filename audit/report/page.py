"""The audit's page, made from `audit.json` alone: one file, no script, nothing from outside.

This module turns the document into the template's context: words and numbers as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from audit.report import picture
from audit.verdicts import SCHEMA, VERDICTS, plural

TEMPLATES = Path(__file__).parent / "templates"
Document = Mapping[str, Any]
TITLES = {
    "reachability": "Reachability",
    "drift": "Plan and reality",
    "policies": "Policies, three ways",
    "attacks": "Attacks from inside",
    "certificates": "Certificates",
    "waivers": "Waivers",
    "packages": "Packages of the images",
    "python": "Python packages",
}
# Verdict → class of its pill.
LOOKS = {"pass": "pass", "warn": "open", "fail": "fail", "not checked": "open"}
SIGNS = {"refused": "·", "succeeded": "✕", "not possible": "–"}
ATTACK_LOOKS = {"refused": "shut", "succeeded": "wrong", "not possible": "none"}


class PageError(ValueError):
    """The file is no audit; the text says what it is."""


def write(path: Path) -> Path:
    """Make `audit.html` beside the document; its path. Raises PageError."""
    page = path.with_name("audit.html")
    page.write_text(render(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    return page


def render(document: Document) -> str:
    """The page as text. Raises PageError for a document of another schema."""
    if document.get("schema") != SCHEMA:
        raise PageError(f"expected the schema {SCHEMA}, found {document.get('schema')!r}")
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((TEMPLATES / "audit.css").read_text(encoding="utf-8"))
    return environment.get_template("audit.html.j2").render(style=style, **context(document))


def context(document: Document) -> dict[str, Any]:
    verdicts = document["verdicts"]
    return {
        "stack": document["stack"],
        "schema": document["schema"],
        "headline": _headline(document),
        "failures": [v for v in verdicts if v["verdict"] == "fail"],
        "open": [v for v in verdicts if v["verdict"] in ("warn", "not checked")],
        "groups": _groups(document),
        "matrix": picture.draw(document.get("reachability", {})),
        "not_probed": _not_probed(document),
        "counters": sorted(document.get("reachability", {}).get("counters", {}).items()),
        "drift": _drift(document),
        "rules": _rules(document),
        "attacks": _attacks(document),
        "certificates": document.get("certificates", {}).get("certificates", []),
        "waivers": document.get("waivers", {}).get("waivers", []),
        "findings": document.get("packages", {}).get("findings", []),
        "python": document.get("python", {}).get("findings", []),
        "timings": _timings(document),
    }


def _headline(document: Document) -> dict[str, Any]:
    found = [v["verdict"] for v in document["verdicts"]]
    failed, total = found.count("fail"), len(found)
    if failed:
        text = f"{failed} of {plural(total, 'check')} failed"
    elif open_ := total - found.count("pass"):
        text = f"{found.count('pass')} of {plural(total, 'check')} passed, {open_} open"
    else:
        text = f"All {plural(total, 'check')} passed"
    environment = document["environment"]
    facts = [
        ("Started", document["started"].replace("T", " ").replace("+00:00", " UTC")),
        ("Took", f"{document['seconds']:.1f} s"),
        ("Engine", environment.get("engine", "")),
        ("Kernel", environment.get("kernel", "")),
        ("Commit", environment.get("commit", "")),
    ]
    counted = [(LOOKS[v], found.count(v), v) for v in VERDICTS if v in found]
    return {"text": text, "facts": [f for f in facts if f[1]], "counts": counted}


def _groups(document: Document) -> list[dict[str, Any]]:
    """The verdict table, by part."""
    names = dict.fromkeys(v["part"] for v in document["verdicts"])
    return [
        {
            "title": TITLES.get(name, name),
            "rows": [{**v, "look": LOOKS[v["verdict"]]} for v in document["verdicts"] if v["part"] == name],
        }
        for name in names
    ]


def _not_probed(document: Document) -> list[tuple[str, str]]:
    places = document.get("reachability", {}).get("places", [])
    return [(p["name"], p["note"]) for p in places if p["kind"] == "service" and p["note"]]


def _drift(document: Document) -> dict[str, Any] | None:
    found: dict[str, Any] = document.get("drift") or {}
    if not found:
        return None
    return {**found, "compared_text": plural(found["compared"], "field")}


def _rules(document: Document) -> dict[str, Any] | None:
    entries = document.get("policies", {}).get("rules", [])
    if not entries:
        return None
    sources = list(entries[0]["sources"])
    rows = [
        {
            **entry,
            "cells": [
                {
                    "status": entry["sources"][s]["status"],
                    "look": _status(entry["sources"][s]["status"], entry["level"]),
                    "title": ", ".join((*entry["sources"][s]["failed"], *entry["sources"][s]["waived"])),
                }
                for s in sources
            ],
        }
        for entry in entries
    ]
    apart = sum(bool(entry["disagreements"]) for entry in entries)
    broken = sum(any(c["look"] == "fail" for c in row["cells"]) for row in rows)
    return {"sources": sources, "rows": rows, "apart": apart, "open": bool(apart or broken)}


def _status(status: str, level: str) -> str:
    if status == "failed":
        return "fail" if level == "mandatory" else "open"
    return "quiet" if status == "passed" else "open"


def _attacks(document: Document) -> dict[str, Any] | None:
    found = document.get("attacks", {})
    attempts = found.get("attempts", [])
    if not attempts:
        return None
    services = list(dict.fromkeys(t["service"] for t in attempts))
    said = {(t["attempt"], t["service"]): t for t in attempts}
    rows = []
    for name, title in found["titles"].items():
        mine = [(s, said[name, s]) for s in services]
        cells = [
            {
                "look": ATTACK_LOOKS[t["result"]],
                "sign": SIGNS[t["result"]],
                "title": f"{service}: {title}: {t['result']}, {t['detail']}",
            }
            for service, t in mine
        ]
        rows.append({"title": title, "cells": cells})
    tried = sum(t["result"] != "not possible" for t in attempts)
    return {
        "services": services,
        "rows": rows,
        "tried": plural(tried, "attempt"),
        "left": len(attempts) - tried,
    }


def _timings(document: Document) -> list[dict[str, Any]]:
    longest = max((t["seconds"] for t in document["timings"]), default=0.0) or 1.0
    return [
        {
            "title": TITLES.get(t["part"], t["part"]),
            "seconds": f"{t['seconds']:.1f} s",
            "share": max(0.5, round(100 * t["seconds"] / longest, 1)),
        }
        for t in document["timings"]
    ]
