"""Three sources, one answer a rule."""

from __future__ import annotations

from datetime import date

from audit.policies import agreement
from audit.policies.agreement import Side
from audit.records import RuleRecord
from policies.catalogue import RULES
from policies.evaluate import evaluate
from policies.model import Resource, Stack
from policies.settings.waivers import Waiver

NON_ROOT = [rule for rule in RULES if rule.name in ("non-root", "restart-bounded")]
TODAY = date(2026, 1, 1)


def side(*waivers: Waiver, **users: str) -> Side:
    """Containers by name, each with its user."""
    made = tuple(
        Resource("container", name.replace("_", "-"), {"user": user, "restart": "always"})
        for name, user in users.items()
    )
    report = evaluate(Stack(made), NON_ROOT, waivers, {}, TODAY)
    return Side(report, frozenset(r.name for r in made))


def entry(**sides: Side) -> RuleRecord:
    """The table's entry of non-root."""
    return next(e for e in agreement.table(NON_ROOT, sides) if e.rule == "non-root")


def verdicts(**sides: Side) -> dict[str, str]:
    return {row.name: row.verdict for row in agreement.rows(agreement.table(NON_ROOT, sides), sides)}


def test_three_equal_sources_agree() -> None:
    same = side(aidc_test_a="1000")
    assert verdicts(plan=same, state=same, live=same) == {
        "policies on the plan": "pass",
        "policies on the exported state": "pass",
        "policies on what runs": "pass",
        "plan, state and live agree": "pass",
    }


def test_a_rule_that_fails_live_alone_is_a_disagreement() -> None:
    good, bad = side(aidc_test_a="1000"), side(aidc_test_a="0")
    found = verdicts(plan=good, state=good, live=bad)
    assert found["policies on what runs"] == "fail"
    assert found["plan, state and live agree"] == "fail"
    said = entry(plan=good, state=good, live=bad).disagreements
    assert said == ["aidc-test-a: broken on what runs, kept on the plan and the exported state"]


def test_a_rule_that_fails_on_the_plan_alone_is_one_too() -> None:
    good, bad = side(aidc_test_a="1000"), side(aidc_test_a="0")
    assert verdicts(plan=bad, state=good, live=good)["plan, state and live agree"] == "fail"


def test_a_rule_that_fails_everywhere_is_no_disagreement() -> None:
    bad = side(aidc_test_a="0")
    found = verdicts(plan=bad, state=bad, live=bad)
    assert found["plan, state and live agree"] == "pass"
    assert found["policies on the plan"] == "fail"


def test_the_same_rule_on_other_resources_is_a_disagreement() -> None:
    one, two = side(aidc_test_a="0", aidc_test_b="1000"), side(aidc_test_a="1000", aidc_test_b="0")
    assert len(entry(plan=one, live=two).disagreements) == 2


def test_a_resource_that_a_source_lacks_is_left_to_drift() -> None:
    both, one = side(aidc_test_a="1000", aidc_test_b="0"), side(aidc_test_a="1000")
    assert entry(plan=both, live=one).disagreements == []


def test_volume_names_with_another_digest_are_the_same_resource() -> None:
    one = side(**{"aidc-test-a-files-000000000000": "0"})
    two = side(**{"aidc-test-a-files-111111111111": "0"})
    assert entry(plan=one, live=two).disagreements == []


def test_a_waived_fault_is_shown_as_waived() -> None:
    waiver = Waiver("aidc-{stack}-a", "non-root", "because it must", "ops", date(2027, 1, 1), "f:1")
    found = entry(plan=side(waiver, aidc_test_a="0")).sources["plan"]
    assert (found.status, found.waived, found.failed) == ("waived", ["aidc-test-a"], [])


def test_advisory_faults_fail_no_source() -> None:
    same = side(aidc_test_a="1000")
    rows = agreement.rows([], {"plan": same})
    assert (rows[0].verdict, "1 advisory" in rows[0].detail) == ("pass", True)
