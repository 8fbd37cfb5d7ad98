"""Labels by which status, policies and tests find a stack's resources."""

from __future__ import annotations

STACK, KIND, ROLE = "aidc.stack", "aidc.kind", "aidc.role"
# On a seed: the paths of its files, by which a later run sees whether an interrupted run omitted some.
FILES = "aidc.files"
# Also on a seed: a keyed digest of their contents, by which a run sees that an interrupted run left old ones.
DIGEST = "aidc.digest"
SEED_DIR = "/files"


def labels(
    stack: str, *, kind: str | None = None, role: str | None = None, files: str | None = None
) -> dict[str, str]:
    """The labels of one resource; what is None is left out.

    Kinds: `service`, `job` (runs once), `seed` (holds files for a volume); of volumes `data` (kept by
    destroy), `files` (configuration and secrets), `scratch` (goes with its service).
    `tool` is a short-lived helper of an operation.
    """
    given = {KIND: kind, ROLE: role, FILES: files, STACK: stack}
    return {key: value for key, value in given.items() if value is not None}
