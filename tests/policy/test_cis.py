"""The coverage of CIS: every recommendation has a rule or a reason, and rules name only what exists."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

import pytest

from audit.attacks.attempts import VICTIM
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
# Options of an exec that give it other rights than the container's own; None stands for `**options`.
RIGHTS = ("privileged", "user", None)
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


def method_calls(*names: str) -> Iterator[tuple[str, ast.Call]]:
    """Each call of a method with one of these names in this repository's own code, and the file it is in."""
    for folder in ("audit", "benchmark", "components", "operations", "policies"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in names:
                    yield path.relative_to(ROOT).as_posix(), node


def test_no_code_here_executes_in_a_container_with_more_rights() -> None:
    """Sections 5.23 and 5.24, which no declaration shows: the code of this repository at least keeps them.

    The audit alone names a user, `nobody`: its attacks need a process of somebody else's.
    """
    calls = list(method_calls("exec_create", "exec_run"))
    assert calls, "nothing is executed any more: say so in policies/cis.py"
    for name, call in calls:
        assert len(call.args) <= 2, f"{name}: options by position cannot be told apart"
    options = [(name, k.arg) for name, call in calls for k in call.keywords if k.arg in RIGHTS]
    assert options == [("audit/engine/inside.py", "user")]
    starts = [call for _, call in method_calls("start") if ast.unparse(call.func) == "inside.start"]
    assert [ast.unparse(call.args[-1]) for call in starts] == ["attempts.VICTIM"]
    assert not [call for call in starts if call.keywords]
    assert VICTIM == "65534:65534"
