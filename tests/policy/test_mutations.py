"""In no resource of the program can a hardening be removed, or a known hole be opened, without a fault."""

from __future__ import annotations

from policies import mutations
from policies.catalogue import NAMES, RULES
from policies.settings import bundle
from policies.sources import stacks


def test_every_mutant_is_caught() -> None:
    assert [name for found in mutations.figures() for name in found.survivors] == []


def test_without_its_rule_a_mutant_survives() -> None:
    rules = [rule for rule in RULES if rule.name not in ("readonly-root", "minimal-packages")]
    found = mutations.judge(stacks.plan(mutations.STACK), rules, bundle.load("test", NAMES).waivers)
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
    resources = stacks.plan(mutations.STACK)
    for mutant in mutations.mutants(resources):
        original = resources[mutant.index]
        assert mutant.resource.name == original.name
        assert (mutant.resource.props, mutant.resource.type) != (original.props, original.type), mutant.name


def test_no_mutant_is_made_twice() -> None:
    names = [mutant.name for mutant in mutations.mutants(stacks.plan(mutations.STACK))]
    assert len(set(names)) == len(names)


def test_every_container_is_mutated() -> None:
    resources = stacks.plan(mutations.STACK)
    mutated = {mutant.index for mutant in mutations.mutants(resources)}
    left_out = {r.kind for index, r in enumerate(resources) if index not in mutated}
    assert left_out == {"other"}, "components and waiting have no properties that could harden anything"
