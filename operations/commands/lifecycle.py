"""`make bench-lifecycle`: seconds of up, second up, drift check and destroy, each against its target.

Declaring a platform is worth it only if declaring it again costs next to nothing. So in addition to the cold
`up` (only the images exist) this times the `up` that has nothing to do, the check that nothing drifted, and
the removal. Each number is one run of the very command that a user types, including the start of Python. Then
the same training runs in the stack and on the host (the host baseline): what does the platform cost? The cold
`make demo` needs a bare machine; it prints its own duration.

The measured stack is a separate one, `bench`: a copy of the given stack's file with other subnets and ports,
so that a running stack is not touched. `bench` is purged at the end, also after a failure or an interrupt.

Exit codes: 0 measured and within the targets; 1 a step failed or missed its target; 2 refused: the stack
exists, or the machine has no room for another one; 130 interrupted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Literal

import yaml
from rich.table import Table

# The one edge to the benchmark: the overhead is judged by its bound and its interval, not by a second copy of
# either. Its result holds the pairs of runs and no interval as numbers.
from benchmark.analysis.verdicts import RATIO_BOUND, bare_pairs
from benchmark.core import stats
from components.planning.config import DATACENTER, PublishedPorts
from components.planning.paths import ROOT
from components.planning.units import GIB
from operations.documents import content
from operations.engine.client import connect
from operations.errors import FAILED, OK, InterruptionError, OperationError, RefusedError
from operations.measuring import record
from operations.measuring.documents import Lifecycle, LifecycleFigure, Outcome
from operations.output import console
from operations.preflight import checks, machine
from operations.process import Interrupts, attached, say
from operations.stack.file import path_of, read
from operations.stack.pulumi import Pulumi

STACK = "bench"
# Seconds; None: measured without a target.
TARGETS: dict[str, float | None] = {
    "up, cold": 60.0,
    "up, nothing to do": None,
    "pulumi up, nothing to do": 8.0,
    "pulumi up --refresh --expect-no-changes": None,
    "destroy": 30.0,
}
RATIO = "training, in the stack : bare"
# A model whose steps are long enough for a meaningful throughput.
WORKLOAD = "bytelm"
# Bytes that the services of a small stack really use; their limits are higher.
MEMORY_IN_USE = 6 * GIB
PORT_SHIFT = 20000


@dataclass(frozen=True)
class Figure:
    """One measured figure: seconds, where less is better, or a ratio, where more is better.

    `value` is None when it could not be measured: `reason` says why.
    """

    name: str
    value: float | None
    target: float | None
    unit: Literal["s", "ratio"] = "s"
    reason: str = ""
    # Only of a figure that has an interval: its target is met, missed, or neither is shown.
    judged: Outcome | Literal[""] = ""

    @property
    def verdict(self) -> Outcome | Literal["not measured", "-"]:
        if self.value is None:
            return "not measured"
        if self.judged:
            return self.judged
        if self.target is None:
            return "-"
        good = self.value <= self.target if self.unit == "s" else self.value >= self.target
        return "passed" if good else "missed"


def main(stack: str, *, out: Path, no_training: bool) -> int:
    """Measure on a copy of `stack`, print the table, write `out`. Raises OperationError."""
    _refuse_unless_free()
    path = path_of(STACK)
    path.write_text(copy_of(stack), encoding="utf-8")
    try:
        figures = _measure(out, no_training)
    finally:
        _remove(path)
    _write(out, stack, figures)
    console().print(_table(figures))
    say(f"wrote {out}")
    return OK if all(figure.verdict in ("passed", "-") for figure in figures) else FAILED


def _measure(out: Path, no_training: bool) -> list[Figure]:
    """Waits for each step, also after an interrupt; the next one starts only if no stop was requested."""
    figures: list[Figure] = []
    drift = "pulumi up --refresh --expect-no-changes"
    with Interrupts("the running step") as interrupts:
        steps: list[Callable[[], Figure]] = [
            lambda: _timed(interrupts, "up, cold", "up", "--stack", STACK),
            lambda: _timed(interrupts, "up, nothing to do", "up", "--stack", STACK),
            lambda: _timed_pulumi(interrupts, "pulumi up, nothing to do"),
            lambda: _timed_pulumi(interrupts, drift, "--refresh", "--expect-no-changes"),
            *([] if no_training else [lambda: _training(interrupts, out.parent / STACK)]),
            lambda: _timed(interrupts, "destroy", "destroy", "--stack", STACK),
        ]
        for step in steps:
            figures.append(step())
    return figures


def _remove(path: Path) -> None:
    """Purge the stack. Its file is removed only when nothing is left: the seed in it opens the data."""
    say(f"\nremoving stack {STACK} and its data")
    with Interrupts("the removal") as interrupts:
        code = attached(
            _command("destroy", "--purge", "--yes", "--stack", STACK), interrupts=interrupts, cwd=ROOT
        )
    if code:
        raise OperationError(
            f"stack {STACK} could not be removed (exit code {code}); {path.name} is kept\n"
            f"    fix: make destroy STACK={STACK} PURGE=1, then remove {path.name}"
        )
    path.unlink(missing_ok=True)


def _refuse_unless_free() -> None:
    if path_of(STACK).exists() or connect().owned(STACK):
        fix = f"make destroy STACK={STACK} PURGE=1, and remove Pulumi.{STACK}.yaml"
        raise RefusedError(f"stack {STACK} exists already\n    fix: {fix}")
    available = machine.available_memory()
    if available is not None and available < MEMORY_IN_USE:
        raise RefusedError(
            f"memory: {available / GIB:.1f} GiB available, a stack needs {MEMORY_IN_USE / GIB:.0f} GiB\n"
            "    fix: remove a running stack first (`make destroy`; its data is kept)"
        )


def copy_of(stack: str) -> str:
    """The stack's YAML with free subnets and shifted ports, without secrets. Raises RefusedError."""
    file = read(stack)
    if file.issues or file.load_balancer() is None:
        raise RefusedError("\n".join(str(i) for i in file.issues) or f"{file.path.name} is not valid")
    networks = [subnet for n in connect().networks() for subnet in n.subnets]
    own = file.network()
    taken = [
        *networks,
        *(r.network for r in (*machine.routes(), *machine.policy_routes())),
        *([own.cidr] if own else []),
    ]
    raw = file.datacenter if isinstance(file.datacenter, dict) else {}
    return yaml.safe_dump(moved(raw, taken), sort_keys=False)


