"""Whether a header is the login. Pure."""

from __future__ import annotations

import hashlib
import hmac

USER = "notebook"


def opens(header: str | None, digest: str) -> bool:
    """`header`: Authorization; `digest`: the SHA-256 of the right one in hexadecimal."""
    if not header or not digest.strip():
        return False
    given = hashlib.sha256(header.encode()).hexdigest()
    return hmac.compare_digest(given, digest.strip())
