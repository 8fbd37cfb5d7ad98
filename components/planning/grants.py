"""Who may do what in the object store: one policy for each identity. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from components.planning.buckets import MONITOR, Declared

# Bytes of a policy that MinIO takes. A test proves that those of the most buckets with the longest names fit.
LARGEST = 20 * 1024
ANYWHERE = ["arn:aws:s3:::*"]
# Permission to read, write or delete is one of these lists; MinIO needs the first on the bucket itself.
READ = ("s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject")
WRITE = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
DELETE = ("s3:DeleteObject",)
# Reserved for root, whatever else is granted. MinIO lets a user do some of it unless it is denied: delete a
# named version with s3:DeleteObject alone, create service accounts, change the user's own key.
NEVER = (
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
    "s3:PutObjectRetention",
    "s3:PutObjectLegalHold",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionTagging",
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersionTagging",
    "s3:PutObjectFanOut",
    "s3:RestoreObject",
    "s3:ReplicateObject",
    "s3:ReplicateDelete",
    "s3:ReplicateTags",
    "s3:GetObjectVersionForReplication",
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:ForceDeleteBucket",
    "s3:PutBucketVersioning",
    "s3:PutBucketPolicy",
    "s3:DeleteBucketPolicy",
    "s3:PutBucketCors",
    "s3:DeleteBucketCors",
    "s3:PutBucketTagging",
    "s3:PutBucketNotification",
    "s3:ListenNotification",
    "s3:ListenBucketNotification",
    "s3:PutLifecycleConfiguration",
    "s3:PutEncryptionConfiguration",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutReplicationConfiguration",
    "s3:ResetBucketReplicationState",
)


def policy(user: str, buckets: Sequence[Declared]) -> str:
    """The S3 policy of `user` as JSON: the actions that it needs, by bucket, and those it may never take."""
    if user == MONITOR:
        return _metrics()
    return _policy(
        (READ, [bucket.name for bucket in buckets if user in bucket.read]),
        (WRITE, [bucket.name for bucket in buckets if user in bucket.write]),
        (DELETE, [bucket.name for bucket in buckets if user in bucket.delete]),
    )


def restoring(names: Sequence[str]) -> str:
    """The policy of who puts a backup back into these buckets; such an identity exists only meanwhile."""
    return _policy((READ, names), (WRITE, names))


def _policy(*allowed: tuple[Sequence[str], Sequence[str]]) -> str:
    granted: dict[str, tuple[str, ...]] = {}
    for actions, names in allowed:
        granted |= {name: (*granted.get(name, ()), *actions) for name in names}
    # Each bucket stands in one statement: the store takes no policy of more than LARGEST bytes.
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, given in granted.items():
        alike.setdefault(given, []).append(name)
    statements = [_allow(actions, names) for actions, names in alike.items()]
    statements += [
        _deny(NEVER),
        {"Effect": "Deny", "Action": ["admin:*"]},
        {"Effect": "Deny", "Action": ["kms:*"]},
        # Sessions and service accounts. Requesting a session from STS cannot be denied, only made useless.
        _deny(("s3:*",), {"StringEquals": {"aws:principaltype": "AssumedRole"}}),
        # An object encrypted with a client's own key could not be read by anybody else, the backup included;
        # and tags that come with an object would need no separate permission.
        *(
            _deny(("s3:PutObject",), {"Null": {key: "false"}})
            for key in ("s3:x-amz-server-side-encryption-customer-algorithm", "s3:RequestObjectTagKeys")
        ),
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=1)


# What the store lets a user do with its own account unless it is denied. Denying `admin:*` would deny metrics
# too, and so did a denial with NotAction, in each node but the one that had been told the policy.
OWN_ACCOUNT = (
    "admin:CreateServiceAccount",
    "admin:UpdateServiceAccount",
    "admin:RemoveServiceAccount",
    "admin:ListServiceAccounts",
    "admin:ListTemporaryAccounts",
    "admin:CreateUser",
    "admin:GetUser",
)


def _metrics() -> str:
    """The policy of who may read the store's metrics and do nothing else, not even to its own keys."""
    statements = [
        {"Effect": "Allow", "Action": ["admin:Prometheus"]},
        _deny(("s3:*",)),
        {"Effect": "Deny", "Action": list(OWN_ACCOUNT)},
        {"Effect": "Deny", "Action": ["kms:*"]},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=1)


def _allow(actions: Sequence[str], names: Sequence[str]) -> dict[str, object]:
    resources = [f"arn:aws:s3:::{name}{suffix}" for name in names for suffix in ("", "/*")]
    return {"Effect": "Allow", "Action": list(actions), "Resource": resources}


def _deny(actions: tuple[str, ...], condition: Mapping[str, object] | None = None) -> dict[str, object]:
    when = {"Condition": condition} if condition else {}
    return {"Effect": "Deny", "Action": list(actions), "Resource": ANYWHERE, **when}
