"""The flow table against the live network: every listed pair connects, every other pair does not.

The audit's own machinery probes (`audit/reachability/survey.py`): from inside every network namespace, each
port with a live listener seen open from its own side, so that "blocked" never means "down".
"""

from __future__ import annotations

import pytest

from audit.reachability import matrix
from audit.reachability.check import check
from audit.records import Reachability
from audit.verdicts import Part, Row
from components.planning.inventory import Inventory
from operations.commands.audit import gather
from operations.stack.exclusive import auditing
from tests.acceptance.conftest import STACK

ROWS = (
    *(question.name for question in matrix.QUESTIONS),
    "containers have no IPv6",
    "outside names do not resolve",
    "no name query leaves the stack",
    "every listener answers from within",
    "firewall rules are as planned",
    "firewall counters rose with the probes",
)


@pytest.fixture(scope="module")
def part() -> Part:
    with auditing():
        context, _ = gather(STACK)
        return check(context)


@pytest.fixture(scope="module")
def rows(part: Part) -> dict[str, Row]:
    return {row.name: row for row in part.rows}


@pytest.mark.parametrize("name", ROWS)
def test_reachability_is_as_declared(rows: dict[str, Row], name: str) -> None:
    assert rows[name].verdict == "pass", rows[name].detail


def test_nothing_else_is_open(rows: dict[str, Row]) -> None:
    assert [row for name, row in rows.items() if name not in ROWS and row.verdict != "pass"] == []


def test_every_ordered_pair_was_probed(part: Part, inventory: Inventory) -> None:
    names = {s.name for s in inventory.services if s.addresses and not s.role.endswith("-setup")}
    probed = {(probe.source, probe.destination) for probe in part.holding(Reachability).probes}
    assert {(a, b) for a in names for b in names if a != b} <= probed
