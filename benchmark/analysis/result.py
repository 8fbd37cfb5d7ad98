"""The result file of a run, schema `aidc.result/1`, written after every stage; `runs` says where.

A run that is cut short leaves a valid result with `complete: false` and all that was measured.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.analysis.documents.result import SCHEMA, Result
from benchmark.analysis.verdicts import judge
from benchmark.core import files, machine, regular
from benchmark.core.errors import BenchmarkError, DocumentError

STACK_FILES = (":(top,exclude,glob)Pulumi.*.yaml",)


def new(stack: str, tier: str, run_id: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "complete": False,
        "stack": stack,
        "tier": tier,
        "run_id": run_id,
        "started": now(),
        "finished": None,
        "command": command(),
        "schedule": None,
        "environment": {"host": machine.facts(), "nodes": [], "images": {}, **git()},
        "configuration": {"workloads": {}},
        "data": {},
        "training": [],
        "bare": [],
        "serving": None,
        "probes": None,
        "topology": {"flows": [], "segments": [], "counts": {}},
        "event_problems": None,
        "errors": [],
        "verdicts": [],
    }


def command() -> str | None:
    """The command line of this program, as one types it; None where something else runs this code."""
    if sys.argv[:1] != [str(Path(__file__).parents[1] / "__main__.py")]:
        return None
    return shlex.join(["python", "-m", "benchmark", *sys.argv[1:]])


def new_run_id(prefix: str = "") -> str:
    """Runs are named by their start (UTC): names sort, and each run has its own prefix in the store."""
    return prefix + datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def git(root: Path = Path()) -> dict[str, Any]:
    """Commit of the working tree, whether it has changes, and a hash of its content; nulls without git.

    A stack's own file is left out: `make up` writes seed and salt into it, and what it declares is in the
    result by itself.
    """
    status = run_git("status", "--porcelain", "--", ":(top)", *STACK_FILES, root=root)
    return {
        "git_commit": run_git("rev-parse", "HEAD", root=root),
        "git_dirty": None if status is None else bool(status),
        "source_sha256": source_sha256(root),
    }


def source_sha256(root: Path = Path()) -> str | None:
    """SHA-256 of names and contents of all files that git tracks or does not ignore, as they are now.

    The same for the same files wherever they lie, committed or not: it identifies a tree with changes as
    exactly as a commit identifies one without. None outside a repository.
    """
    top = run_git("rev-parse", "--show-toplevel", root=root)
    wanted = ("--cached", "--others", "--exclude-standard", "--", *STACK_FILES)
    listed = None if top is None else run_git("ls-files", "-z", *wanted, root=Path(top))
    if top is None or listed is None:
        return None
    whole = hashlib.sha256()
    for name in sorted(set(listed.split("\0")) - {""}):
        path = Path(top, name)
        try:
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        except OSError:  # deleted, or a repository within this one
            continue
        whole.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()


def run_git(*arguments: str, root: Path = Path(), timeout_s: float = 20) -> str | None:
    """What git prints in `root`; None when it refuses, is not there or takes too long."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False, timeout=timeout_s
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def save(result: dict[str, Any], path: Path) -> None:
    """Judge and write, atomically.

    DocumentError where the result does not fit its schema, a mistake of this program: what was measured is
    then written beside `path` as it is, and the error names that file.
    """
    result["verdicts"] = judge(result)
    try:
        files.write_json(path, Result.written(result))
    except DocumentError as error:
        unchecked = path.with_name(f"{path.stem}.unchecked.json")
        files.write_json(unchecked, result)
        kept = f"what was measured is in {unchecked}"
        raise DocumentError([f"{path}: does not fit {SCHEMA}", *error.problems, kept]) from error


def load(path: Path) -> dict[str, Any]:
    """A result; BenchmarkError where there is none, or one that lacks what this version needs."""
    try:
        content = json.loads(regular.read_text(path, regular.DOCUMENT_MOST))
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read: {error.strerror}; run the benchmark first") from error
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{path}: is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise BenchmarkError(f"{path}: schema: expected {SCHEMA!r}")
    try:
        return Result.read(content)
    except DocumentError as error:
        raise BenchmarkError(
            f"{path}: is not a complete {SCHEMA} document, or an older version wrote it: {error}; "
            "run the benchmark again"
        ) from error


def add_error(result: dict[str, Any], where: str, message: str) -> None:
    result["errors"].append({"where": where, "message": message})
