"""The real program under mocks: every resource is checked by every rule. And the command that does so."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
import yaml

from components.planning.flows import FLOWS, LISTENS
from components.planning.paths import ROOT
from operations.commands import policy
from policies.catalogue import NAMES, RULES
from policies.evaluate import WHOLE_STACK, Report, evaluate
from policies.model import Resource, Stack
from policies.rule import ResourceRule
from policies.settings import bundle
from policies.sources import stacks

TODAY = date(2026, 12, 1)
STACKS = ("dev", "test")
# Looks at the engine itself, which only `--live` asks.
LIVE_ONLY = {"no-swarm", "no-insecure-registry", "current-storage-driver", "no-experimental-engine"}


@pytest.fixture(scope="module")
def plan() -> tuple[Resource, ...]:
    return stacks.plan("dev")


def check(resources: tuple[Resource, ...], stack: str = "dev") -> Report:
    found = bundle.load(stack, NAMES)
    return evaluate(Stack(resources, FLOWS, LISTENS, stack), RULES, found.waivers, found.levels, TODAY)


@pytest.mark.parametrize("stack", STACKS)
def test_the_stack_keeps_every_mandatory_rule(stack: str) -> None:
    report = check(stacks.plan(stack), stack)
    assert [outcome.message for outcome in report.violations] == []
    assert report.waiver_issues == ()


def test_every_resource_is_fed_to_every_rule_that_looks_at_its_kind(plan: tuple[Resource, ...]) -> None:
    seen = Counter((o.rule.name, o.resource) for o in check(plan).outcomes)
    names = Counter(resource.name for resource in plan)
    for rule in RULES:
        if isinstance(rule, ResourceRule):
            wanted = {r.name for r in plan if r.kind in rule.on}
            assert all(seen[rule.name, name] >= 1 for name in wanted), rule.name
            assert sum(seen[rule.name, name] for name in wanted) >= len(
                [r for r in plan if r.kind in rule.on]
            )
    assert len(names) > 40


def test_every_rule_finds_something_to_look_at(plan: tuple[Resource, ...]) -> None:
    assert NAMES - {outcome.rule.name for outcome in check(plan).outcomes} == LIVE_ONLY


def test_nothing_that_the_program_declares_is_missed(plan: tuple[Resource, ...]) -> None:
    """Places are recorded in constructors, resources at their registration: each verifies the other."""
    assert all(resource.place for resource in plan)


def test_every_resource_has_a_rule_that_looks_at_it(plan: tuple[Resource, ...]) -> None:
    looked_at = {kind for rule in RULES if isinstance(rule, ResourceRule) for kind in rule.on}
    # Limits are looked at together with their containers.
    assert {resource.kind for resource in plan} <= looked_at | {"limit"}


def test_no_name_is_that_of_two_resources(plan: tuple[Resource, ...]) -> None:
    """Waivers match by rule and name: two containers with the same name would share one."""
    names = [(r.kind, r.name) for r in plan if r.kind != "other"]
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
    monkeypatch.setattr(stacks, "plan", lambda stack: (bad,))
    assert policy.main(["--out", str(tmp_path)]) == 1
    assert "policy FAILED" in capsys.readouterr().out


def test_the_command_says_which_stacks_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert policy.main(["--stack", "nowhere", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "Pulumi.nowhere.yaml: there is no such file" in error
    assert "dev" in error


def test_exported_state_is_judged_like_the_plan(plan: tuple[Resource, ...], tmp_path: Path) -> None:
    exported = [
        {"type": r.type, "urn": f"urn:pulumi:dev::aidc::{r.type}::{r.name}", "inputs": dict(r.props)}
        for r in plan
        if r.type
    ]
    file = tmp_path / "state.json"
    file.write_text(json.dumps({"version": 3, "deployment": {"resources": exported}}), encoding="utf-8")
    assert policy.main(["--state", str(file), "--out", str(tmp_path)]) == 0


def test_a_secret_in_state_stays_unread() -> None:
    secret = {stacks.SIGNATURE_KEY: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}
    found = stacks.from_engine("docker:index/container:Container", "x", {"uploads": secret})
    assert found.get("uploads") == stacks.HIDDEN


def test_whole_stack_outcomes_are_no_resource(plan: tuple[Resource, ...]) -> None:
    assert WHOLE_STACK not in {resource.name for resource in plan}


def test_the_command_leaves_waived_faults_out_when_told(tmp_path: Path) -> None:
    assert policy.main(["--without-waived", "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "policy.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]
    assert results
    assert not any("suppressions" in result for result in results)


def test_on_github_faults_become_annotations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    policy.main(["--out", str(tmp_path)])
    assert "\n::warning file=components/firewall.py,line=" in capsys.readouterr().out


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with faulty waivers and levels."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "Pulumi.dev.yaml").write_text("{}\n", encoding="utf-8")
    (tmp_path / "policies" / "waivers.yaml").write_text("- resource: x\n", encoding="utf-8")
    (tmp_path / "policies" / "levels.yaml").write_text("prd: {}\n", encoding="utf-8")
    load = bundle.load
    monkeypatch.setattr(bundle, "load", lambda stack, rules: load(stack, rules, tmp_path))
    return tmp_path


def test_the_command_tells_all_mistakes_at_once(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert policy.main(["--stack", "nowhere", "--out", str(root / "out")]) == 2
    told = capsys.readouterr()
    assert "6 mistakes" in told.err
    for part in (
        "waivers.yaml:1: owner: is missing",
        "levels.yaml:1: prd:",
        "Pulumi.nowhere.yaml: there is no",
    ):
        assert part in told.err
    assert told.out.count("::error file=policies/") >= 5
    assert not (root / "out").exists()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("config: {}\nconfig: {}\n", "Pulumi.dev.yaml:2: 'config' is already given in line 1"),
        ("config: [\n", "Pulumi.dev.yaml:2: is not readable YAML"),
        ("- config\n", "Pulumi.dev.yaml:1: expected a map"),
        ("config: text\n", "Pulumi.dev.yaml: config: expected a map"),
    ],
)
def test_a_faulty_stack_file_is_told_with_its_line(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(stacks.SourceError) as caught:
        stacks.program("dev", tmp_path)
    assert problem in str(caught.value)


def test_more_buckets_are_no_more_files(tmp_path: Path) -> None:
    """The engine takes a quarter of a second for each file."""
    document = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    buckets = {f"bucket-{n}": {"quota": "1GiB", "read": ["client"]} for n in range(90)}
    document["config"]["aidc:datacenter"].setdefault("object_store", {})["buckets"] = buckets
    (tmp_path / "Pulumi.dev.yaml").write_text(yaml.safe_dump(document))
    shutil.copy(ROOT / "__main__.py", tmp_path)
    few, many = (
        sum(len(list(r.each("uploads"))) for r in stacks.program("dev", root)) for root in (ROOT, tmp_path)
    )
    assert many == few
