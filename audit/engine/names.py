"""Names that hold a digest of the stack's secrets. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

# The digest in the name of a files volume depends on the stack's secrets.
FILES_NAME = re.compile(r"(?P<stem>aidc-[a-z0-9-]+-files)-[0-9a-f]{12}")


def stem(name: str) -> str:
    """A resource's name without the digest, which cannot be known without the stack's secrets."""
    match = FILES_NAME.fullmatch(name)
    return match["stem"] if match else name


def known_names(deployed: Iterable[str]) -> dict[str, str]:
    """Stem → full name, of the files volumes that the exported state has."""
    return {stem(name): name for name in deployed if FILES_NAME.fullmatch(name)}
