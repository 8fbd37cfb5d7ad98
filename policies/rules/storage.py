"""What the object store is told: history is kept, and no identity can erase it.

Read from the files of the set-up job; where their content is not available, nothing can be said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from components.planning.bucket_documents import listed
from policies.model import Stack
from policies.rule import Fault, stack_rule
from policies.rules.services import HIDDEN

SETUP = "object-store-setup"
# Made once, or added to: an overwritten or deleted object is to be had from an earlier version.
HISTORY = ("datasets", "models", "database")
# Holds the database's log, which whoever takes over the database must not be able to erase.
LOCKED = "database"
ERASING = (
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
    "s3:PutObjectRetention",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketVersioning",
    "s3:PutBucketObjectLockConfiguration",
)
EVERYTHING = "arn:aws:s3:::*"


def _told(stack: Stack) -> dict[str, str]:
    """Path below the job's files → content, for what is known; documents of buckets below `bucket/`."""
    told = {
        str(upload.get("file")).lstrip("/").partition("/")[2]: str(upload["content"])
        for seed in stack.of("container")
        if seed.is_seed and seed.role == SETUP
        for upload in seed.each("uploads")
        if upload.get("content") not in (None, "", HIDDEN)
    }
    documents = listed(told.get("bucket-documents", ""))
    return told | {f"bucket/{path}": document for path, document in documents.items()}


@stack_rule(
    severity="high",
    level="mandatory",
    fix="set versioning: true for the bucket in object_store.buckets",
)
def history_versioned(stack: Stack) -> Iterator[Fault]:
    """Checks whether buckets whose objects must outlive a mistake keep earlier versions."""
    told = _told(stack)
    for bucket in HISTORY:
        versioning = told.get(f"bucket/{bucket}/versioning.xml")
        if versioning is not None and "<Status>Enabled</Status>" not in versioning:
            yield Fault(SETUP, f"bucket {bucket} keeps no versions")


@stack_rule(
    severity="high",
    level="mandatory",
    fix="give the bucket a compliance lock in components/planning/buckets.py",
)
def history_locked(stack: Stack) -> Iterator[Fault]:
    """Checks whether nobody, not even root, can erase the database's backups before their time."""
    told = _told(stack)
    known = f"bucket/{LOCKED}/versioning.xml" in told
    if known and "<Mode>COMPLIANCE</Mode>" not in told.get(f"bucket/{LOCKED}/lock.xml", ""):
        yield Fault(SETUP, f"bucket {LOCKED} has no compliance lock")


@stack_rule(
    severity="critical",
    level="mandatory",
    fix="deny it in NEVER of components/planning/grants.py, for every bucket and without a condition",
)
def versions_kept(stack: Stack) -> Iterator[Fault]:
    """Checks whether every identity's policy denies all that erases versions or ends what protects them."""
    for path, content in _told(stack).items():
        if not path.startswith("policies/"):
            continue
        user = path.removeprefix("policies/").removesuffix(".json")
        denied = _denied(json.loads(content))
        for action in ERASING:
            if not any(fnmatchcase(action, pattern) for pattern in denied):
                yield Fault(SETUP, f"the policy of {user} does not deny {action}")


def _denied(policy: Mapping[str, Any]) -> set[str]:
    """Actions that a policy denies everywhere and always."""
    return {
        action
        for statement in policy.get("Statement", ())
        if statement.get("Effect") == "Deny"
        and "Condition" not in statement
        and EVERYTHING in statement.get("Resource", ())
        for action in statement.get("Action", ())
    }
