"""Delete the checkpoints of a job, or a model of yours from the registry, all of it or one version.

It asks first; `--yes` does not ask. Refused are a model or version that is served or belongs to a workload,
and the checkpoints of a job that runs. A small job deletes checkpoints, since only compute nodes may. Of a
model the registry's entry goes: its weights stay in the bucket `models`, where the stack lets nobody delete,
and what MLflow keeps with a run stays, too. Backups are not touched.

Exit codes: 0 deleted, or there was nothing; 1 not all of it could be deleted, or the stack is not up;
2 refused or not confirmed, nothing was deleted.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.cluster import replicas
from benchmark.cluster import stack as running
from benchmark.cluster.stack import Stack
from benchmark.core.config import known_names
from benchmark.core.errors import StackError
from benchmark.jobs.discard import place
from benchmark.tracking import deletion, lock, registry
from components.planning.issues import Issue
from operations.confirmation import ask
from operations.errors import OK, refusal
from operations.jobs import discarding, request, session
from operations.output import count
from operations.process import say


def main(
    stack: str,
    *,
    job: str | None = None,
    model: str | None = None,
    version: str | None = None,
    yes: bool = False,
) -> int:
    """Delete either a job's checkpoints or a model. Raises OperationError."""
    if mistakes := _mistakes(job, model, version):
        raise refusal(mistakes, discarding.WHAT)
    with session.reporting():
        found = running.read(stack)
        if job is not None:
            return _checkpoints(found, job, yes)
        return _model(found, model or "", version, yes)


def _mistakes(job: str | None, model: str | None, version: str | None) -> list[Issue]:
    mistakes = []
    if (job is None) == (model is None):
        fault = "both are named" if job is not None else "neither is named"
        mistakes.append(Issue("JOB, MODEL", fault, "make delete JOB=name, or make delete MODEL=name"))
    if version is not None and model is None:
        mistakes.append(Issue("VERSION", "is that of a model, and none is named", "make delete MODEL=name"))
    return mistakes


def _checkpoints(stack: Stack, name: str, yes: bool) -> int:
    ray, store = stack.ray(), stack.store()
    bucket = discarding.bucket_of(stack.inventory)
    sizes = store.sizes(place(name)) if request.NAME.fullmatch(name) else {}
    discarding.check(name, ray.jobs(), sizes, bucket)
    if not sizes:
        say(f"job {name} has no checkpoints; nothing was deleted")
        return OK
    say(
        f"This deletes {count(len(sizes), 'object')}, {discarding.room(sum(sizes.values()))}, of s3://{place(name)}"
    )
    _confirm("job", name, yes)
    # It may have been started again meanwhile.
    discarding.check(name, ray.jobs(), sizes, bucket)
    identifier = discarding.identifier_of(name)
    say(f"job {identifier} deletes them on a compute node")
    gone = discarding.discard(ray, store, name, identifier)
    say(discarding.told(name, gone, bucket))
    say("its log, its runs in MLflow and what backups hold stay")
    return OK


def _model(stack: Stack, model: str, version: str | None, yes: bool) -> int:
    client = stack.tracking()
    if client is None:
        raise StackError(f"stack {stack.name} has no tracking server, and so no registry of models")
    store = stack.store()

    def doomed() -> deletion.Doomed:
        deployed, _ = replicas.deployed(stack.ray())
        return deletion.doomed(registry.catalogue(client), model, version, deployed, known_names())

    asked = doomed()
    say(f"This deletes {asked} from MLflow's registry")
    _confirm("model", model, yes)
    with lock.hold(store, f"`make delete MODEL={model}`"):
        gone = doomed()
        if str(gone) != str(asked):
            raise StackError(f"meanwhile it is {gone}; nothing was deleted; fix: the same command again")
        left = deletion.left(store, gone)
        deletion.delete(client, gone)
    say(f"{gone}: deleted from the registry")
    for line in remains(left, stack.inventory):
        say(line)
    return OK


def _confirm(kind: str, name: str, yes: bool) -> None:
    if not yes:
        ask(
            f"Type the {kind}'s name ({name}) to continue: ",
            name,
            unasked="not confirmed, as there is no terminal to ask; fix: YES=1, or --yes",
            consequence=discarding.WHAT,
        )


def remains(left: Mapping[str, int], inventory: Mapping[str, object]) -> list[str]:
    """What is still there of a model that was deleted, and who could delete it. Pure."""
    lines = ["no room is given back: MLflow's artefacts stay with the run that logged them"]
    if not left:
        return lines
    buckets = inventory.get("buckets")
    rows = buckets if isinstance(buckets, list) else []
    who = [user for row in rows if row.get("name") == "models" for user in row.get("delete", ())]
    may = f"which {', '.join(who)} may delete" if who else "where nobody may delete"
    where = ", ".join(f"s3://{folder} ({discarding.room(bytes_)})" for folder, bytes_ in left.items())
    return [*lines, f"and the weights that were served stay in {where}, {may}"]
