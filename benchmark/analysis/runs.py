"""The runs of a stack: each in a folder of its own, `<out>/runs/<run id>/`, which no other run touches.

`<out>/result.json` and `<out>/report.html` are copies of the newest complete run's. A run that failed or was
interrupted keeps what it measured in its own folder. Only the user removes runs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.core import files, regular
from benchmark.core.errors import BenchmarkError, ConfigError
from benchmark.core.suggest import near
from benchmark.core.words import cell

FOLDER = "runs"
RESULT, REPORT = "result.json", "report.html"
COLUMNS = ("run", "started", "commit", "tier", "workloads", "complete", "verdicts", "path")


@dataclass(frozen=True)
class Run:
    """Where one run keeps what it measures. `name`: `result`, or `faults`, whose copies have that name."""

    out: Path
    run_id: str
    name: str = "result"

    @property
    def folder(self) -> Path:
        return self.out / FOLDER / self.run_id

    @property
    def path(self) -> Path:
        return self.folder / RESULT

    @property
    def copy(self) -> Path:
        return self.out / f"{self.name}.json"

    @property
    def page(self) -> Path:
        return self.out / (REPORT if self.name == "result" else f"{self.name}.html")

    def publish(self) -> list[Path]:
        """Make a complete run the newest one; the copies. A run that began later stays where it is."""
        mine, theirs = read(self.path), read(self.copy)
        if theirs and theirs.get("complete") and str(theirs.get("started")) > str(mine and mine["started"]):
            return []
        found = []
        for source, copy in ((self.path, self.copy), (self.folder / REPORT, self.page)):
            if source.exists():
                files.write(copy, source.read_text(encoding="utf-8"))
                found.append(copy)
        return found


def begin(out: Path, run_id: str, name: str = "result") -> Run:
    """A folder for a new run; two that begin in the same second get different names."""
    for number in range(1, 1000):
        run = Run(out, run_id if number == 1 else f"{run_id}-{number}", name)
        try:
            run.folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigError([f"{run.folder}: cannot be created: {error.strerror}"]) from error
        return run
    raise ConfigError([f"{out / FOLDER / run_id}: exists a thousand times"])


def copies(path: Path, run_id: str) -> list[Path]:
    """All files that hold the result of `run_id` at `path`: its own, and the copy of the newest."""
    out = path.parent.parent.parent if path.parent.parent.name == FOLDER else path.parent
    others = (out / FOLDER / run_id / RESULT, out / RESULT)
    same = [p for p in others if p != path and (read(p) or {}).get("run_id") == run_id]
    return list(dict.fromkeys([path, *same]))


def read(path: Path) -> dict[str, Any] | None:
    """A result, or None where there is none that can be read."""
    try:
        found = json.loads(regular.read_text(path, regular.DOCUMENT_MOST))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def folders(out: Path) -> list[Path]:
    """Of all runs below `out`, those of `overhead` too; newest first."""
    found = [f.parent for f in out.glob(f"**/{FOLDER}/*/{RESULT}")]
    return sorted(
        found, key=lambda f: (str((read(f / RESULT) or {}).get("started", "")), f.name), reverse=True
    )


def find(out: Path, run_id: str) -> Path:
    """The result of a run; ConfigError names the existing ones."""
    known = {f.name: f for f in reversed(folders(out))}
    if run_id in known:
        return known[run_id] / RESULT
    raise ConfigError(
        [f"--run: {run_id!r}: no such run in {out}{near(run_id, known)}; `make runs` lists them"]
    )


def newest(out: Path) -> Path:
    """The newest complete result; BenchmarkError says what exists instead."""
    path = out / RESULT
    if path.exists():
        return path
    others = folders(out)
    hint = f"; {len(others)} that did not end well: `make runs` lists them" if others else ""
    raise BenchmarkError(f"{path}: there is no complete run yet{hint}; run `make bench` first")


def rows(out: Path) -> Iterator[dict[str, str]]:
    """What the list shows of each run, newest first."""
    for folder in folders(out):
        result = read(folder / RESULT)
        nothing = {**dict.fromkeys(COLUMNS, "?"), "run": folder.name, "path": str(folder / RESULT)}
        yield row(folder, result) if result else {**nothing, "complete": "unreadable"}


def row(folder: Path, result: dict[str, Any]) -> dict[str, str]:
    environment = result.get("environment") or {}
    commit = str(environment.get("git_commit") or "-")[:10]
    workloads = (result.get("configuration") or {}).get("workloads") or {}
    counts = Counter(str(v.get("verdict")) for v in result.get("verdicts") or [])
    return {
        "run": folder.name,
        "started": str(result.get("started") or "-").replace("T", " ").replace("+00:00", ""),
        "commit": commit + ("+" if environment.get("git_dirty") else ""),
        "tier": str(result.get("tier") or "-"),
        "workloads": ",".join(workloads) or "-",
        "complete": "yes" if result.get("complete") else "no",
        "verdicts": ", ".join(f"{n} {word}" for word, n in sorted(counts.items())) or "-",
        "path": str(folder / RESULT),
    }


def table(found: Iterable[dict[str, str]]) -> list[str]:
    return aligned(COLUMNS, found)


def aligned(columns: Sequence[str], found: Iterable[dict[str, str]]) -> list[str]:
    """Lines with a head, each column as wide as it must be."""
    rows = ({column: cell(row[column]) for column in columns} for row in found)
    lines = [dict(zip(columns, columns, strict=True)), *rows]
    widths = {c: max(len(line[c]) for line in lines) for c in columns}
    return ["  ".join(line[c].ljust(widths[c]) for c in columns).rstrip() for line in lines]
