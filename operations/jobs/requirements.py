"""The packages that a job asks for: what was typed and what a file lists, checked as far as that goes
without the package index. Pure.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from components.planning.issues import Issue

MOST = 200
HASH = re.compile(r"--hash[= ]sha256:([0-9a-f]{64})")
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)")
OWN_FIX = "name packages of the index alone; source of your own comes along in WORKDIR"


@dataclass(frozen=True)
class Wanted:
    """One requirement: where it was written, how, and the hashes it was given with."""

    place: str
    requirement: Requirement
    hashes: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    def __str__(self) -> str:
        return str(self.requirement)


def pins(lock: str) -> dict[str, str]:
    """Name → version of every `name==version` of a locked file."""
    found = (PIN.match(line) for line in lock.splitlines())
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def typed(text: str) -> tuple[list[Wanted], list[Issue]]:
    """The words of PIP."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        return [], [Issue("PIP", f"cannot be read: {error}", "close each quotation mark")]
    if not words:
        return [], [Issue("PIP", "names no package", 'write it as PIP="rich lightning==2.6"')]
    return _read(("PIP", word) for word in words)


def listed(name: str, text: str) -> tuple[list[Wanted], list[Issue]]:
    """The lines of a requirements file."""
    found, issues = _read(_lines(name, text))
    if not found and not issues:
        issues = [Issue(f"REQUIREMENTS: {name}", "names no package", "write one requirement a line")]
    return found, issues


def _lines(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Place and content of every line that says something; a backslash continues it on the next one."""
    begun, whole = 0, ""
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        begun = begun or number
        whole += re.sub(r"(^|\s)#.*", "", line).rstrip()
        if whole.endswith("\\"):
            whole = whole[:-1] + " "
            continue
        if whole.strip():
            yield f"REQUIREMENTS: {name}:{begun}", whole.strip()
        begun, whole = 0, ""
    if whole.strip():
        yield f"REQUIREMENTS: {name}:{begun}", whole.strip()


def _read(rows: Iterable[tuple[str, str]]) -> tuple[list[Wanted], list[Issue]]:
    found: list[Wanted] = []
    issues: list[Issue] = []
    for place, text in rows:
        if text.startswith("-"):
            option = re.split(r"[\s=]", text)[0]  # without its value, which may hold a password
            fix = f"{OWN_FIX}; UV_DEFAULT_INDEX names another index"
            issues.append(Issue(place, f"the option {option} is not taken", fix))
            continue
        hashes = frozenset(HASH.findall(text))
        bare = re.sub(r"\s+--hash.*", "", text)
        try:
            requirement = Requirement(bare)
        except InvalidRequirement:
            fix = 'write it as "name", "name==1.2" or "name[extra]>=1.2,<2"'
            if re.search(r"://|^[./~]|\.(whl|gz|zip)$", bare):
                shown = re.sub(r"//[^/\s]*@", "//", bare)
                issues.append(Issue(place, f"{shown!r:.80}: an address or a path is not taken", OWN_FIX))
            else:
                issues.append(Issue(place, f"{bare!r:.80} is not a requirement", fix))
            continue
        if requirement.url:
            issues.append(Issue(place, f"{requirement.name}: an address is not taken", OWN_FIX))
        else:
            found.append(Wanted(place, requirement, hashes))
    if len(found) > MOST:
        issues.append(Issue(found[0].place, f"{len(found)} packages, {MOST} at most", "ask for fewer"))
    return found, issues


def conflicts(wanted: Iterable[Wanted], image: Mapping[str, str]) -> Iterator[Issue]:
    """Requirements that exclude the version that the compute image has."""
    for one in wanted:
        version = image.get(one.name)
        if version and not one.requirement.specifier.contains(version, prereleases=True):
            yield Issue(
                one.place,
                f"{one} excludes {one.name} {version}, which the compute image has",
                f"leave the version out, or allow {version}: what the image has is not replaced",
            )


def key(wanted: Iterable[Wanted], image: str, platform: str) -> str:
    """The same for the same requirements, whatever their order, on the same image and platform."""
    lines = sorted({f"{one} {' '.join(sorted(one.hashes))}" for one in wanted})
    return hashlib.sha256("\n".join([platform, image, *lines]).encode()).hexdigest()


def added(lock: str, image: Mapping[str, str]) -> dict[str, str]:
    """The entries of a lock that the image does not have: name → its lines, hashes included."""
    found: dict[str, str] = {}
    name = ""
    for line in lock.splitlines():
        if match := PIN.match(line):
            name = canonicalize_name(match[1])
            found[name] = line
        elif name and line.startswith(" "):
            found[name] += f"\n{line}"
    return {name: lines for name, lines in found.items() if name not in image}


def of_given_hashes(entries: Mapping[str, str], wanted: Iterable[Wanted]) -> tuple[str, list[Issue]]:
    """The lock as text; where a requirement came with hashes, with those alone."""
    issues, lines = [], dict(entries)
    for one in wanted:
        if one.hashes and one.name in lines:
            kept = sorted(one.hashes & set(HASH.findall(lines[one.name])))
            head = lines[one.name].splitlines()[0].rstrip(" \\")
            lines[one.name] = " \\\n".join([head, *(f"    --hash=sha256:{h}" for h in kept)])
            if not kept:
                fix = "correct the hashes, or leave them out: then those of the index are locked"
                issues.append(Issue(one.place, f"no file of {head} has one of the given hashes", fix))
    return "".join(f"{lines[name]}\n" for name in sorted(lines)), issues
