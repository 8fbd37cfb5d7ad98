"""`make help`: every target in a group, every variable explained, readable in any terminal."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE)
# Variables that only the Makefile itself sets.
OWN = {"MAKE", "MAKEFILE_LIST", "ONE", "OUT", "STARTED"}
FORMER = {"SERVICE"}  # the name of S before; still understood


def listed(width: int) -> list[str]:
    command = ["awk", "-v", f"width={width}", "-f", "toolchain/help.awk", "Makefile"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("target", sorted(set(TARGETS)))
def test_a_target_is_in_a_group_with_its_line(target: str) -> None:
    lines = listed(80)
    place = next(i for i, line in enumerate(lines) if re.match(rf"  {target}\s+\w", line))
    assert any(re.match(r"\w", line) for line in lines[:place])


def test_every_variable_is_explained() -> None:
    used = set(re.findall(r"\$\((?:if \$\(|or \$\(|origin )?([A-Z_]+)\)?", MAKEFILE)) - OWN
    used |= set(re.findall(r"\$\(call (?:given|option,--[a-z-]+),([A-Z]+)\)", MAKEFILE)) - FORMER
    assert {"STACK", "SERVERS", "KEEP", "RUN"} <= used
    assert used == set(re.findall(r"^##= ([A-Z]+) ", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("width", [80, 100])
def test_lines_fit_the_terminal(width: int) -> None:
    assert max(map(len, listed(width))) <= width


def test_a_mistyped_target_gets_the_nearest_one() -> None:
    command = [sys.executable, "toolchain/unknown-target", "stauts", "Makefile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "'stauts' is not a target: did you mean `make status`?\n")


def recipe(*words: str, **environment: str) -> str:
    """What make would have a shell run."""
    command = ["make", "--dry-run", "--no-print-directory", *words]
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
    return subprocess.run(
        command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, check=True
    ).stdout


def test_what_is_typed_reaches_the_command_as_it_is() -> None:
    assert "--args='$HOME $(x) it'\\''s'" in recipe("submit", "SCRIPT=a.py", "ARGS=$HOME $(x) it's")


@pytest.mark.parametrize("target", ["promote", "delete"])
def test_a_version_in_the_environment_is_not_meant(target: str) -> None:
    assert "--version='2'" in recipe(target, "MODEL=a", "VERSION=2")
    assert "--version" not in recipe(target, "MODEL=a", VERSION="2")


@pytest.mark.parametrize("target", ["destroy", "restore", "rebuild", "rotate"])
def test_a_yes_in_the_environment_confirms_nothing(target: str) -> None:
    assert "--yes" in recipe(target, "YES=1")
    assert "--yes" not in recipe(target, YES="1")


def test_a_purge_in_the_environment_is_not_meant() -> None:
    assert "--purge" in recipe("destroy", "PURGE=1")
    assert "--purge" not in recipe("destroy", PURGE="1")
