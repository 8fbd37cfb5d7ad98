"""The policies of the object store's identities: what each may do, and what is reserved for root."""

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import pytest

from components.planning.buckets import DEFAULTS, IDENTITIES, MONITOR, MOST, SYSTEM
from components.planning.config import StackConfig
from components.planning.grants import ANYWHERE, LARGEST, NEVER, policy, restoring
from components.planning.validation import load

DECLARED = StackConfig().object_store.declared()
BUCKETS = {bucket.name for bucket in DECLARED}

DENIED_BY_NAME = (
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
    "s3:PutObjectRetention",
    "s3:PutObjectLegalHold",
    "s3:PutBucketVersioning",
    "s3:PutBucketPolicy",
    "s3:DeleteBucketPolicy",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutReplicationConfiguration",
    "s3:PutEncryptionConfiguration",
    "s3:PutBucketNotification",
    "s3:PutObjectTagging",
)


# Who uses buckets; the other one reads the store's metrics.
USERS = tuple(user for user in IDENTITIES if user != MONITOR)


def statements(user: str, effect: str) -> list[dict[str, Any]]:
    return [s for s in json.loads(policy(user, DECLARED))["Statement"] if s["Effect"] == effect]


def allowed(user: str, action: str) -> set[str]:
    """The buckets in whose objects `user` may do `action`."""
    return {
        bucket
        for statement in statements(user, "Allow")
        for bucket in BUCKETS
        if action in statement["Action"] and f"arn:aws:s3:::{bucket}/*" in statement["Resource"]
    }


def covers(patterns: Sequence[str], action: str) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in patterns)


@pytest.mark.parametrize("user", IDENTITIES)
@pytest.mark.parametrize("action", DENIED_BY_NAME)
def test_nobody_may_break_what_is_kept(user: str, action: str) -> None:
    denied = [s for s in statements(user, "Deny") if "Condition" not in s and covers(s["Action"], action)]
    assert [s["Resource"] for s in denied] == [ANYWHERE]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("action", ["admin:*", "kms:*"])
def test_nobody_may_make_accounts_or_change_a_key(user: str, action: str) -> None:
    assert {"Effect": "Deny", "Action": [action]} in statements(user, "Deny")


@pytest.mark.parametrize("user", USERS)
def test_a_session_may_do_nothing(user: str) -> None:
    condition = {"StringEquals": {"aws:principaltype": "AssumedRole"}}
    (found,) = [s for s in statements(user, "Deny") if s.get("Condition") == condition]
    assert (found["Action"], found["Resource"]) == (["s3:*"], ANYWHERE)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "key", ["s3:x-amz-server-side-encryption-customer-algorithm", "s3:RequestObjectTagKeys"]
)
def test_an_object_with_a_key_or_tags_of_its_own_is_refused(user: str, key: str) -> None:
    (found,) = [s for s in statements(user, "Deny") if s.get("Condition") == {"Null": {key: "false"}}]
    assert (found["Action"], found["Resource"]) == (["s3:PutObject"], ANYWHERE)


@pytest.mark.parametrize("user", IDENTITIES)
def test_nothing_is_both_allowed_and_denied(user: str) -> None:
    given = {action for statement in statements(user, "Allow") for action in statement["Action"]}
    assert given.isdisjoint(NEVER)


@pytest.mark.parametrize("user", USERS)
def test_no_permission_is_for_every_bucket_there_may_be(user: str) -> None:
    named = {f"arn:aws:s3:::{bucket}{suffix}" for bucket in BUCKETS for suffix in ("", "/*")}
    assert all(set(statement["Resource"]) <= named for statement in statements(user, "Allow"))


@pytest.mark.parametrize(
    ("user", "action", "buckets"),
    [
        ("compute", "s3:PutObject", {"datasets", "checkpoints", "models", "results"}),
        ("compute", "s3:DeleteObject", {"checkpoints", "results"}),
        ("client", "s3:PutObject", {"datasets", "results"}),
        ("client", "s3:DeleteObject", {"datasets", "results"}),
        ("backup", "s3:GetObject", BUCKETS),
        ("backup", "s3:PutObject", set()),
        ("backup", "s3:DeleteObject", set()),
        ("compute", "s3:GetObject", {"datasets", "checkpoints", "models", "results"}),
        ("client", "s3:GetObject", {"datasets", "checkpoints", "models", "results"}),
        *((user, f"s3:{verb}Object", {user}) for user in SYSTEM for verb in ("Get", "Put", "Delete")),
    ],
)
def test_each_may_do_what_it_needs(user: str, action: str, buckets: set[str]) -> None:
    assert allowed(user, action) == buckets


def test_the_monitor_may_read_metrics_and_nothing_else() -> None:
    assert [s["Action"] for s in statements(MONITOR, "Allow")] == [["admin:Prometheus"]]
    denied = {action for s in statements(MONITOR, "Deny") if "Condition" not in s for action in s["Action"]}
    assert {"s3:*", "kms:*", "admin:CreateServiceAccount", "admin:CreateUser"} <= denied


@pytest.mark.parametrize("granted", [("read", "write", "delete"), ("read", "write"), ("read",)])
def test_the_store_takes_the_policies_of_the_most_buckets_with_the_longest_names(
    granted: tuple[str, ...],
) -> None:
    bucket = {"quota": "1GiB", **{key: ["compute", "client"] for key in granted}}
    names = [f"{number:063}" for number in range(MOST - len(DEFAULTS))]
    declared = load(
        {"object_store": {"buckets": dict.fromkeys(names, bucket)}}, "dev"
    ).object_store.declared()
    texts = [policy(user, declared) for user in IDENTITIES]
    assert max(map(len, (*texts, restoring([b.name for b in declared])))) <= LARGEST
