"""Our backup against rclone and restic by hand, on the same objects, in throw-away containers.

By hand: `rclone copy` from the store, then `restic backup`, with no comparison and nothing read back. Ours
also writes a manifest with a hash of every object, compares the snapshot with the store's listing, and reads
a part of it back. Both run in the same container with the limits of the stack's own backup, in turns, each
time into a new repository of a vault like the stack's; the objects are random. Nothing of the stack is read
or written. Takes about six minutes. Writes `<out>/backup-figures.json` (aidc.backup-figures/1).

Exit codes: 0 measured, and not shown to be slower than nine tenths of by hand; 1 it is slower, or a backup
failed; 2 the stack is not up, or no engine answers.
"""

from __future__ import annotations

from pathlib import Path

from benchmark.core import stats
from components.planning.units import MIB, size_text
from operations.engine.client import connect
from operations.engine.services import outside
from operations.errors import FAILED, OK
from operations.measuring.backup import measure, ratio
from operations.measuring.documents import BackupFigures, BackupPair, Outcome, Ratio
from operations.measuring.record import Record
from operations.process import say

BOUND = 0.9
WORDS: dict[bool | None, Outcome] = {True: "passed", False: "missed", None: "inconclusive"}


def main(stack: str, out: Path | None = None, rounds: int = 8, size: int = 512 * MIB) -> int:
    """Measure, print each pair and the ratio, write the record. Raises OperationError."""
    engine, record = connect(), Record(BackupFigures, stack, out)
    if outside(engine, stack):
        say(f"stack {stack} uses an outside store, which is not ours: there is no node here to measure with")
        return OK
    pairs, meanwhile = measure(
        engine, stack, rounds=rounds, size=size, on_pair=lambda pair: say(line(pair, size))
    )
    interval = ratio(pairs)
    verdict = WORDS[stats.judged(dict(interval), BOUND)]
    document = record.filled(
        load=meanwhile,
        bytes=size,
        pairs=pairs,
        ratio=Ratio(**{name: interval[name] for name in Ratio.model_fields}),
        bound=BOUND,
        verdict=verdict,
    )
    say(summary(document))
    record.write(document)
    return FAILED if verdict == "missed" else OK


def line(pair: BackupPair, size: int) -> str:
    """One pair for a terminal."""
    rates = (size / 1e6 / seconds for seconds in (pair.ours_s, pair.by_hand_s))
    ours, hand = (f"{rate:6.1f} MB/s" for rate in rates)
    return f"  ours {pair.ours_s:6.1f} s, {ours}; by hand {pair.by_hand_s:6.1f} s, {hand}"


def summary(figures: BackupFigures) -> str:
    """The ratio with its interval and verdict."""
    found = figures.ratio
    interval = f" ({found.low:.3f} to {found.high:.3f})" if found.low is not None else ""
    return (
        f"{size_text(figures.bytes)}, throughput of ours to by hand: {found.ratio:.3f}{interval} over "
        f"{found.pairs} pairs; at least {figures.bound:g}: {figures.verdict}"
    )
