"""Run a Python script of yours on the compute nodes, and show its log until it ends.

`--ranks 2` runs it as two DDP ranks with the environment of torchrun. What the script finds in its
environment (S3, MLflow, a place for checkpoints) is listed in docs/jobs.md. Ctrl-C leaves the job running. A
job that can never fit is refused; one that has to wait says for what. The nodes are checked first (`aidc
node`): one that does not pass is named and gets no ranks. A node that dies costs a start: the
ranks start again, from the script's last checkpoint.

Exit codes: that of the script; 1 the job was lost; 2 refused, nothing was submitted; 130 no longer followed,
the job goes on; 143 the job was stopped.
"""

from __future__ import annotations

from datetime import UTC, datetime

from operations.errors import INTERRUPTED, OK, refusal
from operations.jobs import following, launching, layer, package, request, session
from operations.jobs.request import Asked
from operations.overview import telling
from operations.process import say


def main(
    stack: str,
    *,
    workdir: str | None = None,
    detach: bool = False,
    pip: str | None = None,
    requirements: str | None = None,
    refresh: bool = False,
    **given: str,
) -> int:
    """Submit what is `given` (as Asked has it), and follow it unless `detach`. Raises RefusedError."""
    wanted, issues = request.read(Asked(**given), datetime.now(UTC))
    asked, mistakes = layer.read(pip, requirements)
    if wanted is None or mistakes:
        raise refusal([*issues, *mistakes], layer.WHAT)
    packed = package.pack(given["script"], workdir)
    found = session.connect(stack)
    with session.reporting():
        wanted, identifier = launching.launch(stack, found, wanted, packed, asked, refresh=refresh)
        try:
            telling.tell_jobs(stack, found)
            if detach:
                say(f"`make logs JOB={identifier}` follows it")
                return OK
            code = following.keep_up(found, wanted, packed, identifier)
        except KeyboardInterrupt:
            say(f"\njob {identifier} goes on: `make logs JOB={identifier}` follows it, `make stop` ends it")
            return INTERRUPTED
    telling.tell_jobs(stack, found)
    return code
