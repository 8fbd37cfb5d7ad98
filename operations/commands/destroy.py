"""`make destroy`: remove every resource that carries the stack's label; its data is kept unless purged.

Without `--purge` the volumes labelled `aidc.kind=data` are kept, and with them the seed and the date of issue
in the stack's file, because the data can be read with that seed only; `make up` uses them again.
With `--purge` these are deleted, too, and the file is as it was before the first `make up`.

Exit codes: 0 removed; 1 something could not be removed; 2 refused or not confirmed, nothing was touched;
130 interrupted, and the next `make destroy` continues.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from docker.errors import DockerException

from components.firewall import table_name
from components.runtime.labels import labels
from operations.confirmation import ask
from operations.engine.client import Engine, EngineResource, connect
from operations.errors import OK, InterruptionError, OperationError, refusal
from operations.output import count
from operations.preflight import checks, requirements
from operations.process import Interrupts, say, warn
from operations.stack import recovery, state
from operations.stack.file import WRITTEN, StackFile, drop_salt, layout_kept, read, unknown
from operations.stack.pulumi import Pulumi

# Prints a word only when it removed something. Lists first, because deleting a missing table is an error.
REMOVE_TABLE = (
    'nft list tables | grep -qxF "table inet $1" || exit 0; nft delete table inet "$1"; echo "removed"'
)


def main(stack: str, *, purge: bool, yes: bool) -> int:
    """Take `stack` down. Raises OperationError; returns 0."""
    started = time.monotonic()
    file, pulumi = read(stack), Pulumi(stack)
    environment = pulumi.environment
    issues = [i for i in file.issues if i.path == "stack"]
    issues += requirements.pulumi_present(environment).issues
    issues += checks.passphrase(file, requirements.backend(environment), environment).issues
    issues += state.lock_issues(state.locks(stack, environment), stack)
    if issues:
        raise refusal(issues, f"nothing was removed from stack {stack}")
    engine = connect()
    exported = pulumi.export()
    owned = engine.owned(stack)
    _half_made, foreign = state.split_unrecorded(owned, exported)
    data = sorted((resource for resource in owned if resource.is_data), key=lambda resource: resource.name)
    _confirm(stack, [t for t in foreign if t.running], data if purge else [], yes)

    with Interrupts() as interrupts:
        if exported is not None:
            recovery.release_locks(pulumi)
            remove_unknown(engine, foreign)
            _destroy(pulumi, interrupts)
        problems = sweep(engine, stack)
        problems += remove_table(engine, stack, warn_without_image=bool(owned))
        if purge:
            problems += remove_all(engine, [t for t in engine.volumes(stack) if t.is_data])
            if not problems:
                _forget(pulumi, file, exported is not None)
    if problems:
        raise OperationError(
            "\n".join(
                [f"{count(len(problems), 'resource')} of stack {stack} could not be removed", *problems]
            )
        )
    if not (owned or exported or file.path.is_file()):
        say(str(unknown(stack)))
        return OK
    say(f"{stack} is {'gone' if owned else 'not up'}, {time.monotonic() - started:.1f} s")
    _report_data(file, data, purge)
    return OK


def _confirm(
    stack: str, foreign: Sequence[EngineResource], data: Sequence[EngineResource], yes: bool
) -> None:
    """Ask before what cannot be undone: deleting data, and containers that this state does not know."""
    questions = []
    if foreign:
        questions.append(f"removes {count(len(foreign), 'running container')} unknown to this clone's state")
    if data:
        questions.append(f"permanently deletes {count(len(data), 'data volume')}")
    if not questions or yes:
        return
    say(f"This {' and '.join(questions)} of stack {stack}:")
    for resource in (*foreign, *data):
        say(f"  {resource.kind} {resource.name}")
    ask(
        f"Type the stack's name ({stack}) to continue: ",
        stack,
        unasked="not confirmed, as there is no terminal to ask; fix: add --yes",
        consequence="nothing was removed",
    )


def _destroy(pulumi: Pulumi, interrupts: Interrupts) -> None:
    flags = ("--yes", "--skip-preview", "--suppress-outputs")
    code = pulumi.run_with_progress("destroy", *flags, interrupts=interrupts)
    again = f"run `make destroy STACK={pulumi.stack}` again to continue"
    if interrupts.any():
        raise InterruptionError(f"interrupted; {again}")
    if code:
        raise OperationError(f"Pulumi did not remove everything; {again}")


def remove_unknown(engine: Engine, unrecorded: Sequence[EngineResource]) -> None:
    """Remove the containers that the state does not know: they use volumes and networks that it does know.

    Those that cannot be removed are reported by the sweep after Pulumi.
    """
    remove_all(engine, [resource for resource in unrecorded if resource.kind == "container"])


def sweep(engine: Engine, stack: str) -> list[str]:
    """Remove what still carries the stack's label, except data; return the problems."""
    return remove_all(engine, [resource for resource in engine.owned(stack) if not resource.is_data])


def remove_all(engine: Engine, resources: Sequence[EngineResource]) -> list[str]:
    problems = []
    for resource in resources:
        try:
            engine.remove(resource)
            say(f"  removed {resource.kind} {resource.name}")
        except OperationError as error:
            problems.append(str(error))
    return problems


def remove_table(engine: Engine, stack: str, *, warn_without_image: bool) -> list[str]:
    """Remove the firewall's table if its container was killed before it could; return the problems.

    In a container of the firewall's image: the host may have no nft, or one too old for the table.
    """
    present = sorted(tag for tag in engine.images() if tag.startswith("aidc-firewall:"))
    wanted = requirements.images()["firewall"]
    image = wanted if wanted in present else next(iter(present), None)
    if image is None:
        if warn_without_image:
            command = f"nft delete table inet {table_name(stack)}"
            warn(f"no firewall image to check for the firewall's table; to remove a leftover one: {command}")
        return []
    try:
        output: bytes = engine.client.containers.run(
            image,
            ["sh", "-c", REMOVE_TABLE, "sh", table_name(stack)],
            name=f"aidc-{stack}-table-removal",
            labels=labels(stack, kind="tool"),
            user="0",
            network_mode="host",
            cap_drop=["ALL"],
            cap_add=["NET_ADMIN"],
            security_opt=["no-new-privileges:true"],
            read_only=True,
            mem_limit="64m",
            remove=True,
        )
    except DockerException as error:
        return [f"firewall table {table_name(stack)}: cannot be removed: {error}"]
    if output.strip():
        say(f"  removed the firewall's table {table_name(stack)}")
    return []


def _forget(pulumi: Pulumi, file: StackFile, exists: bool) -> None:
    """Restore the file as it was before the first `make up` and remove the stack: no data needs the seed."""
    if file.path.is_file():
        with layout_kept(file.path):
            for key in WRITTEN:
                if file.has(key):
                    pulumi.unset(key)
    if exists:
        pulumi.call("stack", "rm", "--yes", "--preserve-config")
    if file.path.is_file():
        with layout_kept(file.path):
            drop_salt(file.path)


def _report_data(file: StackFile, data: Sequence[EngineResource], purge: bool) -> None:
    if data and purge:
        say(f"  permanently deleted: {count(len(data), 'data volume')} and the seed")
    elif data:
        say(f"  kept: {count(len(data), 'data volume')} ({', '.join(t.name for t in data)})")
        say(f"  kept: the seed in {file.path.name}, needed to read them; `make up` uses both again")
        say(f"  to delete them permanently: python -m operations destroy --purge --stack {file.stack}")
