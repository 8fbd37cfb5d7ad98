"""From what nodes say of themselves to a verdict on each. Pure.

The bounds are wide: a node that is wrongly left out costs more than one that is a tenth slower than it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.planning.units import GIB, MIB
from operations.nodes import speed
from operations.nodes.speed import HISTORY_MOST, Device
from operations.nodes_document import Check, NodeFault, NodeRecord
from operations.output import size

# Bytes that have to be free.
ROOM = {"/tmp": 64 * MIB, "/dev/shm": 16 * MIB, "/": GIB // 2}
# Ray ends workers of a node above this share of its memory.
MEMORY_MOST = 0.95
HOST_LEAST = 256 * MIB
CLOCK_S = 5.0
HOT_BELOW_CRITICAL = 5.0  # degrees Celsius
# Cores that other processes of the node may use while its speed is measured.
OTHERS_MOST = 0.3


@dataclass(frozen=True)
class Reading:
    """What `benchmark.telemetry.node_check` printed on a node; None, with the fault, where it did not.

    `offset_s`: the node's clock less ours; `doubt_s`: how far that may be off, for the way there and back.
    """

    node: str
    said: Mapping[str, Any] | None
    fault: str = ""
    offset_s: float = 0.0
    doubt_s: float = 0.0
    gpus: int = 0

    def speeds(self) -> dict[str, Device]:
        """Device → its kind, which peers share, and its GFLOP/s."""
        if self.said is None:
            return {}
        cpu = self.said["cpu"]
        found = {f"core of {cpu['model']}": (str(cpu["model"]), float(cpu["gflops"]))}
        for gpu in self.said.get("gpus", ()):
            if gpu["gflops"] is not None:
                found[f"{gpu['name']} {gpu['uuid']}"] = (str(gpu["name"]), float(gpu["gflops"]))
        return found

    @property
    def busy(self) -> float:
        """Cores that other processes of the node used meanwhile."""
        return float(self.said["cpu"]["others"] or 0.0) if self.said else 0.0


def verdicts(
    readings: Sequence[Reading],
    before: Mapping[str, NodeRecord],
    at: str,
    host: Mapping[str, float] | None = None,
) -> dict[str, NodeRecord]:
    """The verdict on each node that was asked, by name. `before`: the record so far, of all nodes.

    `host`: kind → GFLOP/s of this machine's own core, where it was measured.
    """
    host = host or {}
    history = {r.node: dict(before[r.node].history) if r.node in before else {} for r in readings}
    too_fast = {r.node: speed.too_fast(r.node, r.speeds(), history[r.node], host) for r in readings}
    # What nothing can be as fast as is no measure for others.
    believed = {
        r.node: {d: of for d, of in r.speeds().items() if d not in too_fast[r.node]}
        for r in readings
        if r.busy <= OTHERS_MOST
    }
    found = {}
    for reading in readings:
        name = reading.node
        peers = [of for node, speeds in believed.items() if node != name for of in speeds.values()]
        slow, unknown = speed.slow(believed.get(name, {}), peers, history[name], host)
        if reading.busy > OTHERS_MOST:
            unknown = f"other processes of the node took {reading.busy:g} cores meanwhile"
        judged = _Speed([*too_fast[name].values(), *slow], unknown, history[name])
        found[name] = _verdict(reading, judged, before.get(name), at)
    return found


@dataclass(frozen=True)
class _Speed:
    """What is wrong with a node's speed, why it cannot be judged, and its earlier passes."""

    faults: Sequence[NodeFault]
    unknown: str
    history: dict[str, list[float]]


def _verdict(reading: Reading, judged: _Speed, last: NodeRecord | None, at: str) -> NodeRecord:
    history = judged.history
    faults = [*_faults(reading), *judged.faults]
    left_out: dict[Check, str] = {}
    if reading.said is not None and not reading.said["thermal"]:
        left_out["thermal"] = "the node can read no temperature"
    if not reading.gpus:
        left_out["gpu"] = "the node has none"
    if judged.unknown:
        left_out["speed"] = judged.unknown
    elif not judged.faults:
        for device, (_, rate) in reading.speeds().items():
            history[device] = [*history.get(device, []), rate][-HISTORY_MOST:]
    found = {fault.check for fault in faults}
    waived = bool(last and last.waiver is not None and found <= set(last.waived_checks))
    return NodeRecord(
        node=reading.node,
        verdict="pass" if not faults else "waived" if waived else "fail",
        at=at,
        faults=faults,
        not_checked=left_out,
        speed={device: rate for device, (_, rate) in reading.speeds().items()},
        # A waiver ends with the fault: the next one is looked at anew.
        waiver=last.waiver if last and faults else None,
        waived_checks=last.waived_checks if last and faults else [],
        history=history,
    )


