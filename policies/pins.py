"""Third-party parts of the stack: each pin with the line that declares it. Effects: reads files.

A pin is an explicit choice: a Go module that is built (a tool, a direct requirement, or a replacement from
elsewhere), a Debian package that a build file installs by name, the engine, a Python package that the
requirements.in of an image names. Their dependencies are in their locks and in the bill of materials.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from policies.buildfile import parse

PinKind = Literal["go", "debian", "python"]
REQUIREMENT = re.compile(
    r"^(?:require )?\s*(?P<name>\S+/\S+) (?P<version>v\S+)(?P<indirect> // indirect)?\s*$"
)
REPLACEMENT = re.compile(r"^(?:replace )?\s*\S+(?: v\S+)? => (?P<name>[^\s.]\S*) (?P<version>v\S+)\s*$")
ENGINE = "docker.io"
NAME = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)")
LOCKED = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[^\s;\\]+)")


@dataclass(frozen=True)
class Pin:
    """`version` is empty for a Debian package: the release decides, and the audit reads the installed one."""

    kind: PinKind
    name: str
    version: str
    place: str


def pins(root: Path) -> tuple[Pin, ...]:
    """All pins of the repository; one that is declared in several files appears several times."""
    found: list[Pin] = []
    for path in sorted((root / "toolchain").glob("*/go.mod")):
        found += modules(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix())
    for path in sorted((root / "images").glob("*/Dockerfile")):
        found += packages(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix())
    setup = root / "toolchain/packages.sh"
    if setup.exists():
        found += engine(setup.read_text(encoding="utf-8"), setup.relative_to(root).as_posix())
    wanted = [*sorted((root / "images").glob("*/requirements.in")), root / "toolchain/go/requirements.in"]
    for path in wanted:
        lock = path.with_suffix(".txt")
        if path.exists() and lock.exists():
            found += requirements(
                path.read_text(encoding="utf-8"),
                lock.read_text(encoding="utf-8"),
                lock.relative_to(root).as_posix(),
            )
    return tuple(found)


def modules(text: str, shown: str) -> Iterator[Pin]:
    """The modules that a go.mod requires directly."""
    lines = text.splitlines()
    tools = [line.removeprefix("tool ").strip() for line in lines if line.startswith("tool ")]
    for number, line in enumerate(lines, start=1):
        replaced = REPLACEMENT.match(line)
        required = None if replaced else REQUIREMENT.match(line)
        if replaced:
            yield Pin("go", replaced["name"], replaced["version"], f"{shown}:{number}")
        elif required and required["version"] != "v0.0.0":  # a module of this repository
            built = any(f"{tool}/".startswith(f"{required['name']}/") for tool in tools)
            if built or not required["indirect"]:
                yield Pin("go", required["name"], required["version"], f"{shown}:{number}")


def packages(text: str, shown: str) -> Iterator[Pin]:
    """The packages that a build file installs by name."""
    for instruction in parse(text):
        if instruction.name != "RUN":
            continue
        for words in instruction.commands:
            if words[0] in ("apt-get", "apt") and "install" in words:
                for word in words[words.index("install") + 1 :]:
                    if not word.startswith("-"):
                        yield Pin("debian", word, "", f"{shown}:{instruction.line}")


def engine(text: str, shown: str) -> Iterator[Pin]:
    """The container engine, where the set-up installs one."""
    for number, line in enumerate(text.splitlines(), start=1):
        if re.search(rf"\becho {re.escape(ENGINE)}$", line):
            yield Pin("debian", ENGINE, "", f"{shown}:{number}")
            return


def requirements(wanted: str, lock: str, shown: str) -> Iterator[Pin]:
    """The packages that a requirements.in names, with their locked versions."""
    names = {normal(match["name"]) for line in wanted.splitlines() if (match := NAME.match(line))}
    for number, line in enumerate(lock.splitlines(), start=1):
        match = LOCKED.match(line)
        if match and normal(match["name"]) in names:
            yield Pin("python", normal(match["name"]), match["version"], f"{shown}:{number}")


def normal(name: str) -> str:
    """A Python package's name in its normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()
