"""From what nodes say of themselves to a verdict on each. Pure.

The bounds are wide: a node that is wrongly left out costs more than one that is a tenth slower than it was.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.planning.units import GIB, MIB
from operations.nodes_document import Check, NodeFault, NodeRecord
from operations.output import size

# Bytes that have to be free.
ROOM = {"/tmp": 64 * MIB, "/dev/shm": 16 * MIB, "/": GIB // 2}
# Ray ends workers of a node above this share of its memory.
MEMORY_MOST = 0.95
HOST_LEAST = 256 * MIB
CLOCK_S = 5.0
HOT_BELOW_CRITICAL = 5.0  # degrees Celsius
# Of the median of the node's own passes, and of the median of the peers of the same kind: both have to be
# missed. On a machine with other work, single readings of a healthy node differed by a factor of 1.6.
SPEED_LEAST = 0.4
HISTORY_LEAST, HISTORY_MOST = 5, 20
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

    def speeds(self) -> dict[str, tuple[str, float]]:
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


def verdicts(readings: Sequence[Reading], before: Mapping[str, NodeRecord], at: str) -> dict[str, NodeRecord]:
    """The verdict on each node that was asked, by name. `before`: the record so far, of all nodes."""
    return {reading.node: _verdict(reading, readings, before.get(reading.node), at) for reading in readings}


def _verdict(reading: Reading, all_of: Sequence[Reading], last: NodeRecord | None, at: str) -> NodeRecord:
    history = dict(last.history) if last else {}
    slow = list(_slow(reading, all_of, history))
    faults = [*_faults(reading), *slow]
    left_out: dict[Check, str] = {}
    if reading.said is not None and not reading.said["thermal"]:
        left_out["thermal"] = "the node can read no temperature"
    if not reading.gpus:
        left_out["gpu"] = "the node has none"
    if reading.busy > OTHERS_MOST:
        left_out["speed"] = f"other processes of the node took {reading.busy:g} cores meanwhile"
    elif not slow:
        for device, (_, speed) in reading.speeds().items():
            history[device] = [*history.get(device, []), speed][-HISTORY_MOST:]
    found = {fault.check for fault in faults}
    waived = bool(last and last.waiver is not None and found <= set(last.waived_checks))
    return NodeRecord(
        node=reading.node,
        verdict="pass" if not faults else "waived" if waived else "fail",
        at=at,
        faults=faults,
        not_checked=left_out,
        speed={device: speed for device, (_, speed) in reading.speeds().items()},
        # A waiver ends with the fault: the next one is looked at anew.
        waiver=last.waiver if last and faults else None,
        waived_checks=last.waived_checks if last and faults else [],
        history=history,
    )


def waived(record: NodeRecord, reason: str) -> NodeRecord:
    """The same with a waiver of what is wrong now."""
    checks = list(dict.fromkeys(fault.check for fault in record.faults))
    return record.model_copy(update={"verdict": "waived", "waiver": reason, "waived_checks": checks})


def only_slow(record: NodeRecord) -> bool:
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


def _slow(
    reading: Reading, all_of: Sequence[Reading], history: Mapping[str, Sequence[float]]
) -> Iterator[NodeFault]:
    """Slower than both its own passes and its peers, or than the one of these that is known."""
    if reading.busy > OTHERS_MOST:
        return
    others = [r for r in all_of if r.node != reading.node and r.busy <= OTHERS_MOST]
    for device, (kind, speed) in reading.speeds().items():
        past = history.get(device, ())
        peers = [rate for r in others for k, rate in r.speeds().values() if k == kind]
        bars = {"its own earlier passes": statistics.median(past)} if len(past) >= HISTORY_LEAST else {}
        if peers:
            bars["its peers"] = statistics.median(peers)
        if bars and all(speed < SPEED_LEAST * bar for bar in bars.values()):
            than = " and ".join(f"{bar:.1f} of {whose}" for whose, bar in bars.items())
            found = f"{device}: {speed:.1f} GFLOP/s against {than}; at least {SPEED_LEAST:.0%} is needed"
            yield NodeFault(check="speed", found=found, fix="make top, and heat or other work on its machine")
