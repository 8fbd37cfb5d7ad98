"""The part `storage`. Effects: asks the object store inside one of its nodes; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from docker.errors import DockerException

from audit.context import Context
from audit.engine import inside
from audit.records import BucketDifference, DamagedObject, Storage
from audit.storage import buckets, outside, shards
from audit.storage.buckets import Difference
from audit.storage.shards import Scrub
from audit.verdicts import Part, Row, judged, not_checked, plural
from components.planning.buckets import Declared
from components.planning.flows import MINIO, STORE_CHECK

INSIDE = f"https://127.0.0.1:{MINIO}"
# Reading everything takes as long as there is data; an audit has so many seconds for it.
SCRUB_SECONDS = 60


def check(context: Context) -> Part:
    """Whether buckets and policies are as declared, and every shard has its checksum."""
    for job in context.inventory.by_role(STORE_CHECK):
        return Part(outside.rows(context.stack, *_last(context, job.container)))
    nodes = {s.name: s.container for s in context.services if s.role == "object-store"}
    if not nodes:
        return Part((not_checked("buckets are as declared", "no node of the object store runs"),))
    first = next(iter(nodes))

    def ask(node: str, *command: str) -> str:
        code, text = inside.run(context.client, nodes[node], command)
        if code != 0:
            raise RuntimeError(f"`{' '.join(command[:2])}` failed in {nodes[node]}")
        return text

    declared = context.inventory.buckets
    views = {node: buckets.read(ask(node, "buckets", "show", INSIDE)) for node in nodes}
    live = views[first]
    different = buckets.differing(declared, views)
    wrong = buckets.wrong_policies(declared, ask(first, "identities", "policies", INSIDE)) if declared else []
    foreign = buckets.undeclared(declared, list(live))
    scrub = shards.read(ask(first, "scrub", INSIDE, "check", str(SCRUB_SECONDS)))
    rows = (
        *settings_rows(context.stack, declared, different, wrong),
        undeclared_row(foreign),
        scrub_row(context.stack, scrub),
    )
    return Part(rows, _data(sorted(live), foreign, [*different, *wrong], scrub))


def _last(context: Context, job: str) -> tuple[Mapping[str, Any], str]:
    """The state of a job and what its newest run printed; empty where the engine has none."""
    try:
        state = context.client.api.inspect_container(job)["State"]
        begun = datetime.fromisoformat(f"{state['StartedAt'][:19]}+00:00")
        return state, context.client.api.logs(job, since=int(begun.timestamp())).decode(errors="replace")
    except (DockerException, ValueError):
        return {}, ""


def settings_rows(
    stack: str, declared: Sequence[Declared], different: Sequence[Difference], wrong: Sequence[Difference]
) -> Iterator[Row]:
    """One row for the buckets, one for the policies."""
    fix = f"make up STACK={stack}: its set-up job makes all of it as declared"
    if not declared:
        reason = "the stack was brought up by an older program"
        yield not_checked("buckets are as declared", reason, f"make up STACK={stack}")
        return
    good = (
        f"{plural(len(declared), 'bucket')}, on every node: versioning, lock, lifecycle, quota, "
        "and no policy of their own"
    )
    yield judged("buckets are as declared", different, good, "other than declared", fix)
    yield judged(
        "policies of the identities are as declared",
        wrong,
        "each identity has the policy that its buckets give it",
        "other than declared",
        fix,
    )


def undeclared_row(foreign: Sequence[str]) -> Row:
    """Data that nobody declares any more is no breach, but somebody has to know of it."""
    name = "every bucket is declared"
    if not foreign:
        return Row(name, "pass", "the store has no other bucket")
    fix = "declare it in object_store.buckets, or empty it: the next `make up` removes an empty one"
    return Row(
        name, "warn", f"not declared, so nobody may use it and no backup saves it: {', '.join(foreign)}", fix
    )


def scrub_row(stack: str, scrub: Scrub) -> Row:
    """Damage fails, whether or not the store can mend it; too little time leaves the question open."""
    name, fix = "every shard has its checksum", f"make scrub STACK={stack}: writes damaged shards anew"
    if scrub.damage:
        return judged(name, scrub.damage, "", plural(len(scrub.damage), "damaged object"), fix)
    scanned = plural(scrub.scanned, "object")
    if not scrub.finished:
        return not_checked(name, f"{scanned} read in {SCRUB_SECONDS} s, not all of them", fix)
    return Row(name, "pass", f"{scanned} read")


def _data(live: list[str], foreign: list[str], different: Sequence[Difference], scrub: Scrub) -> Storage:
    return Storage(
        buckets=live,
        undeclared=foreign,
        differences=[BucketDifference(**asdict(found)) for found in different],
        scanned=scrub.scanned,
        complete=scrub.finished,
        damaged=[
            DamagedObject(place=found.place, states=dict(found.states), lost=found.lost)
            for found in scrub.damage
        ],
    )
