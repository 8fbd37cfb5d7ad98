"""RPO and RTO with much data: fill the store through the load balancer, back up, restore for trial.

Prints the rate of each step and the highest memory of each service, which should not grow with the data. The
bucket `results`, `backup.staging_capacity` and `backup.vault_capacity` have to hold the data, the disk five
times as much: twice in the store, once each in staging, in the vault and for the trial. `--data letters`
writes letters in place of random bytes, which the vault keeps in a quarter. The objects are removed at the
end; the vault keeps their snapshot until its retention lets it go, so that this is best done on a stack for
trials. Writes `<out>/recovery-figures.json` (aidc.recovery-figures/1).

Exit codes: 0 measured, and the drill passed; 1 a step failed; 2 the stack is not up, or no engine answers.
"""

from __future__ import annotations

from pathlib import Path

from components.planning.inventory import load
from components.planning.units import GIB, size_text
from operations.engine.client import connect
from operations.errors import FAILED, OK, RefusedError
from operations.measuring.documents import Data, RecoveryFigures
from operations.measuring.record import Record, host_load, load_of
from operations.measuring.recovery import measure
from operations.output import size as sized
from operations.process import say
from operations.stack.pulumi import Pulumi


def main(stack: str, out: Path | None = None, size: int = 2 * GIB, data: Data = "bytes") -> int:
    """Measure, print steps and memory, write the record. Raises OperationError."""
    pulumi, engine, record = Pulumi(stack), connect(), Record(RecoveryFigures, stack, out)
    raw, access = pulumi.output("inventory"), pulumi.output("access", secret=True)
    if raw is None or access is None:
        raise RefusedError(f"stack {stack} is not up; fix: `make up STACK={stack}`")
    inventory = load(raw)
    with host_load(engine, stack) as host:
        steps, drill, services = measure(engine, inventory, access, size, data, say=say)
    document = record.filled(
        load=load_of(host),
        bytes=size,
        data=data,
        steps=steps,
        services=services,
        **{name: drill[name] for name in ("passed", "rpo_s", "rto_s", "compared", "different")},
    )
    for line in lines(document):
        say(line)
    record.write(document)
    return OK if document.passed else FAILED


def lines(figures: RecoveryFigures) -> list[str]:
    """The outcome for a terminal."""
    found = [f"{step.name:<32} {step.seconds:8.1f} s {step.mb_s:8.1f} MB/s" for step in figures.steps]
    rpo = f"{figures.rpo_s:.0f} s" if figures.rpo_s is not None else "unknown"
    drill = f"drill {'passed' if figures.passed else 'FAILED'}"
    found.append(
        f"{size_text(figures.bytes)} of {figures.data}: {drill}, {figures.compared} compared, "
        f"{figures.different} different; RPO {rpo}, RTO {figures.rto_s:.0f} s"
    )
    peaks = [f"  {s.name:<20} {sized(s.peak_bytes):>10} of {sized(s.limit_bytes)}" for s in figures.services]
    return [*found, "highest memory, file cache left out:", *peaks]
