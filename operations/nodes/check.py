"""Ask the compute nodes of a running stack, judge them, and keep the record."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docker.errors import DockerException

from components.planning.flows import RAY_AGENT_HTTP
from components.planning.paths import ROOT
from components.runtime.labels import KIND, ROLE
from operations.engine.client import Engine, EngineResource
from operations.errors import OperationError
from operations.nodes import judge, record
from operations.nodes.answer import read
from operations.nodes.judge import Reading
from operations.nodes.speed import apart
from operations.nodes_document import NodeRecord, Nodes

# Seconds; a node with GPUs loads PyTorch first.
PATIENCE = 90
COMMAND = ("python3", "-P", "-m", "benchmark.telemetry.node_check")


def containers(engine: Engine, stack: str) -> dict[str, EngineResource]:
    """The compute nodes that exist, by name."""
    prefix = f"aidc-{stack}-"
    found = [
        c
        for c in engine.containers(stack)
        if (c.labels.get(ROLE), c.labels.get(KIND)) == ("compute", "service")
    ]
    return {c.name.removeprefix(prefix): c for c in sorted(found, key=lambda c: c.name)}


def check(engine: Engine, stack: str, names: Sequence[str], out: Path) -> dict[str, NodeRecord]:
    """Ask these nodes now; the verdict on each, which is written into `out` as well."""
    found = containers(engine, stack)
    known = record.read(out)
    before = {node.node: node for node in known.nodes} if known else {}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    # All nodes of a check are measured, so that each has peers; a core for each of those at work at once.
    with ThreadPoolExecutor(max_workers=max(1, int(engine.info().get("NCPU", 1)) // 2)) as pool:
        readings = dict(zip(found, pool.map(lambda c: ask(engine, stack, c), found.values()), strict=True))

    def judged() -> dict[str, NodeRecord]:
        all_of = list(readings.values())
        return judge.verdicts(all_of, before, at, host_core() if apart(r.speeds() for r in all_of) else {})

    verdicts = judged()
    if doubtful := [name for name in names if judge.only_speed(verdicts[name])]:
        for name in doubtful:
            readings[name] = ask(engine, stack, found[name])
        verdicts = judged()
    merged = {**before, **verdicts}
    keep(stack, [merged[name] for name in found], out)
    return {name: verdicts[name] for name in names}


def keep(stack: str, nodes: Sequence[NodeRecord], out: Path) -> Path:
    """Write the record of all nodes."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return record.write(Nodes(schema="aidc.nodes/1", stack=stack, measured=at, nodes=list(nodes)), out)


def ask(engine: Engine, stack: str, container: EngineResource) -> Reading:
    """What one node says of itself; a node that cannot say it is a fault, not an error."""
    name = container.name.removeprefix(f"aidc-{stack}-")
    begun = time.time()
    try:
        gpus = gpus_of(engine.inspect(container.name))
        agent = f"{RAY_AGENT_HTTP}/api/local_raylet_healthz"
        words = ["timeout", f"{PATIENCE}", *COMMAND, "--gpus", f"{gpus}", "--agent", agent]
        code, text = engine.run(container.name, words)
        said = json.loads(text.strip().splitlines()[-1]) if code == 0 else None
    except (DockerException, OperationError) as error:
        return Reading(name, None, f"the engine cannot ask it: {str(error).splitlines()[0][:200]}")
    except (ValueError, IndexError, RecursionError):
        return Reading(name, None, "its check ended without an answer")
    if said is None:
        return Reading(name, None, f"its check did not end within {PATIENCE} s" if code == 124
                       else f"its check ended with exit code {code}")  # fmt: skip
    answer = read(said)
    if answer is None:
        return Reading(name, None, "its check gave no valid answer")
    ended = time.time()
    # Its clock was read somewhere in between.
    middle, doubt = (begun + ended) / 2, (ended - begun) / 2
    return Reading(name, answer, "", answer["time"] - middle, doubt, gpus)


def host_core(command: Sequence[str] = (sys.executable, "-m", COMMAND[-1])) -> dict[str, float]:
    """This machine's processor and the GFLOP/s of one core of it; empty where it cannot be measured.

    Where it is the engine's machine, no node has a faster one; elsewhere it is another processor.
    """
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=PATIENCE, check=True)
        said = read(json.loads(done.stdout))
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    return {said["cpu"]["model"]: said["cpu"]["gflops"]} if said else {}


def gpus_of(described: Any) -> int:
    """How many GPUs the container was given."""
    requests = (described.get("HostConfig") or {}).get("DeviceRequests") or ()
    return sum(len(r.get("DeviceIDs") or ()) or max(0, int(r.get("Count") or 0)) for r in requests)