def waived(record: NodeRecord, reason: str) -> NodeRecord:
    """The same with a waiver of what is wrong now."""
    checks = list(dict.fromkeys(fault.check for fault in record.faults))
    return record.model_copy(update={"verdict": "waived", "waiver": reason, "waived_checks": checks})


def only_speed(record: NodeRecord) -> bool:
    """Whether speed is all that is wrong: worth a second look, as other work may have been in the way."""
    return bool(record.faults) and {fault.check for fault in record.faults} == {"speed"}


def _faults(reading: Reading) -> Iterator[NodeFault]:
    said, short = reading.said, reading.node
    if said is None:
        yield NodeFault(
            check="answer", found=reading.fault, fix=f"make logs S={short}, make restart S={short}"
        )
        return
    if said["answer"]:
        yield NodeFault(check="answer", found=f"Ray on it: {said['answer']}", fix=f"make restart S={short}")
    for place, least in ROOM.items():
        room = said["disk"].get(place)
        if room and room["free"] < least:
            found = (
                f"{place}: {size(room['free'])} of {size(room['total'])} are free, {size(least)} are needed"
            )
            fix = "free disk space on the engine's machine" if place == "/" else f"make restart S={short}"
            yield NodeFault(check="disk", found=found, fix=fix)
    yield from _memory(said["memory"])
    if abs(reading.offset_s) - reading.doubt_s > CLOCK_S:
        found = f"its clock differs from this machine's by {reading.offset_s:+.1f} s"
        yield NodeFault(check="clock", found=found, fix="set both by NTP")
    for zone, heat in said["thermal"].items():
        if heat["critical"] and heat["now"] >= heat["critical"] - HOT_BELOW_CRITICAL:
            found = f"{zone}: {heat['now']:.0f} °C, critical at {heat['critical']:.0f} °C"
            yield NodeFault(check="thermal", found=found, fix="look at fans and air flow")
    if reading.gpus:
        yield from _gpus(said, reading.gpus)


def _memory(said: Mapping[str, Any]) -> Iterator[NodeFault]:
    limit, used, left = said["limit"], said["used"], said["host_available"]
    if limit and used is not None and used > MEMORY_MOST * limit:
        found = f"{size(used)} of {size(limit)} are in use, and Ray ends workers above {MEMORY_MOST:.0%}"
        yield NodeFault(
            check="memory", found=found, fix="make jobs: what holds it? or compute.nodes[].memory"
        )
    if left is not None and left < HOST_LEAST:
        found = f"its machine has {size(left)} left, {size(HOST_LEAST)} are needed"
        yield NodeFault(check="memory", found=found, fix="end other programs on the engine's machine")


def _gpus(said: Mapping[str, Any], declared: int) -> Iterator[NodeFault]:
    fix = "nvidia-smi on the engine's machine, then make accept"
    found, fault = said.get("gpus", []), said.get("gpu_fault", "")
    if fault:
        yield NodeFault(check="gpu", found=fault, fix=fix)
    elif len(found) != declared:
        yield NodeFault(check="gpu", found=f"{len(found)} of {declared} GPUs are there", fix=fix)
    for gpu in found:
        if gpu["ecc_errors"]:
            text = f"{gpu['name']} {gpu['uuid']}: {gpu['ecc_errors']} uncorrected memory errors"
            yield NodeFault(check="gpu", found=text, fix="reset the GPU; replace it when they come back")
        if gpu["slowed"]:
            text = f"{gpu['name']} {gpu['uuid']}: slowed down by heat at {gpu['temperature']} °C"
            yield NodeFault(check="thermal", found=text, fix="look at fans and air flow")
