"""The last part of a rotation, after `up` has delivered the new values: restarts that keep the quorum,
revocation, and the verification of each name. It can be repeated; `up` does so until it succeeds.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial

from rich.table import Table

from components.planning import pki
from components.planning.flows import MINIO
from components.planning.plan import Plan
from components.runtime.files import FILES_DIR
from components.runtime.health import wait
from operations.engine.client import Engine
from operations.errors import OperationError
from operations.output import console
from operations.polling import poll
from operations.process import say
from operations.rotation import identities, proof
from operations.rotation.subject import Session, Subject
from operations.stack.file import ROTATING, StackFile, layout_kept
from operations.stack.pulumi import Pulumi

SETTLED_WITHIN = 60
NODE_WITHIN = 180
BACKED_UP = frozenset({"s3/backup", "database/backup", "vault/writer", "vault/repository"})


def finish(
    pulumi: Pulumi, engine: Engine, plan: Plan, file: StackFile, derived: Mapping[str, Session]
) -> None:
    """Verify every name of `file.rotating`, then remove them from the file. Raises OperationError.

    `derived` is empty when the rotation was interrupted: its sessions were lost.
    """
    seed, generations = pulumi.seed(), file.generations()
    names = list(file.rotating)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as ca:
        ca.write(pki.trusted(seed, plan.stack, generations))
        ca.flush()
        subject = Subject(plan, engine, seed, generations, ca.name, derived)
        if "authority" in names:
            restart_one_by_one(subject)
        if set(identities.NAMES) & set(names):
            sweep(subject)
        if BACKED_UP & set(names):
            back_up(subject)
        if "vault/repository" in names:
            revoke(subject)
        faults = {name: proof.wait(proof.CHECKS[name], subject, SETTLED_WITHIN) for name in names}
    console().print(table(faults, file))
    if any(faults.values()):
        raise OperationError(
            "the rotation is not completely verified; fix the cause, then run "
            f"`make rotate STACK={plan.stack}` again to continue"
        )
    with layout_kept(file.path):
        pulumi.unset(ROTATING)


def table(faults: dict[str, list[str]], file: StackFile) -> Table:
    drawn = Table("rotated", "generation", "new works, old is refused")
    for name, found in faults.items():
        drawn.add_row(name, str(file.rotating[name]), "; ".join(found) or "yes")
    return drawn


def restart_one_by_one(subject: Subject) -> None:
    """Restart the object store's nodes, which read their trusted authorities only at the start.

    A node is restarted only when it reports that the others can do without it.
    """
    for node in subject.plan.by_role("object-store"):
        url = f"https://127.0.0.1:{MINIO}/minio/health/cluster?maintenance=true"
        ask = ["curl", "--silent", "--fail", "--max-time", "5", "--output", "/dev/null", "--cacert"]
        ask += [f"{FILES_DIR}/certs/CAs/ca.crt", url]
        answer = partial(subject.engine.output, node.container, ask)
        if poll(answer, NODE_WITHIN, until=lambda text: text is not None) is None:
            raise OperationError(
                f"{node.name}: the object store cannot do without it now; check with "
                f"`make status STACK={subject.plan.stack}`, then run the rotation again"
            )
        subject.engine.restart(node.container)
        faults = wait([node.container], NODE_WITHIN, subject.engine.inspect)
        if faults:
            raise OperationError(f"{node.name}: {faults[node.container]}; then run the rotation again")
        say(f"  {node.name} restarted")


def sweep(subject: Subject) -> None:
    """Remove the credentials that were derived from S3 keys while these were being changed."""
    faults = proof.wait(identities.sweep, subject, SETTLED_WITHIN)
    if faults:
        raise OperationError(f"{faults[0]}; then run the rotation again")


def back_up(subject: Subject) -> None:
    """Run a complete backup with the new values; it also gives the repository its new key.

    A node that has just started answers before it has loaded all users: it refuses their keys for a moment.
    """
    say("  backing up with the new passwords")
    faults = proof.wait(_backup_fault, subject, SETTLED_WITHIN)
    if faults:
        raise OperationError(f"the backup fails with the new passwords:\n    {faults[0]}")


def _backup_fault(subject: Subject) -> Iterator[str]:
    """The last lines of a complete backup that failed."""
    # Both streams: the output of a command run from here is not in the container's log.
    code, text = subject.run(subject.container("backup"), ["bash", "-c", "backup run 2>&1"])
    if code != 0:
        yield "\n    ".join(text.strip().splitlines()[-5:])


def revoke(subject: Subject) -> None:
    """Remove the key of the old password, on the vault itself: its server lets nobody delete."""
    before = f"{FILES_DIR}/repository-password-before"
    command = ["restic", "--password-file", before, "key", "list", "--json"]
    listed = subject.engine.output(subject.container("backup"), command)
    if listed is None:
        return  # The old password opens nothing any more.
    (old,) = [key["id"] for key in json.loads(listed) if key["current"]]
    code, text = subject.engine.run(subject.container("vault"), ["revoke-key", old])
    if code != 0:
        raise OperationError(f"the repository's old key {old} could not be revoked: {text.strip()}")
    say(f"  {text.strip()}")
