"""The product's commands as a user types them: `aidc` words, and the blocks of a tutorial."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.acceptance.conftest import ROOT, STACK

WITHIN_S = 900


def aidc(*words: str, more: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """What `aidc <words>` says on the stack under test; `more` are variables for it."""
    command = [sys.executable, "-m", "operations", *words]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "STACK": STACK, **(more or {})}, capture_output=True, text=True,
        timeout=WITHIN_S, check=False,
    )  # fmt: skip


def jobs() -> dict[str, dict[str, str]]:
    """The rows of `make jobs`, by id."""
    return {row["id"]: row for row in json.loads(aidc("jobs", "--json").stdout)}


def blocks_of(tutorial: Path, pattern: str, name: str) -> list[str]:
    """What each command block of `tutorial` prints, all in one shell.

    `name` takes the place of what follows the first group of `pattern`: a name that no earlier run has used.
    """
    blocks = re.findall(r"^```sh\n(.*?)^```$", tutorial.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    text = re.sub(pattern, rf"\g<1>{name}", "\necho '@@ next'\n".join(blocks))
    # Without what `make test` was called with: its variables would become those of these commands.
    own = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=ROOT, env={**own, "STACK": STACK},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    said = done.stdout.split("@@ next\n")
    assert len(said) == len(blocks)
    return said
