"""The rules as the engine calls them: proxies, unknown values, levels, waivers."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi_policy import EnforcementLevel, ResourceValidationPolicy, StackValidationPolicy
from pulumi_policy.policy import (
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    StackValidationArgs,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from policies.catalogue import NAMES, RULES
from policies.crossguard import policies
from policies.model import REGISTERED
from policies.rule import ResourceRule, StackRule
from policies.settings import bundle
from policies.settings.bundle import Settings
from tests.policy.conftest import make_plant
from tests.policy.test_rules import BY_NAME, VIOLATIONS, Violation

OPTIONS = PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
CONTAINER = "docker:index/container:Container"


IN_FORCE = bundle.load("test", NAMES)
KIND_OF = make_plant().kinds


def policy(name: str, in_force: Settings = IN_FORCE) -> Any:
    found = {made.name: made for made in policies(RULES, in_force, "test")}
    return found[name]


def changes_resources(violation: Violation) -> bool:
    """Whether a fixture keeps the flow table: the pack uses that of the program."""
    plant = make_plant()
    before = plant.flows, plant.listens["vault"]
    violation.change(plant)
    return before == (plant.flows, plant.listens["vault"])


def violations(name: str, props: dict[str, Any], type_: str = CONTAINER) -> list[str]:
    """What the policy reports on a resource, called as the engine calls it."""
    found: list[str] = []
    proxy = unknown_checking_proxy(props)
    args = ResourceValidationArgs(type_, proxy, "urn:x", "logical", OPTIONS, None, {})
    policy(name).validate(args, lambda message, urn=None: found.append(message))
    return found


def stack_violations(name: str, plant: Any) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    resources = [
        PolicyResource(r.type, unknown_checking_proxy(dict(r.props)), r.urn, "x", OPTIONS, None, None, [], {})
        for r in plant.registered()
    ]
    policy(name).validate(
        StackValidationArgs(resources), lambda message, urn=None: found.append((message, urn))
    )
    return found


def test_there_is_a_policy_for_each_rule_and_one_for_the_waivers() -> None:
    made = policies(RULES, Settings(), "test")
    unregistered = {"buildfile", "engine", "pin"}
    left_out = {r.name for r in RULES if isinstance(r, ResourceRule) and set(r.on) <= unregistered}
    assert {p.name for p in made} == (NAMES - left_out) | {"waivers-current"}
    assert unregistered.isdisjoint(REGISTERED)
    assert all(isinstance(p, ResourceValidationPolicy | StackValidationPolicy) for p in made)


def test_levels_are_set_explicitly() -> None:
    assert policy("no-privileged").enforcement_level is EnforcementLevel.MANDATORY
    assert policy("log-cap").enforcement_level is EnforcementLevel.ADVISORY


def test_a_stacks_levels_are_those_of_the_pack() -> None:
    strict = Settings(levels={"log-cap": "mandatory", "no-privileged": "advisory"})
    assert policy("log-cap", strict).enforcement_level is EnforcementLevel.MANDATORY
    assert policy("no-privileged", strict).enforcement_level is EnforcementLevel.ADVISORY


@pytest.mark.parametrize(
    "rule", [r for r in RULES if getattr(r, "on", ()) == ("container",)], ids=lambda r: r.name
)
def test_a_clean_container_passes_through_the_engines_proxies(rule: Any, plant: Any) -> None:
    for key, kind in plant.kinds.items():
        if kind == "container":
            assert violations(rule.name, plant[key]) == []


def test_a_violation_is_reported_by_its_docker_name(plant: Any) -> None:
    plant["vault"]["privileged"] = True
    (message,) = violations("no-privileged", plant["vault"])
    assert message.startswith("aidc-test-vault: privileged is set. Fix: ")


def test_a_waived_violation_is_not_reported(plant: Any) -> None:
    plant["vault"].update(name="aidc-test-firewall", networkMode="host")
    assert violations("no-host-network", plant["vault"]) == []


def test_an_unknown_name_falls_back_to_the_logical_one(plant: Any) -> None:
    plant["vault"].update(name=UNKNOWN_STRING_VALUE, privileged=True)
    (message,) = violations("no-privileged", plant["vault"])
    assert message.startswith("logical: ")


def test_an_unknown_value_is_never_taken_for_a_good_one(plant: Any) -> None:
    plant["vault"]["networkMode"] = UNKNOWN_STRING_VALUE
    with pytest.raises(UnknownValueError):
        violations("no-host-network", plant["vault"])


def test_an_unknown_value_does_not_stop_rules_that_need_others(plant: Any) -> None:
    plant["vault"]["command"][0] = UNKNOWN_STRING_VALUE
    assert violations("no-privileged", plant["vault"]) == []


def test_a_stack_violation_names_its_resource(plant: Any) -> None:
    plant["vault"]["networksAdvanced"].append({"name": "aidc-test-storage"})
    (found,) = stack_violations("segment-membership", plant)
    assert found[0].startswith("aidc-test-vault: it joins storage")
    assert found[1] == "urn:vault"


def test_an_unknown_output_does_not_stop_the_check_of_waivers(plant: Any) -> None:
    plant["vault"]["ipcMode"] = UNKNOWN_STRING_VALUE
    assert any("aidc-test-firewall" in message for message, _ in stack_violations("waivers-current", plant))


def test_an_unused_waiver_is_reported_for_the_stack(plant: Any) -> None:
    messages = [message for message, _ in stack_violations("waivers-current", plant)]
    assert any("there is no aidc-test-firewall in stack test" in message for message in messages)


def test_waivers_of_build_files_are_none_of_the_packs_business(plant: Any) -> None:
    messages = [message for message, _ in stack_violations("waivers-current", plant)]
    assert not any("Dockerfile" in message for message in messages)


@pytest.mark.parametrize(
    "violation",
    [v for v in VIOLATIONS if isinstance(BY_NAME[v.rule], ResourceRule) and KIND_OF[v.key] in REGISTERED],
    ids=lambda v: f"{v.rule}-{v.what}",
)
def test_the_pack_finds_what_the_rule_finds(violation: Violation, plant: Any) -> None:
    assert violations(violation.rule, plant[violation.key], plant.resource(violation.key).type) == []
    violation.change(plant)
    assert violations(violation.rule, plant[violation.key], plant.resource(violation.key).type)


@pytest.mark.parametrize(
    "violation",
    [v for v in VIOLATIONS if isinstance(BY_NAME[v.rule], StackRule) and changes_resources(v)],
    ids=lambda v: f"{v.rule}-{v.what}",
)
def test_the_pack_finds_what_a_rule_of_the_whole_stack_finds(violation: Violation, plant: Any) -> None:
    before = stack_violations(violation.rule, plant)
    violation.change(plant)
    assert len(stack_violations(violation.rule, plant)) > len(before)
