"""What an image is made of: packages of Debian, Python and Go, as the image itself records them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import Literal

Ecosystem = Literal["deb", "pypi", "golang"]
# Where the Go linker writes how a program was built, and what encloses the list of its modules.
MAGIC = b"\xff Go buildinf:"
INLINE = 2
SENTINEL = 16


@dataclass(frozen=True, order=True)
class Component:
    """One package. `source` and `architecture` are Debian's; `digest` is Go's hash of a module."""

    ecosystem: Ecosystem
    name: str
    version: str
    source: str = ""
    source_version: str = ""
    architecture: str = ""
    digest: str = ""


def debian(status: str) -> Iterator[Component]:
    """The installed packages of dpkg's status file."""
    for paragraph in re.split(r"\n\s*\n", status):
        fields = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            match = re.fullmatch(r"(\S+)(?: \((\S+)\))?", fields.get("Source") or name)
            source, other = (match[1], match[2]) if match else (name, None)
            yield Component("deb", name, version, source, other or version, fields.get("Architecture", ""))


def python(metadata: str) -> Component | None:
    """A distribution, by its METADATA; None if that has no name or version."""
    headers = HeaderParser().parsestr(metadata)
    name, version = headers.get("Name"), headers.get("Version")
    return Component("pypi", re.sub(r"[-_.]+", "-", name).lower(), version) if name and version else None


def go(program: bytes) -> Iterator[Component]:
    """The modules that a Go program was built from, and Go's own library; nothing for other programs."""
    at = program.find(MAGIC)
    # A header of 32 bytes begins on 16; only since Go 1.18 do the texts follow it at once.
    while at >= 0 and (at % SENTINEL or not int.from_bytes(program[at + 15 : at + 16]) & INLINE):
        at = program.find(MAGIC, at + 1)
    if at < 0 or len(program) < at + 32:
        return
    version, at = _text(program, at + 32)
    modules, _ = _text(program, at)
    if not version.startswith(b"go"):
        return
    yield Component("golang", "stdlib", version.decode().removeprefix("go").split()[0])
    found: list[Component] = []
    for line in modules[SENTINEL:-SENTINEL].decode(errors="replace").splitlines():
        kind, *words = line.split("\t")
        if kind in ("mod", "dep", "=>") and len(words) >= 2:
            if kind == "=>" and words[0].startswith("."):  # changed by us, but still the one before
                continue
            if kind == "=>" and found:  # replaces the one before
                found.pop()
            found.append(Component("golang", words[0], words[1], digest=words[2] if len(words) > 2 else ""))
    # The module around it is one of this repository's pins and has no version.
    yield from (component for component in found if component.version != "(devel)")


def _text(program: bytes, at: int) -> tuple[bytes, int]:
    """A text preceded by its length (a varint), and the offset of its end."""
    length = shift = 0
    while at < len(program):
        byte = program[at]
        length |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return program[at : at + length], at + length
    return b"", at
