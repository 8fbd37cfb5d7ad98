"""`make rotate`: new certificates or new passwords for a stack that is up.

`WHAT` is `certificates` (the default), names separated by commas, or `all`: every name that ends no jobs.
It shows what each rotation costs, writes the new generations into the stack's file, and runs `make up`, whose
last step verifies that every new value works and every old one is refused (operations/rotation/proof.py).
The next `make rotate` or `make up` continues a rotation that was interrupted; a name whose rotation is not
finished is not rotated twice.

Exit codes: 0 rotated and verified; 1 the stack is not up, or something was not verified; 2 nothing was
rotated; 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from components.planning import rotation
from components.planning.issues import Issue
from components.planning.plan import make_plan
from components.planning.rotation import ROTATABLE
from operations.bringup import bring_up
from operations.confirmation import ask
from operations.engine.client import Engine
from operations.errors import OK, OperationError, RefusedError, refusal
from operations.preflight import requirements
from operations.process import say
from operations.rotation import identities
from operations.rotation.steps import BACKED_UP
from operations.rotation.subject import Session, Subject
from operations.stack.file import ROTATING, StackFile, layout_kept, read
from operations.stack.pulumi import Pulumi

DATED = frozenset({"certificates", "authority"})


def main(stack: str, *, what: str, yes: bool) -> int:
    """Rotate `what` in `stack`. Raises OperationError; returns 0."""
    names, mistakes = chosen(what)
    report = requirements.examine(read(stack))
    if report.config is not None and report.config.object_store.external is not None:
        names, refused = without_outside(names, what, report.config.object_store.external.credentials)
        mistakes += refused
    problems = [*mistakes, *report.issues]
    if problems or report.engine is None or report.config is None:
        raise refusal(problems, f"nothing was rotated in stack {stack}")
    pulumi = Pulumi(stack)
    if pulumi.output("inventory") is None:
        raise RefusedError(f"stack {stack} is not up, so nothing was rotated; fix: make up STACK={stack}")
    new = [name for name in names if name not in report.file.rotating]
    announce(report.file, new)
    confirm([name for name in new if ROTATABLE[name].ends_jobs], yes)
    if BACKED_UP & set(new):
        wait_for_backup(report.engine, make_plan(stack, report.config).service("backup").container)
    subject = Subject(
        make_plan(stack, report.config), report.engine, pulumi.seed(), report.file.generations()
    )
    derived = derive(subject, new)
    begin(pulumi, report.file, new, datetime.now(UTC).date())
    bring_up(stack, derived)
    return OK


def chosen(what: str) -> tuple[list[str], list[Issue]]:
    """The names that `what` asks for, in the table's order, and an issue for each unknown one."""
    asked = [name.strip() for name in what.split(",") if name.strip()]
    names = {name for name, kind in ROTATABLE.items() if "all" in asked and not kind.ends_jobs}
    names |= set(asked) - {"all"}
    issues = [rotation.unknown(name, f"WHAT {name}") for name in asked if name not in {*ROTATABLE, "all"}]
    if not asked:
        issues.append(Issue("WHAT", "is empty", f"choose from: all, {', '.join(ROTATABLE)}"))
    return [name for name in ROTATABLE if name in names], issues


def without_outside(names: Sequence[str], what: str, file: str) -> tuple[list[str], list[Issue]]:
    """`names` without the keys of an outside store, and an issue for each that was asked for by its name."""
    asked = {name.strip() for name in what.split(",")}
    fault = "is a key of the outside store, which alone can make a new one"
    fix = f"have it made there, put it into {file}, `make up`, and then have the old one removed there"
    theirs = [name for name in names if name in identities.NAMES]
    issues = [Issue(f"WHAT {name}", fault, fix) for name in theirs if name in asked]
    if theirs and not issues:
        say(f"not rotated, because an outside store made them: {', '.join(theirs)}; fix: {fix}")
    return [name for name in names if name not in theirs], issues


def announce(file: StackFile, new: Sequence[str]) -> None:
    """Print what is going to happen, and what it costs."""
    width = max(map(len, ROTATABLE))
    for name in file.rotating:
        say(f"  {name:<{width}}  continues: {ROTATABLE[name].cost}")
    for name in new:
        say(f"  {name:<{width}}  {ROTATABLE[name].cost}")
    kept = [name for name, kind in ROTATABLE.items() if kind.ends_jobs and name not in new]
    if len(new) == len(ROTATABLE) - len(kept):
        say(f"not rotated, because that ends jobs: {', '.join(kept)} (request it with WHAT={','.join(kept)})")


def confirm(costly: Sequence[str], yes: bool) -> None:
    """Ask before a rotation that ends jobs."""
    if not costly or yes:
        return
    ask(
        "Running jobs will end. Type yes to continue: ",
        "yes",
        unasked=f"{', '.join(costly)} ends jobs, and there is no terminal to ask; fix: add --yes (YES=1)",
        consequence="nothing was rotated",
    )


def wait_for_backup(engine: Engine, container: str) -> None:
    """Let a backup that is running finish first."""
    engine.output(container, ["flock", "/tmp/lock", "true"])


def derive(subject: Subject, new: Sequence[str]) -> Mapping[str, Session]:
    """A session made with each S3 key that is about to be replaced, to be tried afterwards.

    Sessions and accounts that others made are removed first: root's are in no list once its id changes.
    """
    names = [name for name in new if name in identities.NAMES]
    faults = list(identities.sweep(subject)) if names else []
    if faults:
        raise OperationError(f"{faults[0]}\n    fix: make up STACK={subject.plan.stack}; nothing was rotated")
    return {name: identities.session(subject, name) for name in names}


def begin(pulumi: Pulumi, file: StackFile, new: Sequence[str], today: date) -> None:
    """Write the next generation of each name, and that it is not verified yet, in one step."""
    values = steps(file, new, today)
    if values:
        with layout_kept(file.path):
            pulumi.set_all(values)


def steps(file: StackFile, new: Sequence[str], today: date) -> Mapping[str, str]:
    """Configuration path → value."""
    generations = file.generations()
    values: dict[str, str] = {}
    for name in new:
        number = str(generations.of(name) + 1)
        values |= {f'{key}["{name}"]': number for key in (rotation.GENERATIONS, ROTATING)}
    if DATED & set(new):
        values[rotation.RENEWED] = today.isoformat()
    return values
