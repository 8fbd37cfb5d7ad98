"""The coverage of CIS: every recommendation has a rule or a reason, and rules name only what exists."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from components.planning.paths import ROOT
from policies import cis
from policies.catalogue import RULES
from policies.cis import RECOMMENDATIONS, Recommendation

SECTIONS = [
    *(f"1.1.{n}" for n in range(1, 19)),
    *("1.2.1", "1.2.2"),
    *(f"2.{n}" for n in range(1, 19)),
    *(f"4.{n}" for n in range(1, 13)),
    *(f"5.{n}" for n in range(1, 33)),
]
NO_PRIVILEGED = next(rule for rule in RULES if rule.name == "no-privileged")


def test_every_recommendation_has_a_rule_or_a_reason() -> None:
    assert cis.faults(RULES) == []


def test_the_table_holds_sections_1_2_4_and_5() -> None:
    assert [recommendation.section for recommendation in RECOMMENDATIONS] == SECTIONS


@pytest.mark.parametrize(
    ("recommendation", "sections", "fault"),
    [
        (Recommendation("5.5", "x"), (), "5.5 has no rule and no reason"),
        (Recommendation("5.5", "x", "open"), (), "5.5 has no rule and no reason"),
        (Recommendation("5.5", "x", note="some day"), (), "5.5 has no rule and no reason"),
        (Recommendation("5.5", "x", "open", "y"), ("5.5",), "5.5 is marked open, but no-privileged"),
        (Recommendation("5.5", "x"), ("5.5", "5.33"), "no-privileged names 5.33, which is not a section"),
    ],
)
def test_a_gap_in_the_table_is_found(
    recommendation: Recommendation, sections: tuple[str, ...], fault: str
) -> None:
    (found,) = cis.faults([replace(NO_PRIVILEGED, cis=sections)], [recommendation])
    assert found.startswith(fault)


def test_a_section_that_is_there_twice_is_found() -> None:
    twice = [Recommendation("5.5", "x"), Recommendation("5.5", "y")]
    assert "5.5 is listed twice" in cis.faults([NO_PRIVILEGED], twice)


def test_no_code_here_executes_in_a_container_with_more_rights() -> None:
    """Sections 5.23 and 5.24, which no declaration shows: the code of this repository at least keeps them."""
    calls = [
        (path.name, node)
        for folder in ("benchmark", "components", "operations", "policies")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("exec_create", "exec_run")
    ]
    assert calls, "nothing is executed any more: say so in policies/cis.py"
    for name, call in calls:
        assert {"privileged", "user", None}.isdisjoint({k.arg for k in call.keywords}), name
        assert len(call.args) <= 2, f"{name}: options by position cannot be told apart"
