"""Whether the speed that a node tells can be true, and is enough. Pure.

Nobody is believed alone: of two that differ, own earlier passes, this machine's own core, or what a GPU of
that kind can do at all decides.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from benchmark.core.machine import gpu_peak
from operations.nodes_document import NodeFault

# Kind, which peers share, and GFLOP/s.
Device = tuple[str, float]

# Of the median of the node's own passes, and of the median of the peers of the same kind: both have to be
# missed. On a machine with other work, single readings of a healthy node differed by a factor of 1.6.
SPEED_LEAST = 0.4
HISTORY_LEAST, HISTORY_MOST = 5, 20
# Two peers decide against one; a single one may itself be what is wrong.
PEERS_LEAST = 2


def apart(nodes: Iterable[Mapping[str, Device]]) -> bool:
    """Whether two of a kind differ by so much that one of them must be wrong: then a third has to decide."""
    rates: dict[str, list[float]] = {}
    for kind, speed in (of for speeds in nodes for of in speeds.values()):
        rates.setdefault(kind, []).append(speed)
    return any(min(of) < SPEED_LEAST * max(of) for of in rates.values())


def too_fast(
    node: str, speeds: Mapping[str, Device], history: Mapping[str, Sequence[float]], host: Mapping[str, float]
) -> dict[str, NodeFault]:
    """Device → why nobody can believe its speed: a clock that stands still, or a program that lies."""
    found = {}
    for device, (kind, speed) in speeds.items():
        bounds = {whose: bar / SPEED_LEAST for whose, bar in _own(history.get(device, ())).items()}
        if kind in host:
            bounds["this machine's own core"] = host[kind] / SPEED_LEAST
        if peak := gpu_peak(kind):
            bounds["what its kind can do at all"] = peak / 1e9
        if beyond := [f"{bound:.1f} by {whose}" for whose, bound in bounds.items() if speed > bound]:
            text = f"{device}: {speed:.1f} GFLOP/s are not plausible; the most is {' and '.join(beyond)}"
            found[device] = NodeFault(check="speed", found=text, fix=f"make restart S={node}, make audit")
    return found


def slow(
    speeds: Mapping[str, Device],
    others: Sequence[Device],
    history: Mapping[str, Sequence[float]],
    host: Mapping[str, float],
) -> tuple[list[NodeFault], str]:
    """Slower than both its own passes and its peers, or than the one of these that is known.

    And why the speed cannot be judged, if so: a single peer counts where its own speed can be checked.
    """
    faults, alone = [], ""
    for device, (kind, speed) in speeds.items():
        peers = [rate for k, rate in others if k == kind]
        bars = _own(history.get(device, ()))
        checked = bool(bars or kind in host or gpu_peak(kind))
        if kind in host:
            peers.append(host[kind])
        if peers and (checked or len(peers) >= PEERS_LEAST):
            # The lower of two in the middle: one of them alone makes nobody slow.
            bars["its peers"] = statistics.median_low(peers)
        elif peers and min(speed, *peers) < SPEED_LEAST * max(speed, *peers):
            alone = f"one of two is wrong, and nothing says which: {speed:.1f} and {peers[0]:.1f} GFLOP/s"
        if bars and all(speed < SPEED_LEAST * bar for bar in bars.values()):
            than = " and ".join(f"{bar:.1f} of {whose}" for whose, bar in bars.items())
            found = f"{device}: {speed:.1f} GFLOP/s against {than}; at least {SPEED_LEAST:.0%} is needed"
            faults.append(
                NodeFault(check="speed", found=found, fix="make top, and heat or other work on its machine")
            )
    return faults, alone


def _own(past: Sequence[float]) -> dict[str, float]:
    """Its own earlier passes as a bar, once there are enough."""
    return {"its own earlier passes": statistics.median(past)} if len(past) >= HISTORY_LEAST else {}
