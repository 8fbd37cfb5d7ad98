"""Files that are whole or absent: written beside their final path, then renamed."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmark.core.errors import ConfigError


def write(path: Path, text: str) -> Path:
    """Replace `path`: readers, and an interrupted writer, see the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def write_json(path: Path, value: Any) -> None:
    write(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def folder_problems(out: Path, name: str = "--out") -> list[str]:
    """Why nothing can be written into `out`, which need not exist yet."""
    there = next(p for p in (out.absolute(), *out.absolute().parents) if p.exists())
    if not there.is_dir():
        return [f"{name}: {out}: {there} is a file; give a folder"]
    if not os.access(there, os.W_OK | os.X_OK):
        return [f"{name}: {out}: {there} cannot be written into; give another folder"]
    return []


def check_folder(out: Path) -> None:
    """ConfigError before anything is measured in vain."""
    if problems := folder_problems(out):
        raise ConfigError(problems)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
