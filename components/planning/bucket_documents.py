"""What the object store is told about a bucket: S3's own documents. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from components.planning.buckets import Declared, Lifecycle, ObjectLock


def documents(bucket: Declared) -> dict[str, str]:
    """File → content, as the script `buckets` in the store's image reads them."""
    found = {"versioning.xml": versioning(bucket.versioning), "quota.json": quota(bucket.quota)}
    if bucket.object_lock:
        found["lock.xml"] = lock(bucket.object_lock)
    if rules := "".join(_rules(bucket.lifecycle)):
        found["lifecycle.xml"] = f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>"
    return found


def listing(buckets: Iterable[Declared]) -> str:
    """The documents of all buckets, a line each: `BUCKET/FILE DOCUMENT`. No document holds a line break.

    One file for the job that sets the store up: the engine takes a quarter of a second for each.
    """
    return "".join(
        f"{bucket.name}/{file} {text}\n" for bucket in buckets for file, text in documents(bucket).items()
    )


def listed(text: str) -> dict[str, str]:
    """`BUCKET/FILE` → document, of what `listing` wrote."""
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def versioning(enabled: bool) -> str:
    status = "Enabled" if enabled else "Suspended"
    return f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"


def quota(size: int) -> str:
    """In MinIO's form; older servers read `quota`, newer ones `size`."""
    return json.dumps({"quota": size, "size": size, "quotatype": "hard"})


def lock(given: ObjectLock) -> str:
    retention = f"<Mode>{given.mode.upper()}</Mode><Days>{given.days}</Days>"
    return (
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
        f"<Rule><DefaultRetention>{retention}</DefaultRetention></Rule></ObjectLockConfiguration>"
    )


def _rules(lifecycle: Lifecycle) -> Iterator[str]:
    if lifecycle.expire_after_days:
        yield _rule("expire", f"<Expiration><Days>{lifecycle.expire_after_days}</Days></Expiration>")
    if lifecycle.noncurrent_days:
        days = f"<NoncurrentDays>{lifecycle.noncurrent_days}</NoncurrentDays>"
        yield _rule("versions", f"<NoncurrentVersionExpiration>{days}</NoncurrentVersionExpiration>")
        # A marker whose versions are all gone says nothing any more.
        marker = "<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"
        yield _rule("markers", f"<Expiration>{marker}</Expiration>")


def _rule(name: str, action: str) -> str:
    return f"<Rule><ID>{name}</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>{action}</Rule>"
