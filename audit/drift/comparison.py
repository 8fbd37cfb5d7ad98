"""Plan against live, field by field, whether or not the provider ever reads a field back. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from audit.engine.flat import FlatResource
from audit.engine.names import FILES_NAME
from audit.records import Difference
from audit.verdicts import Row, judged, plural

ABSENT, PRESENT = "(absent)", "(present)"
KINDS = ("container", "network", "volume")
# Fields whose values may hold a secret: a report says that they differ, never what they are.
HIDDEN = re.compile(r"(env|driver options|log options(?!\.max-))\.|command|entrypoint|health check$")
# Chosen by the engine unless the plan says otherwise.
ONLY_IF_PLANNED = frozenset({"hostname", "stop timeout s"})


def with_names(
    resources: Iterable[FlatResource], known: Mapping[str, str], images: Mapping[str, str]
) -> list[FlatResource]:
    """The planned resources with the volume names and image references that a plan without secrets lacks.

    `images`: repository → the real reference. What is not known stays as it is.
    """

    def real(text: str) -> str:
        return FILES_NAME.sub(lambda m: known.get(m["stem"], m[0]), text)

    made = []
    for resource in resources:
        fields = {
            k: real(value) if k.startswith("mounts.") else value for k, value in resource.fields.items()
        }
        if "image" in fields:
            fields["image"] = images.get(fields["image"].partition(":")[0], fields["image"])
        name = real(resource.name) if resource.kind == "volume" else resource.name
        made.append(FlatResource(resource.kind, name, fields))
    return made


def compare(planned: Sequence[FlatResource], live: Sequence[FlatResource], stack: str) -> list[Difference]:
    """Everything that differs; both sides may come in any order."""
    up = f"make up STACK={stack}"
    wanted = {(t.kind, t.name): t for t in planned}
    found = {(t.kind, t.name): t for t in live}
    differences = []
    for key in sorted({*wanted, *found}):
        kind, name = key
        if key not in found:
            fix = f"{up}, which creates what is missing"
            differences.append(_difference(name, kind, (PRESENT, ABSENT), fix))
        elif key not in wanted:
            differences.append(_difference(name, kind, (ABSENT, PRESENT), _extra_fix(kind, name, stack)))
        else:
            differences += _fields(wanted[key], found[key], stack)
    return differences


def _difference(resource: str, field: str, values: tuple[str, str], fix: str) -> Difference:
    planned, live = values
    return Difference(resource=resource, field=field, planned=planned, live=live, fix=fix)


def _extra_fix(kind: str, name: str, stack: str) -> str:
    if kind == "volume":
        return f"check what it holds: when a node is removed from Pulumi.{stack}.yaml, its data stays"
    return f"docker {kind} rm {name}, if nobody needs it"


def _fields(wanted: FlatResource, found: FlatResource, stack: str) -> list[Difference]:
    inherited = found.inherited or {}
    differences = []
    for field in sorted({*wanted.fields, *found.fields}):
        plan, live = wanted.fields.get(field), found.fields.get(field)
        if plan == live or (plan is None and (field in ONLY_IF_PLANNED or inherited.get(field) == live)):
            continue
        shown = _shown(field, plan, live)
        differences.append(_difference(found.name, field, shown, fix_of(field, found, stack)))
    return differences


def _shown(field: str, plan: str | None, live: str | None) -> tuple[str, str]:
    """Both values as text that holds no secret."""
    if HIDDEN.match(field):
        return _hidden(plan, live)
    if field.startswith("files."):
        # The digest of a short secret could be guessed.
        ours, theirs = (value.rpartition(" ")[0] if value else ABSENT for value in (plan, live))
        return (ours, theirs) if ours != theirs else (ours, f"{theirs}, different content")
    return plan or ABSENT, live or ABSENT


def _hidden(plan: str | None, live: str | None) -> tuple[str, str]:
    """What may be shown of two values that may be secret."""
    if plan is None or live is None:
        return ABSENT if plan is None else "(a value)", ABSENT if live is None else "(a value)"
    ours, theirs = plan.split(), live.split()
    if len(ours) == len(theirs) == 1:
        return "(a value)", "(another value)"
    pairs = enumerate(zip(ours, theirs, strict=False))
    same = next((i for i, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
    return plural(len(ours), "word"), f"{plural(len(theirs), 'word')}, different from word {same + 1} on"


def fix_of(field: str, resource: FlatResource, stack: str) -> str:
    """How to restore the field. Docker cannot change most of them on an existing container."""
    if field.startswith("networks.") and resource.kind == "container":
        network = field.partition(".")[2]
        return (
            f"docker network disconnect {network} {resource.name}, if it is not planned; "
            f"else docker rm --force {resource.name}, then make up STACK={stack}"
        )
    if field == "runs":
        return f"make up STACK={stack} (it refreshes the state and restarts what has stopped)"
    if resource.kind == "container":
        return f"docker rm --force {resource.name}, then make up STACK={stack}"
    if resource.kind == "volume":
        return (
            f"find out who created {resource.name}; make up STACK={stack} does not change an existing volume"
        )
    return f"make destroy STACK={stack} (data stays), then make up STACK={stack}"


def rows(differences: Sequence[Difference], compared: int, resources: int) -> list[Row]:
    """One row on which resources exist, one on their fields."""
    whole = [d for d in differences if ABSENT in (d.planned, d.live) and d.field in KINDS]
    parts = [d for d in differences if d not in whole]
    fix = "each difference below names its fix"
    return [
        judged(
            "what runs is what is planned",
            [
                f"{d.resource} ({d.field}) is {'missing' if d.live == ABSENT else 'not planned'}"
                for d in whole
            ],
            f"{resources} containers, networks and volumes: none missing, none extra",
            plural(len(whole), "difference"),
            fix,
        ),
        judged(
            "every field is as planned",
            parts,
            f"{plural(compared, 'field')} equal",
            plural(len(parts), "difference"),
            fix,
        ),
    ]
