"""The part `attacks`. Effects: runs the attacker in every running container."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from audit.attacks import attempts
from audit.context import Context
from audit.engine import inside
from audit.records import Attacks, Attempted
from audit.verdicts import Part
from components.planning.inventory import ServiceEntry

ATTACKER = Path(__file__).parent / "attacker.pl"


def check(context: Context) -> Part:
    """What must not work, tried in every container that runs."""
    script = ATTACKER.read_text(encoding="utf-8")

    def attack(service: ServiceEntry) -> tuple[list[Attempted], dict[str, bool]]:
        inside.start(context.client, service.container, attempts.VICTIM_COMMAND, attempts.VICTIM)
        # Whatever it printed counts, even if it was cut off.
        _, output = inside.run(context.client, service.container, ("perl", "-e", script))
        return attempts.read(service.name, output)

    with ThreadPoolExecutor(max_workers=8) as pool:
        results = list(pool.map(attack, context.services))
    tried = [t for found, _ in results for t in found]
    controls = {s.name: c for s, (_, c) in zip(context.services, results, strict=True)}
    data = Attacks(attempts=tried, titles={a.name: a.title for a in attempts.ATTEMPTS})
    return Part(tuple(attempts.rows(tried, controls)), data)
