"""After a run that was killed: release its lock, and clear away what it made without noting it down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.errors import NotFound

from components.planning.secrets import fingerprint, joined
from components.runtime.labels import DIGEST, FILES, SEED_DIR
from operations.engine.client import Engine
from operations.errors import InterruptionError, OperationError
from operations.process import Interrupts, say
from operations.stack import state
from operations.stack.pulumi import Pulumi


def release_locks(pulumi: Pulumi) -> None:
    """Release locks whose process is gone. A living one was refused by the preflight."""
    found = state.locks(pulumi.stack, pulumi.environment)
    stale = [lock for lock in found if lock.alive is False]
    # `pulumi cancel` takes all locks at once, so not beside one that somebody still holds.
    if stale and len(stale) == len(found):
        gone = ", ".join(f"process {lock.pid}, since {lock.since}" for lock in stale)
        say(f"releasing the lock of a run that is gone ({gone})")
        pulumi.call("cancel", "--yes")


def remove_unfilled(stack: str, engine: Engine, seed: str) -> None:
    """Remove seeds whose files are missing or old: their creation failed after the engine had made them.

    Pulumi notes such a container down as made, so that it would never fill it; a refresh finds it gone.
    """
    for thing in engine.containers(stack):
        wanted = frozenset(filter(None, thing.labels.get(FILES, "").split(",")))
        if not wanted:
            continue
        files = engine.files(thing.identifier, SEED_DIR)
        found = {path: files[path] for path in wanted if path in files}
        digest = thing.labels.get(DIGEST)
        if len(found) < len(wanted) or (digest and digest != fingerprint(seed, joined(found))):
            say(f"files of {thing.name} are missing or are not the wanted ones; making it again")
            engine.remove(thing)


def repair_attachments(stack: str, exported: Mapping[str, Any] | None, engine: Engine) -> None:
    """Remove containers that somebody took off a network, and wake those that somebody paused.

    A refresh sees neither: Pulumi would wait for a service that cannot be reached. The removed ones are made
    again with all their networks; what they keep lies in volumes.
    """
    wanted = state.attachments(exported)
    for thing in engine.containers(stack):
        if thing.identifier not in wanted:
            continue
        try:
            found = engine.inspect(thing.identifier)
        except NotFound:
            continue
        lost = state.detached(wanted[thing.identifier], found["NetworkSettings"].get("Networks") or {})
        if lost:
            say(f"{thing.name} is not on {', '.join(lost)} as it was made; making it again")
            engine.remove(thing)
        elif found["State"].get("Paused"):
            say(f"{thing.name} is paused; waking it")
            engine.wake(thing.identifier)


def remove_half_made(pulumi: Pulumi, engine: Engine, interrupts: Interrupts) -> dict[str, Any] | None:
    """Remove containers and networks that a killed run was creating: their names would be in the way.

    Only what the state lists as being created and what carries the stack's label; never a volume. Then the
    state forgets those creations: Pulumi would carry them along for ever. Returns the state as it is then.
    """
    owned = engine.owned(pulumi.stack)
    exported = pulumi.export()
    if not state.has_pending(exported):
        return exported
    say("an earlier run was cut off; going on from there")
    ours, _others = state.strangers(owned, exported)
    for thing in ours:
        say(f"  removing the half-made {thing.kind} {thing.name}")
        engine.remove(thing)
    flags = ("--yes", "--skip-preview", "--clear-pending-creates")
    code = pulumi.run_with_progress("refresh", *flags, interrupts=interrupts)
    if interrupts.any():
        raise InterruptionError("interrupted; run the same command again to go on")
    if code:
        raise OperationError("Pulumi could not bring its state up to date")
    return pulumi.export()
