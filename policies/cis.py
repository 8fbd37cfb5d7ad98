"""CIS Docker Benchmark 1.6.0, sections 1, 2 (host, engine), 4 (images) and 5 (containers).

The titles are our own. Only the rules say which recommendation they check (`cis` in `policies/rules`); this
table says why a recommendation has no rule, or how far its rules go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from policies.rule import Rule

Gap = Literal["not applicable", "open", "the host's"]


@dataclass(frozen=True)
class Recommendation:
    """One recommendation. With a `gap` it has no rule and `note` says why; else `note` limits its rules."""

    section: str
    title: str
    gap: Gap | None = None
    note: str = ""


NA: Gap = "not applicable"
OPEN: Gap = "open"
# Left to the machine and its engine, which may serve others: this project changes neither.
HOST: Gap = "the host's"
AUDIT = (
    "an auditd rule on the host (docker-bench warns): whoever can change the engine's files is already root"
)

RECOMMENDATIONS: tuple[Recommendation, ...] = (
    Recommendation(
        "1.1.1", "a separate partition for the engine", HOST, "volumes have no size limit; monitor the disk"
    ),
    Recommendation(
        "1.1.2",
        "only trusted users control the engine",
        HOST,
        "members of its group are root; the host decides who they are",
    ),
    *(
        Recommendation(f"1.1.{number}", f"auditing: {what}", HOST, AUDIT if number == 3 else "as 1.1.3")
        for number, what in enumerate(
            (
                "the engine",
                "/run/containerd",
                "/var/lib/docker",
                "/etc/docker",
                "docker.service",
                "containerd.sock",
                "docker.sock",
                "/etc/default/docker",
                "/etc/docker/daemon.json",
                "/etc/containerd/config.toml",
                "/etc/sysconfig/docker",
                "containerd",
                "containerd-shim",
                "containerd-shim-runc-v1",
                "containerd-shim-runc-v2",
                "runc",
            ),
            start=3,
        )
    ),
    Recommendation("1.2.1", "a hardened host", HOST, "`make doctor` checks only what the stack needs"),
    Recommendation("1.2.2", "a current engine", HOST, "the distribution's package; the host updates it"),
    Recommendation(
        "2.1",
        "a rootless engine",
        HOST,
        "the firewall filters in the host's network namespace, to which a rootless engine has no access",
    ),
    Recommendation(
        "2.2",
        "no traffic between containers on the default bridge",
        note="the setting belongs to the host (docker-bench warns); none of our containers is on that bridge",
    ),
    Recommendation("2.3", "logging at level info", HOST, "the engine's default"),
    Recommendation(
        "2.4",
        "the engine may set up iptables",
        HOST,
        "its default, which published ports need; `make doctor` checks it",
    ),
    Recommendation(
        "2.5", "no insecure registries", note="with `--live`; the loopback is the engine's default"
    ),
    Recommendation("2.6", "no aufs storage driver", note="with `--live`"),
    Recommendation("2.7", "TLS for the engine's API", HOST, "set-up starts it on its local socket only"),
    Recommendation("2.8", "default ulimits", HOST, "containers set their own: 5.19"),
    Recommendation(
        "2.9",
        "user namespaces",
        HOST,
        "they move the whole image store, and a firewall in the host's network needs an exception "
        "(docker-bench warns); containers do not run as root and cannot raise privileges",
    ),
    Recommendation("2.10", "the default control group", HOST, "of the engine; for containers see 5.25"),
    Recommendation("2.11", "a size limit on a container's root", HOST, "roots are read-only: 5.13"),
    Recommendation(
        "2.12",
        "authorization of client commands",
        HOST,
        "requires a plug-in (docker-bench warns); no container has the engine's socket: 5.32",
    ),
    Recommendation(
        "2.13",
        "central logging",
        OPEN,
        "logs stay on the host, capped per container by `log-cap` (docker-bench warns)",
    ),
    Recommendation(
        "2.14",
        "no new privileges by default",
        note="the engine's default belongs to the host (docker-bench warns); each container sets it",
    ),
    Recommendation(
        "2.15",
        "live restore",
        HOST,
        "it would keep containers running while the engine restarts (docker-bench warns), when nothing would "
        "supervise the firewall: not tested, so not set",
    ),
    Recommendation(
        "2.16",
        "no userland proxy",
        HOST,
        "ports that are published on the loopback, the default, need it (docker-bench warns)",
    ),
    Recommendation("2.17", "the engine's own seccomp profile", note="that no container uses another"),
    Recommendation("2.18", "no experimental features", note="with `--live`"),
    Recommendation("4.1", "a non-root user in the image"),
    Recommendation("4.2", "trusted base images", note="by name: the base image has no digest yet"),
    Recommendation(
        "4.3",
        "no unneeded packages",
        note="only packages that are named; whether each is needed is left to review",
    ),
    Recommendation(
        "4.4",
        "images scanned and rebuilt",
        OPEN,
        "there is no scanner, and no rebuild when the base image is updated",
    ),
    Recommendation(
        "4.5", "content trust on", OPEN, "only the base image is pulled, and its signature is not verified"
    ),
    Recommendation(
        "4.6", "health checks in images", note="declared with the container, which overrides the image's"
    ),
    Recommendation("4.7", "no update without install"),
    Recommendation(
        "4.8",
        "no set-uid and set-gid programs",
        note="the programs stay in the image; at run time they cannot raise privileges",
    ),
    Recommendation("4.9", "COPY rather than ADD"),
    Recommendation("4.10", "no secrets in build files"),
    Recommendation("4.11", "only verified packages"),
    Recommendation(
        "4.12",
        "signed artefacts validated",
        note="in build files; for what `make setup` builds, Go verifies the checksums of all modules",
    ),
    Recommendation("5.1", "no unneeded swarm mode", note="with `--live`"),
    Recommendation(
        "5.2", "AppArmor profile", note="that it is not turned off; whether the host has one is not checked"
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
    Recommendation("5.15", "restarts bounded", note="advisory: most services restart until stopped"),
    Recommendation("5.16", "not the host's processes"),
    Recommendation("5.17", "not the host's shared memory"),
    Recommendation("5.18", "no devices of the host"),
    Recommendation("5.19", "ulimits set"),
    Recommendation("5.20", "no shared mount propagation"),
    Recommendation("5.21", "not the host's name", note="with `--live`: the provider has no input for it"),
    Recommendation("5.22", "seccomp on"),
    Recommendation(
        "5.23",
        "no privileged exec",
        NA,
        "an action, which no declaration shows; a test looks for it in this repository's code",
    ),
    Recommendation("5.24", "no exec as root", NA, "as 5.23"),
    Recommendation("5.25", "default control group"),
    Recommendation("5.26", "no new privileges"),
    Recommendation("5.27", "health checked"),
    Recommendation("5.28", "the intended version of an image", note="a content-hash tag is never stale"),
    Recommendation(
        "5.29",
        "processes limited",
        note="set through the engine once the container exists: the provider has no input for it",
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
    """Mistakes in the table: sections without rule or reason, or with both; rules with unknown sections."""
    covered, found = coverage(rules), []
    sections = [recommendation.section for recommendation in recommendations]
    for r in recommendations:
        if r.section not in covered and not (r.gap and r.note):
            found.append(f"{r.section} has no rule and no reason")
        if r.section in covered and r.gap:
            found.append(f"{r.section} is marked {r.gap}, but {', '.join(covered[r.section])} checks it")
        if sections.count(r.section) > 1:
            found.append(f"{r.section} is listed twice")
    found += [
        f"{', '.join(covered[s])} names {s}, which is not a section" for s in covered if s not in sections
    ]
    return found
