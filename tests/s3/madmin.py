"""MinIO's admin interface, as far as the suite needs it: users of its own, and service accounts to steal."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.s3 import raw
from tests.s3.raw import Answer
from tests.s3.server import Identity, Server

ADMIN = "/minio/admin/v3"
# The key derivation and cipher that every build understands: PBKDF2 and AES-GCM.
PBKDF2_AES_GCM = b"\x02"
LAST = b"\x80"


def encrypted(secret: str, body: Mapping[str, object]) -> bytes:
    """A body as the interface wants it: encrypted with the secret of who signs. Up to 16 KiB."""
    salt, nonce = os.urandom(32), os.urandom(8)
    cipher = AESGCM(hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, 8192, 32))
    # Fragment 0 is the associated data's tag, which fragment 1, marked as the last, is bound to.
    tag = cipher.encrypt(nonce + (0).to_bytes(4, "little"), b"", b"")
    text = cipher.encrypt(nonce + (1).to_bytes(4, "little"), json.dumps(body).encode(), LAST + tag)
    return salt + PBKDF2_AES_GCM + nonce + text


def call(server: Server, who: Identity, path: str, body: bytes) -> Answer:
    return raw.send_signed(server, who, "PUT", f"{ADMIN}/{path}", body=body)


def add_user(server: Server, who: Identity, policy: Mapping[str, object]) -> None:
    """A user with one policy of its own name."""
    account = encrypted(server.root.secret, {"secretKey": who.secret, "status": "enabled"})
    for path, body in (
        (f"add-canned-policy?name={who.id}", json.dumps(policy).encode()),
        (f"add-user?accessKey={who.id}", account),
        (f"set-user-or-group-policy?isGroup=false&policyName={who.id}&userOrGroup={who.id}", b""),
    ):
        answer = call(server, server.root, path, body)
        assert answer.status == 200, f"{path.partition('?')[0]}: {answer.status} {answer.body[:200]!r}"


def steal_account(server: Server, who: Identity, stolen: Identity) -> Answer:
    """`who` makes a second key for itself, which outlives a change of its first."""
    wanted = {"accessKey": stolen.id, "secretKey": stolen.secret, "name": "", "description": ""}
    return call(server, who, "add-service-account", encrypted(who.secret, wanted))
