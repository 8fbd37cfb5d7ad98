"""From what a user asks for to what Ray is told: names, the command on the node, the request's body. Pure.

Nothing in it is secret: Ray shows all of it in its dashboard.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from benchmark.core import placement
from benchmark.core.words import masked
from benchmark.jobs.packages import VARIABLE
from components.planning.issues import Issue
from components.planning.units import parse_size
from operations.jobs.capacity import DRIVER_CPUS, Need

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
RANKS_MOST, GPUS_MOST = 512, 64
CPUS_LEAST, CPUS_MOST = 0.1, 1024
# Called in every Ray worker of a job with packages.
HOOK = "benchmark.jobs.packages.enable"
MEMORY_LEAST, MEMORY_MOST = 64 * 1024 * 1024, 1 << 50
# What a job's metadata say of it; `make jobs` reads them.
NAME_KEY, RANKS_KEY, CPUS_KEY, GPUS_KEY, MEMORY_KEY, PACKAGES_KEY = (
    f"aidc_{key}" for key in ("name", "ranks", "cpus", "gpus", "memory", "packages")
)


@dataclass(frozen=True)
class Asked:
    """As typed; None where nothing was said. `cpus`, `gpus` and `memory` are those of one rank."""

    script: str
    args: str = ""
    name: str | None = None
    ranks: str = "1"
    cpus: str | None = None
    gpus: str = "0"
    memory: str | None = None


@dataclass(frozen=True)
class Request:
    """`cpus` of the need is 0 where the nodes decide; `packages` is the digest of a layer, or empty.

    `without`: nodes that get no ranks.
    """

    name: str
    ranks: int
    need: Need
    arguments: tuple[str, ...]
    packages: str = ""
    without: tuple[str, ...] = ()

    def with_cpus(self, cpus: float) -> Request:
        return replace(self, need=replace(self.need, cpus=cpus))


def read(asked: Asked, now: datetime) -> tuple[Request | None, list[Issue]]:
    """The request, or every mistake in it."""
    issues: list[Issue] = []

    def number(path: str, text: str, low: float, high: float, kind: type[int] | type[float]) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:  # also NaN
            whole = "whole number" if kind is int else "number"
            issues.append(Issue(path, f"{text!r} is not a {whole} from {low:g} to {high:g}", "correct it"))
            return low
        return value

    ranks = int(number("RANKS", asked.ranks, 1, RANKS_MOST, int))
    gpus = int(number("GPUS", asked.gpus, 0, GPUS_MOST, int))
    cpus = number("CPUS", asked.cpus, CPUS_LEAST, CPUS_MOST, float) if asked.cpus else 0.0
    if cpus > 1 and cpus != int(cpus):
        issues.append(Issue("CPUS", f"{cpus:g} is not a whole number", "above 1, Ray gives out whole CPUs"))
    memory = 0
    if asked.memory:
        try:
            memory = parse_size(asked.memory)
        except ValueError as error:
            issues.append(Issue("MEMORY", str(error), "write it as 512MiB or 2GiB"))
        else:
            if memory < MEMORY_LEAST:
                issues.append(Issue("MEMORY", f"{asked.memory} is less than 64MiB", "give a rank more"))
    name = asked.name or default_name(asked.script, now)
    if not NAME.fullmatch(name):
        fault = (
            f"{name!r:.80} is not a name of 1 to 63 lower-case letters, digits, dots, hyphens, underscores"
        )
        issues.append(Issue("NAME", fault, "begin and end it with a letter or a digit"))
    try:
        arguments = tuple(shlex.split(asked.args))
    except ValueError as error:
        issues.append(Issue("ARGS", f"cannot be read: {error}", "close each quotation mark"))
        arguments = ()
    for path, text in (("SCRIPT", asked.script), ("ARGS", asked.args)):
        if not is_text(text):
            fix = "write it in UTF-8; other bytes can be read from a file"
            issues.append(Issue(path, f"{text!r:.80} holds bytes that are no text", fix))
    if issues:
        return None, issues
    return Request(name, ranks, Need(cpus, gpus, memory), arguments), []


def is_text(words: str) -> bool:
    """Whether they can be told to others: Python reads bytes that are no UTF-8 as halves of characters."""
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return True


def default_name(script: str, now: datetime) -> str:
    """`train-1128-150500`: the script's name and the time, so that each job has checkpoints of its own."""
    stem = re.sub(r"[^a-z0-9]+", "-", PurePath(script).stem.lower()).strip("-")[:40].strip("-") or "job"
    return f"{stem}-{now:%m%d-%H%M%S}"


