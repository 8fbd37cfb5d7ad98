"""After a killed run: release its lock, and remove what it created without recording it."""

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
    """Release locks of dead processes. The preflight has refused to run beside a living one."""
    found = state.locks(pulumi.stack, pulumi.environment)
    stale = [lock for lock in found if lock.alive is False]
    # `pulumi cancel` releases all locks at once, so only when none is still in use.
    if stale and len(stale) == len(found):
        gone = ", ".join(f"process {lock.pid}, since {lock.since}" for lock in stale)
        say(f"releasing the lock of a run that has died ({gone})")
        pulumi.call("cancel", "--yes")


def remove_unfilled(stack: str, engine: Engine, seed: str) -> None:
    """Remove seed containers whose files are missing or outdated: their creation failed half-way.

    Pulumi has recorded such a container as created and would never fill it; a refresh finds it missing.
    """
    for resource in engine.containers(stack):
        wanted = frozenset(filter(None, resource.labels.get(FILES, "").split(",")))
        if not wanted:
            continue
        files = engine.files(resource.identifier, SEED_DIR)
        found = {path: files[path] for path in wanted if path in files}
        digest = resource.labels.get(DIGEST)
        if len(found) < len(wanted) or (digest and digest != fingerprint(seed, joined(found))):
            say(f"the files of {resource.name} are missing or outdated; creating it again")
            engine.remove(resource)


def repair_attachments(stack: str, exported: Mapping[str, Any] | None, engine: Engine) -> None:
    """Remove containers that somebody disconnected from a network, and unpause those that somebody paused.

    A refresh sees neither: Pulumi would wait for a service that cannot be reached. The removed ones are
    created again with all their networks; their data is in volumes.
    """
    wanted = state.attachments(exported)
    for resource in engine.containers(stack):
        if resource.identifier not in wanted:
            continue
        try:
            found = engine.inspect(resource.identifier)
        except NotFound:
            continue
        lost = state.detached(wanted[resource.identifier], found["NetworkSettings"].get("Networks") or {})
        if lost:
            say(f"{resource.name} is not connected to {', '.join(lost)} as it was created; creating it again")
            engine.remove(resource)
        elif found["State"].get("Paused"):
            say(f"{resource.name} is paused; unpausing it")
            engine.unpause(resource.identifier)


def remove_half_made(pulumi: Pulumi, engine: Engine, interrupts: Interrupts) -> dict[str, Any] | None:
    """Remove containers and networks that a killed run was creating: their names would be in use.

    Only those that the state lists as being created and that carry the stack's label; never a volume. Then
    the pending creations are cleared from the state: Pulumi would keep them for ever. Returns the new state.
    """
    owned = engine.owned(pulumi.stack)
    exported = pulumi.export()
    if not state.has_pending(exported):
        return exported
    say("an earlier run was interrupted; continuing from there")
    half_made, _foreign = state.split_unrecorded(owned, exported)
    for resource in half_made:
        say(f"  removing the half-created {resource.kind} {resource.name}")
        engine.remove(resource)
    flags = ("--yes", "--skip-preview", "--clear-pending-creates")
    code = pulumi.run_with_progress("refresh", *flags, interrupts=interrupts)
    if interrupts.any():
        raise InterruptionError("interrupted; run the same command again to continue")
    if code:
        raise OperationError("Pulumi could not refresh its state")
    return pulumi.export()
