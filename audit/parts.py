"""The parts of the audit: each gathers what it needs and hands it to the pure judges. Effects: all."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from audit import waivers as aging
from audit.attacks import attempts
from audit.certificates import expiry, tls
from audit.drift import agreement, comparison, declared, strays
from audit.engine import inside
from audit.engine.snapshot import Snapshot, name_of
from audit.engine.snapshot import things as live_things
from audit.engine.things import Thing
from audit.reachability import host
from audit.supply_chain import advisories, contents, packages, sbom
from audit.verdicts import Part, Row, not_checked
from components.planning.flows import FLOWS, LISTENS
from components.planning.inventory import Inventory, ServiceEntry
from policies.catalogue import NAMES, RULES
from policies.evaluate import Report, evaluate
from policies.model import Resource, Source, Stack
from policies.settings import bundle
from policies.settings.waivers import FILE as WAIVERS
from policies.sources import live, stacks

ATTACKER = Path(__file__).parent / "attacks" / "attacker.pl"
LINK = "needs root on the engine's host"


@dataclass(frozen=True)
class Context:
    """What the parts share. `local`: the engine is on this machine and we are root."""

    stack: str
    root: Path
    client: Any
    local: bool
    inventory: Inventory
    ca_pem: str
    exported: Mapping[str, Any]
    snapshot: Snapshot
    plan: tuple[Resource, ...]
    other_plan: tuple[Resource, ...]
    tracker: Future[dict[str, Any]]
    python: Future[Part]

    @property
    def services(self) -> list[ServiceEntry]:
        """Services whose container runs."""
        return [s for s in self.inventory.services if s.container in self.snapshot.running]


def reach(context: Context) -> Part:
    """Who can talk to whom."""
    from audit.reachability import survey  # noqa: PLC0415  (a capture and namespaces: not on every system)

    if not context.local:
        return Part((not_checked("reachability", LINK, "run make audit as root where the engine runs"),))
    firewalls = context.inventory.by_role("firewall")
    container = firewalls[0].container if firewalls else ""

    def shell(command: Sequence[str]) -> str | None:
        return inside.output(context.client, container, command)

    rules = declared.firewall_rules(context.plan)
    return survey.run(context.snapshot, context.inventory, rules, shell)


def compare(context: Context) -> Part:
    """The plan against what runs, and who else is there."""
    state = stacks.state(context.exported)
    names = comparison.known_names(r.name for r in state if r.kind == "volume")
    images, origin = declared.images(context.root / ".build", declared.deployed_images(state))
    planned = comparison.with_names(declared.things(context.plan, context.other_plan), names, images)
    found = declared.without_secrets(live_things(context.snapshot), planned)
    differences = comparison.compare(planned, found, context.stack)
    fields = _compared(planned, found)
    rows = comparison.rows(differences, fields, len(planned))
    data = {
        "differences": [asdict(d) for d in differences],
        "compared": fields,
        "resources": len(planned),
        "not_compared": declared.not_compared(planned, origin),
    }
    return Part((*rows, *strangers(context)), data)


def _compared(planned: Sequence[Thing], found: Sequence[Thing]) -> int:
    there = {(t.kind, t.name) for t in found}
    return sum(len(t.fields) for t in planned if (t.kind, t.name) in there)


def strangers(context: Context) -> list[Row]:
    """Foreign containers, processes and interfaces."""
    snapshot = context.snapshot
    contained = [*strays.foreign(snapshot), *strays.endpoints(snapshot)]
    if not context.local:
        return strays.rows(contained, None, None)
    pids = {c: snapshot.process(c) for c in sorted(snapshot.running)}
    # A foreign container's interface is known too: that it is there is said once, by name.
    every = [c["State"]["Pid"] for c in (*snapshot.containers, *snapshot.others) if c["State"]["Running"]]
    ports = strays.unknown_ports(host.ports(strays.bridges(snapshot)), host.peers(every))
    return strays.rows(contained, host.guests(pids, (os.getpid(),)), ports)


def policies(context: Context) -> Part:
    """Every rule on the plan, the exported state, and what runs."""
    snapshot = context.snapshot
    running = (
        *(live.container(c) for c in snapshot.containers),
        *(live.network(n) for n in snapshot.networks),
        *(live.volume(v) for v in snapshot.volumes),
        live.engine(snapshot.engine),
    )
    found: Mapping[Source, tuple[Resource, ...]] = {
        "plan": context.plan,
        "state": stacks.state(context.exported),
        "live": running,
    }
    sides: dict[str, agreement.Side] = {
        source: agreement.Side(judge(context, resources, source), frozenset(r.name for r in resources))
        for source, resources in found.items()
    }
    entries = agreement.table(RULES, sides)
    return Part(tuple(agreement.rows(entries, sides)), {"rules": entries})


def judge(context: Context, resources: tuple[Resource, ...], source: Source) -> Report:
    """Every rule, with the waivers and levels of today. Raises policies.settings.documents.SettingsError."""
    in_force = bundle.load(context.stack, NAMES)
    whole = Stack(resources, FLOWS, LISTENS, context.stack, source)
    return evaluate(whole, RULES, in_force.waivers, in_force.levels, today())


def today() -> date:
    return datetime.now(UTC).date()


def attack(context: Context) -> Part:
    """What must not work, tried in every container that runs."""
    script = ATTACKER.read_text(encoding="utf-8")

    def one(service: ServiceEntry) -> tuple[list[attempts.Tried], dict[str, bool]]:
        inside.start(context.client, service.container, attempts.VICTIM_COMMAND, attempts.VICTIM)
        # Whatever it printed counts, also where it was cut off.
        _, said = inside.run(context.client, service.container, ("perl", "-e", script))
        return attempts.read(service.name, said)

    with ThreadPoolExecutor(max_workers=8) as pool:
        results = list(pool.map(one, context.services))
    tried = [t for found, _ in results for t in found]
    controls = {s.name: c for s, (_, c) in zip(context.services, results, strict=True)}
    data = {"attempts": [asdict(t) for t in tried], "titles": {a.name: a.title for a in attempts.ATTEMPTS}}
    return Part(tuple(attempts.rows(tried, controls)), data)


def certify(context: Context) -> Part:
    """The certificate of every TLS listener."""
    # Where the engine is elsewhere, only what it publishes can be asked.
    inner = context.snapshot.running if context.local else frozenset()
    found = tls.ask(expiry.listeners(context.inventory, inner), context.ca_pem)
    return Part(tuple(expiry.rows(found)), {"certificates": expiry.document(found)})


def excuse(context: Context) -> Part:
    """The waivers: ages, days left, and whether each is needed on the plan."""
    blame = subprocess.run(
        ["git", "blame", "--line-porcelain", "--", f"policies/{WAIVERS}"],
        cwd=context.root,
        capture_output=True,
        text=True,
        check=False,
    )
    # Those of another stack are judged with that one.
    mine = [w for w in bundle.load(context.stack, NAMES).waivers if w.stack in ("", context.stack)]
    found = aging.aged(mine, aging.dates(blame.stdout), today())
    faults = judge(context, context.plan, "plan").waiver_faults
    return Part(tuple(aging.rows(found, faults)), {"waivers": aging.document(found)})


def update(context: Context) -> Part:
    """Installed packages of the images."""
    return packages.check(packages.lists(context.client, context.snapshot), context.tracker)


def review(context: Context) -> Part:
    """The reviews of known advisories, against the pins and what the images hold."""
    chosen = {str(c["Config"]["Image"]): name_of(c) for c in context.snapshot.containers}
    installed = {
        image: list(contents.debian(packages.file(context.client, name, packages.STATUS)))
        for image, name in chosen.items()
    }
    return advisories.check([r for r in context.plan if r.kind == "pin"], installed)


def bill(context: Context) -> Part:
    """What the stack's images are made of, written down."""
    images = (str(c["Config"]["Image"]) for c in context.snapshot.containers)
    return sbom.check(context.client, images, context.root / "out" / context.stack / "sbom")


def lock(context: Context) -> Part:
    """The Python lock files: pip-audit has been at work since the audit began."""
    return context.python.result()


PARTS: Mapping[str, Callable[[Context], Part]] = {
    "reachability": reach,
    "drift": compare,
    "policies": policies,
    "attacks": attack,
    "certificates": certify,
    "waivers": excuse,
    "packages": update,
    "advisories": review,
    "sbom": bill,
    "python": lock,
}
