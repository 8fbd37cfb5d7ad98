"""Whether the running object store can become what the file declares, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from audit.storage import buckets
from audit.storage.check import INSIDE
from components.planning.buckets import Declared
from components.planning.config import DATACENTER, StackConfig
from components.planning.issues import Issue
from operations.engine.client import Engine
from operations.output import count
from operations.preflight.checks import Check

NAME = "buckets"
PATH = f"{DATACENTER}.object_store.buckets"


def live(engine: Engine, stack: str) -> dict[str, dict[str, str]] | None:
    """Bucket → setting → text, as the running store has them; None where it does not run or tell."""
    shown = engine.output(f"aidc-{stack}-object-store-1", ["buckets", "show", INSIDE])
    try:
        return buckets.read(shown) if shown is not None else None
    except ValueError:
        return None


def check(config: StackConfig | None, found: Mapping[str, Mapping[str, str]] | None) -> Check:
    """`found` is what `live` returned."""
    if config is None:
        return Check(NAME, skipped=True)
    declared = config.object_store.declared()
    if config.object_store.external:
        return Check(NAME, note="of an outside store: `up` asks it, and changes nothing there")
    if found is None:
        return Check(NAME, note="no running store to compare with")
    known = [bucket for bucket in declared if bucket.name in found]
    issues = tuple(issue for bucket in known for issue in _issues(bucket, found[bucket.name]))
    warnings = (*_weakened(known, found), *_undeclared(declared, found))
    return Check(NAME, issues, f"{count(len(declared), 'bucket')} declared", warnings=warnings)


def _issues(bucket: Declared, has: Mapping[str, str]) -> Iterator[Issue]:
    if bucket.object_lock and has.get(buckets.LOCKABLE) == "no":
        yield Issue(
            f"{PATH}.{bucket.name}.object_lock",
            "the bucket exists without a lock, and only a new bucket can be given one",
            "remove object_lock, or declare a bucket with another name and copy the objects over",
        )
    if not bucket.versioning and has.get(buckets.LOCKABLE) == "yes":
        yield Issue(
            f"{PATH}.{bucket.name}.versioning",
            "the bucket was made with a lock, and so it keeps versions",
            "write `versioning: true`",
        )


def _weakened(known: Sequence[Declared], found: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for bucket in known:
        before, after = found[bucket.name].get("object_lock"), buckets.described(bucket)["object_lock"]
        if before not in (None, buckets.NONE, after):
            yield (
                f"{PATH}.{bucket.name}.object_lock: the new retention ({after}, was {before}) is for new "
                "versions only; those that exist keep the one with which they were written"
            )


def _undeclared(declared: Sequence[Declared], found: Mapping[str, object]) -> Iterator[str]:
    for name in buckets.undeclared(declared, list(found)):
        yield (
            f"{PATH}: the store has a bucket {name} that is not declared; `up` removes it if it is empty, "
            "else it stays, but nobody may use it and no backup saves it"
        )
