"""Images named by their content: the digest of the build context is the tag. Standard library only.

A literal name lets a preview show a replacement, and the same sources never get a second name. The base image
and Debian packages are those of the day of the build: `make audit` compares them with the security tracker,
and says which image to rebuild.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from components.runtime.detached import is_detached

IMAGES = (
    "files",
    "firewall",
    "load-balancer",
    "compute",
    "object-store",
    "database",
    "tracking",
    "vault",
    "backup",
    "drill",
    "metrics",
    "alerts",
    "home",
    "logs",
)
# The host's CA bundle differs from machine to machine and serves only the build's downloads.
NOT_CONTENT = frozenset({"ca-certificates.crt"})
PLACEHOLDER = "0" * 12


class ImageError(Exception):
    """A build context is missing: `make images` assembles it."""


def context_digest(context: Path) -> str:
    """First 12 hexadecimal digits of SHA-256 over every file's path, executable bit and content."""
    digest = hashlib.sha256()
    for path in sorted(p for p in context.rglob("*") if p.is_file() and p.name not in NOT_CONTENT):
        executable = os.access(path, os.X_OK)
        digest.update(f"{path.relative_to(context).as_posix()}\0{int(executable)}\0".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]


def reference(name: str, build: Path) -> str:
    """`aidc-<name>:<digest>` for the context `build/<name>`; raises ImageError when it is missing."""
    # Resolved once: the context may be replaced by a newer one while this one is read.
    context = (build / name).resolve()
    if not (context / "Dockerfile").is_file():
        raise ImageError(f"image {name}: no build context; fix: run `make images` first")
    return f"aidc-{name}:{context_digest(context)}"


def references(build: Path) -> dict[str, str]:
    """The names of all images. Raises ImageError for the first missing context; detached, none is read."""
    if is_detached():
        return {name: f"aidc-{name}:{PLACEHOLDER}" for name in IMAGES}
    return {name: reference(name, build) for name in IMAGES}
