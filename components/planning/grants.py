"""Who may do what in the object store: one policy for each identity. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from components.planning.config import Buckets

BUCKETS = tuple(Buckets.model_fields)
ANYWHERE = ["arn:aws:s3:::*"]
# A permission to read or to write is one of these on a bucket; MinIO wants the first on the bucket itself.
READ = ("s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject")
WRITE = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
DELETE = ("s3:DeleteObject",)
# What nobody but root may do, whatever else is granted. MinIO lets a user do some of it unless it is denied:
# delete a named version with no more than s3:DeleteObject, make service accounts, change the own key.
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


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The buckets that an identity may read, write to, and delete from."""

    read: tuple[str, ...] = BUCKETS
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


GRANTS: dict[str, Grant] = {
    # Training and serving: data sets are prepared once, models are added; neither is taken away.
    "compute": Grant(write=BUCKETS, delete=("checkpoints", "results")),
    # Who is outside brings data and takes results.
    "client": Grant(write=("datasets", "results"), delete=("datasets", "results")),
    "backup": Grant(),
}


def policy(user: str) -> str:
    """The S3 policy of `user` as JSON: what it needs on the buckets it needs, and what it may never do."""
    grant = GRANTS[user]
    allowed = ((READ, grant.read), (WRITE, grant.write), (DELETE, grant.delete))
    statements = [_allow(actions, buckets) for actions, buckets in allowed if buckets]
    statements += [
        _deny(NEVER),
        {"Effect": "Deny", "Action": ["admin:*"]},
        {"Effect": "Deny", "Action": ["kms:*"]},
        # Sessions and service accounts. Asking STS for a session cannot be denied: so it is of no use.
        _deny(("s3:*",), {"StringEquals": {"aws:principaltype": "AssumedRole"}}),
        # With a key of the client's own nobody else could read the object, the backup neither; and tags that
        # come with an object need no permission of their own.
        *(
            _deny(("s3:PutObject",), {"Null": {key: "false"}})
            for key in ("s3:x-amz-server-side-encryption-customer-algorithm", "s3:RequestObjectTagKeys")
        ),
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=1)


def _allow(actions: tuple[str, ...], buckets: tuple[str, ...]) -> dict[str, object]:
    resources = [f"arn:aws:s3:::{bucket}{suffix}" for bucket in buckets for suffix in ("", "/*")]
    return {"Effect": "Allow", "Action": list(actions), "Resource": resources}


def _deny(actions: tuple[str, ...], condition: Mapping[str, object] | None = None) -> dict[str, object]:
    when = {"Condition": condition} if condition else {}
    return {"Effect": "Deny", "Action": list(actions), "Resource": ANYWHERE, **when}
