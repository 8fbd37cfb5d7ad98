"""How long much data takes to be saved and to be restored for trial, and how much memory that needs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from components.planning.inventory import Inventory
from components.planning.paths import ROOT
from components.planning.units import MIB
from operations.engine.client import Engine
from operations.engine.services import running
from operations.errors import OperationError
from operations.measuring.client import LoadClient
from operations.measuring.documents import Data, RecoveryStep, ServiceUsage
from operations.measuring.storage import BALANCED, places
from operations.measuring.usage import Watch

OBJECT = 8 * MIB
CLIENTS = 4
Say = Callable[[str], None]


def measure(
    engine: Engine, inventory: Inventory, access: Mapping[str, Any], size: int, data: Data, *, say: Say
) -> tuple[list[RecoveryStep], dict[str, Any], list[ServiceUsage]]:
    """The steps with their seconds, the drill's record, and what each container used.

    Writes `size` random bytes or letters into the store through the load balancer, and removes them at the
    end; the vault keeps the snapshot that holds them until its retention lets it go. Raises OperationError.
    """
    stack = inventory.stack
    balancer = inventory.by_role("load-balancer")[0].container
    running(engine, stack, "backup")
    place = places(inventory, access)[BALANCED]
    with Watch(engine, stack) as watch, LoadClient("client", balancer, place) as client:
        say(f"writing {size // OBJECT} objects of {OBJECT // MIB} MiB …")
        seconds = client.fill(OBJECT, size // OBJECT, CLIENTS, letters=data == "letters")
        steps = [step("write through the load balancer", seconds, size)]
        say("backing up …")
        steps.append(step("backup", _backup(engine, stack, say), size))
        say("restoring for trial …")
        seconds, drill = _drill(stack)
        steps.append(step("restore drill", seconds, size))
        say("removing the objects …")
    return steps, drill, watch.rows()


def step(name: str, seconds: float, size: int) -> RecoveryStep:
    return RecoveryStep(name=name, seconds=round(seconds, 2), mb_s=round(size / 1e6 / seconds, 2))


def _backup(engine: Engine, stack: str, say: Say) -> float:
    begin, lines = time.monotonic(), list[str]()
    code = engine.follow(f"aidc-{stack}-backup", ["backup", "run"], lines.append)
    if code:
        raise OperationError(f"the backup ended with {code}: {' / '.join(lines[-3:]) or 'without a word'}")
    say(f"  {lines[-1] if lines else ''}")
    return time.monotonic() - begin


def _drill(stack: str) -> tuple[float, dict[str, Any]]:
    """As a user runs it: seconds, and its record. Raises OperationError when it left none."""
    with tempfile.TemporaryDirectory(prefix="aidc-recovery-") as folder:
        command = [sys.executable, "-m", "operations", "drill", "--stack", stack, "--out", folder]
        begin = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begin
        try:
            return seconds, json.loads((Path(folder) / "drill.json").read_text(encoding="utf-8"))
        except OSError:
            said = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
            raise OperationError(f"the drill ended with {done.returncode}: {said}") from None
