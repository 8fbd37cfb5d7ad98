"""Bring a stack back on a machine that never saw it, from a copy of its vault's data.

Needs the stack's file with its seed, and the passphrase that encrypts it. The copy is checked before anything
is created: that it is whole, that each file has the content that its name says, and that the stack's key
opens it. Then the vault gets it, the stack comes up, and every bucket and database is restored from the
newest snapshot that holds it, or that of AT, and compared. Interrupted, the same command continues.

Exit codes: those of `restore`; 2 also when file, passphrase or copy do not fit, and then nothing was created.
"""

from __future__ import annotations

from pathlib import Path

from components.planning import secrets
from components.planning.issues import Issue
from components.runtime import regular
from operations.bringup import bring_up
from operations.engine.client import Engine, connect
from operations.errors import RefusedError, refusal
from operations.images import building
from operations.output import count, size
from operations.preflight import checks, requirements
from operations.process import say
from operations.restoring import copied as copies
from operations.restoring.bar import Bar
from operations.restoring.copied import Copied
from operations.restoring.run import confirm, request, restore, subject_of
from operations.restoring.vault import Filling
from operations.restoring.when import moment
from operations.stack.file import ISSUED, SEED, StackFile, layout_kept, read
from operations.stack.pulumi import Pulumi, PulumiError

KEY = "vault/repository"


def main(stack: str, source: Path | None, at: str | None, *, damaged: bool, yes: bool) -> int:
    """The exit code of the restore. Raises OperationError."""
    if source is None:
        raise RefusedError("no copy given; fix: --from FOLDER (make rebuild FROM=…); nothing was created")
    at = moment(at) if at else None
    file = read(stack)
    copied, issues = copies.find(source.expanduser().resolve())
    issues = [*needed(file), *issues]
    if issues or copied is None:
        raise refusal(issues, "nothing was created")
    building.refresh()
    engine, passwords = connect(), repository_passwords(file)
    check_files(copied, damaged=damaged)
    with Filling(engine, stack) as filling:
        check_machine(engine, stack, copied, filling)
        snapshot = filling.snapshot(copied, passwords, at)
        files, total = copied.totals()
        say(f"the copy holds {count(len(snapshot['among']), 'snapshot')} ({size(total)}); its key fits")
        confirm(stack, yes)
        with Bar() as bar:
            done = Counter(bar, "filling the vault", files, total)
            filling.fill(copied, done.add)
    bring_up(stack)
    # The service's first backup, of the empty stack, is newer by now.
    subject = subject_of(stack)
    return restore(subject, request(subject.plan, None, None, tuple(snapshot["among"])), yes=True)


class Counter:
    """Progress over files, as the backup service tells its own."""

    def __init__(self, bar: Bar, step: str, files: int, total: int) -> None:
        self._bar, self._step = bar, {"step": step, "done": 0, "of": files, "bytes": 0, "of_bytes": total}

    def add(self, size_of_file: int) -> None:
        """One more file."""
        self._step |= {"done": int(str(self._step["done"])) + 1}
        self._step |= {"bytes": int(str(self._step["bytes"])) + size_of_file}
        self._bar.show(dict(self._step))


def needed(file: StackFile) -> list[Issue]:
    """What is missing besides the copy: the stack's file as it was when the backup was made."""
    _, issues = file.check(None)
    issues = list(issues)
    fix = f"bring {file.path.name} from where the stack ran, as `make up` left it there"
    for key in (SEED, ISSUED):
        if file.path.is_file() and not file.has(key):
            issues.append(Issue(f"{file.path.name}: config.{key}", "is missing: it belongs to the data", fix))
    pulumi = Pulumi(file.stack)
    issues += requirements.pulumi_present(pulumi.environment).issues
    backend = requirements.backend(pulumi.environment)
    return [*issues, *checks.passphrase(file, backend, pulumi.environment).issues]


def repository_passwords(file: StackFile) -> tuple[str, str]:
    """The current one and the one before. Raises RefusedError when the passphrase is another one."""
    pulumi = Pulumi(file.stack)
    try:
        with layout_kept(file.path):
            pulumi.select()
        seed, generations = pulumi.seed(), file.generations()
    except PulumiError as error:
        raise RefusedError(f"{error}\n    nothing was created") from None
    return (
        secrets.password(seed, KEY, generations.of(KEY)),
        secrets.password(seed, KEY, generations.before(KEY)),
    )


def check_files(copied: Copied, *, damaged: bool) -> None:
    """Raises RefusedError where a file has not the content that its name says."""
    files, total = copied.totals()
    with Bar() as bar:
        done = Counter(bar, "checking the copy", files, total)
        broken = copied.damaged(done.add)
    if not broken:
        return
    issue = copies.damage(broken)
    if not damaged:
        raise refusal([issue], "nothing was created")
    say(f"warning: {issue.path}: {issue.fault}")


def check_machine(engine: Engine, stack: str, copied: Copied, filling: Filling) -> None:
    """Raises RefusedError where the stack exists already, unless this copy is in its vault."""
    if not engine.owned(stack):
        return
    held = filling.held()
    if held == regular.read_bytes(copied.root / "config")[0]:
        say("an earlier rebuild from this copy was interrupted; continuing from there")
        return
    # An interrupted copy: nothing else exists, and what makes it a repository comes last.
    others = [resource.name for resource in engine.owned(stack) if resource.name != filling.volume]
    if held == b"" and not others:
        return
    owned = count(len(engine.owned(stack)), "resource")
    raise RefusedError(
        f"stack {stack} exists on this machine ({owned}); nothing was changed\n"
        f"    fix: `make restore STACK={stack}` restores into a stack that exists; to begin anew, remove it "
        f"with `make destroy STACK={stack} PURGE=1`, which deletes its data and its vault"
    )
