"""The real program under mocks: every resource meets every rule. And the command that does so."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from components.flows import FLOWS, LISTENS
from operations import policy
from policies import levels, sources, waivers
from policies.catalogue import NAMES, RULES
from policies.evaluate import WHOLE_STACK, Report, evaluate
from policies.model import Resource, Stack
from policies.rule import ResourceRule, StackRule

TODAY = date(2026, 12, 1)
STACKS = ("dev", "test")


@pytest.fixture(scope="module")
def registered() -> tuple[Resource, ...]:
    return sources.program("dev")


def check(resources: tuple[Resource, ...], stack: str = "dev") -> Report:
    in_force = waivers.load(NAMES)
    return evaluate(Stack(resources, FLOWS, LISTENS), RULES, in_force, levels.load(stack, NAMES), TODAY)


@pytest.mark.parametrize("stack", STACKS)
def test_the_stack_keeps_every_mandatory_rule(stack: str) -> None:
    report = check(sources.program(stack), stack)
    assert [outcome.message for outcome in report.violations] == []
    assert report.waiver_faults == ()


def test_every_registered_resource_is_fed_to_every_rule(registered: tuple[Resource, ...]) -> None:
    seen = {(o.rule.name, o.resource) for o in check(registered).outcomes}
    for rule in RULES:
        if isinstance(rule, ResourceRule):
            assert {(rule.name, r.name) for r in registered if r.kind in rule.on} <= seen
        elif isinstance(rule, StackRule):
            assert any(name == rule.name for name, _ in seen)


def test_every_resource_has_a_rule_that_looks_at_it(registered: tuple[Resource, ...]) -> None:
    looked_at = {kind for rule in RULES if isinstance(rule, ResourceRule) for kind in rule.on}
    assert {resource.kind for resource in registered} <= looked_at


def test_no_name_is_that_of_two_resources(registered: tuple[Resource, ...]) -> None:
    """Waivers go by name: two containers of one name would share one."""
    names = [r.name for r in registered if r.kind == "container"]
    assert len(set(names)) == len(names)


def test_the_command_writes_its_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert policy.main(["--stack", "dev", "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "policy.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert (tmp_path / "policy.junit.xml").stat().st_size > 1000
    assert "policy passed: stack dev (plan)" in capsys.readouterr().out


def test_the_command_fails_on_a_violation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Resource("container", "aidc-dev-bad", {"privileged": True}, type="docker:index/container:Container")
    monkeypatch.setattr(sources, "program", lambda stack: (bad,))
    assert policy.main(["--out", str(tmp_path)]) == 1
    assert "policy FAILED" in capsys.readouterr().out


def test_the_command_says_which_stacks_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert policy.main(["--stack", "nowhere", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "Pulumi.nowhere.yaml: there is no such file" in error
    assert "dev" in error


def test_exported_state_is_judged_like_the_plan(registered: tuple[Resource, ...], tmp_path: Path) -> None:
    exported = [
        {"type": r.type, "urn": f"urn:pulumi:dev::aidc::{r.type}::{r.name}", "inputs": dict(r.props)}
        for r in registered
    ]
    file = tmp_path / "state.json"
    file.write_text(json.dumps({"version": 3, "deployment": {"resources": exported}}), encoding="utf-8")
    assert policy.main(["--state", str(file), "--out", str(tmp_path)]) == 0


def test_a_secret_in_state_stays_unread() -> None:
    secret = {sources.SIGNATURE_KEY: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}
    found = sources.from_engine("docker:index/container:Container", "x", {"uploads": secret})
    assert found.get("uploads") == sources.HIDDEN


def test_whole_stack_outcomes_are_no_resource() -> None:
    assert WHOLE_STACK not in {resource.name for resource in sources.program("dev")}
