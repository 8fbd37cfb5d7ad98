"""Build files of images (`images/*/Dockerfile`) as resources for the rules. Parsing is pure.

Enough of the format for rules on instructions: comments, continued lines, here-documents. Variables are not
filled in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from policies.model import Resource

HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
SEPARATOR = re.compile(r"&&|\|\||[;|\n]")
ASSIGNMENT = re.compile(r"\w+=\S*")


@dataclass(frozen=True)
class Instruction:
    """One instruction; `name` in upper case, `line` its first line, counted from 1."""

    name: str
    arguments: str
    line: int

    @property
    def commands(self) -> Iterator[tuple[str, ...]]:
        """The simple commands of a RUN, as words, without leading variables and options of RUN itself."""
        for part in SEPARATOR.split(self.arguments):
            words = part.split()
            while words and (ASSIGNMENT.fullmatch(words[0]) or words[0].startswith("--")):
                words = words[1:]
            if words:
                yield tuple(words)


def parse(text: str) -> tuple[Instruction, ...]:
    """The instructions of a build file, in order."""
    found: list[Instruction] = []
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = [line]
        while parts[-1].rstrip().endswith("\\"):
            parts[-1] = parts[-1].rstrip()[:-1]
            # A comment between continued lines, and an empty line, do not end the instruction.
            following = (part for _, part in lines if part.strip() and not part.lstrip().startswith("#"))
            parts.append(next(following, ""))
        for end in HEREDOC.findall(" ".join(parts)):
            for _, part in lines:
                if part.strip() == end:
                    break
                parts.append(f"\n{part}")
        name, _, arguments = " ".join(parts).strip().partition(" ")
        found.append(Instruction(name.upper(), arguments.strip(), number))
    return tuple(found)


def resource(name: str, text: str) -> Resource:
    """A build file as a resource; `name` is its path below the repository's root."""
    return Resource("buildfile", name, {"instructions": parse(text)}, place=f"{name}:1")


def build_files(root: Path) -> tuple[Resource, ...]:
    """All build files below `images/`."""
    paths = sorted((root / "images").rglob("Dockerfile*"))
    return tuple(resource(p.relative_to(root).as_posix(), p.read_text(encoding="utf-8")) for p in paths)
