"""Starting a job: nodes are checked, packages are brought, and a second one of its name is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from operations.errors import RefusedError
from operations.jobs import capacity, gate, layer, request, session
from operations.jobs.package import Package
from operations.jobs.request import Request
from operations.jobs.requirements import Wanted
from operations.jobs.session import Session
from operations.process import say


def launch(
    stack: str,
    opened: Session,
    wanted: Request,
    packed: Package,
    asked: Sequence[Wanted] = (),
    *,
    refresh: bool = False,
) -> tuple[Request, str]:
    """What was submitted, and Ray's id of it. Raises RefusedError.

    `asked`: the packages; `refresh` resolves them anew.
    """
    left_out = gate.left_out(stack)
    wanted = replace(wanted, without=tuple(left_out))
    wanted = _fitting(wanted, gate.remaining(opened.nodes(), left_out))
    if others := request.running_of(wanted.name, opened.ray.jobs()):
        raise RefusedError(
            f"NAME: job {others[0]} of this name has not ended, and both would write the same "
            f"checkpoints\n    fix: give another name, or `make stop JOB={others[0]}`"
        )
    if asked and (made := layer.provide(asked, refresh=refresh)):
        layer.upload(made, opened.store(), anew=refresh)
        wanted = replace(wanted, packages=made.digest)
    identifier = session.start(opened, wanted, packed)
    times = f"{wanted.ranks} ranks of " if wanted.ranks > 1 else ""
    say(f"job {identifier}: {packed.script}, {times}{wanted.need}")
    return wanted, identifier


def _fitting(wanted: Request, nodes: list[capacity.Node]) -> Request:
    """With the CPUs that the nodes suggest where nobody said how many. Raises RefusedError."""
    if not wanted.need.cpus:
        wanted = wanted.with_cpus(capacity.default_cpus(wanted.ranks, nodes))
    if why := capacity.refusal(wanted.ranks, wanted.need, nodes):
        fix = "ask for less with RANKS, CPUS, GPUS or MEMORY, or add to compute.nodes"
        raise RefusedError(f"{why}\n    fix: {fix}")
    return wanted
