"""No hardening can be taken away unseen, and no known hole be opened, in any resource of the program."""

from __future__ import annotations

from policies import mutations, settings, sources
from policies.catalogue import NAMES, RULES


def test_every_mutant_is_caught() -> None:
    assert [name for found in mutations.figures() for name in found.survivors] == []


def test_without_its_rule_a_mutant_survives() -> None:
    rules = [rule for rule in RULES if rule.name not in ("readonly-root", "minimal-packages")]
    found = mutations.judge(sources.plan(mutations.STACK), rules, settings.load("test", NAMES).waivers)
    survivors = {name.partition(": ")[2] for one in found for name in one.survivors}
    installs = "RUN apt-get update && /usr/bin/apt-get install x && rm -rf /var/lib/apt/lists/*"
    assert survivors == {
        "no readOnly",
        "no --no-install-recommends",
        "no /var/lib/apt/lists/*",
        f"+ {installs}",
    }


def test_the_mutations_fit_the_program() -> None:
    made = {found.kind: found.mutants for found in mutations.figures()}
    assert made.keys() == {"container", "network", "volume", "buildfile", "limit", "other", "pin"}
    assert sum(made.values()) > 2500


def test_a_mutant_is_one_change_of_one_resource() -> None:
    resources = sources.plan(mutations.STACK)
    for mutant in mutations.mutants(resources):
        original = resources[mutant.index]
        assert mutant.resource.name == original.name
        assert (mutant.resource.props, mutant.resource.type) != (original.props, original.type), mutant.name


def test_no_mutant_is_made_twice() -> None:
    names = [mutant.name for mutant in mutations.mutants(sources.plan(mutations.STACK))]
    assert len(set(names)) == len(names)


def test_every_container_is_mutated() -> None:
    resources = sources.plan(mutations.STACK)
    mutated = {mutant.index for mutant in mutations.mutants(resources)}
    left_out = {r.kind for index, r in enumerate(resources) if index not in mutated}
    assert left_out == {"other"}, "components and waiting have no properties that could harden anything"