def identifier(name: str, taken: Collection[str]) -> str:
    """Ray's id for a job of this name: the name itself the first time, then `name-2`, and so on."""
    number, found = 2, name
    while found in taken:
        found = f"{name}-{number}"
        number += 1
    return found


def entrypoint(request: Request, script: str) -> str:
    """The driver's command line; the script and its arguments come last."""
    need = request.need
    words = ["python3", "-P", "-m", "benchmark.jobs.run", "--name", request.name]
    words += ["--ranks", str(request.ranks), "--cpus", f"{need.cpus:g}"]
    words += ["--gpus", str(need.gpus)] if need.gpus else []
    words += ["--memory", str(need.memory)] if need.memory else []
    words += ["--without", ",".join(request.without)] if request.without else []
    words += ["--packages", request.packages] if request.packages else []
    # Python would take `-c.py` as an option.
    script = f"./{script}" if script.startswith("-") else script
    run = [script, *request.arguments]
    if not all(map(str.isprintable, run)):
        # Ray writes the command into the job's log, and it is one line there.
        words, run = [*words, "--json"], [json.dumps(run)]
    return shlex.join([*words, "--", *run])


def body(request: Request, script: str, package: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """What is added to a submission. One rank runs in the driver's place; several have a small driver."""
    need = request.need
    alone = request.ranks == 1
    driver = need if alone else Need(DRIVER_CPUS)
    amounts = {
        "entrypoint_num_cpus": driver.cpus,
        **({"entrypoint_num_gpus": driver.gpus} if driver.gpus else {}),
        **({"entrypoint_memory": driver.memory} if driver.memory else {}),
        **({"entrypoint_label_selector": placement.selector(request.without)} if request.without else {}),
    }
    packages = {VARIABLE: request.packages} if request.packages else {}
    metadata = {
        NAME_KEY: request.name,
        RANKS_KEY: str(request.ranks),
        CPUS_KEY: f"{need.cpus:g}",
        GPUS_KEY: str(need.gpus),
        MEMORY_KEY: str(need.memory),
        **({PACKAGES_KEY: request.packages} if request.packages else {}),
    }
    return {
        "entrypoint": entrypoint(request, script),
        "metadata": metadata,
        "runtime_env": {
            "working_dir": f"gcs://{package}",
            "env_vars": {**variables, **packages},
            **({"worker_process_setup_hook": HOOK} if packages else {}),
        },
        **amounts,
    }


def asked_of(metadata: Mapping[str, Any] | None) -> tuple[int, Need] | None:
    """Ranks and need of a job that this program submitted; None for others.

    Every job can submit one, and say of it what this program never would.
    """
    found = metadata or {}
    try:
        need = Need(float(found[CPUS_KEY]), int(found[GPUS_KEY]), int(found[MEMORY_KEY]))
        ranks = int(found[RANKS_KEY])
    except (KeyError, ValueError, TypeError):
        return None
    fits = CPUS_LEAST <= need.cpus <= CPUS_MOST and 0 <= need.gpus <= GPUS_MOST
    return (ranks, need) if fits and 0 <= need.memory <= MEMORY_MOST and 1 <= ranks <= RANKS_MOST else None


def name_of(job: Mapping[str, Any]) -> str:
    """The name of a job in Ray's list; its id where it was submitted by other means."""
    metadata = job.get("metadata") or {}
    return masked(str(metadata.get(NAME_KEY) or job.get("submission_id") or job.get("job_id") or ""))


def submitted(job: Mapping[str, Any]) -> datetime | None:
    """When a job in Ray's list was submitted; None where Ray does not say so."""
    try:
        begun = int(job.get("start_time") or 0)
        return datetime.fromtimestamp(begun / 1000, UTC) if begun else None
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def newest_first(jobs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of which nobody knows when they were submitted come last."""
    before = datetime.min.replace(tzinfo=UTC)
    return sorted(jobs, key=lambda job: submitted(job) or before, reverse=True)


def running_of(name: str, jobs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of the jobs of this name that have not ended."""
    return [
        str(job.get("submission_id"))
        for job in jobs
        if name_of(job) == name and job.get("status") in ("PENDING", "RUNNING")
    ]
