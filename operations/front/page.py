"""A status as a page for a browser: no script and no secret. Pure but for its templates."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Template
from markupsafe import Markup

from components.runtime.rendering import pages
from operations.front.handed import PAGES
from operations.front.last import is_old, last_of
from operations.output import ago, size
from operations.status_document import Service, Status

TEMPLATES = Path(__file__).parent / "templates"
NAME = "home.html"
# Result of a backup, drill, audit, benchmark, job or node → how it looks.
LOOKS = {
    **dict.fromkeys(("ok", "passed", "pass", "succeeded"), "good"),
    **dict.fromkeys(("failed", "fail", "late", "stale", "partial"), "bad"),
    **dict.fromkeys(("running", "pending", "waiting", "waived"), "now"),
}
TITLES = {
    "tracking": "Runs and models (MLflow)",
    "ray": "Jobs and nodes (Ray)",
    "monitoring": "Metrics and alerts",
    "logs": "Logs",
    "notebook": "Notebook",
    "inference": "Served models",
    "s3": "Object store (S3)",
}
# What an operator opens; the others are for programs.
OPENED = ("tracking", "monitoring", "logs", "ray", "notebook")
FIGURES_MOST = 8
# Of a line in "Done last" → the part of the document that it shows.
PARTS = {
    "last backup": "last_backup",
    "last drill": "last_drill",
    "last audit": "last_audit",
    "last bench": "last_benchmark",
}
UNKNOWN = "not known"
OF_CLONE = "Audit, benchmark and nodes: as this clone last saw them."


class Line(NamedTuple):
    """One thing to know: its name, a word for how it is, how that looks, and the details."""

    name: str
    word: str
    look: str
    text: str


class Live(NamedTuple):
    """A page that a server makes anew: the browser asks again after `again` seconds; `note` says of what.

    `jobs`: how many there are at the moment, in a sentence, where only their number is known.
    """

    again: int
    note: str
    jobs: str = ""


@cache
def _style() -> str:
    return (TEMPLATES / "home.css").read_text(encoding="utf-8")


@cache
def _template() -> Template:
    return pages(TEMPLATES).get_template("home.html.j2")


def policy() -> str:
    """The Content-Security-Policy of the page: its own style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def render(
    found: Status, now: datetime, beside: Mapping[str, str] | None = None, live: Live | None = None
) -> str:
    """The page; `beside`: file in its folder → words on it; those in PAGES are linked."""
    return _template().render(
        style=Markup(_style()),
        policy=Markup(policy()),
        again=live.again if live else None,
        note=live.note if live else OF_CLONE,
        jobs_now=live.jobs if live else "",
        **context(found, now, beside or {}),
    )


def context(found: Status, now: datetime, beside: Mapping[str, str]) -> dict[str, Any]:
    """What the template shows."""
    services = [service(row) for row in found.services]
    checked = list(nodes(found, now))
    bad = [line for line in services if line.look == "bad"]
    unsure = sum(line.word == UNKNOWN for line in services)
    links = {
        TITLES[name]: url
        for name in OPENED
        if (url := found.endpoints.get(name) or "").startswith("https://")
    }
    return {
        "stack": found.stack,
        "made": f"{now:%Y-%m-%d %H:%M:%S} UTC",
        "headline": headline(found, len(bad), unsure),
        "healthy": found.healthy,
        "remark": found.remark,
        "bad": alerts(found) + bad + [line for line in checked if line.look == "bad"],
        "services": services,
        "jobs": list(jobs(found, now)),
        "silent": found.jobs is None,
        "unknown": found.unknown,
        "nodes": checked,
        "last": list(last(found, now)),
        "refused": refused(found),
        "disk": disk(found),
        "links": links,
        "pages": [(name, title, beside[name]) for name, title in PAGES.items() if name in beside],
        "endpoints": {
            TITLES.get(n, n): url for n, url in found.endpoints.items() if url and n not in (*OPENED, "home")
        },
    }


def service(row: Service) -> Line:
    """`unhealthy: HTTP 503`: the word is what stands before the reason."""
    word, _, reason = row.state.splitlines()[0].partition(": ")
    look = "now" if word == UNKNOWN else "good" if row.healthy else "bad"
    return Line(row.name, word, look, reason)


def alerts(found: Status) -> list[Line]:
    """Those that fire."""
    firing = [alert for alert in found.alerts or () if alert.state == "firing"]
    return [Line(alert.name, alert.severity, "bad", alert.summary) for alert in firing]


def headline(found: Status, bad: int, unsure: int) -> str:
    if not found.services:
        return f"{found.stack} is not up"
    if bad:
        need = "needs" if bad == 1 else "need"
        return f"{bad} of {len(found.services)} services of {found.stack} {need} attention"
    if unsure:
        return f"{unsure} of {len(found.services)} services of {found.stack} cannot be judged"
    return f"{found.stack} is healthy" if found.healthy else f"{found.stack}: its declaration is not known"


def jobs(found: Status, now: datetime) -> Iterator[Line]:
    for job in found.jobs or ():
        age = f"submitted {ago(datetime.fromisoformat(job.submitted), now)} ago" if job.submitted else ""
        what = f"{job.ranks} × {job.each}" if job.ranks and job.each else ""
        waits = f"waits for {job.waits_for}" if job.waits_for else ""
        yield _line(job.id, job.state, "; ".join(filter(None, (what, age, waits))))


def nodes(found: Status, now: datetime) -> Iterator[Line]:
    for node in found.nodes:
        words = [f"{fault.check}: {fault.found}" for fault in node.faults]
        words += [f"waived: {node.waiver}"] if node.verdict == "waived" else []
        words += [f"{rate:.0f} GFLOP/s on a {device}" for device, rate in node.speed.items()]
        words.append(f"checked {ago(datetime.fromisoformat(node.at), now)} ago")
        yield _line(node.node, node.verdict, "; ".join(words))


def last(found: Status, now: datetime) -> Iterator[Line]:
    """The newest backup, drill, audit and benchmark, with their ages."""
    for name, one in last_of(found).items():
        if (why := found.unknown.get(PARTS.get(name, ""))) and one is None:
            yield Line(name, UNKNOWN, "", why)
        elif one is None:
            yield Line(name, "none yet", "", "")
        elif not one.at:
            yield _line(name, one.result, one.text)
        elif is_old(name, one, now):
            age = ago(datetime.fromisoformat(one.at), now)
            yield Line(name, "old", "now", f"{one.result} {age} ago; {one.text}; `make audit` looks again")
        else:
            yield _line(name, one.result, f"{ago(datetime.fromisoformat(one.at), now)} ago; {one.text}")


def _line(name: str, word: str, text: str) -> Line:
    return Line(name, word, LOOKS.get(word, ""), text)


def refused(found: Status) -> dict[str, str] | None:
    """Refused packets by who tried and who was meant; None where the firewall does not say."""
    if found.refused is None:
        return None
    return {name: f"{packets:,}" for name, packets in list(found.refused.items())[:FIGURES_MOST]}


def disk(found: Status) -> str:
    if found.disk is None:
        return "not known"
    return f"{size(found.disk.free_bytes)} of {size(found.disk.total_bytes)} free"
