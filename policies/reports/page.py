"""docs/policies.md as text: rules, CIS coverage, waivers, levels and mutation testing, from the code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from policies.catalogue import MODULES, RULES
from policies.cis import HOST, RECOMMENDATIONS, coverage
from policies.mutations import STACK, Figures
from policies.rule import Rule
from policies.settings.levels import Levels
from policies.settings.waivers import Waiver

KINDS = {
    "container": "containers",
    "network": "networks",
    "volume": "volumes",
    "buildfile": "build files",
    "limit": "process limits",
    "other": "types",
    "pin": "pins",
}


def page(waivers: Iterable[Waiver], levels: Mapping[str, Levels], figures: Iterable[Figures]) -> str:
    """The whole page. `levels` are the overrides of each stack that has some."""
    parts = (_intro(), _rules(), _cis(), _waivers(waivers), _levels(levels), _mutations(tuple(figures)))
    return "\n\n".join("\n".join(part) for part in parts)


def _intro() -> Iterator[str]:
    yield "# Policies"
    yield ""
    yield f"{len(RULES)} rules for containers, networks, volumes, images, build files, pins and whole stacks."
    yield "`make policy` checks them before anything is created. How to run, write and waive a rule:"
    yield "[policies/README.md](../policies/README.md). Generated from `policies/`."


def _rules() -> Iterator[str]:
    yield "## Rules"
    for module in MODULES:
        topic = (module.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        yield f"\n### {topic}\n"
        yield "| rule | severity | level | CIS | checks whether | fix |"
        yield "|---|---|---|---|---|---|"
        for rule in vars(module).values():
            if isinstance(rule, Rule):
                yield _row(
                    f"`{rule.name}`",
                    rule.severity,
                    rule.level,
                    ", ".join(rule.cis),
                    _text(rule.description.removeprefix("Checks whether ").rstrip(".")),
                    _text(rule.remediation),
                )


def _cis() -> Iterator[str]:
    covered = coverage(RULES)
    gaps = [recommendation.gap for recommendation in RECOMMENDATIONS]
    yield "## CIS Docker Benchmark 1.6.0, sections 1, 2, 4 and 5"
    yield ""
    yield (
        f"{len(RECOMMENDATIONS)} recommendations: {gaps.count(None)} checked by rules, "
        f"{gaps.count('not applicable')} not applicable, {gaps.count('open')} open, "
        f"{gaps.count(HOST)} left to the host: "
        "this project declares what runs on an engine, and configures neither the engine nor the machine."
    )
    yield "The titles are ours. Section 3 covers files of the host, 6 operations, 7 swarms."
    yield ""
    yield "| section | in short | checked by | note |"
    yield "|---|---|---|---|"
    for r in RECOMMENDATIONS:
        rules = ", ".join(f"`{name}`" for name in covered.get(r.section, ()))
        yield _row(r.section, _text(r.title), rules or f"**{r.gap}**", r.note)


def _waivers(waivers: Iterable[Waiver]) -> Iterator[str]:
    yield "## Waivers"
    yield ""
    yield "A waiver that has expired, or is no longer needed, fails the check."
    yield ""
    yield "| resource | rule | why | owner | until |"
    yield "|---|---|---|---|---|"
    for waiver in waivers:
        fault = f" ({_text(waiver.fault.rstrip(','))})" if waiver.fault else ""
        cells = (_text(waiver.reason), _text(waiver.owner), str(waiver.expires))
        yield _row(f"`{waiver.resource}`", f"`{waiver.rule}`{fault}", *cells)


def _levels(levels: Mapping[str, Levels]) -> Iterator[str]:
    yield "## Levels"
    yield ""
    yield "A mandatory violation fails the check, an advisory one is only shown. `policies/levels.yaml`"
    yield "overrides a rule's own level, for one stack or for all."
    yield ""
    if not any(levels.values()):
        yield "At present it overrides nothing: every rule has its own level in every stack."
        return
    yield "| stack | rule | level |"
    yield "|---|---|---|"
    for stack, chosen in levels.items():
        for rule, level in sorted(chosen.items()):
            yield _row(stack, f"`{rule}`", level)


def _mutations(figures: tuple[Figures, ...]) -> Iterator[str]:
    yield "## Mutation testing"
    yield ""
    yield f"Each hardening of the stack `{STACK}` is removed, and each known hole opened, one at a time. A"
    yield "mutant survives when no rule reports a new fault (`policies/mutations.py`)."
    yield ""
    yield "| resources | mutants | survivors |"
    yield "|---|---|---|"
    for found in figures:
        yield _row(KINDS[found.kind], str(found.mutants), str(len(found.survivors)))
    yield _row("all", str(sum(f.mutants for f in figures)), str(sum(len(f.survivors) for f in figures)))
    survivors = [name for found in figures for name in found.survivors]
    if survivors:
        yield ""
        yield "Survivors: " + "; ".join(_text(name) for name in survivors) + "."


def _row(*cells: str) -> str:
    """A row of a table, from cells in Markdown."""
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def _text(plain: str) -> str:
    """Plain text, escaped for Markdown."""
    return plain.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
