"""The last part of a rotation, once `up` has brought the new values to the services: restarts that keep the
quorum, revoking, and the proof of each name. Running it again does no harm; `up` does so until it succeeds.
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
BACKED_UP = frozenset({"s3/backup", "vault/writer", "vault/repository"})


def finish(
    pulumi: Pulumi, engine: Engine, plan: Plan, file: StackFile, derived: Mapping[str, Session]
) -> None:
    """Prove every name of `file.rotating`, then take them off the file. Raises OperationError.

    `derived` is empty when the rotation was cut off: what it had made is gone with it.
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
            f"not all of the rotation is proven; after a fix run `make rotate STACK={plan.stack}` again: "
            "it goes on from here"
        )
    with layout_kept(file.path):
        pulumi.unset(ROTATING)


def table(faults: dict[str, list[str]], file: StackFile) -> Table:
    drawn = Table("rotated", "generation", "new works, old is refused")
    for name, found in faults.items():
        drawn.add_row(name, str(file.rotating[name]), "; ".join(found) or "yes")
    return drawn


def restart_one_by_one(subject: Subject) -> None:
    """The object store's nodes read at start whom they trust: each has to know the next authority.

    A node goes only when it says that the others can do without it.
    """
    for node in subject.plan.by_role("object-store"):
        url = f"https://127.0.0.1:{MINIO}/minio/health/cluster?maintenance=true"
        ask = ["curl", "--silent", "--fail", "--max-time", "5", "--output", "/dev/null", "--cacert"]
        ask += [f"{FILES_DIR}/certs/CAs/ca.crt", url]
        answer = partial(subject.engine.output, node.container, ask)
        if poll(answer, NODE_WITHIN, until=lambda text: text is not None) is None:
            raise OperationError(
                f"{node.name}: the object store cannot do without it now; look at: "
                f"make status STACK={subject.plan.stack}; then run the rotation again"
            )
        subject.engine.restart(node.container)
        faults = wait([node.container], NODE_WITHIN, subject.engine.inspect)
        if faults:
            raise OperationError(f"{node.name}: {faults[node.container]}; then run the rotation again")
        say(f"  {node.name} restarted")


def sweep(subject: Subject) -> None:
    """Remove what was made of S3 keys while they were being changed."""
    faults = proof.wait(identities.sweep, subject, SETTLED_WITHIN)
    if faults:
        raise OperationError(f"{faults[0]}; then run the rotation again")


def back_up(subject: Subject) -> None:
    """A whole backup with the new values; it gives the repository its new key too.

    A node that has just started answers before it knows all users: their keys are unknown to it for a moment.
    """
    say("  backing up with the new passwords")
    faults = proof.wait(_backup_fault, subject, SETTLED_WITHIN)
    if faults:
        raise OperationError(f"the backup fails with the new passwords:\n    {faults[0]}")


def _backup_fault(subject: Subject) -> Iterator[str]:
    """The end of what a whole backup says when it fails."""
    # It comes on both streams, and from here not into the container's log.
    code, text = subject.engine.run(subject.container("backup"), ["bash", "-c", "backup run 2>&1"])
    if code != 0:
        yield "\n    ".join(text.strip().splitlines()[-5:])


def revoke(subject: Subject) -> None:
    """Remove the key that the old password opens. The vault itself does it: its server deletes for nobody."""
    before = f"{FILES_DIR}/repository-password-before"
    command = ["restic", "--password-file", before, "key", "list", "--json"]
    listed = subject.engine.output(subject.container("backup"), command)
    if listed is None:
        return  # Nothing opens with it any more.
    (old,) = [key["id"] for key in json.loads(listed) if key["current"]]
    code, text = subject.engine.run(subject.container("vault"), ["revoke-key", old])
    if code != 0:
        raise OperationError(f"the repository's old key {old} is not revoked: {text.strip()}")
    say(f"  {text.strip()}")