def moved(raw: dict[str, Any], taken: Sequence[IPv4Network]) -> dict[str, Any]:
    """`raw` as a complete stack file with other subnets and ports: pure."""
    balancer = dict(raw.get("load_balancer") or {})
    ports = {**PublishedPorts().model_dump(), **(balancer.get("ports") or {})}
    balancer["ports"] = {name: 1024 + (port + PORT_SHIFT - 1024) % 64512 for name, port in ports.items()}
    free = checks.free_cidr(taken)
    if free is None:
        raise RefusedError("no private network is free for the measured stack")
    changed = {**raw, "load_balancer": balancer, "network": {"cidr": free}}
    return {"config": {DATACENTER: changed}}


def _command(*arguments: str) -> list[str]:
    """A command of `aidc`, as a user runs it."""
    return [sys.executable, "-m", "operations", *arguments]


def _run(interrupts: Interrupts, command: Sequence[str]) -> int:
    """Run `command`; return its exit code. Raises InterruptionError when a stop was requested meanwhile."""
    code = attached(command, interrupts=interrupts, cwd=ROOT)
    _raise_if_interrupted(interrupts)
    return code


def _raise_if_interrupted(interrupts: Interrupts) -> None:
    if interrupts.any():
        raise InterruptionError("interrupted; nothing was written")


def _timed(interrupts: Interrupts, name: str, *arguments: str) -> Figure:
    say(f"\n== {name}")
    started = time.monotonic()
    code = _run(interrupts, _command(*arguments))
    if code:
        raise OperationError(f"{name}: failed with exit code {code}; nothing more was measured")
    return Figure(name, round(time.monotonic() - started, 2), TARGETS[name])


def _timed_pulumi(interrupts: Interrupts, name: str, *flags: str) -> Figure:
    """Time Pulumi's own command on the running stack: it must succeed and change nothing."""
    say(f"\n== {name}")
    lines: list[str] = []
    started = time.monotonic()
    code = Pulumi(STACK).run("up", "--yes", *flags, interrupts=interrupts, on_line=lines.append)
    _raise_if_interrupted(interrupts)
    if code:
        text = "\n".join(lines)
        raise OperationError(f"{name}: failed or changed something\n{text}")
    return Figure(name, round(time.monotonic() - started, 2), TARGETS[name])


def _training(interrupts: Interrupts, out: Path) -> Figure:
    """The throughput of one workload in the stack over that of the same code bare, seed by seed."""
    say(f"\n== {RATIO}")
    flags = ["--stack", STACK, "--tier", "ci", "--workloads", WORKLOAD, "--out", str(out)]
    code = _run(interrupts, [sys.executable, "-m", "benchmark", "overhead", *flags])
    return ratio(out / "result.json", f"the benchmark exited with code {code} without a pair of runs")


def ratio(result: Path, otherwise: str) -> Figure:
    """The geometric mean over the pairs of runs in `result`; `otherwise` says why there are none."""
    try:
        pairs = bare_pairs(json.loads(result.read_text(encoding="utf-8"))).get(WORKLOAD, [])
    except (OSError, ValueError):
        pairs = []
    if not pairs:
        return Figure(RATIO, None, RATIO_BOUND, "ratio", otherwise)
    interval = stats.ratio_interval([p[0] for p in pairs], [p[1] for p in pairs])
    words: dict[bool | None, Outcome] = {True: "passed", False: "missed", None: "inconclusive"}
    outcome = words[stats.judged(interval, RATIO_BOUND)]
    reason = f"samples/s, {len(pairs)} pairs"
    return Figure(RATIO, round(interval["ratio"], 3), RATIO_BOUND, "ratio", reason, outcome)


def _write(out: Path, stack: str, figures: Sequence[Figure]) -> None:
    document = Lifecycle(
        schema="aidc.lifecycle/1",
        stack=stack,
        environment=record.machine(),
        figures=[LifecycleFigure(**asdict(figure), verdict=figure.verdict) for figure in figures],
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(content(document), indent=2) + "\n", encoding="utf-8")


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("figure", title="lifecycle", title_justify="left")
    table.add_column("measured", justify="right")
    table.add_column("target", justify="right")
    table.add_column("verdict")
    for figure in figures:
        value, target = (_spelled(number, figure.unit) for number in (figure.value, figure.target))
        bound = "≤" if figure.unit == "s" else "≥"
        table.add_row(
            figure.name,
            value,
            f"{bound} {target}" if figure.target is not None else target,
            f"{figure.verdict} {figure.reason}".strip(),
        )
    return table


def _spelled(number: float | None, unit: str) -> str:
    if number is None:
        return "-"
    return f"{number:.1f} s" if unit == "s" else f"{number:.3f}"
