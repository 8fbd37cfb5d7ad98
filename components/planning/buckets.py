"""The buckets of the object store: what the YAML may declare, and what the stack adds for its services. Pure.

`declared` is the one list that the store's set-up, the identities' policies, the backup and the audit use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from components.planning.fields import ByteSize, Model, once
from components.planning.issues import Issue
from components.planning.units import GIB, MIB

# Whom the YAML may let into a bucket. Services of the stack have their own identities, for one bucket each.
Identity = Literal["compute", "client"]
TRACKING, DATABASE, BACKUP = "tracking", "database", "backup"
# Reads the metrics of the store, and no bucket.
MONITOR = "monitor"
IDENTITIES = ("compute", "client", TRACKING, DATABASE, BACKUP, MONITOR)
SYSTEM = (TRACKING, DATABASE)
# The first segment of the paths of the store's own pages.
RESERVED = ("minio",)
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
MOST = 100

Days = Annotated[int, Field(ge=1, le=36500, strict=True)]


def _bucket_name(value: str) -> str:
    if not 3 <= len(value) <= 63:
        raise ValueError(f"{value!r:.80} has {len(value)} characters; the name of a bucket has 3 to 63")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", value):
        raise ValueError(
            f"{value!r} may contain only lower-case letters, digits, hyphens and dots, and begins and ends "
            "with a letter or a digit"
        )
    if re.search(r"\.\.|\.-|-\.", value):
        raise ValueError(f"{value!r} has a dot beside another one, or beside a hyphen")
    # The store goes by the form alone: 1.2.3.400 is one, too.
    if re.fullmatch(r"([0-9]+\.){3}[0-9]+", value):
        raise ValueError(f"{value!r} has the form of an IP address")
    if value.startswith(PREFIXES) or value.endswith(SUFFIXES):
        raise ValueError(f"{value!r} begins or ends with what S3 keeps for itself")
    if value in SYSTEM:
        raise ValueError(f"{value!r} is the bucket of one of the stack's own services")
    if value in RESERVED:
        raise ValueError(f"{value!r} is a name that the store keeps for itself")
    return value


BucketName = Annotated[str, AfterValidator(_bucket_name)]
Identities = Annotated[tuple[Identity, ...], AfterValidator(once)]

# To the store a quota of 0 is none.
Quota = Annotated[ByteSize, Field(ge=MIB)]


class Lifecycle(Model):
    """What the store removes by itself, counted in days. Versions under a lock stay until it ends."""

    expire_after_days: Days | None = None
    """Objects so long after they were written; with versioning they become earlier versions."""
    noncurrent_days: Days | None = None
    """Earlier versions, so long after a newer one or a deletion replaced them."""


class ObjectLock(Model):
    """Retention that every new version gets. Only a new bucket can be given a lock, and it keeps it."""

    mode: Literal["governance", "compliance"]
    """`compliance`: nobody can delete a version before its time, not even root; `governance`: root can."""
    days: Days
    """How long a version is kept from when it was written; a change applies to new versions only."""


class Bucket(Model):
    """A bucket and who may do what in it. The backup reads every bucket; nobody may delete versions."""

    quota: Quota
    """The most that it holds, earlier versions included; more is refused. On 4 nodes it takes twice that."""
    versioning: bool = Field(default=False, strict=True)
    """Whether earlier versions of objects are kept when they are overwritten or deleted."""
    lifecycle: Lifecycle = Lifecycle()
    object_lock: ObjectLock | None = None
    read: Identities = ()
    """Who may list it and read objects: `compute` (training and serving), `client` (outside the stack)."""
    write: Identities = ()
    """Who may write objects."""
    delete: Identities = ()
    """Who may delete objects; with versioning their versions stay."""


class TrackingBucket(Model):
    """Artefacts of the tracking server, which alone reads and writes it."""

    quota: Quota = 8 * GIB
    """The most that it holds; more is refused."""


class DatabaseBucket(Model):
    """The database's own backups and its log, versioned and under a compliance lock."""

    quota: Quota = 32 * GIB
    """The most that it holds, earlier versions included; more is refused."""
    lock_days: Days = 7
    """How long nobody can delete a version, from when it was written."""


class SystemBuckets(Model):
    """Buckets of the stack's own services: only what is listed here can be changed."""

    tracking: TrackingBucket = TrackingBucket()
    database: DatabaseBucket = DatabaseBucket()


