"""What commands of this clone have left in `out/<stack>/`: the newest audit and benchmark."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from audit import document as audits
from audit.verdicts import plural, shortened
from benchmark.analysis import runs
from operations.status_document import LastAudit, LastBenchmark


def last_audit(out: Path) -> LastAudit | None:
    """The newest audit; None where there is none that this version can read."""
    try:
        found = audits.load(json.loads((out / "audit.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError):
        return None
    failed = [verdict.name for verdict in found.verdicts if verdict.verdict == "fail"]
    passed = sum(verdict.verdict == "pass" for verdict in found.verdicts)
    ended = found.started + timedelta(seconds=found.seconds)
    text = f"failed: {shortened(failed)}" if failed else f"{plural(passed, 'check')} passed"
    return LastAudit(
        result="passed" if found.passed else "failed",
        at=ended.isoformat(timespec="seconds"),
        text=text,
        failed=failed,
    )


def last_benchmark(out: Path) -> LastBenchmark | None:
    """The newest complete run; None where there is none that this version can read."""
    found = runs.read(out / runs.RESULT)
    try:
        return _benchmark(found) if found else None
    except (LookupError, TypeError, ValueError):
        return None


def _benchmark(found: Mapping[str, Any]) -> LastBenchmark:
    verdicts = Counter(str(verdict["verdict"]) for verdict in found["verdicts"])
    failed = [str(v["name"]) for v in found["verdicts"] if v["verdict"] == "fail"]
    counted = ", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items()))
    return LastBenchmark(
        result="failed" if failed else "passed",
        at=datetime.fromisoformat(found["finished"]).isoformat(),
        text=f"tier {found['tier']}: "
        + (f"failed: {shortened(failed)}" if failed else f"verdicts: {counted}"),
        run=str(found["run_id"]),
        tier=str(found["tier"]),
        verdicts=dict(verdicts),
        failed=failed,
    )
