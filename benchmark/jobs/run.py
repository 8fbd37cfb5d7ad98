"""The driver of a user's job, on a compute node: opens its run in MLflow, runs the script, says how it ended.

`python -P -m benchmark.jobs.run --name demo --ranks 2 --cpus 0.7 -- train.py --epochs 3`. A single rank is a
process beside this one, with the resources that Ray has given to the job; several are actors
(`benchmark.jobs.ranks`). The exit code is the script's.
"""

# ruff: noqa: PLC0415  (Ray exists in the stack only, and a job of one rank does without it)
from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.core import actors, placement
from benchmark.core.actors import STOPPED
from benchmark.core.joblog import say
from benchmark.jobs import environment, packages, process, tracked
from benchmark.jobs.keeper import STOP_S
from benchmark.jobs.packages import PackagesError

GRACE_S = 2.0
# Of a driver that is stopped: when it ends, Ray removes the folder in which its ranks are just ending.
STAYS_S = STOP_S


@dataclass(frozen=True)
class Job:
    """`cpus`, `gpus` and `memory` (bytes) are those of one rank; `script` is the file and its arguments.

    `packages` is the digest of the layer of packages that it needs; empty where it needs none.
    `without`: nodes that get no ranks.
    """

    name: str
    ranks: int
    cpus: float
    gpus: int
    memory: int
    script: tuple[str, ...]
    packages: str = ""
    without: tuple[str, ...] = ()


def parse(arguments: Sequence[str]) -> Job:
    parser = argparse.ArgumentParser(prog="benchmark.jobs.run")
    parser.add_argument("--name", required=True)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--cpus", type=float, default=1.0)
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--memory", type=int, default=0)
    parser.add_argument("--without", type=placement.names, default=())
    parser.add_argument("--packages", default="")
    parser.add_argument("--json", action="store_true", help="what follows is one list")
    parser.add_argument("script", nargs="+")
    given = parser.parse_args(arguments)
    script = json.loads(given.script[0]) if given.json else given.script
    return Job(
        given.name, given.ranks, given.cpus, given.gpus, given.memory, tuple(script),
        packages=given.packages, without=given.without,
    )  # fmt: skip


def alone(job: Job, variables: dict[str, str]) -> int:
    """One rank, whose output is the job's. Its exit code."""
    address = os.environ.get("AIDC_FABRIC_ADDRESS", "127.0.0.1")
    visible = tuple(gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu)
    place = environment.Place(socket.gethostname(), address, visible if job.gpus else ())
    told = environment.of_rank(0, [place], actors.free_port(address), job.cpus)
    child = process.start(job.script, {**variables, **told}, subprocess.PIPE)

    stopped = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True
        child.terminate()
        # Ray kills all of us three seconds after it asked: until then the script may end by itself.
        signal.setitimer(signal.ITIMER_REAL, GRACE_S)

    def late(_number: int, _frame: object) -> None:
        raise SystemExit(STOPPED)

    signal.signal(signal.SIGALRM, late)
    signal.signal(signal.SIGTERM, stop)
    assert child.stdout is not None
    # Not handed on as it is: Ray shows nothing at all of a log with bytes that are no text.
    for some in process.lines(child.stdout.fileno()):
        print("\n".join(some), flush=True)
    code = process.exit_code(child.wait())
    return STOPPED if stopped else code


def opened(job: Job) -> tracked.Run | None:
    """The job's run in MLflow; None, with the reason in the log, where none can be opened."""
    parameters = {
        "script": " ".join(job.script),
        "ranks": str(job.ranks),
        "cpus": f"{job.cpus:g}",
        "gpus": str(job.gpus),
    }
    try:
        run = tracked.server().open(
            job.name,
            parameters,
            {tracked.JOB: job.name, **({"aidc.packages": job.packages} if job.packages else {})},
        )
    except tracked.TrackingError as error:
        say(f"no run in MLflow: {error}")
        return None
    if outside := os.environ.get("AIDC_TRACKING_URL"):
        say(f"run in MLflow: {outside}/#/experiments/{run.experiment}/runs/{run.identifier}")
    return run


def provided(job: Job, run: tracked.Run | None) -> dict[str, str]:
    """What the script needs to find its packages; their lock goes to the run. Raises PackagesError."""
    if not job.packages:
        return {}
    folder = packages.provide(job.packages)
    try:
        if run:
            run.attach(packages.LOCK, (folder / packages.LOCK).read_bytes())
    except tracked.TrackingError as error:
        say(f"the run in MLflow has no list of the packages: {error}")
    return packages.variables(folder, os.environ)


def close(run: tracked.Run | None, code: int) -> None:
    if run is None:
        return
    status = "FINISHED" if code == 0 else "KILLED" if code == STOPPED else "FAILED"
    try:
        run.end(status)
    except tracked.TrackingError as error:
        say(f"the run in MLflow stays open: {error}")


def main(arguments: Sequence[str]) -> int:
    job = parse(arguments)
    run = opened(job)
    code, stays_s = STOPPED, 0.0
    try:
        identifier = run.identifier if run else None
        found = provided(job, run)
        if job.ranks == 1:
            code = alone(job, {**environment.of_job(job.name, 1, identifier), **found})
        else:
            from benchmark.jobs import ranks

            code = ranks.together(job, identifier)
    except KeyboardInterrupt:
        pass
    except SystemExit:
        stays_s = STAYS_S if job.ranks > 1 else 0.0
        raise
    except PackagesError as error:
        say(f"no packages: {error}")
        code = 1
        return code
    except Exception:
        code = 1
        raise
    finally:
        close(run, code)
        time.sleep(stays_s)
    if code not in (0, STOPPED):
        say(f"{job.script[0]} {process.ending(code)}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
