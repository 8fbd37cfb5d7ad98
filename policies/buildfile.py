"""Build files of images (`images/*/Dockerfile`) as resources for the rules. Parsing is pure.

Parsed as every version of the engine parses them: what versions treat differently (here-documents, another
escape character, two backslashes at the end of a line) is a fault of its instruction, and hides nothing that
follows. Variables are not expanded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from policies import shell
from policies.model import Resource
from policies.shell import Command

NAMES = frozenset(
    {
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
        "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    }
)  # fmt: skip
DIRECTIVE = re.compile(r"#\s*(syntax|escape)\s*=", re.IGNORECASE)
OPTIONS = re.compile(r"(?:--[A-Za-z][\w-]*(?:=(?:\"[^\"]*\"|'[^']*'|\\.|[^\s\\\"'])*)?(?:[ \t]+|$))*")
CONTINUED = re.compile(r"\\[ \t]*$")
DOUBTFUL_END = re.compile(r"\\\\[ \t]*$")


@dataclass(frozen=True)
class Instruction:
    """One instruction; `name` in upper case, `line` its first line, counted from 1.

    `faults` list what engines may parse differently.
    """

    name: str
    arguments: str
    line: int
    faults: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The options of the instruction itself, such as `--from=stage`, without quotes."""
        match = OPTIONS.match(self.arguments)
        return tuple(re.sub(r"[\"'\\]", "", option) for option in match[0].split()) if match else ()

    @property
    def rest(self) -> str:
        """The arguments after the options."""
        match = OPTIONS.match(self.arguments)
        return self.arguments[match.end() :] if match else self.arguments

    @property
    def listed(self) -> tuple[str, ...] | None:
        """The arguments in exec form, `["program", "argument"]`; None in shell form."""
        if not self.rest.startswith("["):
            return None
        try:
            found = json.loads(self.rest)
        except ValueError:
            return None
        plain = isinstance(found, list) and all(isinstance(item, str) for item in found)
        return tuple(found) if plain else None

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments after the options as words, in both forms."""
        listed = self.listed
        return listed if listed is not None else shell.words(self.rest)

    @property
    def script(self) -> tuple[Command, ...]:
        """The simple commands of a RUN, CMD, ENTRYPOINT or HEALTHCHECK, in both forms."""
        if self.listed is None:
            return shell.commands(self.rest)
        return shell.commands(" ".join(_quoted(word) for word in self.listed))

    @property
    def commands(self) -> Iterator[tuple[str, ...]]:
        """The same as words, without leading variables."""
        return (command.words for command in self.script if command.words)

    @property
    def deferred(self) -> Instruction | None:
        """The instruction that an ONBUILD runs in images that are built on this one."""
        return _instruction(self.arguments, self.line) if self.name == "ONBUILD" else None


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def parse(text: str) -> tuple[Instruction, ...]:
    """The instructions of a build file, in order. Raises nothing: an unknown instruction has `faults`."""
    found: list[Instruction] = []
    # At line feeds only: splitlines() would also split at characters that an engine treats as text.
    lines = iter(enumerate(text.removeprefix("\ufeff").split("\n"), start=1))
    for number, whole in lines:
        line = whole.removesuffix("\r")
        if not line.strip(" \t"):
            continue
        if line.lstrip(" \t").startswith("#"):
            if DIRECTIVE.match(line.strip(" \t")):
                found.append(
                    Instruction("#", line.strip(), number, ("a directive changes how the file is parsed",))
                )
            continue
        parts, doubtful = [line], False
        while CONTINUED.search(parts[-1]):
            doubtful = doubtful or DOUBTFUL_END.search(parts[-1]) is not None
            if doubtful:  # Treated as the end: then nothing that follows is hidden.
                break
            parts[-1] = CONTINUED.sub("", parts[-1])
            # A comment between continued lines, and an empty line, do not end the instruction.
            following = (part for _, part in lines if part.strip() and not part.lstrip().startswith("#"))
            parts.append(next(following, "").removesuffix("\r"))
        made = _instruction("".join(parts), number)  # As an engine joins them: without a separator.
        if doubtful:
            more = (*made.faults, "two backslashes end a line")
            made = Instruction(made.name, made.arguments, number, more)
        found.append(made)
    return tuple(found)


def _instruction(text: str, number: int) -> Instruction:
    name, _, arguments = text.strip(" \t").replace("\t", " ").partition(" ")
    made = Instruction(name.upper(), arguments.strip(" "), number)
    return Instruction(made.name, made.arguments, number, tuple(_faults(made, text)))


def _faults(instruction: Instruction, text: str) -> Iterator[str]:
    if instruction.name not in NAMES or not instruction.name.isascii():
        yield f"{instruction.name[:20]!r} is not an instruction"
    elif not instruction.arguments:
        yield f"{instruction.name} has no arguments"
    if any(not sign.isprintable() and sign != "\t" for sign in text):
        yield "it contains an invisible character"
    runs = instruction.name in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD")
    if runs and instruction.listed is None and not shell.balanced(instruction.rest):
        yield "a quote is not closed"
    elif instruction.listed is None and shell.here_documents(instruction.rest):
        yield "a here-document is opened"
    if instruction.name == "SHELL" and not _is_shell(instruction.listed):
        yield "SHELL is not a plain shell"
    if instruction.name == "ONBUILD":
        yield "ONBUILD runs in images that are not known here"
        inner = instruction.deferred
        yield from inner.faults if inner else ()


def _is_shell(listed: tuple[str, ...] | None) -> bool:
    """Whether this is a shell with the usual syntax, with options that do not change the meaning."""
    program, *options = listed or ("",)
    known = program.rpartition("/")[2] in ("sh", "bash", "dash")
    plain = {"-c", "-e", "-u", "-x", "-o", "pipefail", "-ec", "-eu", "-eux", "-euxo", "-euo", "-exc", "-euxc"}
    return known and bool(options) and set(options) <= plain


def resource(name: str, text: str) -> Resource:
    """A build file as a resource; `name` is its path relative to the repository's root."""
    return Resource("buildfile", name, {"instructions": parse(text)}, place=f"{name}:1")


def build_files(root: Path) -> tuple[Resource, ...]:
    """All build files below `images/`."""
    paths = sorted((root / "images").rglob("Dockerfile*"))
    return tuple(resource(p.relative_to(root).as_posix(), p.read_text(encoding="utf-8")) for p in paths)
