"""The part `drift`: the plan against what runs, and foreign resources. Effects: asks engine and host."""

from __future__ import annotations

import os
from collections.abc import Sequence

from audit.context import Context
from audit.drift import comparison, declared, foreign
from audit.engine import host
from audit.engine.flat import FlatResource
from audit.engine.names import known_names
from audit.engine.snapshot import bridges, resources
from audit.records import Drift
from audit.verdicts import Part, Row
from policies.sources import stacks


def check(context: Context) -> Part:
    """The plan against what runs, and who else is there."""
    state = stacks.state(context.exported)
    names = known_names(r.name for r in state if r.kind == "volume")
    images, origin = declared.images(context.root / ".build", declared.deployed_images(state))
    planned = comparison.with_names(declared.resources(context.plan, context.other_plan), names, images)
    live = declared.without_secrets(resources(context.snapshot), planned)
    differences = comparison.compare(planned, live, context.stack)
    fields = _fields_compared(planned, live)
    rows = comparison.rows(differences, fields, len(planned))
    data = Drift(
        differences=differences,
        compared=fields,
        resources=len(planned),
        not_compared=declared.not_compared(planned, origin),
    )
    return Part((*rows, *foreign_rows(context)), data)


def _fields_compared(planned: Sequence[FlatResource], live: Sequence[FlatResource]) -> int:
    there = {(t.kind, t.name) for t in live}
    return sum(len(t.fields) for t in planned if (t.kind, t.name) in there)


def foreign_rows(context: Context) -> list[Row]:
    """Containers, processes and interfaces that are not part of the stack."""
    snapshot = context.snapshot
    attachments = [*foreign.containers(snapshot), *foreign.endpoints(snapshot)]
    if not context.local:
        return foreign.rows(attachments, None, None)
    pids = {c: snapshot.process(c) for c in sorted(snapshot.running)}
    # The interfaces of foreign containers are known too: the container is reported once, by name.
    every = [c["State"]["Pid"] for c in (*snapshot.containers, *snapshot.others) if c["State"]["Running"]]
    interfaces = foreign.unknown_interfaces(host.ports(bridges(snapshot)), host.peers(every))
    return foreign.rows(attachments, host.foreign_processes(pids, (os.getpid(),)), interfaces)
