"""Names, counts, policy violations and diagnostics of a Pulumi run as text: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pulumi.automation.events import DiagnosticEvent, PolicyEvent, StepEventMetadata

STACK = "pulumi:pulumi:Stack"
COUNTED = {
    **{"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced"},
    "import": "imported",
}
UNCOUNTED = ("same", "read", "read-discard", "read-replacement")
# What Pulumi and its providers put around a message.
CHATTER = re.compile(
    r"Exception calling application: |sdk-v2/provider2\.go:\d+: sdk\.helper_schema: |: provider=docker@\S+$"
)
NO_NEWS = re.compile(
    r"error: update (failed|canceled)$|error: \d+ errors? occurred:|Program signal: killed|^\* creating urn:"
)


def name_of(urn: str) -> str:
    return urn.split("::", 3)[-1]


def type_of(urn: str) -> str:
    """As Pulumi shows it: `docker:index:Container` for `docker:index/container:Container`."""
    parts = urn.split("::", 3)
    if len(parts) < 4:
        return urn
    package, _, rest = parts[2].rpartition("$")[2].partition(":")
    module, _, kind = rest.rpartition(":")
    folder, _, file = module.rpartition("/")
    return f"{package}:{folder if folder and file.lower() == kind.lower() else module}:{kind}"


def kind_of(step: StepEventMetadata) -> str:
    return step.type.rpartition(":")[2]


def in_seconds(duration: float) -> str:
    """Seconds; two decimals below one second."""
    return f"{duration:.2f}s" if duration < 1 else f"{duration:.0f}s"


def counts(changes: Mapping[str, int], errored: int) -> list[str]:
    """`2 created`, …, `3 unchanged`, `1 errored`; with several kinds of changes their sum, too."""
    changed = {op: n for op, n in changes.items() if op not in UNCOUNTED and n}
    order = [*COUNTED, *(op for op in changed if op not in COUNTED)]
    parts = [f"{changed[op]} {COUNTED.get(op, op)}" for op in order if op in changed]
    total = [f"{sum(changed.values())} changes"] if len(changed) > 1 else []
    same = [f"{changes['same']} unchanged"] if changes.get("same") else []
    if total or same:
        parts.append(". ".join([*total, *same]))
    return [*parts, *([f"{errored} errored"] if errored else [])]


def violations(found: Sequence[PolicyEvent]) -> list[str]:
    """Each violation with its rule, its resource and its message."""
    lines = []
    for violation in found:
        urn = violation.resource_urn or ""
        where = f"  ({type_of(urn)}: {name_of(urn)})" if urn else ""
        lines.append(f"    - [{violation.enforcement_level}]  {violation.policy_name}{where}")
        lines += [f"      {line}" for line in violation.message.splitlines() if line.strip()]
    return lines


def diagnostics(found: Mapping[str, Sequence[DiagnosticEvent]]) -> list[str]:
    """Each resource with its messages; chatter, repetitions, and resources without any other are left out."""
    lines: list[str] = []
    seen: set[str] = set()
    for urn, messages in found.items():
        told = [line for m in messages for line in f"{m.prefix or ''}{m.message}".splitlines()]
        kept = [line for line in (CHATTER.sub("", text) for text in told) if _is_news(line, seen)]
        if kept:
            heading = f"{type_of(urn)} ({name_of(urn)})" if urn else STACK
            lines += [f"  {heading}:", *(f"    {line}" for line in kept)]
    return lines


def _is_news(line: str, seen: set[str]) -> bool:
    bare = line.strip().removeprefix("error: ").removeprefix("* ").strip()
    if not bare or NO_NEWS.search(line) or NO_NEWS.search(line.strip()) or bare in seen:
        return False
    if "[" not in bare:
        seen.add(bare)
    return True


def command_error(printed: Sequence[str]) -> str:
    """What the Pulumi command itself complained about, before or beside its engine; empty without any."""
    begin = next((n for n, line in enumerate(printed) if line.startswith("error: ")), len(printed))
    return "\n".join(printed[begin:]).strip()
