"""The Python lock files against the advisories that pip-audit knows. Effects: runs it if it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audit.records import Python, PythonFinding
from audit.verdicts import Part, Row, judged, not_checked, plural

FILES = (
    "requirements.txt",
    "images/compute/requirements.txt",
    "images/tracking/requirements.txt",
    "toolchain/notebook/requirements.txt",
)
# Seconds for all files: it asks its service about every package.
LIMIT = 35.0
NAME = "Python packages have no known vulnerability"
OPTIONS = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json")
FIX = "raise the version in requirements.in, then make lock and make setup"


def command(program: str, files: Sequence[str]) -> list[str]:
    """Locked files name every package with its hash, so nothing is resolved and nothing installed."""
    return [program, *OPTIONS, *(part for file in files for part in ("--requirement", file))]


def program() -> str | None:
    """pip-audit beside this Python, else on the path."""
    beside = Path(sys.executable).parent / "pip-audit"
    return str(beside) if beside.exists() else shutil.which("pip-audit")


def check(root: Path, limit: float = LIMIT) -> Part:
    """Ask about every locked package, within `limit` seconds."""
    shown = " ".join(command("pip-audit", FILES))
    found = program()
    if found is None:
        return Part(
            (not_checked(NAME, "pip-audit is not installed", f"pip install pip-audit, then {shown}"),)
        )
    try:
        done = subprocess.run(
            command(found, FILES), cwd=root, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return Part((not_checked(NAME, f"pip-audit did not finish within {limit:g} s", shown),))
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        errors = done.stderr.strip().splitlines()
        reason = errors[-1][:200] if errors else f"exit code {done.returncode}"
        return Part((not_checked(NAME, f"pip-audit: {reason}", shown),))
    return judge(answer)


def judge(answer: Mapping[str, Any]) -> Part:
    """pip-audit's JSON as a row; skipped packages are counted."""
    packages = answer.get("dependencies") or []
    found = [
        PythonFinding(
            package=p["name"],
            version=p.get("version", ""),
            id=v["id"],
            fixed=", ".join(v.get("fix_versions") or []),
        )
        for p in packages
        for v in p.get("vulns") or []
    ]
    skipped = sum("skip_reason" in p for p in packages)
    faults = [f"{f.package} {f.version}: {f.id} (fixed in {f.fixed or 'none yet'})" for f in found]
    good = plural(len(packages) - skipped, "package") + (f", {skipped} skipped" if skipped else "")
    row: Row = judged(NAME, faults, good, f"{len(faults)} found", FIX)
    return Part((row,), Python(findings=found, packages=len(packages)))
