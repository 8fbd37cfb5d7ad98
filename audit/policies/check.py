"""The part `policies`. Effects: reads the policies' settings."""

from __future__ import annotations

from collections.abc import Mapping

from audit.context import Context
from audit.policies import agreement
from audit.policies.evaluation import judge
from audit.records import Policies
from audit.verdicts import Part
from policies.catalogue import RULES
from policies.model import Resource, Source
from policies.sources import live, stacks


def check(context: Context) -> Part:
    """Every rule on the plan, the exported state, and what runs."""
    snapshot = context.snapshot
    running = (
        *(live.container(c) for c in snapshot.containers),
        *(live.network(n) for n in snapshot.networks),
        *(live.volume(v) for v in snapshot.volumes),
        live.engine(snapshot.engine),
    )
    sources: Mapping[Source, tuple[Resource, ...]] = {
        "plan": context.plan,
        "state": stacks.state(context.exported),
        "live": running,
    }
    sides: dict[str, agreement.Side] = {
        source: agreement.Side(judge(context, resources, source), frozenset(r.name for r in resources))
        for source, resources in sources.items()
    }
    entries = agreement.table(RULES, sides)
    return Part(tuple(agreement.rows(entries, sides)), Policies(rules=entries))
