"""Read every stored shard of the object store, compare it with its checksum, and write damaged ones anew.

Names each object with a damaged shard, the node, and whether the others sufficed to restore it. Takes as long
as the drives need to read everything; the store stays in use meanwhile.

Exit codes: 0 nothing was damaged, all of it is restored, or the store is an outside one; 1 something is still
damaged, or the time given was not enough; 2 the stack is not up, or no engine answers.
"""

from __future__ import annotations

from audit.storage import shards
from audit.storage.check import INSIDE
from audit.verdicts import plural
from operations.engine.client import connect
from operations.engine.services import outside, running
from operations.errors import FAILED, OK, OperationError
from operations.process import say


def main(stack: str, limit: int) -> int:
    """Scrub the store of `stack` for at most `limit` seconds."""
    engine = connect()
    if outside(engine, stack):
        say(f"stack {stack} uses an outside store, which is not ours: its operator looks after its drives")
        return OK
    container = f"aidc-{stack}-object-store-1"
    running(engine, stack, "object-store-1", "the object store")
    say("reading every shard; this takes as long as there is data …")
    lines: list[str] = []

    def heard(line: str) -> None:
        lines.append(line)
        if line.startswith("scanned ") and line.endswith(" running"):
            say(f"  {line.split()[1]} objects so far")

    code = engine.follow(container, ["scrub", INSIDE, "heal", str(limit)], heard)
    if code != 0:
        reason = f": {lines[-1]:.200}" if lines else ""
        raise OperationError(
            f"the object store cannot be scrubbed{reason}\n    fix: try again when `make status` is healthy"
        )
    try:
        found = shards.read("\n".join(lines))
    except ValueError as error:
        raise OperationError(f"{error}; fix: try again") from None
    for damage in found.damage:
        say(f"{damage}: {'restored' if damage.healed else 'NOT restored'}")
    say(verdict(found))
    for damage in found.left:
        if damage.lost:
            say(f"fix: restore {damage.place} from a backup (docs/backup.md)")
    return OK if found.finished and not found.left else FAILED


def verdict(found: shards.Scrub) -> str:
    """The last line: what was read, and what came of it."""
    read = plural(found.scanned, "object") + " read"
    if not found.finished:
        return f"{read}, not all of them: the time was not enough; fix: give more with LIMIT"
    if not found.damage:
        return f"{read}, nothing damaged"
    restored = len(found.damage) - len(found.left)
    return f"{read}, {len(found.damage)} damaged, {restored} restored"
