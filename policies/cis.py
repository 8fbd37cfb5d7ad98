"""CIS Docker Benchmark 1.6.0, sections 4 (images, build files) and 5 (container runtime): what covers what.

Titles are our own short words. Which rule checks a recommendation is said by the rules alone (`cis` in
`policies/rules`); here stands why one has no rule, or how far its rules go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from policies.rule import Rule

Gap = Literal["not applicable", "open"]


@dataclass(frozen=True)
class Recommendation:
    """One recommendation. With a `gap` it has no rule and `note` says why, else how far the rules go."""

    section: str
    title: str
    gap: Gap | None = None
    note: str = ""


NA: Gap = "not applicable"
OPEN: Gap = "open"

RECOMMENDATIONS: tuple[Recommendation, ...] = (
    Recommendation("4.1", "a user of its own in the image"),
    Recommendation("4.2", "trusted base images", note="by name: the base has no digest yet"),
    Recommendation(
        "4.3", "no unneeded packages", note="none that nobody named; whether one is needed is for review"
    ),
    Recommendation(
        "4.4",
        "images scanned and rebuilt",
        OPEN,
        "no scanner runs here, and no rebuild for what the base has published since",
    ),
    Recommendation(
        "4.5", "content trust on", OPEN, "only the base image is pulled, and its signature is not checked"
    ),
    Recommendation(
        "4.6", "health checks in images", note="declared with the container, where it overrides the image's"
    ),
    Recommendation("4.7", "no update without install"),
    Recommendation(
        "4.8",
        "no set-uid and set-gid programs",
        note="the programs stay in the image; at run time they raise nothing",
    ),
    Recommendation("4.9", "COPY rather than ADD"),
    Recommendation("4.10", "no secrets in build files"),
    Recommendation("4.11", "only verified packages"),
    Recommendation(
        "4.12",
        "signed artefacts validated",
        note="in build files; what `make setup` builds has the sums of its Go modules checked",
    ),
    Recommendation("5.1", "no swarm mode without need", note="by `--live`"),
    Recommendation(
        "5.2", "AppArmor profile", note="that nobody turns it off; whether the host has one is not checked"
    ),
    Recommendation("5.3", "SELinux options", note="as 5.2"),
    Recommendation("5.4", "few capabilities"),
    Recommendation("5.5", "not privileged"),
    Recommendation("5.6", "no system folders of the host"),
    Recommendation("5.7", "no SSH server"),
    Recommendation("5.8", "no privileged ports of the host"),
    Recommendation("5.9", "only needed ports"),
    Recommendation("5.10", "not the host's network"),
    Recommendation("5.11", "memory limited"),
    Recommendation("5.12", "CPU limited", note="a limit rather than a weight"),
    Recommendation("5.13", "read-only root"),
    Recommendation("5.14", "published on a named address"),
    Recommendation("5.15", "restarts bounded", note="advisory: most services are restarted until stopped"),
    Recommendation("5.16", "not the host's processes"),
    Recommendation("5.17", "not the host's shared memory"),
    Recommendation("5.18", "no devices of the host"),
    Recommendation("5.19", "ulimits set"),
    Recommendation("5.20", "mounts not shared back"),
    Recommendation("5.21", "not the host's name", note="by `--live`: the provider has no input for it"),
    Recommendation("5.22", "seccomp on"),
    Recommendation(
        "5.23",
        "no privileged exec",
        NA,
        "an act, which no declaration shows; a test looks for it in this repository's code",
    ),
    Recommendation("5.24", "no exec as root", NA, "as 5.23"),
    Recommendation("5.25", "default control group"),
    Recommendation("5.26", "no new privileges"),
    Recommendation("5.27", "health checked"),
    Recommendation(
        "5.28", "the intended version of an image", note="a content-hash tag is never a stale copy"
    ),
    Recommendation(
        "5.29", "processes limited", note="by the ulimit nproc: the provider has no limit for a container"
    ),
    Recommendation("5.30", "not the default bridge"),
    Recommendation("5.31", "not the host's user namespace"),
    Recommendation("5.32", "no engine socket"),
)


def coverage(rules: Iterable[Rule]) -> Mapping[str, tuple[str, ...]]:
    """Section → names of the rules that check it, for every section that a rule names."""
    found: dict[str, tuple[str, ...]] = {}
    for rule in rules:
        for section in rule.cis:
            found[section] = (*found.get(section, ()), rule.name)
    return found


def faults(rules: Iterable[Rule], recommendations: Iterable[Recommendation] = RECOMMENDATIONS) -> list[str]:
    """What is wrong with the table: sections without rule or reason, with both, and rules that name none."""
    covered, found = coverage(rules), []
    sections = [recommendation.section for recommendation in recommendations]
    for r in recommendations:
        if r.section not in covered and not (r.gap and r.note):
            found.append(f"{r.section} has no rule and no reason")
        if r.section in covered and r.gap:
            found.append(f"{r.section} is said to be {r.gap}, but {', '.join(covered[r.section])} checks it")
        if sections.count(r.section) > 1:
            found.append(f"{r.section} is there twice")
    found += [f"{', '.join(covered[s])} names {s}, which is no section" for s in covered if s not in sections]
    return found
