"""Installed Debian packages against the security tracker's data. Pure.

The tracker says for each source package and CVE in which version a release has the fix. A package is *behind*
when that version exists and is newer than ours: rebuilding the image cures it. *Open* ones have no fix yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

# What the tracker does not count as an issue of the release.
HARMLESS = frozenset({"unimportant"})


@dataclass(frozen=True)
class Package:
    """An installed package, by its source: that is what the tracker knows."""

    source: str
    version: str


@dataclass(frozen=True)
class Finding:
    """One vulnerability of one package. `fixed` is empty where no fix exists."""

    package: Package
    cve: str
    fixed: str
    urgency: str


def installed(status: str) -> list[Package]:
    """The packages in dpkg's status file, each source once with its lowest version."""
    found: dict[str, str] = {}
    for paragraph in re.split(r"\n\s*\n", status):
        fields = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", paragraph, re.MULTILINE))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        # `Source: glibc (2.41-12)` names another version where the two differ.
        match = re.fullmatch(r"(\S+)(?: \((\S+)\))?", str(fields.get("Source") or fields["Package"]))
        source, version = (
            (match[1], match[2] or fields["Version"]) if match else (fields["Package"], fields["Version"])
        )
        if source not in found or older(version, found[source]):
            found[source] = version
    return [Package(source, version) for source, version in sorted(found.items())]


def codename(os_release: str) -> str:
    """`trixie`, or an empty text for a system that is not Debian."""
    fields = dict(line.partition("=")[::2] for line in os_release.splitlines())
    debian = fields.get("ID", "").strip('"') == "debian"
    return fields.get("VERSION_CODENAME", "").strip('"') if debian else ""


def findings(packages: Sequence[Package], tracker: Mapping[str, Any], release: str) -> list[Finding]:
    """All vulnerabilities of `packages` that the tracker counts in `release`."""
    found = []
    for package in packages:
        for cve, entry in (tracker.get(package.source) or {}).items():
            here = (entry.get("releases") or {}).get(release) or {}
            fixed, status = str(here.get("fixed_version") or ""), here.get("status")
            urgency = str(here.get("urgency") or "")
            # A fixed version of 0 means that the release never had the fault.
            affected = status == "open" or (
                status == "resolved" and fixed != "0" and older(package.version, fixed)
            )
            if affected and urgency not in HARMLESS:
                found.append(Finding(package, cve, fixed if status == "resolved" else "", urgency))
    return found


def older(version: str, other: str) -> bool:
    """Whether `version` comes before `other` in Debian's order."""
    return compare(version, other) < 0


def compare(left: str, right: str) -> int:
    """Below 0, 0 or above 0, as deb-version(7) orders versions: epoch, upstream part, revision."""
    ours, theirs = _parts(left), _parts(right)
    if ours[0] != theirs[0]:
        return ours[0] - theirs[0]
    return _compare(ours[1], theirs[1]) or _compare(ours[2], theirs[2])


def _parts(version: str) -> tuple[int, str, str]:
    epoch, colon, rest = version.partition(":")
    rest = rest if colon else version
    upstream, dash, revision = rest.rpartition("-")
    return (
        int(epoch) if colon and epoch.isdigit() else 0,
        upstream if dash else rest,
        revision if dash else "",
    )


def _compare(left: str, right: str) -> int:
    """Text and numbers in turn: text by letters before other signs, `~` before the end; numbers by value."""
    for ours, theirs in zip_longest(_runs(left), _runs(right), fillvalue=("", 0)):
        for a, b in zip_longest(ours[0], theirs[0]):
            if _order(a) != _order(b):
                return _order(a) - _order(b)
        if ours[1] != theirs[1]:
            return ours[1] - theirs[1]
    return 0


def _runs(text: str) -> list[tuple[str, int]]:
    found = re.findall(r"(\D*)(\d*)", text)
    return [(letters, int(digits or 0)) for letters, digits in found if letters or digits]


def _order(sign: str | None) -> int:
    if sign is None:
        return 0
    if sign == "~":
        return -1
    return ord(sign) if sign.isalpha() else ord(sign) + 256
