"""The pruner: deletes on the vault's own disk what retention does not keep. It has no network.

The server lets no writer delete, and the writer has no way to this disk: neither can do the other's part.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..core import series, status
from ..core.settings import FILES, PASSWORD, PASSWORD_BEFORE
from ..sources.vault import LockedError, VaultError, restic
from .retention import Decision, Snapshot, decide_each

REPOSITORY = Path("/data/backup")
# The server counts what it stores only when it starts: a new content here has it start again.
MARK = Path("/data/pruned")
SCHEMA = "aidc.prune/1"
# restic renews its locks every five minutes: one that came so long ago belongs to nobody that lives.
DEAD_AFTER = timedelta(minutes=30)
# So often is the repository asked for: a writer that was killed just now has a dead lock within that time.
TRIES = 4


def prune(*, delete: bool) -> dict[str, Any]:
    """Judge every snapshot, and delete what need not stay if `delete`. Never raises; see the result."""
    found: dict[str, Any] = {"schema": SCHEMA, "started": status.now(), "result": "failed", "reason": ""}
    try:
        if (REPOSITORY / "config").is_file():
            told = json.loads((FILES / "prune.json").read_text())
            found |= _prune(told["retention"], told["jobs"], delete)
        found["result"] = "ok"
    except (VaultError, OSError) as error:
        found["reason"] = str(error)
    found["finished"] = status.now()
    return found


def _prune(
    retention: Mapping[str, int], jobs: Mapping[str, Mapping[str, int]], delete: bool
) -> dict[str, Any]:
    password = _password()
    _drop_dead_locks(password)
    snapshots = _snapshots(password)
    decision = decide_each(snapshots, retention, jobs)
    found: dict[str, Any] = {"snapshots": len(snapshots), "odd": sorted(decision.odd), "forgotten": 0}
    if delete:
        found["forgotten"] = _delete(password, decision)
        found["snapshots"] -= found["forgotten"]
    found["bytes"] = sum(p.stat().st_size for p in REPOSITORY.rglob("*") if p.is_file())
    return found


def _delete(password: str, decision: Decision) -> int:
    # Few at a time: a command line has an end.
    names = sorted(decision.forget)
    for start in range(0, len(names), 100):
        _alone(password, "forget", "--quiet", *names[start : start + 100])
    _alone(password, "prune", "--quiet", "--max-unused", "5%")
    MARK.write_text(f"{status.now()}\n")
    return len(names)


def _alone(password: str, *arguments: str) -> None:
    """A command that needs the repository for itself. Raises VaultError."""
    for attempt in range(TRIES):
        _drop_dead_locks(password)
        try:
            _restic(password, *arguments)
            return
        except LockedError:
            if attempt == TRIES - 1:
                raise


def _restic(password: str, *arguments: str) -> str:
    """restic on the repository's own files. Raises VaultError."""
    options = ("--repo", str(REPOSITORY), "--no-cache")
    return restic(*arguments, password=password, options=options).stdout


def _password() -> str:
    """The file of the password that opens the repository, after a rotation at first the one before."""
    try:
        _restic(PASSWORD, "--no-lock", "cat", "config")
    except VaultError:
        _restic(PASSWORD_BEFORE, "--no-lock", "cat", "config")
        return PASSWORD_BEFORE
    return PASSWORD


def listed() -> list[dict[str, Any]]:
    """Every snapshot with a manifest, as restic lists them on the vault's disk. Raises VaultError."""
    if not (REPOSITORY / "config").is_file():
        raise VaultError(f"there is no repository at {REPOSITORY}")
    found = json.loads(_restic(_password(), "--no-lock", "snapshots", "--json") or "[]")
    return [s for s in found if Path(s["paths"][0]).name == "snapshot"]


def _snapshots(password: str) -> list[Snapshot]:
    listed = json.loads(_restic(password, "--no-lock", "snapshots", "--json") or "[]")
    found = []
    for entry in listed:
        arrived = (REPOSITORY / "snapshots" / entry["id"]).stat().st_mtime
        named = datetime.fromisoformat(entry["time"])
        complete = "partial" not in (entry.get("tags") or [])
        when = datetime.fromtimestamp(arrived, UTC)
        found.append(Snapshot(entry["id"], named, when, complete, series.job_of(entry)))
    return found


def dead(host: str, arrived: datetime, now: datetime, own: str) -> bool:
    """Whether a lock's holder cannot live: an earlier pruner (there is one at a time), or a silent one.

    By the time at which the lock came to the disk; the one that it names is its writer's word.
    """
    return host == own or now - arrived > DEAD_AFTER


def _drop_dead_locks(password: str) -> None:
    """restic itself leaves them: a writer that was killed would stop the pruner, and a pruner all writers."""
    now, own = datetime.now(UTC), os.uname().nodename
    for name in _restic(password, "--no-lock", "list", "locks").split():
        path = REPOSITORY / "locks" / name
        try:
            arrived = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            host = str(json.loads(_restic(password, "--no-lock", "cat", "lock", name)).get("hostname"))
        except (FileNotFoundError, VaultError):  # It was taken back meanwhile.
            continue
        if dead(host, arrived, now, own):
            path.unlink(missing_ok=True)


def describe(found: Mapping[str, Any]) -> str:
    """One line for a user."""
    if found["result"] != "ok":
        return f"pruning failed: {found['reason']}"
    if "snapshots" not in found:
        return "there is nothing to prune yet"
    text = f"{found['snapshots']} snapshots are kept, {found['forgotten']} were deleted"
    if found["odd"]:
        names = ", ".join(name[:8] for name in found["odd"][:3])
        text += f"; {len(found['odd'])} name a time at which they did not come ({names}): see docs/backup.md"
    return text
