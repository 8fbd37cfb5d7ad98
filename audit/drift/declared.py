"""What the program plans, and which parts of it depend on secrets that a plan does not know.

The program runs twice under mocks, with two stand-in seeds: what differs comes from the seed. Effects: runs
the program; the rest is pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from audit.engine import fields
from audit.engine.flat import FlatResource
from audit.engine.names import stem
from audit.records import NotCompared
from components.runtime.image import IMAGES, ImageError, reference
from components.runtime.labels import DIGEST, SEED_DIR
from policies.model import Resource
from policies.sources import stacks

OTHER_SEED = "0dd5" * 16
KINDS = ("container", "network", "volume")
SECRET = "(from the seed)"
DIGEST_FIELD = f"labels.{DIGEST}"


def programs(stack: str) -> tuple[tuple[Resource, ...], tuple[Resource, ...]]:
    """The stack's resources, build files included, under two seeds. Raises SourceError."""
    return stacks.plan(stack), stacks.program(stack, seed=OTHER_SEED)


def resources(first: Sequence[Resource], second: Sequence[Resource]) -> list[FlatResource]:
    """The planned resources. A file whose content comes from the seed is known by owner and mode alone."""
    other = {(r.kind, stem(r.name)): r for r in second}
    limits = {r.text("container"): fields.number(r.get("processes")) for r in first if r.kind == "limit"}
    made = []
    for resource in first:
        if resource.kind in KINDS:
            files = _files(resource, other[resource.kind, stem(resource.name)])
            # A digest of all files of the seed, keyed with a secret of the stack: no plan knows it.
            digest = {DIGEST_FIELD: f" {SECRET}"} if resource.label(DIGEST) else {}
            # A network may have a container's name.
            limited = resource.kind == "container" and resource.name in limits
            limit = {"processes at most": limits[resource.name]} if limited else {}
            made.append(
                FlatResource(
                    resource.kind, resource.name, {**fields.of(resource), **limit, **files, **digest}
                )
            )
    return made


def _files(first: Resource, second: Resource) -> dict[str, str]:
    contents = {str(u.get("file")): u.get("content") for u in second.each("uploads")}
    found = {}
    for upload in first.each("uploads"):
        path, content = str(upload.get("file")), str(upload.get("content"))
        digest = (
            hashlib.sha256(content.encode()).hexdigest()[:16] if contents.get(path) == content else SECRET
        )
        owner = f"{upload.get('owner')}:{upload.get('group')}"
        found[f"files.{path.removeprefix(SEED_DIR + '/')}"] = f"{owner} {upload.get('permissions')} {digest}"
    return found


def without_secrets(live: Sequence[FlatResource], plan: Sequence[FlatResource]) -> list[FlatResource]:
    """The running resources, with the digests hidden of files that the plan does not know either."""
    secret = {(t.name, f) for t in plan for f, value in t.fields.items() if value.endswith(SECRET)}
    return [
        FlatResource(
            t.kind,
            t.name,
            {
                field: f"{value.rpartition(' ')[0]} {SECRET}" if (t.name, field) in secret else value
                for field, value in t.fields.items()
            },
            t.inherited,
        )
        for t in live
    ]


def images(build: Path, deployed: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Repository → full reference, and the origin of these: the build contexts, else the exported state."""
    try:
        return by_repository(reference(name, build) for name in IMAGES), "build contexts"
    except ImageError:
        return dict(deployed), "exported state"


def deployed_images(state: Sequence[Resource]) -> dict[str, str]:
    """Repository → full reference, as the exported state has it."""
    return by_repository(r.text("image") for r in state if r.kind == "container")


def by_repository(references: Iterable[str]) -> dict[str, str]:
    return {full.partition(":")[0]: full for full in references}


def not_compared(plan: Sequence[FlatResource], source: str) -> list[NotCompared]:
    """What a plan without secrets cannot tell, listed so that nobody takes it for compared."""
    secret = sum(
        name.startswith("files.") and value.endswith(SECRET) for t in plan for name, value in t.fields.items()
    )
    listed = [
        NotCompared(
            what=f"contents of {secret} files that hold secrets or certificates",
            why="a plan does not know the seed: owners and modes are compared with the plan, "
            "the digests in their volumes' names with the exported state",
        ),
        NotCompared(
            what="destroyGraceSeconds, mustRun, rm, wait",
            why="settings of the provider: the engine has none of them",
        ),
    ]
    if source != "build contexts":
        listed.append(
            NotCompared(
                what="images against the sources of this clone",
                why="it has no build contexts (make images): the exported state's names are used instead",
            )
        )
    return listed
