"""Open JupyterLab on a compute node, behind the load balancer: it runs as the job `notebook`.

It is off by default. The first time, `notebook.enabled` is written into the stack's file, and `make up` opens
the way: the published port, and the flow from the load balancer to the compute nodes. Work is saved to the
object store within seconds. A notebook that runs already is shown again. `--stop` ends it; `--off` closes the
way, too.

Exit codes: 0 it answers, or has ended; 1 it does not, or the stack is not up; 2 refused, nothing was changed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from benchmark.cluster import stack as stacks
from benchmark.core.errors import BenchmarkError
from components.planning.config import DATACENTER
from components.planning.notebook import SECRET, USER
from components.planning.paths import ROOT
from components.planning.tracking import authorization
from components.runtime import tls
from operations.bringup import bring_up
from operations.browser import browse
from operations.errors import OK, OperationError, RefusedError, refusal
from operations.jobs import launching, layer, package, request, session
from operations.jobs.request import Asked
from operations.jobs.session import Session
from operations.process import say
from operations.stack.exclusive import changing
from operations.stack.file import layout_kept, read, unknown
from operations.stack.pulumi import Pulumi

NAME = "notebook"
PACKAGES = ROOT / "toolchain" / "notebook" / "requirements.txt"
SCRIPT = ROOT / "toolchain" / "notebook" / "start_jupyterlab.py"
OPENS = """\
stack {}: no notebook is allowed yet. This opens the way to one:
  notebook.enabled: true is written into {}
  the load balancer publishes the port load_balancer.ports.notebook and may reach the compute nodes at 8888
  `make notebook OFF=1` closes it again"""
# Seconds for packages to arrive on a node, and for JupyterLab to start there.
WITHIN, EVERY = 300.0, 1.0
LAST_LINES = 15
NOTHING = "nothing was changed"


def main(
    stack: str,
    *,
    cpus: str | None = None,
    gpus: str = "0",
    memory: str | None = None,
    stop: bool = False,
    off: bool = False,
) -> int:
    """Raises OperationError."""
    file = read(stack)
    if file.issues or not file.path.is_file():
        raise refusal(list(file.issues) or [unknown(stack)], NOTHING)
    if stop or off:
        end(stack)
        if off and file.notebook():
            allow(stack, False)
        elif off:
            say(f"stack {stack}: no notebook is allowed")
        return OK
    asked = Asked(str(SCRIPT), name=NAME, cpus=cpus, gpus=gpus, memory=memory)
    wanted, issues = request.read(asked, datetime.now(UTC))
    if wanted is None:
        raise refusal(issues, NOTHING)
    opened = session.connect(stack)
    if not file.notebook():
        say(OPENS.format(stack, file.path.name))
        allow(stack, True)
        opened = session.connect(stack)
    with session.reporting():
        if running := request.running_of(NAME, opened.ray.jobs()):
            say(f"job {running[0]} runs already")
            identifier = running[0]
        else:
            brought, _ = layer.read(None, str(PACKAGES))
            _, identifier = launching.launch(stack, opened, wanted, package.pack(str(SCRIPT)), brought)
        url = wait(stack, opened, identifier)
    say(f"{url}/lab  user {USER}, password: python -m operations access --stack {stack}")
    browse(f"{url}/lab")
    return OK


def allow(stack: str, on: bool) -> None:
    """Write it into the stack's file and bring the stack up; when refused, the file stays as it was."""
    path, pulumi = read(stack).path, Pulumi(stack)
    with changing(stack, NAME):
        before = path.read_text(encoding="utf-8")
        with layout_kept(path):
            pulumi.set_all({f"{DATACENTER}.notebook.enabled": str(on).lower()})
        try:
            bring_up(stack)
        except RefusedError:
            path.write_text(before, encoding="utf-8")
            raise


def end(stack: str) -> None:
    """Stop the notebook; what is not saved yet is saved first. Raises OperationError."""
    opened = session.connect(stack)
    with session.reporting():
        running = request.running_of(NAME, opened.ray.jobs())
        for identifier in running:
            status = session.stop(opened.ray, identifier)
            if status not in session.ENDED:
                raise OperationError(f"job {identifier} has not ended: {status.lower()}; fix: try again")
            say(f"job {identifier}: {status.lower()}")
        if not running:
            say("no notebook runs")


def wait(stack: str, opened: Session, identifier: str) -> str:
    """The notebook's address, once it answers there. Raises OperationError."""
    found = stacks.read(stack)
    url, login = found.endpoint("notebook"), authorization(USER, found.access["notebook"][USER])
    context, deadline = tls.verifying(ca_pem=found.access["ca_pem"]), time.monotonic() + WITHIN
    say("waiting until it answers …")
    while time.monotonic() < deadline:
        with suppress(*tls.NO_ANSWER):
            status = tls.status(url, context, 5.0, "/api/status", {"Authorization": login})
            if status == 200:
                return url
            if status == 401:
                raise OperationError(f"{url} refuses the password\n    fix: make rotate WHAT={SECRET}")
        job = opened.ray.status(identifier)
        if job["status"] in session.ENDED:
            raise OperationError(f"job {identifier} has ended: {_why(opened, identifier, job)}")
        time.sleep(EVERY)
    raise OperationError(
        f"{url} did not answer within {WITHIN:g} s; `make logs JOB={identifier}` shows how far it came"
    )


def _why(opened: Session, identifier: str, found: Mapping[str, Any]) -> str:
    lines: list[str] = []
    with suppress(BenchmarkError):
        lines = opened.ray.logs(identifier).splitlines()[-LAST_LINES:]
    said = [str(found.get("message") or found["status"]).strip(), *lines]
    return "\n    ".join(said)
