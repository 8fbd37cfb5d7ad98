"""Where the clients within the stack find the object store, and by which files they trust it. Pure.

The one place that knows whether the store is the stack's own: everything above it speaks plain S3 to a URL.
"""

from __future__ import annotations

from dataclasses import dataclass

from components.planning.flows import MINIO
from components.planning.outside import External

ALIAS = "object-store"


@dataclass(frozen=True)
class StorePlace:
    """`authority` and `credentials` are files below a service's own files."""

    host: str
    port: int
    region: str
    authority: str
    credentials: str
    is_outside: bool

    @property
    def url(self) -> str:
        """As clients name it, without the port that https has anyway: the signature covers this text."""
        return f"https://{self.host}" if self.port == 443 else f"https://{self.host}:{self.port}"


def place(external: External | None) -> StorePlace:
    """The stack's own store, or the outside one. An outside key has a file of its own: its id is not ours."""
    if external is None:
        return StorePlace(ALIAS, MINIO, "us-east-1", "ca.crt", "aws-credentials", is_outside=False)
    return StorePlace(
        external.host,
        external.port,
        external.region,
        "store-ca.crt",
        "store-credentials",
        is_outside=True,
    )