BOTH = ("compute", "client")
# What is not written in the YAML. Data sets are prepared once, models are added; training deletes neither.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "datasets": {
        "quota": "32GiB", "versioning": True, "read": BOTH, "write": BOTH, "delete": ("client",)
    },
    "checkpoints": {"quota": "16GiB", "read": BOTH, "write": ("compute",), "delete": ("compute",)},
    "models": {"quota": "8GiB", "versioning": True, "read": BOTH, "write": ("compute",)},
    "results": {"quota": "8GiB", "read": BOTH, "write": BOTH, "delete": BOTH},
}  # fmt: skip


def _over_defaults(value: object) -> object:
    """What the YAML says about one of the four buckets, over their defaults; all else as it is."""
    if not isinstance(value, Mapping):
        return value
    merged = {name: dict(default) for name, default in DEFAULTS.items()}
    for name, given in value.items():
        known = name in merged and isinstance(given, Mapping)
        merged[name] = merged[name] | dict(given) if known else given
    return merged


Buckets = Annotated[
    dict[BucketName, Bucket], BeforeValidator(_over_defaults), Field(max_length=MOST, validate_default=True)
]


class Declared(Model):
    """One bucket as the store has to have it; `read`, `write` and `delete` name identities."""

    name: str
    quota: int
    versioning: bool
    lifecycle: Lifecycle = Lifecycle()
    object_lock: ObjectLock | None = None
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


def declared(buckets: Mapping[str, Bucket], system: SystemBuckets) -> tuple[Declared, ...]:
    """All buckets of a stack: those of the YAML in its order, then those of the services."""
    own = [
        Declared(
            name=name,
            quota=bucket.quota,
            versioning=bucket.versioning,
            lifecycle=bucket.lifecycle,
            object_lock=bucket.object_lock,
            read=(*bucket.read, BACKUP),
            write=bucket.write,
            delete=bucket.delete,
        )
        for name, bucket in buckets.items()
    ]
    return (*own, *_system(system))


def _system(system: SystemBuckets) -> Iterator[Declared]:
    yield Declared(
        name=TRACKING,
        quota=system.tracking.quota,
        versioning=False,
        read=(TRACKING, BACKUP),
        write=(TRACKING,),
        delete=(TRACKING,),
    )
    yield Declared(
        name=DATABASE,
        quota=system.database.quota,
        versioning=True,
        # Deleting hides an object. The store alone removes its versions, and not before their lock ends.
        lifecycle=Lifecycle(noncurrent_days=system.database.lock_days),
        object_lock=ObjectLock(mode="compliance", days=system.database.lock_days),
        read=(DATABASE, BACKUP),
        write=(DATABASE,),
        delete=(DATABASE,),
    )


def issues(buckets: Mapping[str, Bucket], path: str) -> Iterator[Issue]:
    """Mistakes that need more than one key of a bucket; `path` is where the buckets are declared."""
    for name, bucket in buckets.items():
        where, lock, lifecycle = f"{path}.{name}", bucket.object_lock, bucket.lifecycle
        if lock and not bucket.versioning:
            yield Issue(
                f"{where}.object_lock",
                "a lock protects versions, and this bucket keeps none",
                "add `versioning: true`, or remove object_lock",
            )
        if lifecycle.noncurrent_days and not bucket.versioning:
            yield Issue(
                f"{where}.lifecycle.noncurrent_days",
                "this bucket keeps no earlier versions",
                "add `versioning: true`, or remove noncurrent_days; expire_after_days removes objects",
            )
        for key in ("expire_after_days", "noncurrent_days"):
            days = getattr(lifecycle, key)
            if lock and days and days < lock.days:
                yield Issue(
                    f"{where}.lifecycle.{key}",
                    f"nothing is removed after {days} days, as the lock keeps every version for {lock.days}",
                    f"write at least {lock.days}, or shorten object_lock.days",
                )


def fix_of_name(name: str) -> str:
    """What to do about a key of `buckets` that cannot be a bucket."""
    if name in SYSTEM:
        return f"choose another name; what can be changed of it is object_store.system_buckets.{name}"
    return "choose 3 to 63 lower-case letters, digits, hyphens and dots, for example `raw-images`"
